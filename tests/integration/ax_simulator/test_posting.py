"""The batch job: what posting writes, what it refuses, and that books and sub-ledgers agree."""

from decimal import Decimal

import pytest

from tests.kit.aif import invoice, invoice_table, line
from tests.kit.aif_ledger import create, general, journal, trans, vend_table
from tests.kit.aif_ledger import vendor as vendor_document
from tests.kit.poll import poll_until


@pytest.fixture(autouse=True)
def nothing_else_to_post(aif):
    """What other tests left is posted, or refused, before."""
    post(aif)


@pytest.fixture
def account(aif):
    return aif.new_customer()


@pytest.fixture
def vendor(aif):
    return aif.call("VendorService", "create", vendor_document(vend_table())).keys[0]


def post(aif, company="usmf"):
    return aif.control("POST", "/post", {"company": company}).json()


def posted(aif, answer):
    """Post what `answer` created; its journal as it is then."""
    assert answer.status == 200, answer.body
    result = post(aif)
    row = next(item for item in aif.state()["journals"] if item["journal_num"] == answer.keys[0])
    assert row["posted"], result
    return row


def failed(aif, answer):
    """Post what `answer` created, which fails; why."""
    assert answer.status == 200, answer.body
    post(aif)
    row = next(item for item in aif.state()["journals"] if item["journal_num"] == answer.keys[0])
    assert not row["posted"]
    return row["posting_error"]


def balances(aif, company="usmf"):
    return {
        row["account"]: Decimal(row["balance"]) for row in aif.state()["trial_balance"] if row["company"] == company
    }


def moved(aif, before):
    """Balances that changed since `before`."""
    now = balances(aif)
    return {key: now[key] - before.get(key, 0) for key in now if now[key] != before.get(key, 0)}


def transactions(aif, account, kind="customer"):
    return [row for row in aif.state()[f"{kind}_transactions"] if row["account"] == account]


def sent_invoice(aif, account, price="100.00", **parts):
    recid = aif.create_invoice(invoice(invoice_table(account, line("1", price, **parts)))).keys[0]
    post(aif)
    return aif.stored_invoice(recid)["invoice_id"]


def pay(aif, account, amount, number, **parts):
    values = {"AccountType": "Cust", "OffsetAccountType": "Bank", "offset": "USMF OPER", "MarkedInvoice": number}
    document = trans(account, **{"credit": amount} | values | parts)
    return create(aif, "CustPaymJournalService", journal("CustPay", document))


class TestFreeTextInvoice:
    def test_posting_books_customer_revenue_and_tax(self, aif, account):
        before = balances(aif)
        tax = "<TaxAmount>8.25</TaxAmount>"
        number = sent_invoice(aif, account, after=tax)
        assert moved(aif, before) == {
            "130100": Decimal("108.25"),
            "202100": Decimal("-8.25"),
            "401100": Decimal(-100),
        }
        (row,) = transactions(aif, account)
        assert (row["invoice"], row["amount"], row["open"], row["type"]) == (number, "108.25", "108.25", "Sales")

    def test_a_foreign_currency_is_booked_at_the_rate_of_its_day(self, aif, account):
        before = balances(aif)
        table = invoice_table(account, line("1", "100.00"), currency="EUR")
        aif.create_invoice(invoice(table))
        post(aif)
        assert moved(aif, before) == {"130100": Decimal(110), "401100": Decimal(-110)}

    def test_a_credit_note_turns_the_sides(self, aif, account):
        before = balances(aif)
        sent_invoice(aif, account, "-30.00")
        assert moved(aif, before) == {"130100": Decimal(-30), "401100": Decimal(30)}

    def test_over_the_credit_limit_is_not_posted(self, aif, account):
        aif.control("PATCH", f"/customers/usmf/{account}", {"credit_max": "150"})
        sent_invoice(aif, account)
        recid = aif.create_invoice(invoice(invoice_table(account, line("1", "100.00")))).keys[0]
        assert "credit limit" in str(post(aif)["failed"])
        assert "credit limit" in aif.stored_invoice(recid)["posting_error"]
        aif.control("PATCH", f"/customers/usmf/{account}", {"credit_max": "0"})
        post(aif)
        assert aif.stored_invoice(recid)["posted"]

    def test_a_customer_on_hold_is_not_posted(self, aif, account):
        recid = aif.create_invoice(invoice(invoice_table(account))).keys[0]
        aif.control("PATCH", f"/customers/usmf/{account}", {"blocked": "All"})
        post(aif)
        assert "on hold" in aif.stored_invoice(recid)["posting_error"]
        assert "on hold" in aif.create_invoice(invoice(invoice_table(account))).fault_text
        aif.control("PATCH", f"/customers/usmf/{account}", {"blocked": "No"})
        post(aif)
        assert aif.stored_invoice(recid)["posted"]


