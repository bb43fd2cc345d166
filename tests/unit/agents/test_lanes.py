"""A lane ends each record in exactly one durable outcome, in order per key, before it acknowledges it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from schemas.failures import FatalError, PoisonError, RetryableError
from streams.agents import lanes as lanes_module
from streams.agents.lanes import Lanes
from streams.runtime.dead_letters import Origin


def record(key: str, offset: int) -> Origin:
    return Origin("freshbooks.invoices", 0, offset, key.encode(), b"", ())


class Recorder:
    """Handles records as told by `failures`, and remembers what happened in which order."""

    def __init__(self, failures: dict[int, list[Exception]] | None = None) -> None:
        self.failures = failures or {}
        self.events: list[tuple[str, int]] = []
        self.stopped: list[BaseException] = []
        self.gates: dict[int, asyncio.Event] = {}

    async def handle(self, origin: Origin) -> str:
        self.events.append(("begun", origin.offset))
        if origin.offset in self.gates:
            await self.gates[origin.offset].wait()
        if self.failures.get(origin.offset):
            raise self.failures[origin.offset].pop(0)
        self.events.append(("done", origin.offset))
        return "ready"

    async def bury(self, origin: Origin, poison: PoisonError, attempts: int) -> None:
        self.events.append(("buried", origin.offset))

    def ack(self, origin: Origin) -> Callable[[], Coroutine[Any, Any, None]]:
        async def acknowledge() -> None:
            self.events.append(("acked", origin.offset))

        return acknowledge

    def lanes(self, **options: Any) -> Lanes:
        return Lanes("test", self.handle, self.bury, self.stopped.append, **({"max_in_flight": 10} | options))

    async def run(self, *records: Origin, **options: Any) -> Lanes:
        made = self.lanes(**options)
        for origin in records:
            await made.submit(origin, self.ack(origin))
        await made.drain(5)
        return made

    def of(self, what: str) -> list[int]:
        return [offset for name, offset in self.events if name == what]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "_HOLD_FIRST_SECONDS", 0.0)


def test_records_of_a_key_keep_their_order() -> None:
    recorder = Recorder()

    asyncio.run(recorder.run(*(record("a:invoice:1", n) for n in range(5))))

    assert recorder.events == [(what, n) for n in range(5) for what in ("begun", "done", "acked")]


def test_a_slow_key_does_not_hold_another() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.gates[0] = asyncio.Event()
        lanes = recorder.lanes()
        for origin in (record("a:invoice:1", 0), record("a:invoice:1", 1), record("a:invoice:2", 2)):
            await lanes.submit(origin, recorder.ack(origin))
        while ("acked", 2) not in recorder.events:
            await asyncio.sleep(0)
        assert ("begun", 1) not in recorder.events
        recorder.gates[0].set()
        await lanes.drain(5)
        return recorder

    assert asyncio.run(scenario()).of("acked") == [2, 0, 1]


def test_a_poisoned_record_is_buried_and_then_acknowledged() -> None:
    recorder = Recorder({0: [PoisonError("bad", "no")]})

    asyncio.run(recorder.run(record("a:invoice:1", 0), record("a:invoice:1", 1)))

    assert recorder.events == [("begun", 0), ("buried", 0), ("acked", 0), ("begun", 1), ("done", 1), ("acked", 1)]


def test_a_retryable_failure_is_held_and_never_acknowledged_before_it_worked() -> None:
    recorder = Recorder({0: [RetryableError("away", "later"), RetryableError("away", "later")]})

    asyncio.run(recorder.run(record("a:invoice:1", 0)))

    assert recorder.events == [("begun", 0), ("begun", 0), ("begun", 0), ("done", 0), ("acked", 0)]


@pytest.mark.parametrize("failure", [FatalError("broken", "us"), KeyError("surprise"), AssertionError()])
def test_a_fatal_or_unknown_failure_stops_the_process_without_an_acknowledgement(failure: Exception) -> None:
    recorder = Recorder({0: [failure]})

    asyncio.run(recorder.run(record("a:invoice:1", 0), record("a:invoice:1", 1)))

    assert recorder.stopped == [failure]
    assert recorder.of("acked") == []
    assert recorder.of("begun") == [0]


def test_a_dead_letter_that_cannot_be_written_is_tried_again_and_not_acknowledged() -> None:
    class Failing(Recorder):
        tries = 0

        async def bury(self, origin: Origin, poison: PoisonError, attempts: int) -> None:
            self.tries += 1
            if self.tries < 3:
                raise RetryableError("not_delivered", "kafka is away")
            await super().bury(origin, poison, attempts)

    recorder = Failing({0: [PoisonError("bad", "no")]})

    asyncio.run(recorder.run(record("a:invoice:1", 0)))

    assert recorder.events == [("begun", 0), ("buried", 0), ("acked", 0)]
    assert recorder.tries == 3


def test_coalescing_handles_the_newest_and_acknowledges_all() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.gates[0] = asyncio.Event()
        lanes = recorder.lanes(coalesce=True)
        await lanes.submit(record("a:invoice:1", 0), recorder.ack(record("a:invoice:1", 0)))
        await asyncio.sleep(0)
        for n in (1, 2, 3):
            await lanes.submit(record("a:invoice:1", n), recorder.ack(record("a:invoice:1", n)))
        recorder.gates[0].set()
        await lanes.drain(5)
        return recorder

    recorder = asyncio.run(scenario())

    assert recorder.of("done") == [0, 3]
    assert recorder.of("acked") == [0, 1, 2, 3]


def test_no_more_records_are_under_way_than_allowed() -> None:
    async def scenario() -> bool:
        recorder = Recorder()
        recorder.gates.update({0: asyncio.Event(), 1: asyncio.Event()})
        lanes = recorder.lanes(max_in_flight=2)
        for n in range(2):
            await lanes.submit(record(f"a:invoice:{n}", n), recorder.ack(record("", n)))
        third = asyncio.create_task(lanes.submit(record("a:invoice:2", 2), recorder.ack(record("", 2))))
        await asyncio.sleep(0)
        waited = not third.done()
        recorder.gates[0].set()
        await third
        recorder.gates[1].set()
        await lanes.drain(5)
        return waited

    assert asyncio.run(scenario())


def test_what_is_not_done_when_draining_ends_is_never_acknowledged() -> None:
    async def scenario() -> Recorder:
        recorder = Recorder()
        recorder.gates[0] = asyncio.Event()
        lanes = recorder.lanes()
        await lanes.submit(record("a:invoice:1", 0), recorder.ack(record("", 0)))
        await lanes.drain(0.01)
        await asyncio.sleep(0)
        return recorder

    recorder = asyncio.run(scenario())

    assert recorder.of("acked") == []
    assert recorder.stopped == []
