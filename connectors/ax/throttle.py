"""A bound on rows per second."""

from __future__ import annotations

import asyncio
import time


class Throttle:
    """Holds an average rate from its creation on; 0 is no bound. What was idle is not caught up for over a second."""

    def __init__(self, rows_per_second: float) -> None:
        self._rate = rows_per_second
        self._due = time.monotonic()

    async def pay(self, rows: int) -> None:
        """Wait until `rows` more may pass."""
        if not self._rate:
            return
        now = time.monotonic()
        self._due = max(self._due, now - 1.0) + rows / self._rate
        if self._due > now:
            await asyncio.sleep(self._due - now)
