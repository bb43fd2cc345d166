"""FreeTextInvoiceService.create, and posting as a scenario act."""

import pytest

from tests.kit.aif import SHARED, context, invoice, invoice_table, keys, line


@pytest.fixture(scope="module")
def _customer():
    return []


@pytest.fixture
def account(aif, _customer):
    if not _customer:
        _customer.append(aif.new_customer("Invoiced", "<CustGroup>10</CustGroup><VATNum>SE9</VATNum>"))
    return _customer[0]


def create(aif, *entities, **options):
    answer = aif.create_invoice(invoice(*entities), **options)
    assert answer.status == 200, answer.body
    return answer.keys


def stored(aif, *entities):
    return aif.stored_invoice(create(aif, *entities)[0])


def tagged(**groups):
    """Fields of a line between Quantity and UnitPrice."""
    return "".join(f"<{name}>{value}</{name}>" for name, value in groups.items())


def test_an_invoice_is_stored_unposted_without_a_number(aif, account):
    kept = stored(aif, invoice_table(account, after_currency="<CustomerRef>FB:1:2:1:ab</CustomerRef>"))
    assert (kept["posted"], kept["invoice_id"], kept["customer_ref"]) == (False, "", "FB:1:2:1:ab")
    assert (kept["company"], kept["customer_account"], kept["currency"]) == ("usmf", account, "USD")


def test_the_key_is_the_record_id_or_the_empty_number(aif, account):
    assert int(create(aif, invoice_table(account))[0]) >= 5637144576
    aif.control("PATCH", "/switches", {"invoice_key": "InvoiceId"})
    answer = aif.create_invoice(invoice(invoice_table(account)))
    assert b"<Field>InvoiceId</Field>" in answer.body
    assert answer.keys == [""]


def test_what_is_omitted_comes_from_the_customer(aif, account):
    kept = stored(aif, invoice_table(account, after_currency="<InvoiceDate>2026-01-31</InvoiceDate>"))
    assert (kept["invoice_account"], kept["name"], kept["payment"]) == (account, "Invoiced", "Net30")
    assert (kept["invoice_date"], kept["due_date"], kept["document_date"]) == ("2026-01-31", "2026-03-02", None)
    assert kept["lines"][0]["tax_group"] == "CA"


def test_given_dates_and_texts_are_stored(aif, account):
    after = "<CustomerRef>ref</CustomerRef><DocumentDate>2026-01-02</DocumentDate><DueDate>2026-02-03</DueDate>"
    kept = stored(
        aif, invoice_table(account, after_currency=after, after_account="<PurchOrderFormNum>PO</PurchOrderFormNum>")
    )
    assert (kept["document_date"], kept["due_date"], kept["purch_order_form_num"]) == ("2026-01-02", "2026-02-03", "PO")


def test_ax_keeps_its_own_fields(aif, account):
    own = "<InvoiceId>MINE</InvoiceId>"
    posted = "<Posted>Yes</Posted><WorkflowApprovalStatus>Approved</WorkflowApprovalStatus>"
    kept = stored(aif, invoice_table(account, after_currency=own, after_account=posted))
    assert (kept["posted"], kept["invoice_id"]) == (False, "")


def test_lines_keep_their_order_and_texts(aif, account):
    kept = stored(
        aif,
        invoice_table(
            account,
            line("1", "2.5", before="<Description>Räksmörgås 🦐</Description>"),
            line("3", "4", before="<Description>Second</Description>", account="401200"),
        ),
    )
    lines = [(item["line_number"], item["description"], item["main_account"]) for item in kept["lines"]]
    assert lines == [(1, "Räksmörgås 🦐", "401100"), (2, "Second", "401200")]


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [("3", "10.335", "31.01"), ("-2", "10.00", "-20"), ("1.5", "0.01", "0.02"), ("0", "5", "0")],
)
def test_the_amount_is_quantity_times_price_whatever_was_sent(aif, account, quantity, price, amount):
    kept = stored(aif, invoice_table(account, line(quantity, price, before="<AmountCur>999</AmountCur>")))
    assert kept["lines"][0]["amount_cur"] == amount


def test_an_amount_alone_is_kept(aif, account):
    ledger = f'<LedgerDimension><MainAccount xmlns="{SHARED}">401100</MainAccount></LedgerDimension>'
    only = f'<CustInvoiceLine class="entity"><AmountCur>12.34</AmountCur>{ledger}</CustInvoiceLine>'
    assert stored(aif, invoice_table(account, only))["lines"][0]["amount_cur"] == "12.34"


