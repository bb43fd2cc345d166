"""Provoked faults: what the client sees, and whether the operation was done."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from lxml import etree

from tests.kit.aif import CUSTOMER, Aif, context, criteria, cust_table, customer, message_id, party
from tests.kit.poll import poll_until


@pytest.fixture
def name():
    return f"Fault {message_id()}"


def provoke(aif, kind, **options):
    response = aif.control("POST", "/faults", {"kind": kind, **options})
    assert response.status_code == 201, response.text


def create(aif, name):
    return aif.customers("create", customer(cust_table(party_xml=party(name))))


def done(aif, name):
    return any(item["name"] == name for item in aif.state()["customers"])


def test_a_dropped_connection_hides_a_commit(aif, name):
    provoke(aif, "drop_connection")
    with pytest.raises(httpx.TransportError):
        create(aif, name)
    assert done(aif, name)


def test_a_connection_may_drop_before_the_operation(aif, name):
    provoke(aif, "drop_connection", after_commit=False)
    with pytest.raises(httpx.TransportError):
        create(aif, name)
    assert not done(aif, name)


@pytest.mark.parametrize("after_commit", [False, True])
def test_unavailable_before_or_after_the_commit(aif, name, after_commit):
    provoke(aif, "unavailable", after_commit=after_commit)
    assert create(aif, name).status == 503
    assert done(aif, name) == after_commit
    assert create(aif, name).status == 200


@pytest.mark.parametrize(("kind", "xpp"), [("deadlock", 2), ("timeout", 15)])
def test_transient_x_plus_plus_exceptions(aif, name, kind, xpp):
    provoke(aif, kind)
    assert create(aif, name).xpp == xpp
    assert not done(aif, name)


def test_a_generic_fault_tells_nothing_even_of_a_commit(aif, name):
    provoke(aif, "generic", after_commit=True)
    answer = create(aif, name)
    assert answer.fault_text == "Request Failed. See the Exception Log for details."
    assert (answer.aif_code, answer.xpp, answer.infolog) == ("RequestFailed", None, [])
    assert done(aif, name)


def test_a_delay_holds_the_answer_back(aif, name):
    provoke(aif, "delay", seconds=0.2)
    started = time.monotonic()
    assert create(aif, name).status == 200
    assert time.monotonic() - started >= 0.2


def test_a_client_that_gives_up_may_have_been_served(aif, name):
    provoke(aif, "delay", seconds=1.0, after_commit=True)
    content = customer(cust_table(party_xml=party(name)))
    aif.http.timeout = httpx.Timeout(0.3)
    with pytest.raises(httpx.ReadTimeout):
        aif.customers("create", content)
    aif.http.timeout = httpx.Timeout(20)
    poll_until(lambda: done(aif, name), deadline_seconds=5, message="the customer was not created")


@pytest.mark.parametrize("operation", ["create", "findKeys", "find"])
def test_an_answer_may_hold_an_element_of_a_hotfix(aif, name, operation):
    provoke(aif, "unknown_element", operation=operation)
    content = customer(cust_table()) if operation == "create" else criteria(("AccountNum", "Equal", "US-001"))
    assert b"HotfixField" in aif.customers(operation, content).body
    assert b"HotfixField" not in aif.customers("findKeys", criteria(("AccountNum", "Equal", "US-001"))).body


@pytest.mark.parametrize("kind", ["xml_bomb", "doctype", "external_entity"])
def test_an_answer_may_carry_a_document_type(aif, kind):
    provoke(aif, kind)
    answer = aif.customers("find", criteria(("AccountNum", "Equal", "US-001")))
    assert answer.status == 200
    assert b"<!DOCTYPE" in answer.body
    assert b"<!DOCTYPE" not in aif.customers("find", criteria(("AccountNum", "Equal", "US-001"))).body


def test_the_bomb_is_one(aif):
    provoke(aif, "xml_bomb")
    answer = aif.customers("find", criteria(("AccountNum", "Equal", "US-001")))
    with pytest.raises(etree.XMLSyntaxError, match="amplification"):
        etree.fromstring(answer.body)


def test_a_fault_meets_its_operation_only_and_counts_down(aif, name):
    provoke(aif, "unavailable", service="CustomerService", operation="create", count=2)
    assert aif.customers("find", criteria(("AccountNum", "Equal", "US-001"))).status == 200
    assert [item["count"] for item in aif.control("GET", "/faults").json()] == [2]
    assert [create(aif, name).status for _ in range(3)] == [503, 503, 200]
    assert aif.control("GET", "/faults").json() == []


def test_a_restart_closes_the_whole_port_for_a_while(aif):
    aif.control("POST", "/restart", {"for_seconds": 0.3})
    assert aif.http.get(f"{aif.url}?wsdl").status_code == 503
    poll_until(lambda: aif.http.get(f"{aif.url}?wsdl").status_code == 200, deadline_seconds=5, message="still closed")


def test_detail_is_a_port_option(aif):
    aif.control("PATCH", "/switches", {"detail": "generic"})
    answer = aif.customers("create", customer(cust_table("<CustGroup>99</CustGroup>")))
    assert answer.fault_text == "Request Failed. See the Exception Log for details."
    assert answer.xpp is None


def test_a_detailed_fault_has_both_lists(aif):
    answer = aif.customers("create", customer(cust_table("<CustGroup>99</CustGroup>")))
    fault = "http://schemas.microsoft.com/dynamics/2008/01/documents/Fault"
    told = {name: answer.text(fault, name) for name in ("Document", "DocumentOperation", "Field", "Service", "Message")}
    text = "The value '99' in field 'Customer group' is not found in the related table 'Customer groups'."
    assert told == {
        "Document": "Customer",
        "DocumentOperation": "create",
        "Field": "Customer group",
        "Service": "CustomerService",
        "Message": text,
    }
    assert answer.infolog == [text]


def test_a_fault_quotes_what_xml_can_carry(aif):
    answer = aif.customers("findKeys", criteria(("Blocked", "Equal", "&lt;&amp;🧾")), header=context())
    assert "<&🧾" in answer.fault_text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"kind": "explode"}),
        ("POST", "/faults", {"kind": "delay", "second": 1}),
        ("PATCH", "/switches", {"details": "generic"}),
        ("PATCH", "/switches", {"detail": "some"}),
        ("POST", "/restart", {}),
        ("POST", "/sql/faults", {"kind": "clear"}),
        ("POST", "/post", {"company": 1}),
    ],
)
def test_the_control_api_refuses_what_it_does_not_know(aif, method, path, body):
    response = aif.control(method, path, body)
    assert response.status_code == 422
    assert response.json()["error"]


def test_calls_are_counted(aif, name):
    before = aif.control("GET", "/calls").json().get("CustomerService.create committed", 0)
    create(aif, name)
    assert aif.control("GET", "/calls").json()["CustomerService.create committed"] == before + 1


def test_the_latency_is_a_switch_and_calls_run_side_by_side(aif):
    aif.control("PATCH", "/switches", {"call_seconds": 0.15})
    content = criteria(("AccountNum", "Equal", "US-001"))

    def one(_):
        client = Aif(aif.url, aif.control_url)
        started = time.monotonic()
        try:
            return client.customers("find", content).status, time.monotonic() - started >= 0.15
        finally:
            client.http.close()

    begun = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, range(12))) == [(200, True)] * 12
    assert time.monotonic() - begun < 12 * 0.15


def test_customer_documents_are_in_their_namespace(aif):
    answer = aif.customers("find", criteria(("AccountNum", "Equal", "US-001")))
    assert answer.text(CUSTOMER, "Name") == "Contoso Wholesale"
