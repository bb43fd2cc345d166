"""Writes without a server: guards, phases, numbering, stamps, side effects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.freshbooks.config import BusinessConfig, Switches
from sandbox.freshbooks.entities import Change, Entities
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.kind import Account, Record
from sandbox.freshbooks.kinds import BY_SINGLE
from sandbox.freshbooks.kinds.clients import CLIENT
from sandbox.freshbooks.kinds.invoices import INVOICE, v3_status
from sandbox.freshbooks.kinds.payments import PAYMENT

NOW = datetime(2026, 6, 29, 16, 52, 44, 256995, UTC)
LINES = [{"name": "Work", "qty": 2, "unit_cost": {"amount": "50"}}]


class Books:
    """An account and short ways to write to it."""

    def __init__(self, switches: Switches | None = None) -> None:
        self.account = Account("ZyQ04o", BusinessConfig(77001, "Acme", "ZyQ04o"))
        self.entities = Entities(BY_SINGLE, switches or Switches())
        self.now = NOW
        self.changes: list[Change] = []

    def client(self, **body: Any) -> Record:
        record, self.changes = self.entities.create(self.account, CLIENT, {"organization": "Acme", **body}, self.now)
        return record

    def invoice(self, client: Record, **body: Any) -> Record:
        sent = {"customerid": client.id, "create_date": "2026-06-29", "lines": LINES, **body}
        record, self.changes = self.entities.create(self.account, INVOICE, sent, self.now)
        return record

    def pay(self, invoice: Record, amount: str) -> Record:
        sent = {"invoiceid": invoice.id, "amount": {"amount": amount}, "date": "2026-06-30", "type": "Check"}
        record, self.changes = self.entities.create(self.account, PAYMENT, sent, self.now)
        return record

    def put(self, record: Record, **body: Any) -> Record:
        kind = CLIENT if "userid" in record.fields else INVOICE if "customerid" in record.fields else PAYMENT
        changed, self.changes = self.entities.update(self.account, kind, self.again(record), body, self.now)
        return changed

    def again(self, record: Record) -> Record:
        """Return the record as stored now."""
        single = "client" if "userid" in record.fields else "invoice" if "customerid" in record.fields else "payment"
        return self.account.records(single)[record.id]

    def refusal(self, record: Record, **body: Any) -> tuple[int, int, str | None]:
        with pytest.raises(Refused) as error:
            self.put(record, **body)
        return error.value.status, error.value.errno, error.value.field


@pytest.fixture
def books() -> Books:
    return Books()


def test_client_clocks_are_utc_and_eastern(books: Books) -> None:
    fields = books.client().fields
    assert (fields["signup_date"], fields["updated"]) == ("2026-06-29 16:52:44", "2026-06-29 12:52:44")


def test_a_client_needs_only_an_email_or_an_organization(books: Books) -> None:
    books.client(organization="", email="a@b.test")
    with pytest.raises(Refused) as error:
        books.client(organization="")
    assert error.value.errno == 1001


def test_unknown_keys_are_dropped_silently(books: Books) -> None:
    client = books.client(external_id="X", vis_state=1, id=5)
    assert "external_id" not in client.fields
    assert client.fields["vis_state"] == 0
    assert client.id == 218_001


@pytest.mark.parametrize("key", ["due_date", "amount", "outstanding", "v3_status"])
def test_read_only_keys_are_403_1038(books: Books, key: str) -> None:
    invoice = books.invoice(books.client())
    assert books.refusal(invoice, **{key: "2026-07-29", "notes": "x"}) == (403, 1038, key)
    assert books.again(invoice).fields["notes"] == ""
    with pytest.raises(Refused) as error:
        books.invoice(books.client(), **{key: "x"})
    assert error.value.errno == 1038


def test_computed_keys_can_be_switched_to_dropped_but_due_date_never() -> None:
    books = Books(Switches(computed_keys="drop"))
    invoice = books.invoice(books.client(), amount={"amount": "1"})
    assert invoice.fields["amount"]["amount"] == "100.00"
    assert books.refusal(invoice, due_date="2026-07-29")[1] == 1038


@pytest.mark.parametrize("missing", ["customerid", "create_date"])
def test_required_keys_of_an_invoice(books: Books, missing: str) -> None:
    with pytest.raises(Refused) as error:
        books.invoice(books.client(), **{missing: None})
    assert (error.value.status, error.value.errno, error.value.field) == (422, 1001, missing)


def test_an_unknown_customer_is_1012(books: Books) -> None:
    client = books.client()
    assert books.refusal(books.invoice(client), customerid=1) == (404, 1012, "customerid")


def test_numbers_are_counted_per_account_and_skip_taken_ones(books: Books) -> None:
    client = books.client()
    numbers = [
        books.invoice(client, **body).fields["invoice_number"]
        for body in ({}, {"invoice_number": "0000002"}, {}, {"invoice_number": "X-1"}, {})
    ]
    assert numbers == ["0000001", "0000002", "0000003", "X-1", "0000004"]


def test_due_date_is_create_date_plus_offset(books: Books) -> None:
    invoice = books.invoice(books.client())
    assert (invoice.fields["due_offset_days"], invoice.fields["due_date"]) == (0, "2026-06-29")
    assert books.put(invoice, due_offset_days=30).fields["due_date"] == "2026-07-29"
    assert books.put(invoice, create_date="2026-07-01").fields["due_date"] == "2026-07-31"


def test_a_put_is_partial(books: Books) -> None:
    invoice = books.invoice(books.client(), notes="keep", po_number="PO-1")
    changed = books.put(invoice, po_number="[AX:C-1]")
    assert (changed.fields["notes"], changed.fields["po_number"]) == ("keep", "[AX:C-1]")
    assert len(changed.parts["lines"]) == 1


def test_sent_lines_replace_all(books: Books) -> None:
    invoice = books.invoice(books.client(), lines=[*LINES, *LINES])
    kept = [{"lineid": 2, "amount": {"amount": "999"}, "name": "Only", "unit_cost": {"amount": "7"}, "foo": 1}]
    changed = books.put(invoice, lines=kept)
    (line,) = changed.parts["lines"]
    assert (line["lineid"], line["name"], line["amount"]["amount"]) == (1, "Only", "7.00")
    assert "foo" not in line
    assert changed.fields["amount"]["amount"] == "7.00"


def test_discount_value_is_a_percentage(books: Books) -> None:
    invoice = books.invoice(books.client(), discount_value="10")
    assert invoice.fields["amount"] == {"amount": "90.00", "code": "USD"}
    assert invoice.fields["discount_total"]["amount"] == "10.00"
    assert books.refusal(invoice, discount_value="101")[:2] == (422, 1018)


def test_currency_comes_from_the_client_and_binds_the_lines(books: Books) -> None:
    client = books.client(currency_code="EUR")
    assert books.invoice(client).fields["amount"]["code"] == "EUR"
    with pytest.raises(Refused) as error:
        books.invoice(client, lines=[{"unit_cost": {"amount": "1", "code": "USD"}}])
    assert (error.value.errno, error.value.field) == (1004, "unit_cost")


def test_the_client_snapshot_does_not_follow_the_client(books: Books) -> None:
    client = books.client(p_city="Ulm")
    invoice = books.invoice(client)
    books.put(client, organization="New name", p_city="Bonn")
    stored = books.put(invoice, notes="x")
    assert (stored.fields["organization"], stored.fields["city"]) == ("Acme", "Ulm")


@pytest.mark.parametrize(("status", "name"), [(0, "disputed"), (1, "draft"), (2, "sent"), (3, "viewed")])
def test_status_is_writable_as_a_small_int(books: Books, status: int, name: str) -> None:
    invoice = books.put(books.invoice(books.client()), status=status)
    assert (invoice.fields["status"], invoice.fields["v3_status"]) == (status, name)


@pytest.mark.parametrize(("status", "errno"), [("2", 1015), ("sent", 1015), (4, 1004), (8, 1004), (True, 1015)])
def test_other_statuses_are_422(books: Books, status: object, errno: int) -> None:
    assert books.refusal(books.invoice(books.client()), status=status) == (422, errno, "status")


def test_phases_only_the_first_is_executed(books: Books) -> None:
    invoice = books.invoice(books.client())
    changed = books.put(invoice, vis_state=2, action_mark_as_sent=True, notes="lost", due_date="2030-01-01")
    assert (changed.vis_state, changed.fields["status"], changed.fields["notes"]) == (2, 1, "")
    changed = books.put(invoice, action_mark_as_sent=True, notes="lost")
    assert (changed.fields["status"], changed.fields["notes"]) == (2, "")
    changed = books.put(invoice, ext_vis_state=0, vis_state=1, notes="lost")
    assert (changed.vis_state, changed.fields["notes"]) == (2, "")


def test_soft_delete_and_undelete_bump_updated(books: Books) -> None:
    client = books.client()
    books.now += timedelta(seconds=5)
    deleted = books.put(client, vis_state=1)
    assert (deleted.vis_state, deleted.fields["updated"]) == (1, "2026-06-29 12:52:49")
    assert [change.verb for change in books.changes] == ["delete"]
    assert books.put(client, vis_state=0).vis_state == 0
    assert [change.verb for change in books.changes] == ["update"]


@pytest.mark.parametrize(("told", "verbs"), [("update", ["update"]), ("both", ["delete", "update"])])
def test_what_a_soft_delete_tells_is_a_switch(told: Any, verbs: list[str]) -> None:
    books = Books(Switches(soft_delete_event=told))
    books.put(books.client(), vis_state=1)
    assert [change.verb for change in books.changes] == verbs


def test_invoice_versions_change_with_every_write(books: Books) -> None:
    invoice = books.invoice(books.client())
    versions = [invoice.fields["version"], *(books.put(invoice, notes=str(n)).fields["version"] for n in range(3))]
    assert versions[0] == "2026-06-29 12:52:44.256995"
    assert sorted(set(versions)) == versions


def test_a_new_invoice_bumps_its_client(books: Books) -> None:
    client = books.client()
    books.now += timedelta(minutes=1)
    invoice = books.invoice(client)
    assert books.again(client).fields["updated"] == "2026-06-29 12:53:44"
    assert books.changes == [
        Change("invoice", "create", invoice.id),
        Change("client", "update", client.id, side_effect=True),
    ]
    books.put(invoice, notes="x")
    assert books.changes == [Change("invoice", "update", invoice.id)]


def test_a_deleted_client_does_not_block_its_invoices(books: Books) -> None:
    client = books.client()
    invoice = books.invoice(client)
    books.put(client, vis_state=1)
    assert books.put(invoice, notes="still").fields["notes"] == "still"


def test_emailing_marks_as_sent_and_tells_both_events(books: Books) -> None:
    invoice = books.invoice(books.client(email="bill@acme.test"))
    changed = books.put(invoice, action_email=True, invoice_customized_email={"subject": "Hi", "body": "Pay"})
    assert (changed.fields["status"], changed.fields["v3_status"]) == (2, "sent")
    assert changed.parts["emails"][0]["recipients"] == ["bill@acme.test"]
    assert [change.verb for change in books.changes] == ["sendByEmail", "update"]


def test_emailing_needs_a_recipient(books: Books) -> None:
    assert books.refusal(books.invoice(books.client()), action_email=True)[:2] == (422, 1001)


def test_a_part_payment_keeps_status_sent(books: Books) -> None:
    invoice = books.put(books.invoice(books.client()), status=2)
    books.pay(invoice, "40")
    assert [(change.noun, change.verb) for change in books.changes] == [("payment", "create"), ("invoice", "update")]
    fields = books.again(invoice).fields
    assert (fields["status"], fields["display_status"]) == (2, "sent")
    assert (fields["v3_status"], fields["payment_status"]) == ("partial", "partial")
    assert (fields["paid"]["amount"], fields["outstanding"]["amount"]) == ("40.00", "60.00")


def test_full_payment_and_its_deletion(books: Books) -> None:
    invoice = books.put(books.invoice(books.client()), status=2)
    payment = books.pay(invoice, "100")
    fields = books.again(invoice).fields
    assert (fields["status"], fields["v3_status"], fields["date_paid"]) == (4, "paid", "2026-06-30")
    books.put(payment, vis_state=1)
    fields = books.again(invoice).fields
    assert (fields["status"], fields["payment_status"], fields["date_paid"]) == (2, "unpaid", None)


def test_an_overpayment_becomes_credit(books: Books) -> None:
    client = books.client()
    invoice = books.put(books.invoice(client), status=2)
    payment = books.pay(invoice, "130")
    (credit,) = books.account.records("credit_note").values()
    assert books.again(payment).fields["overpaymentid"] == credit.id
    assert books.again(invoice).fields["outstanding"]["amount"] == "0.00"
    credit = CLIENT.includes["credit_balance"](books.account, books.again(client), NOW)
    assert credit == [{"amount": {"amount": "30.00", "code": "USD"}}]


def test_overdue_is_derived_from_the_due_date(books: Books) -> None:
    invoice = books.put(books.invoice(books.client()), status=2)
    assert v3_status(invoice, "2026-06-29") == "sent"
    assert v3_status(invoice, "2026-06-30") == "overdue"
    assert v3_status(books.put(invoice, status=1), "2026-06-30") == "draft"


@pytest.mark.parametrize(
    ("body", "errno"),
    [
        ({"create_date": "29.06.2026"}, 1004),
        ({"create_date": 20260629}, 1015),
        ({"notes": {"a": 1}}, 1015),
        ({"po_number": "x" * 256}, 1017),
        ({"due_offset_days": "soon"}, 1015),
        ({"due_offset_days": -1}, 1004),
        ({"lines": {"name": "x"}}, 1015),
        ({"lines": [{"unit_cost": "12.00"}]}, 1015),
        ({"lines": [{"unit_cost": {"amount": "much"}}]}, 1004),
        ({"lines": [{"unit_cost": {"amount": "1e99"}}]}, 1004),
        ({"lines": [{"taxName1": "VAT", "taxAmount1": "190"}]}, 1018),
        ({"currency_code": "dollars"}, 1004),
    ],
)
def test_wrong_values_change_nothing(books: Books, body: dict[str, object], errno: int) -> None:
    invoice = books.invoice(books.client())
    before = (dict(invoice.fields), list(invoice.parts["lines"]))
    assert books.refusal(invoice, **body)[:2] == (422, errno)
    stored = books.again(invoice)
    assert (stored.fields, stored.parts["lines"]) == before
