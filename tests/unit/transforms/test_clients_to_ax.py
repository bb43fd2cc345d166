"""The flow of clients: left alone, linked, created, or a question for a person."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.failures import PoisonError
from schemas.records import AxOperation, FreshBooksOperation
from streams import flows as declared
from streams.transforms.decisions import Ignored, ParkedFor, Ready
from streams.transforms.flow import Flow


@pytest.fixture(scope="session")
def flow(flows: Any) -> Flow:
    return flows["clients-to-ax"]


def refused(flow: Flow, record: dict[str, Any], lookups: Any, now: Any) -> PoisonError:
    with pytest.raises(PoisonError) as caught:
        flow.decide(record, lookups, now)
    return caught.value


def test_a_client_that_was_deleted_before_it_was_linked_is_ignored(flow: Flow, build: Any) -> None:
    assert flow.decide(build.client(vis_state=1), build.lookups(), build.now) == Ignored("deleted_before_sync")


def test_a_linked_client_changes_nothing_since_ax_owns_customers(flow: Flow, build: Any) -> None:
    decision = flow.decide(build.client(vis_state=1), build.linked(), build.now)

    assert isinstance(decision, Ignored)
    assert decision.reason == "linked"


def test_an_archived_client_is_a_client(flow: Flow, build: Any) -> None:
    assert isinstance(flow.decide(build.client(vis_state=2), build.lookups(), build.now), Ready)


@pytest.mark.parametrize(
    ("client", "customer", "matched_by"),
    [
        ({}, {"our_account_number": "fbzyq04o-218192 ", "name": "Other"}, "our_account_number"),
        ({"vat_number": "de 123.456-789"}, {"vat_number": "DE123456789", "name": "Other"}, "vat_number"),
        ({"organization": "  BLUMEN  kaefer gmbh"}, {}, "name"),
        ({"organization": " ", "first_name": "Ann", "last_name": " LEE"}, {"name": "Ann Lee"}, "name"),
    ],
)
def test_a_client_that_ax_knows_is_linked_and_its_reference_written(
    flow: Flow, build: Any, client: dict[str, Any], customer: dict[str, Any], matched_by: str
) -> None:
    decision = flow.decide(build.client(**client), build.lookups([build.customer(**customer)]), build.now)

    assert isinstance(decision, Ready)
    assert decision.ax_commands == ()
    (link,) = decision.links
    assert (link.company, link.entity, link.ax_id) == ("usmf", "customer", "C-000001")
    assert (link.kind, link.freshbooks_id, link.linked_by, link.linked_at) == ("client", 218192, matched_by, build.now)
    (command,) = decision.freshbooks_commands
    assert command.operation is FreshBooksOperation.WRITE_REFERENCE
    assert (command.kind, command.entity_id, command.reference) == ("client", 218192, "usmf/C-000001")


def test_the_first_key_that_finds_anything_decides(flow: Flow, build: Any) -> None:
    by_vat = build.customer(account_number="C-2", vat_number="DE1", name="Other")
    by_name = build.customer(account_number="C-3")

    decision = flow.decide(build.client(vat_number="DE1"), build.lookups([by_name, by_vat]), build.now)

    assert [link.ax_id for link in decision.links] == ["C-2"]


def test_an_empty_vat_number_matches_nobody(flow: Flow, build: Any) -> None:
    nobody = build.customer(vat_number="", name="Other")

    decision = flow.decide(build.client(vat_number=" - "), build.lookups([nobody]), build.now)

    assert decision.links == ()
    assert decision.ax_commands[0].operation is AxOperation.UPSERT_CUSTOMER


def test_a_deleted_customer_matches_nobody(flow: Flow, build: Any) -> None:
    decision = flow.decide(build.client(), build.lookups([build.customer(deleted=True)]), build.now)

    assert decision.links == ()


@pytest.mark.parametrize(
    ("count", "names"), [(2, "C-0, C-1 all fit"), (7, "C-0, C-1, C-2, C-3, C-4 and 2 more all fit")]
)
def test_several_candidates_are_a_question_for_a_person(flow: Flow, build: Any, count: int, names: str) -> None:
    rows = [build.customer(account_number=f"C-{place}") for place in range(count)]

    reason = refused(flow, build.client(), build.lookups(rows), build.now)

    assert (reason.code, reason.field) == ("ambiguous_customer", "name")
    assert names in reason.message


def test_a_customer_of_another_client_is_not_taken(flow: Flow, build: Any) -> None:
    lookups = build.lookups([build.customer()], [build.link(freshbooks_id=7)])

    reason = refused(flow, build.client(), lookups, build.now)

    assert reason.code == "customer_already_linked"
    assert "C-000001 belongs to client ZyQ04o:client:7" in reason.message


def test_an_unknown_client_is_created_with_a_deterministic_command(flow: Flow, build: Any) -> None:
    first = flow.decide(build.client(), build.lookups(), build.now)
    again = flow.decide(build.client(version="later", content_hash="e" * 64), build.lookups(), build.now)
    other = flow.decide(build.client(city="Köln"), build.lookups(), build.now)

    (command,) = first.ax_commands
    assert command.operation is AxOperation.UPSERT_CUSTOMER
    assert command.company == "usmf"
    assert (command.source.kind, command.source.entity_id, command.source.version) == (
        "client",
        218192,
        "2026-06-29 12:48:49",
    )
    assert command.mapping_revision == flow.revision
    assert command.issued_at == build.now
    assert command.command_id == again.ax_commands[0].command_id
    assert command.command_id != other.ax_commands[0].command_id


def test_an_unknown_client_waits_when_the_flow_creates_none(build: Any, tmp_path: Any) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("clients-to-ax: {settings: {create_unknown: false}}")
    flow = declared.load_flows(overrides=own)["clients-to-ax"]

    decision = flow.decide(build.client(), build.lookups(), build.now)

    assert isinstance(decision, ParkedFor)
    assert decision.waits_for == "xref ZyQ04o:client:218192"
    assert decision.fetch is None


@pytest.mark.parametrize(
    ("client", "code"),
    [
        ({"organization": None}, "missing_name"),
        ({"organization": " ", "first_name": "", "last_name": "\t", "email": ""}, "missing_name"),
        ({"currency_code": "XXX"}, "currency_not_allowed"),
        ({"account_id": "other"}, "unknown_account"),
        ({"vat_number": "DE123456789 (applied for)"}, "field_too_long"),
        ({"client_id": 10**18}, "field_too_long"),
        ({"organization": "\a\b"}, "field_missing"),
    ],
)
def test_a_client_that_cannot_be_created_is_refused(flow: Flow, build: Any, client: dict[str, Any], code: str) -> None:
    assert refused(flow, build.client(**client), build.lookups(), build.now).code == code


@pytest.mark.parametrize("change", [{"client_id": "no number"}, {"updated_at": None}, {"currency_code": None}])
def test_a_record_that_is_no_client_is_refused(flow: Flow, build: Any, change: dict[str, Any]) -> None:
    reason = refused(flow, {**build.client(), **change}, build.lookups(), build.now)

    assert reason.code == "record_invalid"
    assert next(iter(change)) in reason.message


def test_a_mapping_that_names_no_party_type_is_refused(build: Any, declared_files: dict[str, str]) -> None:
    files = {**declared_files}
    files["customer.mapping.yaml"] = files["customer.mapping.yaml"].replace(
        "{from: derived.party_type, required: true, owner: ax}", "{from: \"'team'\", required: true}"
    )
    flow = declared.compile_flows(files)["clients-to-ax"]

    assert refused(flow, build.client(), build.lookups(), build.now).field == "party_type"
