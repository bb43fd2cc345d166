"""The reconciler and every kind: whole lists in pages, what is missing in them, kinds that no webhook tells of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.fetch import EntityFetcher
from connectors.freshbooks.kinds import BILL_PAYMENT, BILL_VENDOR, KINDS, PROJECT, TAX, Kind
from connectors.freshbooks.reconciler import Reconciler
from connectors.freshbooks.seen import StoresSeen
from sandbox.freshbooks.config import Config
from sandbox.freshbooks.server import FreshBooksSimulator
from schemas import keys
from schemas.records import Fetched, Intent, Notification
from tests.kit.freshbooks import Control, HandClock, Person

Run = Callable[..., Any]
GRACE = timedelta(seconds=60)


@pytest.fixture
def simulator() -> Iterator[FreshBooksSimulator]:
    """One per test: these count what an account holds."""
    with FreshBooksSimulator(Config()) as running:
        yield running


class Pipeline:
    """What stands behind the reconciler: the stores that the fetch agent and the sink keep."""

    def __init__(self, client: FreshBooksClient, clock: HandClock, kinds: Sequence[Kind], pages: int = 20) -> None:
        self.client = client
        self.clock = clock
        self.fetched: dict[str, Fetched] = {}
        self.intents: dict[str, Intent] = {}
        self.told: list[Notification] = []
        self.reconciler = Reconciler(
            client,
            seen=StoresSeen(self.fetched, self.intents),
            announce=self.announce,
            clock=clock,
            overlap_days=1,
            grace=GRACE,
            kinds=kinds,
            page_size=2,
            pages_per_round=pages,
        )

    async def announce(self, notifications: Sequence[Notification], /) -> None:
        self.told += notifications

    async def poll(self) -> list[tuple[str, int]]:
        """What a round announced, after the grace period of whatever came before."""
        before = len(self.told)
        await self.reconciler.round()
        self.clock.forward(seconds=61)
        told = [(notification.kind, notification.object_id) for notification in self.told[before:]]
        assert len(told) == len(set(told))
        return told

    async def settle(self) -> list[tuple[str, int]]:
        """Poll, and fetch all that was announced; returns it."""
        told = await self.poll()
        for kind, number in told:
            entity = await EntityFetcher(self.client).fetch(kind, number)
            if entity is not None:
                self.fetched[keys.freshbooks_key("ZyQ04o", kind, number)] = Fetched(
                    version=entity.version,
                    content_hash=entity.content_hash,
                    vis_state=entity.vis_state,
                    fetched_at=entity.fetched_at,
                )
        return told


def with_pipeline(with_client: Run, work: Callable[[Pipeline], Any], *kinds: Kind, pages: int = 20) -> Any:
    return with_client(lambda client: work(Pipeline(client, HandClock(), kinds, pages)))


def test_a_first_round_finds_every_kind_and_a_second_one_nothing(with_client: Run, person: Person) -> None:
    for noun in KINDS:
        person.new(noun)

    async def work(pipeline: Pipeline) -> tuple[set[str], list[tuple[str, int]], list[tuple[str, int]]]:
        first = await pipeline.settle()
        return {kind for kind, _ in first}, await pipeline.poll(), await pipeline.poll()

    assert with_pipeline(with_client, work, *KINDS.values()) == (set(KINDS), [], [])


def test_a_bill_payment_is_announced_by_the_next_round_without_waiting_for_a_webhook(
    with_client: Run, person: Person
) -> None:
    bill = person.new_bill(person.new_vendor()["vendorid"])["id"]

    async def work(pipeline: Pipeline) -> None:
        await pipeline.settle()
        payment = person.pay_bill(bill, "19")["id"]
        assert await pipeline.settle() == [("bill_payment", payment)]
        person.change("bill_payments/bill_payments", "bill_payment", payment, amount={"amount": "20"})
        assert await pipeline.settle() == [("bill_payment", payment)]
        assert await pipeline.poll() == []

    with_pipeline(with_client, work, BILL_PAYMENT)


def test_a_deleted_bill_payment_is_missed_and_told_once(with_client: Run, person: Person) -> None:
    bill = person.new_bill(person.new_vendor()["vendorid"])["id"]
    payment = person.pay_bill(bill, "19")["id"]

    async def work(pipeline: Pipeline) -> None:
        await pipeline.settle()
        person.change("bill_payments/bill_payments", "bill_payment", payment, vis_state=1)
        assert await pipeline.settle() == [("bill_payment", payment)]
        assert pipeline.fetched[f"ZyQ04o:bill_payment:{payment}"].vis_state == 1
        assert await pipeline.poll() == []
        person.change("bill_payments/bill_payments", "bill_payment", payment, vis_state=0)
        assert await pipeline.settle() == [("bill_payment", payment)]
        person.change("bill_payments/bill_payments", "bill_payment", payment, vis_state=1)
        assert await pipeline.settle() == [("bill_payment", payment)]

    with_pipeline(with_client, work, BILL_PAYMENT)


def test_a_tax_that_is_gone_for_good_is_asked_for_once(with_client: Run, person: Person) -> None:
    tax = person.new_tax()["id"]

    async def work(pipeline: Pipeline) -> None:
        await pipeline.settle()
        person.delete_tax(tax)
        assert await pipeline.poll() == []  # a webhook may be on its way
        assert await pipeline.settle() == [("tax", tax)]
        assert await pipeline.poll() == []

    with_pipeline(with_client, work, TAX)


def test_a_round_reads_a_few_pages_of_a_whole_list_and_the_next_goes_on(
    with_client: Run, person: Person, control: Control
) -> None:
    vendors = [person.new_vendor()["vendorid"] for _ in range(7)]

    def pages_read() -> int:
        return control.requests("GET", "/bill_vendors/bill_vendors", "freshax-client-id")

    async def work(pipeline: Pipeline) -> None:
        await pipeline.settle()  # the first round reads all 4 pages
        before = pages_read()
        person.change("bill_vendors/bill_vendors", "bill_vendor", vendors[-1], note="changed")
        assert await pipeline.poll() == []
        assert pages_read() == before + 2
        assert await pipeline.poll() == []  # met on the last page, a suspect now
        assert pages_read() == before + 4
        assert await pipeline.poll() == []
        assert await pipeline.poll() == [("bill_vendor", vendors[-1])]

    with_pipeline(with_client, work, BILL_VENDOR, pages=2)


def test_projects_are_asked_for_by_their_time_of_change(with_client: Run, person: Person, control: Control) -> None:
    control.put("clock", frozen_at="2030-03-10T03:30:00Z")
    person.new_project(title="Old")
    control.put("clock", frozen_at="2030-03-20T03:30:00Z")
    new = person.new_project(title="New")["id"]
    asked: list[Any] = []

    async def work(pipeline: Pipeline) -> None:
        await pipeline.settle()
        listing = pipeline.client.list_entities

        def spy(kind: Kind, **how: Any) -> Any:
            asked.append(dict(how["search"]))
            return listing(kind, **how)

        pipeline.client.list_entities = spy  # type: ignore[method-assign]
        person_changed = {"title": "New", "complete": True}
        await pipeline.client.put_entity(PROJECT, new, person_changed)
        assert await pipeline.poll() == []
        assert await pipeline.poll() == [("project", new)]

    with_pipeline(with_client, work, PROJECT)
    assert asked == [{"updated_since": "2030-03-19T03:30:00"}] * 2