def test_a_given_tax_is_kept(aif, account):
    kept = stored(aif, invoice_table(account, line(after=tagged(TaxAmount="0.07", TaxGroup="CA", TaxItemGroup="FULL"))))
    assert kept["lines"][0]["tax_amount"] == "0.07"
    assert kept["total"] == "20.07"


@pytest.mark.parametrize(
    ("group", "item_group", "tax"),
    [("CA", "FULL", "1.65"), ("CA", "EXEMPT", "0"), ("OUT", "FULL", "0")],
    ids=["code in both groups", "item exempt", "customer outside"],
)
def test_an_omitted_tax_is_computed_from_the_codes_in_both_groups(aif, account, group, item_group, tax):
    kept = stored(aif, invoice_table(account, line(after=tagged(TaxGroup=group, TaxItemGroup=item_group))))
    assert kept["lines"][0]["tax_amount"] == tax


def test_a_tax_can_be_in_the_price(aif, account):
    kept = stored(
        aif,
        invoice_table(
            account,
            line("1", "108.25", after=tagged(TaxItemGroup="FULL")),
            after_currency="<InclTax>Yes</InclTax>",
        ),
    )
    assert (kept["tax_amount"], kept["total"]) == ("8.25", "108.25")


def test_dimensions_of_a_line_come_from_the_header(aif, account):
    pair = "<Value><Name>Department</Name><Value>022</Value></Value>"
    header = f'<DefaultDimension><Values xmlns="{SHARED}">{pair}</Values></DefaultDimension>'
    kept = stored(aif, invoice_table(account, after_currency=header))
    assert kept["dimensions"] == kept["lines"][0]["dimensions"] == {"Department": "022"}


@pytest.mark.parametrize(
    ("entity", "fragment"),
    [
        (invoice_table("nobody"), "The value 'nobody' in field 'Customer account' is not found"),
        (invoice_table("US-001", currency="XXX"), "in field 'Currency' is not found in the related table 'Currencies'"),
        (invoice_table("US-001", line(account="999999")), "in field 'Main account' is not found"),
        (invoice_table("US-001", line(account="")), "Field 'Main account' must be filled in."),
        (invoice_table("US-001", line(after=tagged(TaxGroup="no"))), "in field 'Sales tax group' is not found"),
        (
            invoice_table("US-001", line(after=tagged(TaxItemGroup="no"))),
            "in field 'Item sales tax group' is not found",
        ),
        (invoice_table("US-001", after_account="<Payment>no</Payment>"), "in field 'Terms of payment' is not found"),
        (invoice_table("", line()), "Field 'Customer account' must be filled in."),
        (invoice_table("US-001", currency=""), "Field 'Currency' must be filled in."),
    ],
)
def test_references_must_exist(aif, entity, fragment):
    answer = aif.create_invoice(invoice(entity))
    assert answer.xpp == 3
    assert fragment in answer.fault_text


def test_a_customer_of_another_company_does_not_exist(aif, account):
    answer = aif.create_invoice(invoice(invoice_table("US-001")), header=context("demf"))
    assert "in field 'Customer account' is not found" in answer.fault_text


def test_several_invoices_are_one_transaction(aif, account):
    before = len(aif.state()["free_text_invoices"])
    reversal = invoice_table(account, line("-2"))
    assert aif.create_invoice(invoice(reversal, invoice_table(account, line(account="no")))).status == 500
    assert len(aif.state()["free_text_invoices"]) == before
    created = create(aif, reversal, invoice_table(account, line("3")))
    assert [aif.stored_invoice(recid)["amount_cur"] for recid in created] == ["-20", "30"]


def test_the_service_only_creates(aif):
    answer = aif.call("FreeTextInvoiceService", "read", keys("1", field="RecId"))
    assert answer.fault_code.endswith(":ActionNotSupported")


class TestPosting:
    def test_posting_gives_the_number(self, aif, account):
        first, second = create(aif, invoice_table(account), invoice_table(account))
        answer = aif.control("POST", "/post", {"company": "usmf", "rec_ids": [int(first)]}).json()
        assert [item["rec_id"] for item in answer["posted"]] == [int(first)]
        assert aif.stored_invoice(first)["posted"]
        assert aif.stored_invoice(first)["invoice_id"].startswith("FTI-")
        assert not aif.stored_invoice(second)["posted"]

    def test_the_batch_posts_all_in_order_and_only_once(self, aif, account):
        recids = create(aif, invoice_table(account), invoice_table(account))
        posted = [item["rec_id"] for item in aif.control("POST", "/post").json()["posted"]]
        assert posted[-2:] == [int(recid) for recid in recids]
        assert aif.control("POST", "/post").json()["posted"] == []
