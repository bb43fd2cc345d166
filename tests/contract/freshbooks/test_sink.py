"""The FreshBooks sink against the simulator: what is written, what is left alone, and once in effect."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.fetch import EntityFetcher
from connectors.freshbooks.sink import RestSink
from schemas import keys
from schemas.failures import PoisonError, RetryableError
from schemas.records import (
    FreshBooksCommand,
    FreshBooksConfirmation,
    FreshBooksOperation,
    FreshBooksOutcome,
    IntentState,
)
from tests.kit.freshbooks import Control, MemoryIntents, Person

Run = Callable[..., Any]
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def write_reference(kind: str, number: int, reference: str = "usmf/X-1") -> FreshBooksCommand:
    return command(FreshBooksOperation.WRITE_REFERENCE, kind, number, reference=reference)


def update_client(number: int, **fields: str) -> FreshBooksCommand:
    return command(FreshBooksOperation.UPDATE_CLIENT, "client", number, fields=fields)


def command(operation: FreshBooksOperation, kind: str, number: int, **changes: Any) -> FreshBooksCommand:
    values = {"reference": None, "fields": {}, "account_id": "ZyQ04o", **changes}
    return FreshBooksCommand(
        command_id=uuid4(),
        operation=operation,
        kind=kind,
        entity_id=number,
        reason="test",
        changed_at=NOW,
        issued_at=NOW,
        **values,
    )


@pytest.fixture
def intents() -> MemoryIntents:
    return MemoryIntents()


@pytest.fixture
def apply(with_client: Run, intents: MemoryIntents) -> Callable[[FreshBooksCommand], FreshBooksConfirmation]:
    def run(wanted: FreshBooksCommand) -> FreshBooksConfirmation:
        confirmed: FreshBooksConfirmation = with_client(lambda client: RestSink(client).apply(wanted, intents))
        return confirmed

    return run


Apply = Callable[[FreshBooksCommand], FreshBooksConfirmation]
ALL_STEPS = [IntentState.INTENDED, IntentState.SENT, IntentState.CONFIRMED]


def puts(control: Control) -> int:
    return control.requests("PUT", "", "freshax-client-id")


def test_an_invoice_gets_its_reference_in_the_empty_po_number(
    apply: Apply, person: Person, intents: MemoryIntents
) -> None:
    made = person.new_invoice(person.new_client()["id"], notes="Thanks")
    confirmed = apply(write_reference("invoice", made["id"]))
    after = person.invoice(made["id"])
    assert (after["po_number"], after["notes"]) == ("[AX:usmf/X-1]", "Thanks")
    assert (confirmed.outcome, confirmed.version) == (FreshBooksOutcome.WRITTEN, after["version"])
    assert intents.steps == ALL_STEPS


def test_a_customers_own_order_number_is_left_alone(apply: Apply, person: Person) -> None:
    made = person.new_invoice(person.new_client()["id"], po_number="PO-77", notes="Thanks")
    apply(write_reference("invoice", made["id"]))
    after = person.invoice(made["id"])
    assert (after["po_number"], after["notes"]) == ("PO-77", "Thanks\n[AX:usmf/X-1]")


def test_a_write_of_the_reference_touches_nothing_else(apply: Apply, person: Person) -> None:
    made = person.new_invoice(person.new_client()["id"], discount_value="5")
    before = person.invoice(made["id"])
    apply(write_reference("invoice", made["id"]))
    after = person.invoice(made["id"])
    assert {name for name in after if after[name] != before[name]} <= {"po_number", "updated", "version"}


def test_a_client_gets_its_reference_below_what_staff_have_noted(apply: Apply, person: Person) -> None:
    made = person.new_client(note="Pays late")
    apply(write_reference("client", made["id"], "usmf/C-1"))
    assert person.client(made["id"])["note"] == "Pays late\n[AX:usmf/C-1]"


def test_the_echo_of_a_written_reference_has_the_content_from_before(
    apply: Apply, with_client: Run, person: Person
) -> None:
    made = person.new_client(note="Pays late")
    before = with_client(lambda client: EntityFetcher(client).fetch("client", made["id"]))
    confirmed = apply(write_reference("client", made["id"], "usmf/C-1"))
    assert confirmed.content_hash == before.content_hash


def test_the_echo_of_an_updated_client_has_the_confirmed_content(
    apply: Apply, with_client: Run, person: Person, intents: MemoryIntents
) -> None:
    made = person.new_client(organization="Acme", vat_number="OLD")
    confirmed = apply(update_client(made["id"], organization="Acme Ltd", vat_number="GB1"))
    echo = with_client(lambda client: EntityFetcher(client).fetch("client", made["id"]))
    assert (echo.organization, echo.vat_number) == ("Acme Ltd", "GB1")
    known = intents.last(keys.freshbooks_key("ZyQ04o", "client", made["id"]))
    assert known is not None
    assert confirmed.content_hash == echo.content_hash == known.content_hash


def older_and_newer(number: int) -> tuple[FreshBooksCommand, FreshBooksCommand]:
    """The customer's state before its rename, and after it."""
    older, newer = update_client(number, organization="Old"), update_client(number, organization="New")
    return (
        msgspec.structs.replace(older, owner_changed_at=NOW),
        msgspec.structs.replace(newer, owner_changed_at=NOW + timedelta(seconds=1)),
    )


