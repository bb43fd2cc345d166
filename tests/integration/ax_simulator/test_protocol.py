"""HTTP and SOAP rules of the port: what is refused before AIF sees the message, and how."""

import httpx
import pytest

from tests.kit.aif import CONTEXT, SERVICES, SOAP, context, criteria, cust_table, customer, envelope, keys, wrapper

FIND = f'"{SERVICES}/CustomerService/find"'
ANY = criteria(("AccountNum", "Equal", "US-001"))


def find_body(header=""):
    return envelope(wrapper("CustomerService", "find", ANY), header=header)


def test_the_root_wsdl_points_to_the_servers_own_parts(aif):
    text = aif.http.get(f"{aif.url}?wsdl").text
    assert f'location="{aif.url}?wsdl=wsdl1"' in text
    assert text.index('port name="serviceEndpoint"') < text.index('port name="BasicHttpBinding_CustomerService"')


@pytest.mark.parametrize("part", ["wsdl=wsdl0", "wsdl=wsdl1", *(f"xsd=xsd{number}" for number in range(12))])
def test_every_part_is_served(aif, part):
    response = aif.http.get(f"{aif.url}?{part}")
    assert response.status_code == 200
    assert "ax.invalid" not in response.text


@pytest.mark.parametrize("part", ["wsdl=wsdl7", "xsd=xsd99", "xsd=../contract/types"])
def test_an_unknown_part_is_404(aif, part):
    assert aif.http.get(f"{aif.url}?{part}").status_code == 404


def test_a_call_context_is_optional(aif):
    assert aif.send(find_body(), FIND).status == 200


@pytest.mark.parametrize(
    "action",
    [
        FIND.strip('"'),
        "",
        f'"{SERVICES}/CustomerService/delete"',
        f'"{SERVICES}/SalesOrderService/find"',
        '"http://tempuri.org/CustomerService/find"',
    ],
    ids=["unquoted", "missing", "operation not on the port", "service not on the port", "other namespace"],
)
def test_a_wrong_action_is_a_contract_filter_mismatch(aif, action):
    answer = aif.send(find_body(), action)
    assert answer.status == 500
    assert answer.fault_code.endswith(":ActionNotSupported")
    assert "ContractFilter mismatch" in answer.fault_text


def test_the_body_must_be_the_operations_request(aif):
    answer = aif.send(envelope(wrapper("CustomerService", "read", keys("US-001"))), FIND)
    assert answer.status == 500
    assert answer.fault_code.endswith(":DeserializationFailed")


def test_an_empty_body_is_refused(aif):
    assert aif.send(envelope(""), FIND).fault_code.endswith(":DeserializationFailed")


def test_only_soap_1_1_is_understood(aif):
    body = find_body().replace(SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope")
    assert aif.send(body, FIND).fault_code == "s:VersionMismatch"


def test_another_content_type_is_415(aif):
    assert aif.send(find_body(), FIND, **{"Content-Type": "application/soap+xml"}).status == 415


def test_addressing_headers_are_ignored(aif):
    header = '<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">x</a:Action>' + context()
    assert aif.send(find_body(header), FIND).status == 200


def test_an_unknown_header_that_must_be_understood_is_refused(aif):
    header = f'<h xmlns="urn:x" xmlns:s="{SOAP}" s:mustUnderstand="1"/>'
    assert aif.send(find_body(header), FIND).fault_code == "s:MustUnderstand"


def test_the_context_has_the_schemas_order(aif):
    header = f'<CallContext xmlns="{CONTEXT}"><Language>en-us</Language><Company>usmf</Company></CallContext>'
    answer = aif.send(find_body(header), FIND)
    assert answer.fault_code.endswith(":DeserializationFailed")


def test_companies_compare_without_case(aif):
    assert aif.send(find_body(context("USMF")), FIND).status == 200


def test_an_unknown_company_is_a_fault(aif):
    answer = aif.send(find_body(context("nope")), FIND)
    assert (answer.status, answer.aif_code) == (500, "InvalidCompany")


def test_only_the_default_partition_exists(aif):
    assert aif.send(find_body(context(extra="<PartitionKey>initial</PartitionKey>")), FIND).status == 200
    assert aif.send(find_body(context(extra="<PartitionKey>other</PartitionKey>")), FIND).aif_code == "InvalidPartition"


def test_a_message_id_must_be_a_guid(aif):
    content = customer(cust_table())
    assert aif.customers("create", content, header=context(message_id="42")).aif_code == "InvalidMessageId"


def test_logon_as_user_counts_only_for_a_trusted_intermediary(aif):
    aif.control("PATCH", "/switches", {"auth": "basic"})
    header = f'<CallContext xmlns="{CONTEXT}"><LogonAsUser>CONTOSO\\nobody</LogonAsUser></CallContext>'

    def as_user(name, password):
        auth = httpx.BasicAuth(name, password)
        sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": FIND}
        return aif.http.post(aif.url, content=find_body(header), headers=sent, auth=auth).status_code

    assert as_user("CONTOSO\\freshax", "Aif-Pass1") == 200
    assert as_user("CONTOSO\\proxy", "Proxy-Pass1") == 500


def test_a_message_beyond_the_quota_is_400(aif):
    padding = f"<!--{'x' * 70_000}-->".encode()
    assert aif.send(find_body() + padding, FIND).status == 400
    aif.control("PATCH", "/switches", {"max_request_bytes": 100_000})
    assert aif.send(find_body() + padding, FIND).status == 200


@pytest.mark.parametrize(
    "prologue",
    [
        b"<!DOCTYPE x>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">',
    ],
)
def test_a_document_type_declaration_is_400(aif, prologue):
    assert aif.send(prologue + find_body(), FIND).status == 400


def test_text_that_is_no_xml_is_400(aif):
    assert aif.send(b"not xml", FIND).status == 400


def test_the_control_api_is_not_below_the_ports_address(aif):
    assert aif.http.get(f"{aif.url}/_control/state").status_code == 404
