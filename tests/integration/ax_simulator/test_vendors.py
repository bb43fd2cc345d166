"""VendorService: the same rules as for customers, over VENDTABLE."""

from tests.kit.aif import context, criteria, keys
from tests.kit.aif_ledger import VENDOR, vend_table, vendor


def new(aif, fields="<VendGroup>10</VendGroup>", name="Fabrikam"):
    return aif.call("VendorService", "create", vendor(vend_table(fields, name)))


def stored(aif, number):
    return next(item for item in aif.state()["vendors"] if item["account"] == number)


def test_a_vendor_takes_number_currency_and_terms(aif):
    number = new(aif, "<VendGroup>10</VendGroup><YourAccountNum>FBA-7</YourAccountNum>").keys[0]
    assert number.startswith("V-")
    vendor_row = stored(aif, number)
    assert (vendor_row["name"], vendor_row["group"], vendor_row["currency"]) == ("Fabrikam", "10", "USD")
    assert vendor_row["your_account_number"] == "FBA-7"


def test_the_group_is_required(aif):
    answer = new(aif, "")
    assert answer.aif_code == "InvalidDocumentSchema"
    assert "VendGroup" in answer.fault_text


def test_an_unknown_group_is_refused(aif):
    assert "'99' in field 'Vendor group'" in new(aif, "<VendGroup>99</VendGroup>").fault_text


def test_an_account_that_exists_is_refused(aif):
    fields = "<AccountNum>V-TWICE</AccountNum><VendGroup>10</VendGroup>"
    assert new(aif, fields).status == 200
    answer = new(aif, fields)
    assert (answer.xpp, answer.infolog[-1]) == (13, "The record already exists.")


def test_find_by_your_account_number(aif):
    number = new(aif, "<VendGroup>10</VendGroup><YourAccountNum>FBA-8</YourAccountNum>").keys[0]
    wanted = criteria(("YourAccountNum", "Equal", "FBA-8"), source="VendTable")
    answer = aif.call("VendorService", "find", wanted)
    assert answer.text(VENDOR, "AccountNum") == number
    assert aif.call("VendorService", "findKeys", wanted).keys == [number]


def test_an_update_needs_the_hash_that_a_read_gave(aif):
    number = new(aif).keys[0]
    digest = aif.call("VendorService", "read", keys(number)).text(VENDOR, "_DocumentHash")
    fields = f"<_DocumentHash>{digest}</_DocumentHash><VATNum>DE123</VATNum><VendGroup>10</VendGroup>"
    change = keys(number) + vendor(f'<VendTable class="entity" action="update">{fields}</VendTable>')
    assert aif.call("VendorService", "update", change).status == 200
    assert stored(aif, number)["vat"] == "DE123"
    assert "document hash does not match" in aif.call("VendorService", "update", change).fault_text


def test_read_of_an_unknown_vendor_is_a_fault(aif):
    assert aif.call("VendorService", "read", keys("nobody")).aif_code == "EntityNotFound"


def test_a_number_sequence_that_has_ended_gives_no_number(aif):
    document = vendor(vend_table())
    answers = [aif.call("VendorService", "create", document, header=context("demf")) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 500]
    assert "number sequence for 'vendor' has been exceeded" in answers[1].fault_text


def test_its_name_can_be_changed_by_hand(aif):
    number = new(aif).keys[0]
    assert aif.control("POST", f"/vendors/usmf/{number}/rename", {"name": "Fabrikam Inc"}).status_code == 204
    assert stored(aif, number)["name"] == "Fabrikam Inc"
