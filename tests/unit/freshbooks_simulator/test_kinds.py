"""Rules of vendors, bills, expenses, credit and look-up data, without a server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.freshbooks.config import BusinessConfig, Switches
from sandbox.freshbooks.entities import Change, Entities
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.kind import Account, Json, Record
from sandbox.freshbooks.kinds import BY_SINGLE, categories
from sandbox.freshbooks.kinds.expenses import vendor_names

NOW = datetime(2026, 6, 29, 16, 52, 44, 256995, UTC)


class Books:
    """An account with a category, and short ways to write to it."""

    def __init__(self) -> None:
        self.account = Account("ZyQ04o", BusinessConfig(77001, "Acme", "ZyQ04o"))
        self.entities = Entities(BY_SINGLE, Switches())
        self.now = NOW
        self.changes: list[Change] = []
        self.category = categories.add(self.account, "Paper", None, NOW, own=False)

    def make(self, single: str, **body: Any) -> Record:
        record, self.changes = self.entities.create(self.account, BY_SINGLE[single], body, self.now)
        return record

    def put(self, single: str, record: Record, **body: Any) -> Record:
        former = self.account.records(single)[record.id]
        changed, self.changes = self.entities.update(self.account, BY_SINGLE[single], former, body, self.now)
        return changed

    def view(self, single: str, record: Record) -> Json:
        """Return the record as a reply shows it now."""
        return BY_SINGLE[single].view(self.account, self.account.records(single)[record.id], self.now)

    def vendor(self, **body: Any) -> Record:
        return self.make("bill_vendor", **{"vendor_name": "Müller", "language": "de", **body})

    def bill(self, vendor: Record, **body: Any) -> Record:
        line = {"categoryid": self.category.id, "quantity": 2, "unit_cost": {"amount": "50"}}
        taxed = {**line, "tax_name1": "VAT", "tax_percent1": "19"}
        values = {"issue_date": "2026-06-29", "due_offset_days": 30, "currency_code": "EUR", "language": "de"}
        return self.make("bill", **{"vendorid": vendor.id, "lines": [taxed], **values, **body})

    def pay_bill(self, bill: Record, amount: str, **body: Any) -> Record:
        values = {"billid": bill.id, "amount": {"amount": amount}, "payment_type": "Check", "paid_date": "2026-06-30"}
        return self.make("bill_payment", **{**values, **body})

    def expense(self, **body: Any) -> Record:
        values = {"categoryid": self.category.id, "staffid": 1, "date": "2026-06-29", "amount": {"amount": "113"}}
        return self.make("expense", **{**values, **body})

    def invoice(self, client: Record, amount: str = "100") -> Record:
        lines = [{"unit_cost": {"amount": amount}}]
        return self.make("invoice", customerid=client.id, create_date="2026-06-29", lines=lines)

    def pay(self, invoice: Record, amount: str, **body: Any) -> Record:
        values = {"invoiceid": invoice.id, "amount": {"amount": amount}, "date": "2026-06-30", "type": "Check"}
        return self.make("payment", **{**values, **body})

    def refusal(self, act: Any) -> tuple[int, int, str | None]:
        with pytest.raises(Refused) as error:
            act()
        return error.value.status, error.value.errno, error.value.field


@pytest.fixture
def books() -> Books:
    return Books()


def test_a_vendor_has_no_id_key_and_utc_times(books: Books) -> None:
    fields = books.vendor().fields
    assert "id" not in fields
    assert (fields["vendorid"], fields["created_at"]) == (61, "2026-06-29 16:52:44")


@pytest.mark.parametrize("missing", ["vendor_name", "language"])
def test_required_keys_of_a_vendor(books: Books, missing: str) -> None:
    assert books.refusal(lambda: books.vendor(**{missing: None})) == (422, 1001, missing)


def test_a_tax_number_of_a_vendor_is_dropped_and_its_balance_refused(books: Books) -> None:
    assert "tax_number" not in books.vendor(tax_number="DE1").fields
    assert books.refusal(lambda: books.vendor(outstanding_balance=[]))[:2] == (403, 1038)


def test_tax_defaults_of_a_vendor_are_filled_in_from_the_tax(books: Books) -> None:
    tax = books.make("tax", name="VAT", amount="19")
    (default,) = books.vendor(tax_defaults=[{"tax_id": tax.id}]).fields["tax_defaults"]
    assert (default["name"], default["amount"], default["enabled"]) == ("VAT", "19", True)
    assert books.refusal(lambda: books.vendor(tax_defaults=[{"tax_id": 7}]))[:2] == (404, 1012)


def test_the_balance_of_a_vendor_is_what_its_bills_leave_open(books: Books) -> None:
    vendor = books.vendor()
    bill = books.bill(vendor)
    books.pay_bill(bill, "19")
    assert books.view("bill_vendor", vendor)["outstanding_balance"] == [{"amount": {"amount": "100.00", "code": "EUR"}}]
    assert books.view("bill_vendor", vendor)["overdue_balance"] == []


def test_sums_and_due_date_of_a_bill_are_computed(books: Books) -> None:
    fields = books.bill(books.vendor()).fields
    assert [fields[key]["amount"] for key in ("amount", "tax_amount", "total_amount")] == ["100.00", "19.00", "119.00"]
    assert (fields["due_date"], fields["status"]) == ("2026-07-29", "unpaid")
    assert (fields["lines"][0]["quantity"], fields["lines"][0]["category"]["category"]) == ("2", "Paper")


@pytest.mark.parametrize("missing", ["vendorid", "issue_date", "due_offset_days", "currency_code", "language", "lines"])
def test_required_keys_of_a_bill(books: Books, missing: str) -> None:
    vendor = books.vendor()
    assert books.refusal(lambda: books.bill(vendor, **{missing: None}))[:2] == (422, 1001)


@pytest.mark.parametrize("key", ["due_date", "amount", "overall_description"])
def test_read_only_keys_of_a_bill_are_refused_and_notes_are_dropped(books: Books, key: str) -> None:
    vendor = books.vendor()
    assert books.refusal(lambda: books.bill(vendor, **{key: "x"})) == (403, 1038, key)
    assert "notes" not in books.bill(vendor, notes="lost").fields


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"categoryid": 7}, (404, 1012, "categoryid")),
        ({"categoryid": None}, (422, 1001, "categoryid")),
        ({"quantity": "2"}, (422, 1015, "quantity")),
        ({"unit_cost": {"amount": "1", "code": "USD"}}, (422, 1004, "unit_cost")),
    ],
)
def test_lines_of_a_bill_that_are_refused(books: Books, change: Json, refusal: tuple[int, int, str]) -> None:
    line = {"categoryid": books.category.id, "quantity": 1, "unit_cost": {"amount": "1"}, **change}
    vendor = books.vendor()
    assert books.refusal(lambda: books.bill(vendor, lines=[line])) == refusal


def test_payments_move_a_bill_from_unpaid_to_paid_and_back(books: Books) -> None:
    bill = books.bill(books.vendor())
    first = books.pay_bill(bill, "19")
    assert books.view("bill", bill)["status"] == "partial"
    books.pay_bill(bill, "100.00")
    shown = books.view("bill", bill)
    assert (shown["status"], shown["outstanding"]["amount"], len(shown["bill_payments"])) == ("paid", "0.00", 2)
    books.put("bill_payment", first, vis_state=1)
    assert books.view("bill", bill)["status"] == "partial"
    assert [(change.noun, change.verb) for change in books.changes][-1] == ("bill", "update")


@pytest.mark.parametrize("amount", ["119.01", "0", "-1"])
def test_a_bill_is_not_paid_more_than_it_is(books: Books, amount: str) -> None:
    bill = books.bill(books.vendor())
    assert books.refusal(lambda: books.pay_bill(bill, amount))[:2] == (422, 1004)


def test_a_bill_payment_needs_a_type_in_the_right_spelling(books: Books) -> None:
    bill = books.bill(books.vendor())
    assert books.refusal(lambda: books.pay_bill(bill, "1", payment_type=None)) == (422, 1001, "payment_type")
    assert books.refusal(lambda: books.pay_bill(bill, "1", payment_type="check")) == (422, 1004, "payment_type")


def test_a_bill_is_overdue_the_day_after_it_was_due(books: Books) -> None:
    bill = books.bill(books.vendor())
    books.now = datetime(2026, 7, 30, 12, tzinfo=UTC)
    assert books.view("bill", bill)["status"] == "overdue"


def test_the_amount_of_an_expense_includes_its_taxes(books: Books) -> None:
    fields = books.expense(taxName1="HST", taxPercent1="13").fields
    assert (fields["amount"]["amount"], fields["taxAmount1"]["amount"]) == ("113.00", "13.00")
    fields = books.expense(taxName1="HST", taxAmount1={"amount": "9.17"}).fields
    assert (fields["taxPercent1"], fields["taxAmount1"]["amount"]) == (None, "9.17")


@pytest.mark.parametrize("missing", ["amount", "categoryid", "staffid", "date"])
def test_required_keys_of_an_expense(books: Books, missing: str) -> None:
    assert books.refusal(lambda: books.expense(**{missing: None})) == (422, 1001, missing)


def test_an_expense_touches_its_category_and_look_alikes_are_marked(books: Books) -> None:
    assert books.expense(vendor="Staples").fields["isduplicate"] is False
    assert Change("category", "update", books.category.id, side_effect=True) in books.changes
    assert books.category.fields["transaction_posted"] is True
    assert books.expense(vendor="Staples").fields["isduplicate"] is True


def test_none_is_zero_for_client_and_project_of_an_expense(books: Books) -> None:
    fields = books.expense(clientid=None).fields
    assert (fields["clientid"], fields["projectid"]) == (0, 0)
    assert books.refusal(lambda: books.expense(projectid=7)) == (404, 1012, "projectid")


def test_a_receipt_is_attached_and_shown_on_request_only(books: Books) -> None:
    expense = books.expense(attachment={"jwt": "ey.x", "media_type": "image/png"})
    assert expense.fields["has_receipt"] is True
    assert "attachment" not in books.view("expense", expense)
    assert books.refusal(lambda: books.expense(attachment="x.png"))[:2] == (422, 1015)


def test_expense_vendors_are_names_only(books: Books) -> None:
    for vendor in ("Staples", "Ikea", "Staples", ""):
        books.expense(vendor=vendor)
    assert vendor_names(books.account) == ["Ikea", "Staples"]


def test_a_credit_note_is_numbered_and_priced_and_has_no_time_of_change(books: Books) -> None:
    client = books.make("client", organization="Acme")
    lines = [{"qty": "2", "unit_cost": {"amount": "50"}, "taxName1": "VAT", "taxAmount1": "19"}]
    fields = books.make("credit_note", clientid=client.id, lines=lines).fields
    assert (fields["credit_number"], fields["credit_type"], fields["create_date"]) == (
        "0000001",
        "goodwill",
        "2026-06-29",
    )
    assert (fields["amount"]["amount"], fields["payment_status"]) == ("119.00", "unpaid")
    assert not {"updated", "updated_at", "version"} & fields.keys()
    assert books.refusal(lambda: books.make("credit_note", lines=lines)) == (422, 1001, "clientid")


def test_an_overpayment_has_a_credit_note_that_follows_it(books: Books) -> None:
    invoice = books.invoice(books.make("client", organization="Acme"))
    payment = books.pay(invoice, "130")
    (credit,) = books.account.records("credit_note").values()
    assert (credit.fields["credit_type"], credit.fields["amount"]["amount"]) == ("overpayment", "30.00")
    assert Change("credit_note", "create", credit.id, side_effect=True) in books.changes
    books.put("payment", payment, amount={"amount": "110"})
    assert books.view("credit_note", credit)["amount"]["amount"] == "10.00"
    books.put("payment", payment, vis_state=1)
    assert books.view("credit_note", credit)["vis_state"] == 1
    assert books.view("payment", payment)["overpaymentid"] is None


def test_a_refund_is_a_smaller_payment_down_to_nothing(books: Books) -> None:
    invoice = books.invoice(books.make("client", organization="Acme"))
    payment = books.pay(invoice, "100")
    books.put("payment", payment, amount={"amount": "40"})
    assert books.view("invoice", invoice)["payment_status"] == "partial"
    books.put("payment", payment, amount={"amount": "0"})
    assert books.view("invoice", invoice)["payment_status"] == "unpaid"
    assert books.refusal(lambda: books.pay(invoice, "0"))[:2] == (422, 1004)


def test_credit_is_used_up_by_a_payment_and_no_further(books: Books) -> None:
    client = books.make("client", organization="Acme")
    credit = books.make("credit_note", clientid=client.id, lines=[{"unit_cost": {"amount": "30"}}])
    invoice = books.invoice(client)
    payment = books.pay(invoice, "20", type="Credit", creditid=credit.id)
    assert payment.fields["from_credit"] is True
    shown = books.view("credit_note", credit)
    assert (shown["paid"]["amount"], shown["payment_status"]) == ("20.00", "partial")
    assert books.refusal(lambda: books.pay(invoice, "11", type="Credit", creditid=credit.id))[:2] == (422, 1004)
    other = books.invoice(books.make("client", organization="Other"))
    assert books.refusal(lambda: books.pay(other, "5", type="Credit", creditid=credit.id))[:2] == (422, 1004)
    assert books.refusal(lambda: books.put("credit_note", credit, lines=[{"unit_cost": {"amount": "5"}}]))[1] == 1004


def test_an_item_keeps_its_price_in_the_currency_of_the_business(books: Books) -> None:
    fields = books.make("item", name="Hour", unit_cost={"amount": "95"}, tax1=None).fields
    assert (fields["unit_cost"], fields["qty"], fields["tax1"]) == ({"amount": "95.00", "code": "USD"}, "1", 0)
    assert books.refusal(lambda: books.make("item", name="X", tax1=99)) == (404, 1012, "tax1")


def test_a_deleted_tax_is_gone(books: Books) -> None:
    tax = books.make("tax", name="VAT", amount="19")
    assert books.entities.delete(books.account, BY_SINGLE["tax"], tax, NOW) == [Change("tax", "delete", tax.id)]
    assert books.refusal(lambda: books.entities.find(books.account, BY_SINGLE["tax"], str(tax.id)))[:2] == (404, 1012)


def test_a_project_has_iso_utc_times(books: Books) -> None:
    fields = books.make("project", title="Relaunch").fields
    assert (fields["updated_at"], fields["internal"]) == ("2026-06-29T16:52:44", True)
    assert books.refusal(lambda: books.make("project", title="")) == (422, 2001, "title")
