"""Notifications of one entity melt into the newest; the fetcher says what an entity is now, or that it is gone."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from connectors.freshbooks.fetch import coalesce
from schemas.records import Notification, Origin

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
