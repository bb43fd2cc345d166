"""Ordered lanes: one per key. Records of a key wait for each other, records of different keys do not.

A lane ends one record in exactly one durable outcome before it acknowledges it:

1. the handler returned: its effect and whatever it published are confirmed;
2. PoisonError: the dead letter is confirmed;
3. RetryableError: nothing is acknowledged; the record is tried again after a pause, its key waits, others go on;
4. FatalError or anything unknown: nothing is acknowledged; the process is told to stop.

Faust acknowledges an event whose agent raises, so nothing is ever raised into Faust from here. Acks may come out of
order between keys; Faust commits only up to the first gap, so a crash repeats records and never skips one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from schemas import topics
from schemas.failures import Failure, PoisonError, RetryableError
from streams.runtime import metrics
from streams.runtime.dead_letters import Origin

_log = structlog.get_logger(__name__)
# Pauses of a record that used up its retry budget: it comes back for as long as the other side is away.
# Kinds of both ends that business keys carry.
_KINDS = frozenset(topics.FRESHBOOKS_ENTITIES) | {"customer", "vendor"}
_HOLD_FIRST_SECONDS = 1.0
_HOLD_CAP_SECONDS = 30.0

Handler = Callable[[Origin], Awaitable[str]]
Bury = Callable[[Origin, PoisonError, int], Awaitable[None]]
Ack = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: Origin
    ack: Ack


class Lanes:
    """Runs `handle` per record in order per key, at most `max_in_flight` records at once.

    `handle` returns the outcome as a word for metrics. `coalesce` handles only the newest of the records of a key
    that wait together, for records that say no more than 'look again'.
    """

    def __init__(
        self,
        stage: str,
        handle: Handler,
        bury: Bury,
        stop: Callable[[BaseException], None],
        *,
        max_in_flight: int,
        coalesce: bool = False,
    ) -> None:
        self._stage = stage
        self._handle = handle
        self._bury = bury
        self._stop = stop
        self._coalesce = coalesce
        self._room = asyncio.Semaphore(max_in_flight)
        self._lanes: dict[bytes | None, deque[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Loop time at which a record was last finished, or known to wait for the other side.
        self.last_progress = asyncio.get_running_loop().time()

    @property
    def busy(self) -> bool:
        """True while records are under way."""
        return bool(self._lanes)

    async def submit(self, record: Origin, ack: Ack) -> None:
        """Queue a record in its key's lane; waits while `max_in_flight` records are under way."""
        await self._room.acquire()
        waiting = self._lanes.get(record.key)
        if waiting is not None:
            waiting.append(_Waiting(record, ack))
            return
        self._lanes[record.key] = deque([_Waiting(record, ack)])
        task = asyncio.create_task(self._run(record.key), name=f"lane {self._stage}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, timeout_seconds: float) -> None:
        """Wait for what is under way; what is not done by then is abandoned unacknowledged and comes again."""
        if self._tasks:
            _, abandoned = await asyncio.wait(set(self._tasks), timeout=timeout_seconds)
            for task in abandoned:
                task.cancel()

    async def _run(self, key: bytes | None) -> None:
        waiting = self._lanes[key]
        try:
            while waiting:
                taken = list(waiting) if self._coalesce else [waiting[0]]
                await self._settle(taken[-1].record)
                for item in taken:
                    waiting.popleft()
                    await item.ack()
                    self._room.release()
                self.last_progress = asyncio.get_running_loop().time()
            del self._lanes[key]
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the loop edge: whatever it is, it stops the process
            code = error.code if isinstance(error, Failure) else type(error).__name__
            metrics.FATAL.labels(self._stage, code).inc()
            self._stop(error)

    async def _settle(self, record: Origin) -> None:
        """Return when the record has a durable outcome."""
        kind = _kind_of(record)
        poison: PoisonError | None = None
        attempt = 0
        while True:
            attempt += 1
            try:
                if poison is None:
                    with metrics.STAGE_SECONDS.labels(self._stage).time():
                        outcome = await self._handle(record)
                else:
                    await self._bury(record, poison, attempt)
                    outcome = "dead_lettered"
            except PoisonError as failure:
                poison = failure
                attempt -= 1
                _log.warning(
                    "dead letter", stage=self._stage, **_place(record), code=failure.code, error=failure.message
                )
            except RetryableError as failure:
                pause = min(_HOLD_CAP_SECONDS, _HOLD_FIRST_SECONDS * 2 ** min(attempt, 10))
                metrics.EVENTS.labels(self._stage, kind, "held").inc()
                # The other side is away and we know it: that is waiting, not being stuck.
                self.last_progress = asyncio.get_running_loop().time()
                _log.warning("held", stage=self._stage, **_place(record), error=str(failure), again_in_seconds=pause)
                await asyncio.sleep(pause)
            else:
                metrics.EVENTS.labels(self._stage, kind, outcome).inc()
                metrics.LAST_SUCCESS.labels(self._stage).set_to_current_time()
                return


def _kind_of(record: Origin) -> str:
    """The kind in a business key, `other` for a key that is not one: a metric label must stay bounded."""
    parts = (record.key or b"").decode("utf-8", "replace").split(":")
    return parts[1] if len(parts) >= 3 and parts[1] in _KINDS else "other"


def _place(record: Origin) -> dict[str, object]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
