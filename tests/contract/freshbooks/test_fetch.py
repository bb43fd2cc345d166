"""The fetcher and the client under it, against the simulator: what an entity is, and what trouble becomes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.fetch import EntityFetcher
from connectors.freshbooks.kinds import CLIENT, INVOICE
from sandbox.freshbooks.config import AppConfig, Config
from sandbox.freshbooks.server import FreshBooksSimulator
from schemas.failures import FatalError, PoisonError
from schemas.records import Client, Invoice
from streams.runtime import metrics
from streams.runtime.settings import FreshBooksSettings
from tests.kit.freshbooks import Control, Person, settings_for

Run = Callable[..., Any]


def fetch(with_client: Run, kind: str, number: int) -> Any:
    return with_client(lambda client: EntityFetcher(client).fetch(kind, number))


def test_a_client_is_fetched_as_it_was_typed(with_client: Run, person: Person) -> None:
    made = person.new_client(
        organization="Blumen Käfer GmbH", fname="Ann", email="ann@kaefer.test", p_city="Köln", vat_number="DE123456789"
    )
    fetched = fetch(with_client, "client", made["id"])
    assert isinstance(fetched, Client)
    assert (fetched.organization, fetched.city, fetched.vat_number) == ("Blumen Käfer GmbH", "Köln", "DE123456789")
    assert abs(fetched.updated_at - datetime.now(UTC)) < timedelta(seconds=60)


def test_an_invoice_comes_with_its_lines_and_its_sums(with_client: Run, person: Person) -> None:
    client = person.new_client(currency_code="EUR")
    lines = [
        {"name": "Work", "qty": "2.5", "unit_cost": {"amount": "40.00"}, "taxName1": "VAT", "taxAmount1": "19"},
        {"name": "Travel", "qty": "1", "unit_cost": {"amount": "10.00"}},
    ]
    made = person.new_invoice(client["id"], lines=lines, discount_value="10", due_offset_days=14)
    fetched = fetch(with_client, "invoice", made["id"])
    assert isinstance(fetched, Invoice)
    assert [line.amount for line in fetched.lines] == [Decimal(100), Decimal(10)]
    assert (fetched.amount, fetched.discount_total) == (Decimal("116.10"), Decimal(11))
    assert (fetched.due_date, fetched.status) == (datetime(2026, 7, 13, tzinfo=UTC).date(), "draft")
    assert fetched.version == person.invoice(made["id"])["version"]


def test_a_deleted_entity_is_fetched_as_deleted_with_another_content(with_client: Run, person: Person) -> None:
    made = person.new_client()
    before = fetch(with_client, "client", made["id"])
    person.change_client(made["id"], vis_state=1)
    after = fetch(with_client, "client", made["id"])
    assert after.vis_state == 1
    assert after.content_hash != before.content_hash


def test_an_id_that_freshbooks_does_not_have_is_none(with_client: Run) -> None:
    assert fetch(with_client, "invoice", 999_999_999) is None


def test_a_client_touched_by_a_new_invoice_has_the_same_content(
    with_client: Run, person: Person, control: Control
) -> None:
    made = person.new_client()
    before = fetch(with_client, "client", made["id"])
    control.put("clock", offset_seconds=5)
    person.new_invoice(made["id"])
    after = fetch(with_client, "client", made["id"])
    assert after.version != before.version
    assert after.content_hash == before.content_hash


def test_the_simulator_sends_no_field_that_the_recorded_shape_lacks(with_client: Run, person: Person) -> None:
    counter = metrics.EVENTS.labels("fetch", "invoice", "unknown_field")
    before = counter._value.get()
    made = person.new_invoice(person.new_client()["id"])
    fetch(with_client, "invoice", made["id"])
    assert counter._value.get() == before


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "respond", "status": 503},
        {"action": "respond", "status": 502, "html": True},
        {"action": "respond", "status": 429, "retry_after_seconds": 1},
        {"action": "conflict"},
        {"action": "drop"},
    ],
    ids=["503", "502 html", "429", "409", "cut"],
)
def test_passing_trouble_only_delays_a_fetch(
    with_client: Run, person: Person, control: Control, fault: dict[str, Any]
) -> None:
    made = person.new_client()
    control.post("faults", **fault, count=1, path="*/users/clients/*", client_id="freshax-client-id")
    assert fetch(with_client, "client", made["id"]).client_id == made["id"]


def test_an_update_whose_answer_was_lost_is_repeated_and_done_once(
    with_client: Run, person: Person, control: Control
) -> None:
    made = person.new_client(note="human")
    control.post("faults", action="drop", after_commit=True, method="PUT", count=1, client_id="freshax-client-id")
    after = with_client(lambda client: client.put_entity(CLIENT, made["id"], {"note": "ours"}))
    assert after["note"] == "ours"


def test_an_access_token_that_freshbooks_no_longer_takes_is_refreshed_once(
    with_client: Run, person: Person, control: Control
) -> None:
    made = person.new_client()

    async def work(client: FreshBooksClient) -> Any:
        await EntityFetcher(client).fetch("client", made["id"])
        control.post("tokens/invalidate", what="access", client_id="freshax-client-id")
        return await EntityFetcher(client).fetch("client", made["id"])

    assert with_client(work).client_id == made["id"]


def test_a_revoked_authorisation_is_fatal_and_says_what_to_do(
    with_client: Run, person: Person, control: Control
) -> None:
    async def work(client: FreshBooksClient) -> Any:
        await EntityFetcher(client).fetch("client", 1)
        control.post("tokens/invalidate", what="all", client_id="freshax-client-id")
        await EntityFetcher(client).fetch("client", 1)

    with pytest.raises(FatalError, match="authorise the application again") as failure:
        with_client(work)
    assert failure.value.code == "token_refused"


def test_a_scope_that_is_missing_is_fatal(settings: FreshBooksSettings, with_client: Run, control: Control) -> None:
    granted = control.post(
        "tokens/issue", client_id=settings.client_id, identity_id=88001, scopes=["user:invoices:read"]
    )
    with pytest.raises(FatalError) as failure:
        with_client_of(settings, granted["refresh_token"], lambda client: client.get_entity(CLIENT, 1))
    assert failure.value.code == "forbidden"


@pytest.mark.parametrize("api_version", [None, "2023-02-20"], ids=["old error shape", "new error shape"])
def test_refusals_are_understood_in_both_error_shapes(api_version: str | None, tmp_path: Any) -> None:
    apps = [AppConfig("app", "s", ["https://freshax.test/oauth/callback"], api_version=api_version, name="freshax")]
    apps += [app for app in Config().apps if app.name == "human"]
    with FreshBooksSimulator(Config(apps=apps)) as simulator:
        someone = Person(simulator.ready)
        made = someone.new_invoice(someone.new_client()["id"])
        someone.close()
        refused = with_client_of(
            settings_for(simulator.ready, tmp_path),
            None,
            lambda client: client.put_entity(INVOICE, made["id"], {"due_date": "2026-08-01"}),
            failing=PoisonError,
        )
        assert (refused.code, refused.field) == ("write_denied", "due_date")


def test_lists_page_through_everything_once(with_client: Run, person: Person) -> None:
    made = {person.new_client(organization=f"C{number}")["id"] for number in range(7)}

    async def work(client: FreshBooksClient) -> list[int]:
        return [item["id"] async for item in client.list_entities(CLIENT, page_size=3)]

    listed = with_client(work)
    assert made <= set(listed)
    assert len(listed) == len(set(listed))


def with_client_of(
    settings: FreshBooksSettings, refresh_token: str | None, work: Any, failing: type[Exception] | None = None
) -> Any:
    """Run `work` with other settings; returns the failure when `failing` says that one is wanted."""
    changed = (
        settings
        if refresh_token is None
        else settings.model_copy(update={"refresh_token": type(settings.refresh_token)(refresh_token)})
    )

    async def run() -> Any:
        async with FreshBooksClient.open(changed) as client:
            return await work(client)

    if failing is None:
        return asyncio.run(run())
    with pytest.raises(failing) as failure:
        asyncio.run(run())
    return failure.value