@pytest.mark.parametrize("already_there", [False, True])
def test_an_older_state_of_the_owner_never_replaces_a_newer_one(
    apply: Apply, person: Person, control: Control, already_there: bool
) -> None:
    """The echo of a rename was decided on master data from before it, and wrote the old name back."""
    made = person.new_client(organization="New" if already_there else "Old")
    older, newer = older_and_newer(made["id"])

    apply(newer)
    assert apply(older).outcome is FreshBooksOutcome.UNCHANGED
    apply(write_reference("client", made["id"]))
    assert apply(older).outcome is FreshBooksOutcome.UNCHANGED

    stored = next(client for client in control.get("state")["clients"] if client["id"] == made["id"])
    assert stored["organization"] == "New"


def test_a_newer_state_of_the_owner_is_written_again_after_a_crash(
    apply: Apply, person: Person, intents: MemoryIntents
) -> None:
    _, newer = older_and_newer(person.new_client(organization="Old")["id"])
    intents.fail_at = IntentState.SENT
    with pytest.raises(RetryableError):
        apply(newer)

    assert apply(newer).outcome is FreshBooksOutcome.UNCHANGED  # it was written before the crash


def test_a_state_that_is_there_already_is_not_taken_for_our_own_write(
    apply: Apply, person: Person, intents: MemoryIntents
) -> None:
    _, newer = older_and_newer(person.new_client(organization="New")["id"])

    apply(newer)
    apply(newer)

    (intent,) = intents.rows.values()
    assert intent.content_hash is None


def test_a_person_does_not_become_an_organization(apply: Apply, person: Person, control: Control) -> None:
    made = person.new_client(organization="", fname="Zoe", lname="Lee")

    confirmed = apply(update_client(made["id"], organization="Zoe Lee", vat_number="GB7"))

    assert confirmed.outcome is FreshBooksOutcome.WRITTEN
    stored = next(client for client in control.get("state")["clients"] if client["id"] == made["id"])
    assert (stored["organization"] or "", stored["vat_number"]) == ("", "GB7")


def test_only_fields_that_differ_are_written(apply: Apply, person: Person, control: Control) -> None:
    made = person.new_client(organization="Acme", vat_number="GB1")
    before = puts(control)
    confirmed = apply(update_client(made["id"], organization="Acme", vat_number="GB1", fname=""))
    assert (confirmed.outcome, puts(control)) == (FreshBooksOutcome.UNCHANGED, before)


