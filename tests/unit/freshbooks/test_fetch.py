"""Notifications of one entity melt into the newest; fields that FreshBooks adds are counted and do no harm."""

import asyncio
from datetime import UTC, datetime

import pytest

from connectors.freshbooks.fetch import EntityFetcher
from connectors.freshbooks.kinds import Kind
from schemas.failures import PoisonError
from streams.runtime import metrics
from tests.unit.freshbooks.builders import raw_client

NOW = datetime(2026, 7, 1, tzinfo=UTC)


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
