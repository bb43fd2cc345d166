"""The three failure classes that decide what happens to a record, and the codes that name a cause.

    Failure
    ├── RetryableError   the same call may work later        → back off inside a budget, then hold or dead-letter
    ├── PoisonError      this record can never work          → dead-letter queue, count, go on
    │   └── AmbiguousError   several answers fit             → the same, with the candidates: a person decides
    └── FatalError       we are broken or misconfigured      → stop without committing, exit code 1

Grouped by who can recover, not by technology. Anything that is none of the three is treated as fatal: an unknown
error that is skipped is a lost record, one that stops the process is an alert.
"""

from __future__ import annotations


class Failure(Exception):  # noqa: N818 - the root of the tree; its leaves are errors
    """A failure with a stable `code` (snake_case, for metrics and the DLQ) and a message for a person.

    The message says the action, the thing and the remedy; it never holds a secret or a payload.
    """

    failure_class = "failure"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class RetryableError(Failure):
    """The same call may work later: timeout, 429, 503, deadlock. `retry_after_seconds` is the other side's wish."""

    failure_class = "retryable"

    def __init__(self, code: str, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after_seconds = retry_after_seconds


class PoisonError(Failure):
    """This record can never work as it is: undecodable, invalid, refused for what it says.

    `field` names the part of the record that is to blame, where one is.
    """

    failure_class = "poison"

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(code, message)
        self.field = field


class AmbiguousError(PoisonError):
    """Several things fit, and only a person can say which. `candidates` name them, the best first."""

    failure_class = "ambiguous"

    def __init__(self, code: str, message: str, *, field: str | None = None, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(code, message, field=field)
        self.candidates = candidates


class FatalError(Failure):
    """We are broken or misconfigured: the process stops before the next commit, and a person acts."""

    failure_class = "fatal"
