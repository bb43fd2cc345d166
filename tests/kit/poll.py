"""Wait for something to become true, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.02


def poll_until(predicate: Callable[[], T], deadline_seconds: float, message: str) -> T:
    """Return the first truthy value of `predicate`, which is asked every 20 ms; also once at the deadline.

    Raises: AssertionError with `message` and the last value when the deadline passes.
    """
    give_up = time.monotonic() + deadline_seconds
    while True:
        late = time.monotonic() >= give_up
        value = predicate()
        if value:
            return value
        if late:
            raise AssertionError(f"{message}: not within {deadline_seconds:g} s (last value: {value!r})")
        time.sleep(_PAUSE_SECONDS)
