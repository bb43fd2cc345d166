"""The one failure of the embedded stack: something could not be fetched, started or kept running."""


class StackError(RuntimeError):
    """Says what failed, on which part, and what the reader can do about it; shown as it is, without a traceback."""
