"""Our own limit on calls to FreshBooks: a token bucket each for reads (with updates) and for creates.

FreshBooks publishes no limits; observed were 600 a minute for reads and updates and 250 for creates, in one-minute
windows. A bucket of a fifth of the minute's rate, refilled at the rate, never passes more than 1.2 times the rate in
any minute: the defaults of 500 and 200 stay within what was observed. A 429 pauses everybody, since one more call
would only be refused too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_BURST_SHARE = 0.2
# Less than this is nothing: rounding must not leave a waiter short of a token for ever.
_NOTHING = 1e-6
Sleep = Callable[[float], Awaitable[None]]


class TokenBucket:
    """At most `per_minute` calls a minute in the long run. Waiters go in the order in which they came."""

    def __init__(self, per_minute: int, *, now: Callable[[], float], sleep: Sleep = asyncio.sleep) -> None:
        self._per_second = per_minute / 60
        self._capacity = max(1.0, per_minute * _BURST_SHARE)
        self._tokens = self._capacity
        self._now = now
        self._sleep = sleep
        self._filled_at = now()
        self._paused_until = now()
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Return when one call may be made."""
        async with self._turn:
            while (wait := self._wait_seconds()) > 0:
                await self._sleep(wait)
            self._tokens -= 1

    def pause(self, seconds: float) -> None:
        """Let no call through for `seconds` from now; never shortens a pause."""
        self._paused_until = max(self._paused_until, self._now() + seconds)

    def _wait_seconds(self) -> float:
        now = self._now()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        missing = (1 - self._tokens) / self._per_second
        wait = max(self._paused_until - now, missing)
        return wait if wait > _NOTHING else 0.0
