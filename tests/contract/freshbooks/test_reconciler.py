"""The reconciler against the simulator: the backfill, lost webhooks, deletes, and its silence about all else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.clocks import Clock
from connectors.freshbooks.fetch import EntityFetcher
from connectors.freshbooks.kinds import CLIENT, INVOICE
from connectors.freshbooks.reconciler import Reconciler
from connectors.freshbooks.seen import StoresSeen
from sandbox.freshbooks.config import Config
from sandbox.freshbooks.server import FreshBooksSimulator
from schemas import keys
from schemas.failures import RetryableError
from schemas.records import Fetched, Intent, IntentState, Notification
from streams.runtime import metrics
from tests.kit.freshbooks import Control, HandClock, Person

Run = Callable[..., Any]
GRACE = timedelta(seconds=60)


class Pipeline:
    """What stands behind the reconciler: the stores that the fetch agent and the sink keep."""

    def __init__(self, client: FreshBooksClient, clock: Clock) -> None:
        self.client = client
        self.fetched: dict[str, Fetched] = {}
        self.intents: dict[str, Intent] = {}
        self.told: list[Notification] = []
        self.kafka_away = False
        self.reconciler = Reconciler(
            client,
            seen=StoresSeen(self.fetched, self.intents),
            announce=self.announce,
            clock=clock,
            overlap_days=1,
            grace=GRACE,
            kinds=(CLIENT, INVOICE),
            page_size=2,
        )

    async def announce(self, notifications: Sequence[Notification], /) -> None:
        if self.kafka_away:
            raise RetryableError("not_delivered", "away")
        self.told += notifications

    async def poll(self) -> set[tuple[str, int]]:
        """Kinds and ids that a round announced; each at most once."""
        before = len(self.told)
        await self.reconciler.round()
        told = [(notification.kind, notification.object_id) for notification in self.told[before:]]
        assert len(told) == len(set(told))
        return set(told)

    async def fetch(self, kind: str, number: int) -> None:
        """What the fetch agent does with a notification."""
        entity = await EntityFetcher(self.client).fetch(kind, number)
        assert entity is not None
        self.fetched[keys.freshbooks_key("ZyQ04o", kind, number)] = Fetched(
            version=entity.version,
            content_hash=entity.content_hash,
            vis_state=entity.vis_state,
            fetched_at=entity.fetched_at,
        )

    async def settle(self) -> None:
        """Backfill and fetch it all."""
        for kind, number in await self.poll():
            await self.fetch(kind, number)


@pytest.fixture
def simulator() -> Iterator[FreshBooksSimulator]:
    """One per test: these move its clock, and a watermark of another test would hide what they look for."""
    with FreshBooksSimulator(Config()) as running:
        yield running


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def with_pipeline(with_client: Run, clock: HandClock) -> Callable[[Callable[[Pipeline], Awaitable[Any]]], Any]:
    return lambda work: with_client(lambda client: work(Pipeline(client, clock)))


def test_the_first_round_announces_everything_clients_before_invoices(with_pipeline: Run, person: Person) -> None:
    client = person.new_client()
    invoices = {person.new_invoice(client["id"])["id"] for _ in range(3)}

    async def work(pipeline: Pipeline) -> Pipeline:
        await pipeline.poll()
        return pipeline

    told = with_pipeline(work).told
    kinds = [notification.kind for notification in told]
    assert kinds == sorted(kinds)
    assert {n.object_id for n in told if n.kind == "invoice"} >= invoices
    assert {(n.verb, n.origin.value) for n in told} == {("poll", "poll")}


def test_a_second_process_announces_nothing_that_was_fetched(
    with_pipeline: Run, with_client: Run, person: Person, clock: HandClock
) -> None:
    person.new_invoice(person.new_client()["id"])

    async def work(first: Pipeline) -> set[tuple[str, int]]:
        await first.settle()
        second = Pipeline(first.client, clock)
        second.fetched.update(first.fetched)
        return await second.poll()

    assert with_pipeline(work) == set()


def test_a_change_without_webhook_is_announced_after_the_grace_period(
    with_pipeline: Run, person: Person, clock: HandClock
) -> None:
    made = person.new_client()
    counter = metrics.POLL_FOUND.labels("client")

    async def work(pipeline: Pipeline) -> None:
        await pipeline.settle()
        before = counter._value.get()
        person.change_client(made["id"], organization="Changed")
        assert await pipeline.poll() == set()
        clock.forward(seconds=59)
        assert await pipeline.poll() == set()
        clock.forward(seconds=1)
        assert await pipeline.poll() == {("client", made["id"])}
        assert counter._value.get() == before + 1
        clock.forward(hours=1)
        assert await pipeline.poll() == set()

    with_pipeline(work)


def test_a_change_that_a_webhook_told_is_not_announced(with_pipeline: Run, person: Person, clock: HandClock) -> None:
    made = person.new_client()

    async def work(pipeline: Pipeline) -> set[tuple[str, int]]:
        await pipeline.settle()
        person.change_client(made["id"], organization="Told")
        await pipeline.poll()
        await pipeline.fetch("client", made["id"])
        clock.forward(minutes=5)
        return await pipeline.poll()

    assert with_pipeline(work) == set()


def test_a_second_change_within_the_same_second_is_found(
    with_pipeline: Run, person: Person, clock: HandClock, control: Control
) -> None:
    control.put("clock", frozen_at="2026-06-29T12:00:00Z")
    made = person.new_client()

    async def work(pipeline: Pipeline) -> set[tuple[str, int]]:
        await pipeline.settle()
        person.change_client(made["id"], organization="Same second")
        await pipeline.poll()
        clock.forward(minutes=5)
        return await pipeline.poll()

    assert with_pipeline(work) == {("client", made["id"])}


def test_a_delete_is_found_although_lists_hide_it(with_pipeline: Run, person: Person, clock: HandClock) -> None:
    client = person.new_client()
    invoice = person.new_invoice(client["id"])

    async def work(pipeline: Pipeline) -> set[tuple[str, int]]:
        await pipeline.settle()
        person.change_client(client["id"], vis_state=1)
        person.change_invoice(invoice["id"], vis_state=1)
        await pipeline.poll()
        clock.forward(minutes=5)
        return await pipeline.poll()

    assert with_pipeline(work) == {("client", client["id"]), ("invoice", invoice["id"])}


def test_what_was_deleted_before_anybody_looked_is_not_announced(with_pipeline: Run, person: Person) -> None:
    made = person.new_client()
    person.change_client(made["id"], vis_state=1)
    assert ("client", made["id"]) not in with_pipeline(lambda pipeline: pipeline.poll())


def test_our_own_write_is_no_change(with_pipeline: Run, person: Person, clock: HandClock) -> None:
    made = person.new_client()
    key = keys.freshbooks_key("ZyQ04o", "client", made["id"])

    async def work(pipeline: Pipeline) -> set[tuple[str, int]]:
        await pipeline.settle()
        person.change_client(made["id"], organization="Written by us", note="[AX:usmf/C-1]")
        echo = await EntityFetcher(pipeline.client).fetch("client", made["id"])
        assert echo is not None
        pipeline.intents[key] = Intent(
            command_id=uuid4(),
            state=IntentState.CONFIRMED,
            content_hash=echo.content_hash,
            at=echo.fetched_at + timedelta(seconds=1),
        )
        await pipeline.poll()
        clock.forward(minutes=5)
        return await pipeline.poll()

    assert with_pipeline(work) == set()


def test_a_client_touched_by_an_invoice_is_no_change(
    with_pipeline: Run, person: Person, clock: HandClock, control: Control
) -> None:
    client = person.new_client()

    async def work(pipeline: Pipeline) -> set[tuple[str, int]]:
        await pipeline.settle()
        control.put("clock", offset_seconds=30)
        invoice = person.new_invoice(client["id"])
        await pipeline.poll()
        clock.forward(minutes=5)
        found = await pipeline.poll()
        return found - {("invoice", invoice["id"])}

    assert with_pipeline(work) == set()


def test_later_rounds_ask_from_the_day_before_the_newest_change(
    with_pipeline: Run, person: Person, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[Any] = []
    listed = FreshBooksClient.list_entities

    def spy(self: FreshBooksClient, kind: Any, *, search: Any = (), page_size: int = 100) -> Any:
        searches.append((kind.noun, dict(search)))
        return listed(self, kind, search=search, page_size=page_size)

    monkeypatch.setattr(FreshBooksClient, "list_entities", spy)
    control.put("clock", frozen_at="2030-03-10T03:30:00Z")  # still 9 March in New York
    person.new_invoice(person.new_client()["id"])

    async def work(pipeline: Pipeline) -> None:
        await pipeline.settle()
        await pipeline.poll()

    with_pipeline(work)
    assert all("search[updated_min]" not in search for _, search in searches[:4])
    assert searches[4:6] == [
        ("client", {"search[updated_min]": "2030-03-08"}),
        ("client", {"search[vis_state]": "1", "search[updated_min]": "2030-03-08"}),
    ]


def test_a_round_that_failed_half_way_is_repeated_and_doubles_nothing(
    with_pipeline: Run, person: Person, control: Control
) -> None:
    made = person.new_client()

    async def work(pipeline: Pipeline) -> None:
        pipeline.kafka_away = True
        with pytest.raises(RetryableError):
            await pipeline.poll()
        pipeline.kafka_away = False
        assert ("client", made["id"]) in await pipeline.poll()
        assert await pipeline.poll() == set()

    with_pipeline(work)


def test_an_entity_that_cannot_be_read_is_announced_once_so_that_it_becomes_a_dead_letter(
    with_pipeline: Run, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = person.new_client()
    listed = FreshBooksClient.list_entities

    async def spoiled(self: FreshBooksClient, kind: Any, **options: Any) -> Any:
        async for item in listed(self, kind, **options):
            yield {**item, "currency_code": "?"} if item["id"] == made["id"] else item

    monkeypatch.setattr(FreshBooksClient, "list_entities", spoiled)

    async def work(pipeline: Pipeline) -> None:
        assert ("client", made["id"]) in await pipeline.poll()
        assert ("client", made["id"]) not in await pipeline.poll()

    with_pipeline(work)
