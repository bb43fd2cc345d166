"""Parked records go on by themselves when what they wait for arrives.

The worker that owns a record's partition releases it: first the record goes to `parked.released`, then the parked row
gets its tombstone. A crash in between releases once more, and the flow decides the same again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from schemas import topics
from schemas.failures import RetryableError
from schemas.records import Parked
from streams.agents.lookups import MasterData
from streams.agents.outbox import Outbox
from streams.runtime import metrics
from streams.runtime.store import CompactedStore

# Also looks without being told: after a rebalance a worker owns rows that it did not see arrive.
_LOOK_EVERY_SECONDS = 1.0


class Parking:
    """Releases parked records of the partitions that this worker owns."""

    def __init__(
        self,
        *,
        parked: CompactedStore[Parked],
        master: MasterData,
        outbox: Outbox,
        assigned: Callable[[str, int], bool],
    ) -> None:
        self._parked = parked
        self._master = master
        self._outbox = outbox
        self._assigned = assigned
        self._woken = asyncio.Event()
        self._known_flows: set[str] = set()
        self._loop = asyncio.get_running_loop()

    def wake(self, _what: str) -> None:
        """Something arrived; safe from any thread."""
        self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Release until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _LOOK_EVERY_SECONDS)
            self._woken.clear()
            try:
                await self.release()
            except RetryableError:
                # Kafka is away: the rows stay parked, the next look tries again.
                await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def release(self) -> int:
        """Release every row whose wait is over. Returns how many."""
        released = 0
        ages: dict[str, list[float]] = {}
        now = self._outbox.now()
        for key, row in self._parked.items():
            ages.setdefault(row.flow, []).append((now - row.parked_at).total_seconds())
            if not self._assigned(row.origin_topic, row.origin_partition) or not self._master.arrived(row.waits_for):
                continue
            headers = tuple((h.name, h.value or b"") for h in row.headers)
            await self._outbox.send([self._outbox.record(topics.RELEASED, key, row, headers)])
            await self._outbox.send([self._outbox.record(topics.PARKED, key, None, headers)])
            self._parked.put(key, None)
            released += 1
        for flow in {*ages, *self._known_flows}:
            metrics.PARKED.labels(flow).set(len(ages.get(flow, ())))
            metrics.PARKED_OLDEST.labels(flow).set(max(ages.get(flow, (0.0,))))
        self._known_flows |= set(ages)
        return released
