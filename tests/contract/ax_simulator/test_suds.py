"""suds, a second SOAP library, reads the same WSDL and makes the same calls."""

import httpx
import pytest
import suds
from suds.client import Client
from suds.sax.element import Element
from suds.transport.http import HttpAuthenticated

CONTEXT = ("ctx", "http://schemas.microsoft.com/dynamics/2010/01/datacontracts")


@pytest.fixture(scope="module")
def client(ax_system):
    control = f"{ax_system.server.control_url}/switches"
    httpx.patch(control, json={"auth": "basic"}).raise_for_status()
    transport = HttpAuthenticated(username="CONTOSO\\freshax", password="Aif-Pass1")
    loaded = Client(
        f"{ax_system.server.aif_url}?wsdl", transport=transport, cache=None, port="BasicHttpBinding_CustomerService"
    )
    header = Element("CallContext", ns=CONTEXT)
    header.append(Element("Company", ns=CONTEXT).setText("usmf"))
    loaded.set_options(soapheaders=header)
    yield loaded
    httpx.patch(control, json={"auth": "negotiate"}).raise_for_status()


def criteria(client, value):
    namespace = "{http://schemas.microsoft.com/dynamics/2006/02/documents/QueryCriteria}"
    query = client.factory.create(f"{namespace}QueryCriteria")
    element = client.factory.create(f"{namespace}CriteriaElement")
    element.DataSourceName, element.FieldName = "CustTable", "AccountNum"
    element.Operator, element.Value1 = "Equal", value
    query.CriteriaElement = element
    return query


def test_it_sees_the_ports(client):
    names = [port.name for port in client.wsdl.services[0].ports]
    assert "BasicHttpBinding_CustomerService" in names
    assert "BasicHttpBinding_FreeTextInvoiceService" in names


def test_it_creates_and_finds_a_customer(client):
    namespace = "{http://schemas.microsoft.com/dynamics/2008/01/documents/Customer}"
    document = client.factory.create(f"{namespace}AxdCustomer")
    table = client.factory.create(f"{namespace}AxdEntity_CustTable")
    party = client.factory.create(f"{namespace}AxdEntity_DirParty_DirOrganization")
    del table._DocumentHash  # suds takes names with an underscore for attributes
    table._class = party._class = "entity"
    table.CustGroup, party.Name = "10", "Suds"
    table.DirParty = [party]
    document.CustTable = [table]
    keys = client.service.create(document)
    account = keys.EntityKey[0].KeyData.KeyField[0].Value
    found = client.service.find(criteria(client, account))
    assert found.CustTable[0].DirParty[0].Name == "Suds"


def test_a_fault_is_a_web_fault(client):
    key = {"EntityKey": [{"KeyData": {"KeyField": [{"Field": "AccountNum", "Value": "nope"}]}}]}
    with pytest.raises(suds.WebFault, match="No valid document identified"):
        client.service.read(key)
