"""Payments and vendor invoices as journals, and journals as AIF documents."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.aif_journals import journal_payload
from connectors.ax.journals import (
    customer_payment_journal,
    reversal_of,
    vendor_invoice_journal,
    vendor_payment_journal,
)
from schemas.failures import PoisonError
from schemas.records import LedgerAccountType, VendorInvoiceLine
from tests.kit.ax_documents import customer_payment, journal, journal_line, vendor_invoice, vendor_payment
from tests.kit.ax_kinds import effect

CUSTOMER, VENDOR = (LedgerAccountType.CUSTOMER, "US-001"), (LedgerAccountType.VENDOR, "V-001")
BANK = (LedgerAccountType.BANK, "USMF OPER")
cents = st.integers(1, 10**9).map(lambda number: Decimal(number) / 100)


def wire(document, *, purchase=False):
    """Header and lines of the document."""
    header = journal_payload({"FB:A:EX1:1:aa": document}, "usmf", purchase=purchase)["LedgerJournalTable"][0]
    return header, header["LedgerJournalTrans"]


class TestCustomerPayment:
    def test_credits_the_customer_and_debits_the_bank(self):
        made = customer_payment_journal(customer_payment("119.00"), "FTI-1")
        assert effect([made]) == {CUSTOMER: Decimal(-119), BANK: Decimal(119)}
        assert (made.lines[0].marked_invoice, made.lines[0].payment_reference) == ("FTI-1", "5001")

    def test_a_refund_changes_sides(self):
        made = customer_payment_journal(customer_payment("-5.00"), None)
        assert effect([made]) == {CUSTOMER: Decimal(5), BANK: Decimal(-5)}

    def test_of_nothing_is_refused(self):
        with pytest.raises(PoisonError) as caught:
            customer_payment_journal(customer_payment("0.00"), None)
        assert (caught.value.code, caught.value.field) == ("amount_zero", "amount")

    def test_taken_back_opens_the_amount_under_the_same_invoice(self):
        back = reversal_of(customer_payment_journal(customer_payment(), "FTI-1")).lines[0]
        assert (back.debit, back.invoice_number, back.marked_invoice) == (Decimal(119), "FTI-1", None)


class TestVendorInvoice:
    def test_credits_the_vendor_and_debits_each_line(self):
        made = vendor_invoice_journal(vendor_invoice("100.00", "19.00"))
        assert effect([made]) == {
            VENDOR: Decimal(-119),
            (LedgerAccountType.LEDGER, "618100"): Decimal(100),
            (LedgerAccountType.LEDGER, "202100"): Decimal(19),
        }
        assert made.lines[0].invoice_number == "A-77"
        assert made.lines[1].invoice_number is None

    def test_a_line_of_nothing_is_left_out(self):
        assert len(vendor_invoice_journal(vendor_invoice("100.00", "0.00")).lines) == 2

    def test_a_negative_line_is_a_credit(self):
        rebate = VendorInvoiceLine(description="Rebate", main_account="618100", amount=Decimal(-10), dimensions={})
        made = vendor_invoice_journal(vendor_invoice(lines=(rebate,), total=Decimal(-10)))
        assert [(line.debit, line.credit) for line in made.lines] == [(Decimal(10), 0), (0, Decimal(10))]

    def test_of_nothing_is_refused(self):
        with pytest.raises(PoisonError):
            vendor_invoice_journal(vendor_invoice("0.00", "0.00"))


class TestVendorPayment:
    def test_debits_the_vendor_and_credits_the_bank(self):
        made = vendor_payment_journal(vendor_payment("119.00", marked_invoice="A-77"))
        assert effect([made]) == {VENDOR: Decimal(119), BANK: Decimal(-119)}
        assert made.lines[0].marked_invoice == "A-77"


@given(amounts=st.lists(cents, min_size=1, max_size=5), sides=st.lists(st.booleans(), min_size=5, max_size=5))
def test_a_journal_and_its_reversal_leave_nothing(amounts, sides):
    lines = [
        journal_line(*((str(amount), "0") if side else ("0", str(amount))), account=f"60{number}")
        for number, (amount, side) in enumerate(zip(amounts, sides, strict=False))
    ]
    document = journal("0", *lines)
    assert effect([document, reversal_of(document)]) == {}
    assert all((line.debit > 0) != (line.credit > 0) for line in reversal_of(document).lines)


class TestDocument:
    def test_its_name_is_our_reference(self):
        header, _ = wire(journal())
        assert (header["Name"], header["JournalName"], header["LedgerJournalInclTax"]) == (
            "FB:A:EX1:1:aa",
            "GenJrn",
            "Yes",
        )

    def test_debit_and_credit_are_two_elements_of_which_one_is_sent(self):
        _, (line, other) = wire(journal("0", journal_line("1.50"), journal_line(credit="2.00")))
        assert line["AmountCurDebit"] == "1.5"
        assert "AmountCurCredit" not in line
        assert other["AmountCurCredit"] == "2"
        assert "AmountCurDebit" not in other

    def test_a_ledger_account_carries_its_dimensions(self):
        _, (line,) = wire(journal())
        pairs = {"Value": [{"Name": "Department", "Value": "022"}]}
        assert line["LedgerDimension"] == {"DisplayValue": "618100", "Account": "618100", "Values": pairs}
        assert "DefaultDimension" not in line
        assert line["OffsetLedgerDimension"] == {"DisplayValue": "USMF OPER", "Account": "USMF OPER"}
        assert (line["AccountType"], line["OffsetAccountType"]) == ("Ledger", "Bank")

    def test_another_account_has_them_as_default_dimensions(self):
        payment = customer_payment_journal(customer_payment(dimensions={"Department": "022"}), None)
        _, (line,) = wire(payment)
        pairs = {"Values": {"Value": [{"Name": "Department", "Value": "022"}]}}
        assert line["DefaultDimension"] == line["OffsetDefaultDimension"] == pairs
        assert "Values" not in line["LedgerDimension"]

    def test_only_the_vendor_invoice_journal_marks_the_vendors_line(self):
        document = vendor_invoice_journal(vendor_invoice())
        assert [line.get("PurchLedgerPosting") for line in wire(document, purchase=True)[1]] == ["Vendor", None, None]
        assert [line.get("PurchLedgerPosting") for line in wire(document)[1]] == [None, None, None]

    def test_dates_rates_and_company(self):
        _, (line,) = wire(journal("0", journal_line("1", exchange_rate=Decimal("108.250"), due_date=date(2026, 7, 1))))
        assert (line["TransDate"], line["Due"], line["ExchRate"]) == (date(2026, 6, 29), date(2026, 7, 1), "108.25")
        assert line["Company"] == "usmf"
        assert "OffsetAccountType" not in line
