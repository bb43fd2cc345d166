"""CustomerService.read, find and findKeys: what comes back, and what is left out."""

import pytest
from lxml import etree

from sandbox.ax.contract.schema import load_schema
from tests.kit.aif import CUSTOMER, SERVICES, context, criteria, cust_table, customer, keys, party

FOUR = ("Anna", "Bert", "Carl", "Dora")


@pytest.fixture(scope="module")
def _accounts():
    return {}


@pytest.fixture
def accounts(aif, _accounts):
    """Four customers with OurAccountNum R-1 … R-4; the third in another group."""
    if not _accounts:
        for number, name in enumerate(FOUR, start=1):
            group = "80" if name == "Carl" else "10"
            fields = f"<CustGroup>{group}</CustGroup><OurAccountNum>R-{number}</OurAccountNum>"
            _accounts[name] = aif.new_customer(name, fields)
    return _accounts


def found(aif, *elements, operation="findKeys"):
    answer = aif.customers(operation, criteria(*elements))
    assert answer.status == 200, answer.body
    return answer.keys


def test_an_unknown_key_is_a_fault(aif):
    answer = aif.customers("read", keys("nope"))
    assert (answer.xpp, answer.fault_text) == (3, "No valid document identified from the entity key.")


def test_a_key_by_another_field_identifies_nothing(aif, accounts):
    assert aif.customers("read", keys("R-1", field="OurAccountNum")).xpp == 3


def test_read_needs_keys(aif):
    assert aif.customers("read", "").fault_text == "The parameter index is not valid."


def test_a_document_that_is_read_fits_the_schema(aif, accounts):
    answer = aif.customers("read", keys(*accounts.values()))
    payload = answer.root[-1][0]
    schema = load_schema()
    assert schema.validate(etree.fromstring(etree.tostring(payload))), schema.error_log
    assert [item.text for item in payload.iter(f"{{{CUSTOMER}}}OurAccountNum")] == ["R-1", "R-2", "R-3", "R-4"]


def test_what_is_empty_or_zero_is_left_out(aif, accounts):
    answer = aif.customers("read", keys(accounts["Anna"]))
    assert answer.text(CUSTOMER, "VATNum") is None
    assert answer.text(CUSTOMER, "CreditMax") is None
    assert answer.text(CUSTOMER, "Blocked") is None  # `No` is the enum's zero
    assert answer.text(CUSTOMER, "CustGroup") == "10"


def test_identity_comes_with_the_record(aif, accounts):
    answer = aif.customers("read", keys(accounts["Anna"]))
    assert len(answer.text(CUSTOMER, "_DocumentHash")) == 32
    assert int(answer.text(CUSTOMER, "RecId")) >= 5637144576
    assert answer.text(CUSTOMER, "RecVersion") == "1"
    assert answer.text(CUSTOMER, "ValidAsOfDateTime").endswith("Z")


def test_find_without_a_hit_is_an_empty_document(aif):
    answer = aif.customers("find", criteria(("AccountNum", "Equal", "nope")))
    document = answer.root[-1][0][0]
    assert (answer.status, etree.QName(document).localname, len(document)) == (200, "Customer", 0)


def test_find_keys_without_a_hit_is_an_empty_list(aif):
    assert found(aif, ("AccountNum", "Equal", "nope")) == []


def test_text_compares_without_case(aif, accounts):
    assert found(aif, ("OurAccountNum", "Equal", "r-2")) == [accounts["Bert"]]


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("Equal", ("R-2",), "Bert"),
        ("Greater", ("R-2",), "Carl Dora"),
        ("GreaterOrEqual", ("R-2",), "Bert Carl Dora"),
        ("Range", ("R-2", "R-3"), "Bert Carl"),
    ],
)
def test_operators(aif, accounts, operator, values, expected):
    assert found(aif, ("OurAccountNum", operator, *values)) == [accounts[name] for name in expected.split()]


@pytest.mark.parametrize(("operator", "absent"), [("Less", "R-3"), ("LessOrEqual", "R-2"), ("NotEqual", "R-4")])
def test_operators_that_other_customers_meet_too(aif, accounts, operator, absent):
    hits = set(found(aif, ("OurAccountNum", operator, absent)))
    expected = {"Less": "Anna Bert", "LessOrEqual": "Anna Bert", "NotEqual": "Anna Bert Carl"}[operator].split()
    assert hits & set(accounts.values()) == {accounts[name] for name in expected}


def test_criteria_are_or_ed_and_can_be_and_ed(aif, accounts):
    both = (("OurAccountNum", "Range", "R-1", "R-4"), ("CustGroup", "Equal", "80"))
    assert set(found(aif, *both)) >= set(accounts.values())
    aif.control("PATCH", "/switches", {"find_semantics": "and"})
    assert found(aif, *both) == [accounts["Carl"]]


def test_numbers_and_enums_are_compared_as_such(aif, accounts):
    recid = aif.stored_customer(accounts["Dora"])["rec_id"]
    assert found(aif, ("RecId", "Equal", str(recid))) == [accounts["Dora"]]
    assert accounts["Dora"] in found(aif, ("Blocked", "Equal", "No"))


@pytest.mark.parametrize(
    "content",
    [
        criteria(("Nothing", "Equal", "x")),
        criteria(("CNAE_BR", "Equal", "x")),
        criteria(("Name", "Equal", "x")),
        criteria(("AccountNum", "Equal", "x"), source="DirParty"),
        criteria(("OurAccountNum", "Range", "x")),
        criteria(("RecId", "Equal", "x")),
        criteria(("Blocked", "Equal", "x")),
        "",
    ],
    ids=["unknown", "not stored", "of the party", "other source", "no Value2", "no number", "no enum name", "nothing"],
)
def test_criteria_that_cannot_be_met_are_faults(aif, content):
    assert aif.customers("find", content).xpp == 3


@pytest.mark.parametrize("validate", [True, False])
def test_there_is_no_like_operator(aif, validate):
    aif.control("PATCH", "/switches", {"validate_document_xml": validate})
    assert aif.customers("find", criteria(("AccountNum", "Like", "C*"))).aif_code == "InvalidDocumentSchema"


def test_a_search_sees_its_company_only(aif, accounts):
    content = criteria(("OurAccountNum", "Equal", "R-1"))
    assert aif.customers("findKeys", content, header=context("demf")).keys == []


def test_a_value_with_quotes_is_only_a_value(aif, accounts):
    assert found(aif, ("OurAccountNum", "Equal", "' OR '1'='1")) == []


def test_the_answer_is_the_operations_response(aif, accounts):
    answer = aif.customers("findKeys", criteria(("OurAccountNum", "Equal", "R-1")))
    assert answer.root[-1][0].tag == f"{{{SERVICES}}}CustomerServiceFindKeysResponse"


def test_a_person_is_read_as_one(aif):
    names = '<PersonName class="entity"><FirstName>Ada</FirstName><LastName>Byron</LastName></PersonName>'
    person = party("", kind="DirPerson", inside=names)
    account = aif.customers("create", customer(cust_table(party_xml=person))).keys[0]
    answer = aif.customers("read", keys(account))
    assert b"AxdEntity_DirParty_DirPerson" in answer.body
    assert answer.text(CUSTOMER, "LastName") == "Byron"
