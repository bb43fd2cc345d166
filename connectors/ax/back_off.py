"""How long to pause after a retryable failure, and when to give up."""

from __future__ import annotations

import random
import time

import structlog

from schemas.failures import FatalError, RetryableError
from streams.runtime import metrics

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 8.0
# A database that stays missing is a wrong name and not a start-up; so is a server without a handshake. What a driver
# cannot name is a lost connection, unless it comes again on every new one.
_BOUNDED = ("sql_database_unavailable", "sql_no_handshake", "sql_connection_unclear")
_BOUNDED_TRIES = 6


class BackOff:
    """Of one thing that is tried again: `due` once its pause is over."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0
        self._until = 0.0

    @property
    def due(self) -> bool:
        """True when it may be tried."""
        return time.monotonic() >= self._until

    def reset(self) -> None:
        """It worked."""
        self._failures = 0

    def note(self, error: RetryableError) -> None:
        """It failed. Raises FatalError when it failed too often for a failure that does not mend itself."""
        self._failures += 1
        metrics.RETRIES.labels("ax_sql", error.code).inc()
        if error.code in _BOUNDED and self._failures >= _BOUNDED_TRIES:
            raise FatalError(error.code, f"{error.message} (tried {self._failures} times)") from error
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1))
        pause *= random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret
        self._until = time.monotonic() + pause
        _log.warning(
            "capture retries",
            what=self._what,
            error=str(error),
            failures=self._failures,
            pause_seconds=round(pause, 2),
        )
