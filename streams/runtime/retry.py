"""Retry of one call inside a budget: exponential back-off with jitter (stamina), the other side's Retry-After honoured.

Only RetryableError is repeated. When the budget is used up the last RetryableError is raised again: the caller holds
the record, it does not drop it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from schemas.failures import RetryableError
from streams.runtime import metrics

T = TypeVar("T")
_FIRST_SECONDS = 0.1
_CAP_SECONDS = 8.0
_JITTER_SECONDS = 0.3


async def retrying(system: str, budget_seconds: float, call: Callable[[], Awaitable[T]]) -> T:
    """Await `call` until it succeeds, fails for good, or `budget_seconds` have passed."""

    def decide(error: Exception) -> bool | float:
        """Whether to repeat; a number is the pause the other side asked for."""
        if not isinstance(error, RetryableError):
            return False
        metrics.RETRIES.labels(system, error.code).inc()
        return True if error.retry_after_seconds is None else error.retry_after_seconds

    async for attempt in stamina.retry_context(
        on=decide,
        attempts=None,
        timeout=budget_seconds,
        wait_initial=_FIRST_SECONDS,
        wait_max=_CAP_SECONDS,
        wait_jitter=_JITTER_SECONDS,
    ):
        with attempt:
            return await call()
    raise AssertionError("stamina ends with a result or an exception")
