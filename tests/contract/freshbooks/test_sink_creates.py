"""The FreshBooks sink makes what AX gave birth to: once, whatever is lost on the way, and keeps it as AX says."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.fetch import EntityFetcher
from connectors.freshbooks.sink import RestSink
from schemas.failures import PoisonError, RetryableError
from schemas.records import (
    FreshBooksCommand,
    FreshBooksConfirmation,
    FreshBooksOperation,
    FreshBooksOutcome,
    IntentState,
    InvoiceDraft,
    InvoiceDraftLine,
    PaymentDraft,
)
from streams.transforms.echo import is_known
from tests.kit.freshbooks import Control, MemoryIntents, Person

Run = Callable[..., Any]
Apply = Callable[[FreshBooksCommand], FreshBooksConfirmation]
NOW = datetime(2026, 7, 1, tzinfo=UTC)
LINE = InvoiceDraftLine(
    name="Consulting",
    description="June",
    quantity=Decimal("2.000000"),
    unit_cost=Decimal("50.0000"),
    tax_name1="VAT",
    tax_percent1=Decimal("19.0000"),
    compounded_tax=False,
)


def command(operation: FreshBooksOperation, kind: str, reference: str, **changes: Any) -> FreshBooksCommand:
    values: dict[str, Any] = {"fields": {}, "account_id": "ZyQ04o", "changed_at": NOW, "issued_at": NOW, **changes}
    return FreshBooksCommand(
        command_id=uuid4(), operation=operation, kind=kind, reference=reference, reason="test", **values
    )


def new_client(reference: str = "usmf/C-1", **fields: str) -> FreshBooksCommand:
    values = {"organization": "Blumen Käfer", "currency_code": "EUR", **fields}
    return command(FreshBooksOperation.UPSERT_CLIENT, "client", reference, fields=values)


def new_vendor(reference: str = "usmf/V-1", **fields: str) -> FreshBooksCommand:
    values = {"vendor_name": "Papier Müller", "language": "de", "currency_code": "EUR", **fields}
    return command(FreshBooksOperation.UPSERT_VENDOR, "bill_vendor", reference, fields=values)


def new_invoice(client: int, reference: str = "usmf/CIV-1", **changes: Any) -> FreshBooksCommand:
    values: dict[str, Any] = {
        "client_id": client,
        "create_date": date(2026, 6, 29),
        "due_offset_days": 30,
        "currency_code": "EUR",
        "discount_percent": Decimal(0),
        "mark_as_sent": True,
        "lines": (LINE,),
        **changes,
    }
    return command(FreshBooksOperation.UPSERT_INVOICE, "invoice", reference, invoice=InvoiceDraft(**values))


def new_payment(invoice: int, reference: str = "usmf/PAY-1", **changes: Any) -> FreshBooksCommand:
    values: dict[str, Any] = {
        "invoice_id": invoice,
        "payment_date": date(2026, 6, 30),
        "amount": Decimal("40.0000"),
        "currency_code": "USD",
        "payment_type": "Bank Transfer",
        **changes,
    }
    return command(FreshBooksOperation.UPSERT_PAYMENT, "payment", reference, payment=PaymentDraft(**values))


@pytest.fixture
def intents() -> MemoryIntents:
    return MemoryIntents()


@pytest.fixture
def apply(with_client: Run, intents: MemoryIntents) -> Apply:
    def run(wanted: FreshBooksCommand) -> FreshBooksConfirmation:
        confirmed: FreshBooksConfirmation = with_client(lambda client: RestSink(client).apply(wanted, intents))
        return confirmed

    return run


@pytest.fixture
def mark(request: pytest.FixtureRequest) -> str:
    """A reference that no other test uses: the simulator is shared."""
    return f"usmf/{zlib.crc32(request.node.nodeid.encode()):010d}"


def stored(control: Control, plural: str, marker: str) -> list[dict[str, Any]]:
    """Everything of a kind that carries the marker, deleted ones too."""
    text = f"[AX:{marker}]"
    texts = ("note", "notes", "po_number")
    return [item for item in control.get("state")[plural] if any(text in str(item.get(name)) for name in texts)]


def wanted_of(kind: str, person: Person, mark: str) -> tuple[FreshBooksCommand, str, str]:
    """A creation of each kind, its list and the path of its POST."""
    if kind == "client":
        return new_client(mark), "clients", "users/clients"
    if kind == "bill_vendor":
        return new_vendor(mark), "bill_vendors", "bill_vendors/bill_vendors"
    client = person.new_client()["id"]
    if kind == "invoice":
        return new_invoice(client, mark), "invoices", "invoices/invoices"
    return new_payment(person.new_invoice(client)["id"], mark), "payments", "payments/payments"


KINDS = ["client", "bill_vendor", "invoice", "payment"]


def test_a_client_is_made_as_ax_says_and_carries_its_reference(apply: Apply, person: Person, mark: str) -> None:
    confirmed = apply(new_client(mark, vat_number="DE1", p_city="Köln"))
    assert confirmed.entity_id is not None
    made = person.client(confirmed.entity_id)
    assert (confirmed.outcome, confirmed.reference) == (FreshBooksOutcome.CREATED, mark)
    assert (made["organization"], made["p_city"], made["note"]) == ("Blumen Käfer", "Köln", f"[AX:{mark}]")


def test_an_invoice_is_made_priced_and_marked_as_sent(apply: Apply, person: Person, mark: str) -> None:
    client = person.new_client(currency_code="EUR")["id"]
    confirmed = apply(new_invoice(client, mark, notes="Thanks"))
    assert confirmed.entity_id is not None
    made = person.invoice(confirmed.entity_id)
    assert (made["amount"], made["due_date"]) == ({"amount": "119.00", "code": "EUR"}, "2026-07-29")
    assert (made["po_number"], made["notes"], made["display_status"]) == (f"[AX:{mark}]", "Thanks", "sent")


def test_a_payment_pays_its_invoice(apply: Apply, person: Person, control: Control, mark: str) -> None:
    invoice = person.new_invoice(person.new_client()["id"])["id"]
    apply(new_payment(invoice, mark, amount=Decimal(100)))
    assert person.invoice(invoice)["payment_status"] == "paid"
    (made,) = stored(control, "payments", mark)
    assert (made["type"], made["date"], made["send_client_notification"]) == ("Bank Transfer", "2026-06-30", False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_command_again_makes_nothing_and_writes_nothing(
    apply: Apply, person: Person, control: Control, intents: MemoryIntents, kind: str, mark: str
) -> None:
    wanted, plural, path = wanted_of(kind, person, mark)
    first = apply(wanted)
    before = [control.requests(method, path, "freshax-client-id") for method in ("POST", "PUT")]
    again = apply(wanted)
    intents.rows.clear()
    forgotten = apply(wanted)
    assert [control.requests(method, path, "freshax-client-id") for method in ("POST", "PUT")] == before
    assert again.entity_id == forgotten.entity_id == first.entity_id
    assert {again.outcome, forgotten.outcome} == {FreshBooksOutcome.UNCHANGED}
    assert len(stored(control, plural, mark)) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("crash_at", list(IntentState))
def test_a_crash_at_any_step_and_a_repeat_make_one(
    apply: Apply,
    person: Person,
    control: Control,
    intents: MemoryIntents,
    kind: str,
    crash_at: IntentState,
    mark: str,
) -> None:
    wanted, plural, _ = wanted_of(kind, person, mark)
    intents.fail_at = crash_at
    with pytest.raises(RetryableError):
        apply(wanted)
    confirmed = apply(wanted)
    assert len(stored(control, plural, mark)) == 1
    last = intents.last(wanted.key)
    assert last is not None
    assert (last.state, last.entity_id) == (IntentState.CONFIRMED, confirmed.entity_id)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_answer_is_looked_for_and_not_asked_again(
    apply: Apply, person: Person, control: Control, kind: str, mark: str
) -> None:
    wanted, plural, path = wanted_of(kind, person, mark)
    before = control.requests("POST", path, "freshax-client-id")
    control.post("faults", action="drop", after_commit=True, method="POST", count=1, client_id="freshax-client-id")
    assert apply(wanted).outcome is FreshBooksOutcome.CREATED
    assert control.requests("POST", path, "freshax-client-id") == before + 1
    assert len(stored(control, plural, mark)) == 1


def test_a_creation_that_never_arrived_is_tried_again_later(apply: Apply, control: Control, mark: str) -> None:
    control.post("faults", action="drop", method="POST", count=1, client_id="freshax-client-id")
    with pytest.raises(RetryableError) as failure:
        apply(new_client(mark))
    assert failure.value.code == "unclear_outcome"
    assert apply(new_client(mark)).outcome is FreshBooksOutcome.CREATED
    assert len(stored(control, "clients", mark)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_echo_of_what_we_made_is_known_although_it_was_never_published(
    apply: Apply, with_client: Run, person: Person, intents: MemoryIntents, kind: str, mark: str
) -> None:
    wanted, _, _ = wanted_of(kind, person, mark)
    number = apply(wanted).entity_id
    echo = with_client(lambda client: EntityFetcher(client).fetch(kind, number))
    assert echo.ax_reference == mark
    assert is_known(echo.content_hash, None, intents.last(f"ZyQ04o:{kind}:{number}"))
    assert not is_known("0" * 64, None, intents.last(f"ZyQ04o:{kind}:{number}"))


def test_only_what_differs_is_written_and_what_a_person_wrote_beside_it_stays(
    apply: Apply, person: Person, mark: str
) -> None:
    number = apply(new_client(mark)).entity_id
    assert number is not None
    person.change_client(number, note=f"Pays late\n[AX:{mark}]", fname="Ann")
    confirmed = apply(msgspec.structs.replace(new_client(mark, vat_number="DE2"), entity_id=number))
    after = person.client(number)
    assert confirmed.outcome is FreshBooksOutcome.WRITTEN
    assert (after["vat_number"], after["fname"]) == ("DE2", "Ann")
    assert after["note"] == f"Pays late\n[AX:{mark}]"


def test_changed_lines_replace_all_lines_and_nothing_else(apply: Apply, person: Person, mark: str) -> None:
    client = person.new_client(currency_code="EUR")["id"]
    number = apply(new_invoice(client, mark)).entity_id
    assert number is not None
    before = person.invoice(number)
    travel = msgspec.structs.replace(LINE, name="Travel", tax_name1=None, tax_percent1=None)
    apply(new_invoice(client, mark, lines=(LINE, travel)))
    after = person.invoice(number)
    assert [line["name"] for line in after["lines"]] == ["Consulting", "Travel"]
    assert after["amount"]["amount"] == "219.00"
    changed = {name for name in after if after[name] != before[name]}
    sums = {"lines", "amount", "outstanding", "updated", "version"}
    assert changed <= sums


def test_an_invoice_that_shall_stay_a_draft_stays_one(apply: Apply, person: Person, mark: str) -> None:
    client = person.new_client(currency_code="EUR")["id"]
    number = apply(new_invoice(client, mark, mark_as_sent=False)).entity_id
    assert number is not None
    assert person.invoice(number)["display_status"] == "draft"
    assert apply(new_invoice(client, mark)).outcome is FreshBooksOutcome.WRITTEN
    assert person.invoice(number)["display_status"] == "sent"


def test_a_payment_is_corrected_but_never_moved_to_another_invoice(apply: Apply, person: Person, mark: str) -> None:
    client = person.new_client()["id"]
    one, other = (person.new_invoice(client)["id"] for _ in range(2))
    number = apply(new_payment(one, mark)).entity_id
    assert apply(new_payment(one, mark, amount=Decimal(25))).outcome is FreshBooksOutcome.WRITTEN
    assert person.invoice(one)["paid"]["amount"] == "25.00"
    moved = msgspec.structs.replace(new_payment(other, mark), entity_id=number)
    assert refused(apply, moved).code == "invoice_fixed"


@pytest.mark.parametrize("named", [True, False], ids=["by its id", "by its reference"])
def test_a_deletion_is_soft_and_once(apply: Apply, person: Person, control: Control, mark: str, named: bool) -> None:
    invoice = person.new_invoice(person.new_client()["id"])["id"]
    number = apply(new_payment(invoice, mark)).entity_id
    gone = command(FreshBooksOperation.DELETE_PAYMENT, "payment", mark, entity_id=number if named else None)
    assert apply(gone).outcome is FreshBooksOutcome.DELETED
    assert apply(msgspec.structs.replace(gone, entity_id=number)).outcome is FreshBooksOutcome.UNCHANGED
    assert person.invoice(invoice)["payment_status"] == "unpaid"
    (left,) = stored(control, "payments", mark)
    assert left["vis_state"] == 1


def test_a_deletion_of_what_never_was_is_confirmed_without_an_id(apply: Apply, mark: str) -> None:
    confirmed = apply(command(FreshBooksOperation.DELETE_INVOICE, "invoice", mark))
    assert (confirmed.outcome, confirmed.entity_id) == (FreshBooksOutcome.UNCHANGED, None)


def test_what_a_person_has_deleted_is_not_made_again(apply: Apply, person: Person, mark: str) -> None:
    number = apply(new_client(mark)).entity_id
    assert number is not None
    person.change_client(number, vis_state=1)
    assert refused(apply, new_client(mark)).code == "entity_deleted"


def test_an_older_state_of_the_owner_never_replaces_a_newer_one(apply: Apply, person: Person, mark: str) -> None:
    older, newer = (
        msgspec.structs.replace(new_vendor(mark, city=city), owner_changed_at=NOW + timedelta(seconds=seconds))
        for city, seconds in (("Old", 0), ("New", 1))
    )
    number = apply(newer).entity_id
    assert apply(older).outcome is FreshBooksOutcome.UNCHANGED
    assert apply(msgspec.structs.replace(older, entity_id=number)).outcome is FreshBooksOutcome.UNCHANGED


def test_two_entities_with_one_reference_are_for_a_person_to_decide(apply: Apply, person: Person, mark: str) -> None:
    for name in ("One", "Two"):
        person.new_client(organization=name, note=f"[AX:{mark}]")
    assert refused(apply, new_client(mark)).code == "reference_ambiguous"


def test_a_longer_reference_is_not_taken_for_a_shorter_one(apply: Apply, person: Person, mark: str) -> None:
    person.new_client(organization="Longer", note=f"see [AX:{mark}-2]")
    assert apply(new_client(mark)).outcome is FreshBooksOutcome.CREATED


@pytest.mark.parametrize("kind", ["payment", "bill_vendor", "expense", "credit_note", "bill_payment"])
def test_the_reference_is_written_back_on_every_kind_that_has_a_text(apply: Apply, person: Person, kind: str) -> None:
    client, vendor = person.new_client()["id"], person.new_vendor()["vendorid"]
    number = {
        "payment": lambda: person.pay(person.new_invoice(client)["id"], "1", note="human")["id"],
        "bill_vendor": lambda: vendor,
        "expense": lambda: person.new_expense(notes="human")["id"],
        "credit_note": lambda: person.new_credit_note(client, notes="human")["id"],
        "bill_payment": lambda: person.pay_bill(person.new_bill(vendor)["id"], "1", note="human")["id"],
    }[kind]()
    confirmed = apply(command(FreshBooksOperation.WRITE_REFERENCE, kind, "usmf/X-1", entity_id=number))
    assert confirmed.outcome is FreshBooksOutcome.WRITTEN


def test_a_bill_has_no_text_for_a_reference_and_is_left_alone(apply: Apply, person: Person, control: Control) -> None:
    bill = person.new_bill(person.new_vendor()["vendorid"])["id"]
    before = control.requests("PUT", "bills/bills", "freshax-client-id")
    confirmed = apply(command(FreshBooksOperation.WRITE_REFERENCE, "bill", "usmf/X-1", entity_id=bill))
    assert confirmed.outcome is FreshBooksOutcome.UNCHANGED
    assert control.requests("PUT", "bills/bills", "freshax-client-id") == before


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (new_client(organisation="typo"), "unknown_field"),
        (new_vendor(vis_state="1"), "unknown_field"),
        (new_client(""), "reference_invalid"),
        (new_client("a]b"), "reference_invalid"),
        (msgspec.structs.replace(new_client(), kind="invoice"), "unknown_kind"),
        (command(FreshBooksOperation.UPSERT_INVOICE, "invoice", "usmf/1"), "draft_missing"),
        (command(FreshBooksOperation.UPSERT_PAYMENT, "payment", "usmf/1"), "draft_missing"),
        (command(FreshBooksOperation.WRITE_REFERENCE, "client", "usmf/1"), "entity_unnamed"),
        (msgspec.structs.replace(new_client(), reference=None), "reference_invalid"),
    ],
)
def test_commands_that_make_no_sense_are_poison_before_any_call(
    apply: Apply, control: Control, wanted: FreshBooksCommand, code: str
) -> None:
    before = control.requests("GET", "/accounting/", "freshax-client-id")
    assert refused(apply, wanted).code == code
    assert control.requests("GET", "/accounting/", "freshax-client-id") == before


def test_what_freshbooks_refuses_is_poison_naming_the_field(apply: Apply, person: Person, mark: str) -> None:
    invoice = person.new_invoice(person.new_client()["id"])["id"]
    failure = refused(apply, new_payment(invoice, mark, payment_type="Wire"))
    assert (failure.code, failure.field) == ("refused", "type")
    assert refused(apply, new_vendor(mark, language="")).field == "language"


def test_a_field_that_was_taken_but_not_stored_is_poison(
    apply: Apply, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = FreshBooksClient.post_entity

    async def dropping(self: FreshBooksClient, kind: Any, fields: Any) -> Any:
        return await post(self, kind, {name: value for name, value in fields.items() if name != "vat_number"})

    monkeypatch.setattr(FreshBooksClient, "post_entity", dropping)
    failure = refused(apply, new_client(mark, vat_number="DE1"))
    assert (failure.code, failure.field) == ("not_taken", "vat_number")


def refused(apply: Apply, wanted: FreshBooksCommand) -> PoisonError:
    with pytest.raises(PoisonError) as failure:
        apply(wanted)
    return failure.value