def test_the_same_command_again_writes_nothing(
    apply: Apply, person: Person, control: Control, intents: MemoryIntents
) -> None:
    made = person.new_client()
    wanted = write_reference("client", made["id"])
    first = apply(wanted)
    before = puts(control)
    second = apply(wanted)
    assert (second.outcome, puts(control)) == (FreshBooksOutcome.UNCHANGED, before)
    assert (second.content_hash, second.version) == (first.content_hash, first.version)
    assert intents.steps == ALL_STEPS


@pytest.mark.parametrize("crash_at", ALL_STEPS)
def test_a_crash_at_any_step_and_a_repeat_write_once(
    apply: Apply, person: Person, control: Control, intents: MemoryIntents, crash_at: IntentState
) -> None:
    made = person.new_client(note="human")
    wanted, before = write_reference("client", made["id"]), puts(control)
    intents.fail_at = crash_at
    with pytest.raises(RetryableError):
        apply(wanted)
    apply(wanted)
    assert puts(control) == before + 1
    assert person.client(made["id"])["note"] == "human\n[AX:usmf/X-1]"
    assert intents.steps[-1] is IntentState.CONFIRMED


def test_a_write_whose_answer_was_lost_ends_in_the_same_state(apply: Apply, person: Person, control: Control) -> None:
    made = person.new_client(note="human")
    control.post("faults", action="drop", after_commit=True, method="PUT", count=1, client_id="freshax-client-id")
    apply(write_reference("client", made["id"]))
    assert person.client(made["id"])["note"] == "human\n[AX:usmf/X-1]"


def test_a_newer_reference_replaces_the_older_one(apply: Apply, person: Person) -> None:
    made = person.new_client(note="human")
    apply(write_reference("client", made["id"], "usmf/C-1"))
    apply(write_reference("client", made["id"], "usmf/C-2"))
    assert person.client(made["id"])["note"] == "human\n[AX:usmf/C-2]"


def test_a_deleted_entity_is_poison(apply: Apply, person: Person) -> None:
    made = person.new_client()
    person.change_client(made["id"], vis_state=1)
    assert refused(apply, write_reference("client", made["id"])).code == "entity_deleted"


def test_an_entity_that_never_was_is_poison(apply: Apply) -> None:
    assert refused(apply, write_reference("client", 999_999)).code == "entity_not_found"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fields": {"vis_state": "1"}}, "unknown_field"),
        ({"fields": {"action_email": "true"}}, "unknown_field"),
        ({"fields": {"organisation": "typo"}}, "unknown_field"),
        ({"account_id": "other"}, "unknown_account"),
    ],
)
def test_commands_that_make_no_sense_are_poison_before_any_write(
    apply: Apply, person: Person, control: Control, changes: dict[str, Any], code: str
) -> None:
    made, before = person.new_client(), puts(control)
    assert refused(apply, command(FreshBooksOperation.UPDATE_CLIENT, "client", made["id"], **changes)).code == code
    assert puts(control) == before


@pytest.mark.parametrize("reference", ["", "a]b", "x" * 300])
def test_a_reference_that_cannot_be_marked_is_poison(apply: Apply, person: Person, reference: str) -> None:
    assert refused(apply, write_reference("client", person.new_client()["id"], reference)).code == "reference_invalid"


def test_a_value_that_freshbooks_refuses_is_poison_naming_the_field(apply: Apply, person: Person) -> None:
    failure = refused(apply, update_client(person.new_client()["id"], organization="x" * 300))
    assert (failure.code, failure.field) == ("too_long", "organization")


def test_a_value_that_was_taken_but_not_stored_is_poison(
    apply: Apply, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = FreshBooksClient.put_entity

    async def dropping(self: FreshBooksClient, kind: Any, number: int, fields: Any) -> Any:
        return await put(self, kind, number, {f"{name}_misspelt": value for name, value in fields.items()})

    monkeypatch.setattr(FreshBooksClient, "put_entity", dropping)
    assert refused(apply, write_reference("client", person.new_client()["id"])).code == "not_taken"


def refused(apply: Apply, wanted: FreshBooksCommand) -> PoisonError:
    with pytest.raises(PoisonError) as failure:
        apply(wanted)
    return failure.value