class TestJournal:
    def test_an_expense_is_booked(self, aif):
        before = balances(aif)
        row = posted(aif, general(aif, trans("618100", debit="42.50", OffsetAccountType="Bank", offset="USMF OPER")))
        assert row["posting_error"] == ""
        assert moved(aif, before) == {"618100": Decimal("42.5"), "110110": Decimal("-42.5")}

    def test_a_journal_that_does_not_balance_is_not_posted(self, aif):
        assert "do not balance" in failed(aif, general(aif, trans("618100", debit="1"), trans("110110", credit="2")))

    @pytest.mark.parametrize("status", ["OnHold", "Closed"])
    def test_a_period_that_is_not_open_stops_it(self, aif, status):
        aif.control("POST", "/periods", {"company": "usmf", "month": "2025-03", "status": status})
        answer = general(aif, trans("618100", debit="1", offset="110110", TransDate="2025-03-31"))
        assert "fiscal period for 2025-03-31 is" in failed(aif, answer)
        aif.control("POST", "/periods", {"company": "usmf", "month": "2025-03", "status": "Open"})
        posted(aif, answer)

    def test_a_rate_on_the_line_goes_before_ax_own(self, aif):
        before = balances(aif)
        posted(aif, general(aif, trans("618100", debit="100", CurrencyCode="EUR", ExchRate="120", offset="110110")))
        assert moved(aif, before) == {"618100": Decimal(120), "110110": Decimal(-120)}

    def test_a_currency_without_a_rate_is_not_posted(self, aif):
        line = trans("618100", debit="1", CurrencyCode="GBP", offset="110110", TransDate="2019-12-31")
        assert "No exchange rate exists for currency GBP" in failed(aif, general(aif, line))

    @pytest.mark.parametrize(("included", "expense", "bank"), [("Yes", "100", "-108.25"), ("No", "108.25", "-117.18")])
    def test_tax_is_inside_the_amount_or_on_top(self, aif, included, expense, bank):
        before = balances(aif)
        line = trans("618100", debit="108.25", offset="110110", TaxGroup="CA", TaxItemGroup="FULL")
        fields = f"<LedgerJournalInclTax>{included}</LedgerJournalInclTax>"
        posted(aif, general(aif, line, fields=fields))
        change = moved(aif, before)
        assert (change["618100"], change["110110"]) == (Decimal(expense), Decimal(bank))
        assert sum(change.values()) == 0


class TestCustomerPayment:
    def test_a_payment_closes_the_invoice(self, aif, account):
        number = sent_invoice(aif, account)
        before = balances(aif)
        posted(aif, pay(aif, account, "100", number))
        assert [row["open"] for row in transactions(aif, account)] == ["0", "0"]
        assert all(row["closed"] for row in transactions(aif, account))
        assert moved(aif, before) == {"110110": Decimal(100), "130100": Decimal(-100)}

    def test_a_part_leaves_the_rest_open(self, aif, account):
        number = sent_invoice(aif, account)
        posted(aif, pay(aif, account, "60", number))
        assert [row["open"] for row in transactions(aif, account)] == ["40", "0"]
        posted(aif, pay(aif, account, "40", number))
        assert [row["open"] for row in transactions(aif, account)] == ["0", "0", "0"]

    def test_what_is_paid_too_much_stays_open(self, aif, account):
        number = sent_invoice(aif, account)
        posted(aif, pay(aif, account, "130", number))
        assert [row["open"] for row in transactions(aif, account)] == ["0", "-30"]

    def test_a_difference_of_rates_is_a_gain(self, aif, account):
        aif.create_invoice(invoice(invoice_table(account, line("1", "100.00"), currency="EUR")))
        post(aif)
        number = transactions(aif, account)[0]["invoice"]
        before = balances(aif)
        posted(aif, pay(aif, account, "100", number, CurrencyCode="EUR", ExchRate="120"))
        assert moved(aif, before) == {"110110": Decimal(120), "130100": Decimal(-110), "801100": Decimal(-10)}
        rows = transactions(aif, account)
        assert sum(Decimal(row["amount_accounting"]) + Decimal(row["exchange_adjustment"]) for row in rows) == 0

    def test_a_payment_taken_back_opens_the_invoice_number_again(self, aif, account):
        number = sent_invoice(aif, account)
        posted(aif, pay(aif, account, "100", number))
        back = trans(account, debit="100", AccountType="Cust", OffsetAccountType="Bank", offset="USMF OPER")
        back = back.replace("<LedgerDimension", f"<Invoice>{number}</Invoice><LedgerDimension", 1)
        posted(aif, create(aif, "CustPaymJournalService", journal("CustPay", back)))
        posted(aif, pay(aif, account, "60", number))
        rows = transactions(aif, account)
        assert sum(Decimal(row["open"]) for row in rows if row["invoice"] == number) == 40


