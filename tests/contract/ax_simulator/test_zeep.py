"""zeep, with Windows authentication, as an independent reader of the port's WSDL and answers."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import requests
import zeep
from requests_ntlm import HttpNtlmAuth
from zeep.transports import Transport

CUSTOMER = "{http://schemas.microsoft.com/dynamics/2008/01/documents/Customer}"
FAULT = "{http://schemas.microsoft.com/dynamics/2008/01/documents/Fault}"


@pytest.fixture(scope="module")
def client(ax_system):
    with requests.Session() as session:
        session.auth = HttpNtlmAuth("CONTOSO\\freshax", "Aif-Pass1")
        yield zeep.Client(
            f"{ax_system.server.aif_url}?wsdl", transport=Transport(session=session, operation_timeout=20)
        )


@pytest.fixture(scope="module")
def customers(client):
    return client.bind("RoutingService", "BasicHttpBinding_CustomerService")


@pytest.fixture(scope="module")
def invoices(client):
    return client.bind("RoutingService", "BasicHttpBinding_FreeTextInvoiceService")


@pytest.fixture(scope="module")
def context():
    return {"context": {"Company": "USMF", "Language": "en-us"}}


@pytest.fixture(scope="module")
def account(client, customers, context):
    organization = client.get_type(f"{CUSTOMER}AxdEntity_DirParty_DirOrganization")
    party = organization(
        **{"class": "entity"},
        LanguageId="en-us",
        Name="Zeep & Sons",
        DirPartyPostalAddressView=[
            {"class": "entity", "City": "Lund", "CountryRegionId": "SWE", "Roles": "Business", "Street": "Stora 1"}
        ],
    )
    table = {"class": "entity", "CustGroup": "10", "OurAccountNum": "FBabc-1", "VATNum": "SE55", "DirParty": [party]}
    keys = customers.create(Customer={"CustTable": [table]}, _soapheaders=context)
    return keys[0].KeyData.KeyField[0].Value


def by_account(account):
    return {"EntityKey": [{"KeyData": {"KeyField": [{"Field": "AccountNum", "Value": account}]}}]}


def criterion(field, value):
    element = {"DataSourceName": "CustTable", "FieldName": field, "Operator": "Equal", "Value1": value}
    return {"_value_1": [{"CriteriaElement": element}]}


def test_the_default_port_has_no_operation(client):
    with pytest.raises(AttributeError):
        client.service.create  # noqa: B018 - the attribute access is the test


def test_only_the_ports_operations_exist(customers, invoices):
    assert sorted(name for name, _ in customers) == ["create", "find", "findKeys", "read", "update"]
    assert [name for name, _ in invoices] == ["create"]


def test_a_created_customer_is_found(customers, account, context):
    found = customers.find(QueryCriteria=criterion("OurAccountNum", "FBabc-1"), _soapheaders=context)
    table = found.CustTable[0]
    assert (table.AccountNum, table.VATNum, table.RecVersion) == (account, "SE55", 1)
    assert table.DirParty[0].Name == "Zeep & Sons"
    assert table.DirParty[0].DirPartyPostalAddressView[0].ValidTo._value_1 == datetime(
        2154, 12, 31, 23, 59, 59, tzinfo=UTC
    )


def test_find_keys_gives_the_keys(customers, account, context):
    keys = customers.findKeys(QueryCriteria=criterion("AccountNum", account), _soapheaders=context)
    assert [key.KeyData.KeyField[0].Value for key in keys] == [account]


def test_find_without_a_hit_is_none(customers, context):
    # The answer holds an empty Customer element; zeep makes None of it.
    assert customers.find(QueryCriteria=criterion("AccountNum", "nope"), _soapheaders=context) is None


def test_read_change_and_send_back(customers, account, context):
    document = customers.read(EntityKeyList=by_account(account), _soapheaders=context)
    table = document.CustTable[0]
    party = table.DirParty[0]
    party.Name = "Zeep and Daughters"
    answer = customers.update(EntityKeyList=by_account(account), Customer=document, _soapheaders=context)
    assert answer is None
    again = customers.read(EntityKeyList=by_account(account), _soapheaders=context).CustTable[0]
    assert again.DirParty[0].Name == "Zeep and Daughters"
    assert again._DocumentHash != table._DocumentHash


def test_an_invoice_is_created_with_its_lines(invoices, account, context):
    line = {
        "class": "entity",
        "Description": "Work",
        "LedgerDimension": {"MainAccount": "401200"},
        "Quantity": Decimal(3),
        "TaxAmount": Decimal("0.25"),
        "UnitPrice": Decimal("9.995"),
    }
    table = {"class": "entity", "CurrencyCode": "USD", "OrderAccount": account, "CustInvoiceLine": [line, line]}
    keys = invoices.create(FreeTextInvoice={"CustInvoiceTable": [table]}, _soapheaders=context)
    assert keys[0].KeyData.KeyField[0].Field == "RecId"
    assert int(keys[0].KeyData.KeyField[0].Value) >= 5637144576


def test_a_fault_carries_the_typed_detail(client, customers, context):
    with pytest.raises(zeep.exceptions.Fault) as raised:
        customers.read(EntityKeyList=by_account("nope"), _soapheaders=context)
    detail = client.get_element(f"{FAULT}AifFault").parse(raised.value.detail[0], client.wsdl.types)
    text = "No valid document identified from the entity key."
    assert detail.XppExceptionType == 3
    assert [item.Message for item in detail.InfologMessageList.InfologMessage] == [text]
    assert detail.FaultMessageListArray.FaultMessageList[0].FaultMessageArray.FaultMessage[0].Message == text


def test_an_unknown_element_in_an_answer_is_refused(ax_system, customers, account, context):
    url = f"{ax_system.server.control_url}/faults"
    requests.post(url, json={"kind": "unknown_element", "operation": "find"}, timeout=5).raise_for_status()
    with pytest.raises(zeep.exceptions.XMLParseError):
        customers.find(QueryCriteria=criterion("AccountNum", account), _soapheaders=context)


def test_a_forgotten_class_attribute_is_a_schema_fault(invoices, account, context):
    table = {"CurrencyCode": "USD", "OrderAccount": account}
    with pytest.raises(zeep.exceptions.Fault, match="Invalid document schema"):
        invoices.create(FreeTextInvoice={"CustInvoiceTable": [table]}, _soapheaders=context)


@pytest.mark.parametrize("kind", ["xml_bomb", "doctype", "external_entity"])
def test_hostile_answers_are_refused_when_dtds_are_forbidden(ax_system, client, customers, account, context, kind):
    requests.post(f"{ax_system.server.control_url}/faults", json={"kind": kind}, timeout=5).raise_for_status()
    with (
        client.settings(forbid_dtd=True),
        pytest.raises((zeep.exceptions.XMLSyntaxError, zeep.exceptions.DTDForbidden, zeep.exceptions.TransportError)),
    ):
        customers.find(QueryCriteria=criterion("AccountNum", account), _soapheaders=context)
