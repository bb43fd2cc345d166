"""The frame of every long-running command: signals, a fatal failure as an exit code, one way to stop."""

from __future__ import annotations

import asyncio
import signal

import structlog

from schemas.failures import Failure, FatalError

_log = structlog.get_logger(__name__)


class Lifetime:
    """Ends when SIGTERM or SIGINT comes, or when something fatal happens. Create it inside the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[BaseException | None] = self._loop.create_future()
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self._finish, None)

    def fail(self, error: BaseException) -> None:
        """End the process because of `error`; safe from any thread."""
        self._loop.call_soon_threadsafe(self._finish, error)

    async def wait(self) -> None:
        """Return when the process was asked to stop. Raises what was passed to `fail`, as a Failure."""
        error = await asyncio.shield(self._over)
        if error is None:
            return
        if isinstance(error, Failure):
            raise error
        raise FatalError("unexpected", f"{type(error).__name__}: {error}") from error

    def _finish(self, error: BaseException | None) -> None:
        if error is not None:
            # A failure of ours says all in its message; of anything else the place matters.
            _log.error("fatal", error=str(error), exc_info=None if isinstance(error, Failure) else error)
        if not self._over.done():
            self._over.set_result(error)