class TestVendor:
    def bill(self, vendor, number="A-77", amount="119"):
        return journal(
            "VendInv",
            trans(vendor, credit=amount, AccountType="Vend", Invoice=number, PurchLedgerPosting="Vendor"),
            trans("618100", debit=amount),
        )

    def test_a_bill_and_its_payment(self, aif, vendor):
        before = balances(aif)
        posted(aif, create(aif, "PurchaseInvoiceService", self.bill(vendor)))
        assert moved(aif, before) == {"618100": Decimal(119), "200100": Decimal(-119)}
        (row,) = transactions(aif, vendor, "vendor")
        assert (row["invoice"], row["amount"], row["open"], row["type"]) == ("A-77", "-119", "-119", "Vend")
        paid = trans(
            vendor, debit="119", AccountType="Vend", MarkedInvoice="A-77", OffsetAccountType="Bank", offset="USMF OPER"
        )
        posted(aif, general(aif, paid))
        assert [row["open"] for row in transactions(aif, vendor, "vendor")] == ["0", "0"]

    def test_a_used_invoice_number_is_refused_where_the_parameter_says_so(self, aif, vendor):
        posted(aif, create(aif, "PurchaseInvoiceService", self.bill(vendor)))
        aif.control("PATCH", "/switches", {"vendor_invoice_numbers": "reject"})
        answer = create(aif, "PurchaseInvoiceService", self.bill(vendor))
        assert "A-77 is already used" in failed(aif, answer)
        aif.control("PATCH", "/switches", {"vendor_invoice_numbers": "accept"})
        posted(aif, answer)


class TestStructure:
    def test_a_line_of_an_invoice_that_lacks_a_dimension_is_not_posted(self, aif, account):
        table = invoice_table(account, line("1", "10.00", account="606300"))
        recid = aif.create_invoice(invoice(table)).keys[0]
        post(aif)
        assert "'Travel' requires a value for 'Department'" in aif.stored_invoice(recid)["posting_error"]


class TestWhen:
    def test_immediately(self, aif):
        aif.control("PATCH", "/switches", {"posting": "immediately"})
        number = general(aif, trans("618100", debit="1", offset="110110")).keys[0]
        assert next(row for row in aif.state()["journals"] if row["journal_num"] == number)["posted"]

    def test_after_some_seconds(self, aif, account):
        aif.control("PATCH", "/switches", {"posting": "timed", "posting_seconds": 0.5})
        recid = aif.create_invoice(invoice(invoice_table(account))).keys[0]
        assert not aif.stored_invoice(recid)["posted"]
        poll_until(lambda: aif.stored_invoice(recid)["posted"], 10, "the batch job posts it")


class TestByHand:
    """What people do in AX: it is there for whoever reads the sub-ledgers."""

    def test_an_invoice_and_its_payment(self, aif, account):
        lines = [{"account": "401100", "amount": "100.00", "description": "Rent", "tax_amount": "8.25"}]
        made = {"company": "usmf", "account": account, "currency": "USD", "lines": lines, "day": "2026-05-04"}
        number = aif.control("POST", "/invoices", made).json()["posted"][0]["invoice_id"]
        (row,) = transactions(aif, account)
        assert (row["invoice"], row["open"], row["date"]) == (number, "108.25", "2026-05-04")
        paid = {"company": "usmf", "account": account, "amount": "108.25", "currency": "USD", "bank": "USMF OPER"}
        answer = aif.control("POST", "/payments", paid | {"invoice": number})
        assert answer.status_code == 201
        assert [row["open"] for row in transactions(aif, account)] == ["0", "0"]

    def test_what_ax_refuses_is_told(self, aif, account):
        paid = {"company": "usmf", "account": account, "amount": "1", "currency": "USD", "bank": "USMF OPER"}
        answer = aif.control("POST", "/payments", paid | {"invoice": "nope"})
        assert (answer.status_code, "'nope' in field 'Invoice'" in answer.json()["error"]) == (409, True)

    def test_a_rate(self, aif, account):
        rate = {"from_currency": "GBP", "to_currency": "USD", "rate": "1.30", "valid_from": "2026-06-29"}
        assert aif.control("POST", "/rates", rate).status_code == 201
        before = balances(aif)
        posted(aif, general(aif, trans("618100", debit="100", CurrencyCode="GBP", offset="110110")))
        assert moved(aif, before)["618100"] == 130


def test_the_trial_balance_adds_to_nothing(aif):
    for company in ("usmf", "demf"):
        assert sum(balances(aif, company).values()) == 0


def test_the_customers_account_is_the_sum_of_the_customers(aif):
    rows = [row for row in aif.state()["customer_transactions"] if row["company"] == "usmf"]
    total = sum(Decimal(row["amount_accounting"]) + Decimal(row["exchange_adjustment"]) for row in rows)
    assert balances(aif).get("130100", 0) == total
