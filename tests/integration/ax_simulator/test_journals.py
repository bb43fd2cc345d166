"""The journal services: what a create stores, and what it refuses."""

import pytest

from tests.kit.aif import context, keys, message_id
from tests.kit.aif_ledger import DOCUMENTS, create, general, journal, trans

GENERAL = f"{DOCUMENTS}/LedgerGeneralJournal"


def stored(aif, number, company="usmf"):
    rows = aif.state()["journals"]
    return next(row for row in rows if (row["journal_num"], row["company"]) == (number, company))


def test_a_journal_is_stored_and_not_posted(aif):
    number = general(
        aif,
        trans("618100", debit="42.50", Txt="Taxi", dimensions={"Department": "022"}),
        trans("110110", credit="42.50"),
        fields="<Name>FB:A:EX1:1:abc</Name>",
    ).keys[0]
    row = stored(aif, number)
    assert (row["name"], row["posted"], row["type"]) == ("FB:A:EX1:1:abc", False, "Daily")
    assert [(line["account"], line["debit"], line["credit"]) for line in row["lines"]] == [
        ("618100--022", "42.5", "0"),
        ("110110", "0", "42.5"),
    ]
    assert len({line["voucher"] for line in row["lines"]}) == 1


def test_an_account_takes_the_dimensions_of_its_structure_in_their_order(aif):
    dimensions = {"BusinessUnit": "001", "Department": "022"}
    number = general(aif, trans("606300", debit="1", offset="110110", dimensions=dimensions)).keys[0]
    assert stored(aif, number)["lines"][0]["account"] == "606300-022-001"


def test_several_journals_are_one_transaction(aif):
    before = len(aif.state()["journals"])
    good = journal("GenJrn", trans("618100", debit="1", offset="110110"))
    bad = journal("GenJrn", trans("no", debit="1", offset="110110"))
    assert create(aif, "GeneralJournalService", good, bad).status == 500
    assert len(aif.state()["journals"]) == before
    assert len(create(aif, "GeneralJournalService", good, good).keys) == 2


def test_an_offset_account_of_another_type(aif):
    line = trans("618100", debit="10", OffsetAccountType="Bank", offset="USMF OPER")
    row = stored(aif, general(aif, line).keys[0])
    assert (row["lines"][0]["offset_account_type"], row["lines"][0]["offset_account"]) == ("Bank", "USMF OPER")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (trans("999999", debit="1"), "'999999' in field 'Main account'"),
        (trans("nobody", debit="1", AccountType="Cust"), "'nobody' in field 'Customer account'"),
        (trans("nobody", debit="1", AccountType="Vend"), "'nobody' in field 'Vendor account'"),
        (trans("nobank", debit="1", AccountType="Bank"), "'nobank' in field 'Bank account'"),
        (trans("1", debit="1", AccountType="Project"), "Not simulated: account type Project"),
        (trans("618100", debit="1", CurrencyCode="XXX"), "'XXX' in field 'Currency'"),
        (trans("618100", debit="1", TaxGroup="NO"), "'NO' in field 'Sales tax group'"),
        (trans("618100", debit="1", dimensions={"Department": "no"}), "'no' in field 'Department'"),
        (trans("618100", debit="1", dimensions={"Nothing": "1"}), "'Nothing' in field 'Name'"),
        (trans("606300", debit="1"), "'Travel' requires a value for 'Department'"),
        (trans("618100"), "Exactly one of debit and credit"),
        (trans("618100", debit="1", credit="1"), "Exactly one of debit and credit"),
        (trans("618100", debit="-1"), "Exactly one of debit and credit"),
        (trans("618100", debit="1", ExchRate="0"), "exchange rate must be greater"),
        (trans("US-001", credit="1", AccountType="Cust", MarkedInvoice="nope"), "'nope' in field 'Invoice'"),
        (trans("US-001", credit="1", AccountType="Cust", PaymMode="NO"), "'NO' in field 'Method of payment'"),
        (trans("618100", debit="1", Company="demf"), "another company"),
        (trans("618100", debit="1", Qty="2"), "Not simulated: LedgerJournalTrans.Qty"),
    ],
)
def test_what_a_line_may_not_say(aif, line, text):
    answer = general(aif, line)
    assert (answer.status, answer.xpp) == (500, 3)
    assert text in answer.fault_text


def test_amounts_of_no_sign_pass_the_schema_and_not_ax(aif):
    assert general(aif, trans("618100", debit="1", Txt="x" * 61)).aif_code == "InvalidDocumentSchema"
    assert general(aif, trans("618100", debit="1", AccountType="Nobody")).aif_code == "InvalidDocumentSchema"


@pytest.mark.parametrize(
    ("service", "name"),
    [("GeneralJournalService", "CustPay"), ("CustPaymJournalService", "GenJrn"), ("PurchaseInvoiceService", "GenJrn")],
)
def test_a_journal_name_of_another_type_is_refused(aif, service, name):
    answer = create(aif, service, journal(name, trans("618100", debit="1", offset="110110")))
    assert "another journal type" in answer.fault_text


def test_an_unknown_journal_name_is_refused(aif):
    assert "related table 'Journal names'" in general(aif, trans("618100", debit="1"), name="NoJrn").fault_text


def test_balance_and_period_are_checked_by_posting_unless_the_switch_says_otherwise(aif):
    assert general(aif, trans("618100", debit="1")).status == 200
    aif.control("PATCH", "/switches", {"journal_validation": "create"})
    assert "do not balance" in general(aif, trans("618100", debit="1")).fault_text
    late = trans("618100", debit="1", offset="110110", TransDate="2031-01-01")
    assert "No fiscal period" in general(aif, late).fault_text
    assert general(aif, trans("618100", debit="1", offset="110110")).status == 200


def test_an_account_on_hold_is_refused(aif):
    account = aif.new_customer()
    invoice = trans(account, debit="1", AccountType="Cust", offset="401100")
    payment = trans(account, credit="1", AccountType="Cust", offset="110110")
    aif.control("PATCH", f"/customers/usmf/{account}", {"blocked": "Invoice"})
    assert "is on hold" in general(aif, invoice).fault_text
    assert general(aif, payment).status == 200
    aif.control("PATCH", f"/customers/usmf/{account}", {"blocked": "All"})
    assert "is on hold" in general(aif, payment).fault_text


def test_a_repeated_message_is_a_duplicate(aif):
    header = context(message_id=message_id())
    document = journal("GenJrn", trans("618100", debit="1", offset="110110"))
    assert create(aif, "GeneralJournalService", document, header=header).status == 200
    assert create(aif, "GeneralJournalService", document, header=header).aif_code == "DuplicateMessage"


def test_a_general_journal_is_read_by_its_number(aif):
    number = general(aif, trans("618100", debit="7", offset="110110", Txt="Pens")).keys[0]
    answer = aif.call("GeneralJournalService", "read", keys(number, field="JournalNum"))
    assert (answer.text(GENERAL, "JournalNum"), answer.text(GENERAL, "AmountCurDebit")) == (number, "7")
    assert answer.text(GENERAL, "Txt") == "Pens"
    assert aif.call("GeneralJournalService", "read", keys("0", field="JournalNum")).aif_code == "EntityNotFound"
