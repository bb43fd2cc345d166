"""CustomerService.create: what is stored, what is defaulted, what is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kit.aif import CUSTOMER, SHARED, Aif, context, criteria, cust_table, customer, message_id, party

ADDRESS = (
    '<DirPartyPostalAddressView class="entity"><City>Gavle</City><CountryRegionId>SWE</CountryRegionId>'
    "<IsPrimary>Yes</IsPrimary><Roles>Business;Invoice</Roles><Street>Norra 1</Street><ZipCode>80320</ZipCode>"
    "</DirPartyPostalAddressView>"
)
CONTACT = (
    '<DirPartyContactInfoView class="entity"><IsPrimary>Yes</IsPrimary><Locator>a@contoso.example</Locator>'
    "<Type>Email</Type></DirPartyContactInfoView>"
)


def find(field, value):
    return criteria((field, "Equal", value))


def dimension(name, value):
    pair = f"<Value><Name>{name}</Name><Value>{value}</Value></Value>"
    return f'<CustGroup>10</CustGroup><DefaultDimension><Values xmlns="{SHARED}">{pair}</Values></DefaultDimension>'


def create(aif, fields="<CustGroup>10</CustGroup>", party_xml=None):
    return aif.customers("create", customer(cust_table(fields, party_xml)))


def test_the_number_sequence_gives_the_account(aif):
    first, second = aif.new_customer("One"), aif.new_customer("Two")
    assert first.startswith("C-")
    assert int(second[2:]) == int(first[2:]) + 1


def test_the_name_is_stored_on_the_party(aif):
    account = aif.new_customer("Blå & Søn 🧾")
    assert aif.stored_customer(account)["name"] == "Blå & Søn 🧾"


def test_a_given_account_is_used_as_it_is(aif):
    assert create(aif, "<AccountNum>MAN-1</AccountNum><CustGroup>10</CustGroup>").keys == ["MAN-1"]


def test_manual_numbers_can_be_off(aif):
    aif.control("PATCH", "/switches", {"manual_account_numbers": False})
    assert create(aif, "<AccountNum>MAN-2</AccountNum><CustGroup>10</CustGroup>").xpp == 3


def test_an_empty_account_is_not_an_omitted_one(aif):
    answer = create(aif, "<AccountNum/><CustGroup>10</CustGroup>")
    assert answer.fault_text == "Field 'Customer account' must be filled in."


def test_an_existing_account_is_a_duplicate_key_whatever_its_case(aif):
    fields = "<AccountNum>{}</AccountNum><CustGroup>10</CustGroup>"
    assert create(aif, fields.format("DUP-1")).status == 200
    answer = create(aif, fields.format("dup-1"))
    assert answer.xpp == 13
    assert answer.infolog == [
        "Cannot create a record in Customers (CustTable). Customer account: dup-1.",
        "The record already exists.",
    ]


def test_companies_have_their_own_accounts(aif):
    content = customer(cust_table("<AccountNum>BOTH</AccountNum><CustGroup>10</CustGroup>"))
    assert aif.customers("create", content).status == 200
    assert aif.customers("create", content, header=context("demf")).status == 200
    currencies = {item["company"]: item["currency"] for item in aif.state()["customers"] if item["account"] == "BOTH"}
    assert currencies == {"usmf": "USD", "demf": "EUR"}


def test_omitted_fields_come_from_the_customer_group(aif):
    account = aif.new_customer()
    answer = aif.customers("find", find("AccountNum", account))
    assert answer.text(CUSTOMER, "PaymTermId") == "Net30"
    assert answer.text(CUSTOMER, "TaxGroup") == "CA"
    assert answer.text(CUSTOMER, "Currency") == "USD"


@pytest.mark.parametrize(
    ("fields", "label", "table"),
    [
        ("<CustGroup>99</CustGroup>", "Customer group", "Customer groups"),
        ("<Currency>XXX</Currency><CustGroup>10</CustGroup>", "Currency", "Currencies"),
        ("<CustGroup>10</CustGroup><InvoiceAccount>no</InvoiceAccount>", "Invoice account", "Customers"),
        ("<CustGroup>10</CustGroup><PaymTermId>no</PaymTermId>", "Terms of payment", "Terms of payment"),
        ("<CustGroup>10</CustGroup><TaxGroup>no</TaxGroup>", "Sales tax group", "Sales tax groups"),
        ("<CustGroup>10</CustGroup><DlvMode>no</DlvMode>", "Mode of delivery", "Modes of delivery"),
    ],
)
def test_references_must_exist(aif, fields, label, table):
    answer = create(aif, fields)
    assert answer.xpp == 3
    assert f"in field '{label}' is not found in the related table '{table}'." in answer.fault_text


@pytest.mark.parametrize(("name", "value"), [("Department", "999"), ("Nothing", "022")])
def test_dimensions_must_exist(aif, name, value):
    assert create(aif, dimension(name, value)).xpp == 3


def test_a_dimension_is_stored(aif):
    account = aif.new_customer(fields=dimension("Department", "022"))
    answer = aif.customers("find", find("AccountNum", account))
    assert [answer.text(SHARED, "Name"), [item.text for item in answer.root.iter(f"{{{SHARED}}}Value")][-1]] == [
        "Department",
        "022",
    ]


def test_an_address_and_a_contact_are_stored(aif):
    account = create(aif, party_xml=party("Acme", inside=ADDRESS + CONTACT)).keys[0]
    answer = aif.customers("find", find("AccountNum", account))
    assert answer.text(CUSTOMER, "City") == "Gavle"
    assert answer.text(CUSTOMER, "Roles") == "Business;Invoice"
    assert answer.text(CUSTOMER, "ValidTo") == "2154-12-31T23:59:59Z"
    assert answer.text(CUSTOMER, "Locator") == "a@contoso.example"


@pytest.mark.parametrize(
    ("old", "new", "label"),
    [("SWE", "ZZZ", "Country/region"), ("Business;Invoice", "Nowhere", "Purpose")],
)
def test_an_address_has_known_country_and_purpose(aif, old, new, label):
    answer = create(aif, party_xml=party("Acme", inside=ADDRESS.replace(old, new)))
    assert f"in field '{label}'" in answer.fault_text


def test_a_person_is_named_by_first_and_last_name(aif):
    names = '<PersonName class="entity"><FirstName>Ada</FirstName><LastName>Byron</LastName></PersonName>'
    account = create(aif, party_xml=party("", kind="DirPerson", inside=names)).keys[0]
    assert aif.stored_customer(account)["name"] == "Ada Byron"


@pytest.mark.parametrize(
    "party_xml",
    ["", party(""), party("Acme", kind=""), party("Acme") + party("Second")],
    ids=["no party", "no name", "no xsi:type", "two parties"],
)
def test_a_customer_has_one_named_party(aif, party_xml):
    assert create(aif, party_xml=party_xml).xpp == 3


@pytest.mark.parametrize(
    "fields", ["<CustGroup>10</CustGroup><Name>Acme</Name>", "<CNAE_BR>1</CNAE_BR><CustGroup>10</CustGroup>"]
)
def test_what_has_no_column_is_refused_rather_than_lost(aif, fields):
    assert create(aif, fields).aif_code == "NotSimulated"


def test_one_call_is_one_transaction(aif):
    before = len(aif.state()["customers"])
    content = customer(cust_table(party_xml=party("Good")), cust_table("<CustGroup>99</CustGroup>"))
    assert aif.customers("create", content).status == 500
    assert len(aif.state()["customers"]) == before


def test_several_customers_come_back_in_their_order(aif):
    names = ("Zeta", "Alpha", "Mid")
    answer = aif.customers("create", customer(*(cust_table(party_xml=party(name)) for name in names)))
    assert [aif.stored_customer(account)["name"] for account in answer.keys] == list(names)


def test_a_failed_call_gives_its_number_back(aif):
    first = int(aif.new_customer()[2:])
    create(aif, "<CustGroup>99</CustGroup>")
    assert int(aif.new_customer()[2:]) == first + 1


def test_concurrent_creates_get_numbers_of_their_own(aif, ax_system):
    def one(number):
        client = Aif(aif.url, aif.control_url)
        try:
            return client.new_customer(f"Parallel {number}")
        finally:
            client.http.close()

    with ThreadPoolExecutor(8) as pool:
        accounts = list(pool.map(one, range(24)))
    assert len(set(accounts)) == 24


def test_of_concurrent_creates_of_one_account_one_wins(aif):
    content = customer(cust_table("<AccountNum>RACE</AccountNum><CustGroup>10</CustGroup>"))

    def one(_):
        client = Aif(aif.url, aif.control_url)
        try:
            return client.customers("create", content)
        finally:
            client.http.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(one, range(6)))
    assert sorted(answer.status for answer in answers) == [200, *[500] * 5]
    assert {answer.xpp for answer in answers if answer.status == 500} == {13}


def test_an_action_other_than_create_is_refused(aif):
    assert aif.customers("create", customer(cust_table(attributes='action="update"'))).aif_code == "InvalidAction"


def test_a_message_id_may_have_braces(aif):
    header = context(message_id=f"{{{message_id().upper()}}}")
    assert aif.customers("create", customer(cust_table()), header=header).status == 200
