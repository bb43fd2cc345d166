"""Notifications of one entity melt into the newest; fields that FreshBooks adds are counted and do no harm."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.freshbooks.fetch import EntityFetcher, coalesce
from connectors.freshbooks.kinds import Kind
from schemas.failures import PoisonError
from schemas.records import Notification, Origin
from streams.runtime import metrics
from tests.unit.freshbooks.builders import raw_client

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def told(kind: str, number: int, verb: str) -> Notification:
    return Notification(account_id="a", kind=kind, verb=verb, object_id=number, origin=Origin.WEBHOOK, received_at=NOW)


def test_the_newest_per_entity_stays_in_the_order_of_the_newest() -> None:
    batch = [told("client", 1, "create"), told("invoice", 1, "create"), told("client", 1, "update")]
    assert coalesce(batch) == [batch[1], batch[2]]


@given(st.lists(st.builds(told, st.sampled_from(["client", "invoice"]), st.integers(1, 3), st.sampled_from("abc"))))
def test_every_entity_stays_once_and_nothing_is_invented(batch: list[Notification]) -> None:
    kept = coalesce(batch)
    entities = [(notification.kind, notification.object_id) for notification in kept]
    assert len(entities) == len(set(entities))
    assert set(entities) == {(notification.kind, notification.object_id) for notification in batch}
    for notification in kept:
        same = [n for n in batch if (n.kind, n.object_id) == (notification.kind, notification.object_id)]
        assert notification == same[-1]


class GrownFreshBooks:
    """Answers with a field that nobody has recorded."""

    account_id = "ZyQ04o"

    async def get_entity(self, _kind: Kind, _number: int) -> dict[str, object]:
        return raw_client(favourite_colour="green")


def test_a_field_that_freshbooks_adds_is_counted_and_does_no_harm() -> None:
    counter = metrics.EVENTS.labels("fetch", "client", "unknown_field")
    before = counter._value.get()
    fetched = asyncio.run(EntityFetcher(GrownFreshBooks()).fetch("client", 218192))  # type: ignore[arg-type]
    assert fetched is not None
    assert counter._value.get() == before + 1


def test_a_kind_that_we_do_not_carry_is_poison() -> None:
    with pytest.raises(PoisonError) as failure:
        asyncio.run(EntityFetcher(GrownFreshBooks()).fetch("estimate", 1))  # type: ignore[arg-type]
    assert failure.value.code == "unknown_kind"
