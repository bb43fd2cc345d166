"""Our copy of the port's WSDL and XSD: the same as the port serves, and readable by another SOAP client."""

import re

import pytest
import suds.client
from lxml import etree

from connectors.ax.wsdl_files import FOLDER

PARTS = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".wsdl", ".xsd"))
ADDRESS = re.compile(rb"http://[^/\"]+/MicrosoftDynamicsAXAif60/FreshaxServices/xppservice\.svc")


def query_of(name):
    stem, _, kind = name.partition(".")
    return "wsdl" if stem == "xppservice" else f"{kind}={stem}"


def canonical(content):
    """Meaning of a document: host names and white space between elements left out."""
    parser = etree.XMLParser(remove_blank_text=True, remove_comments=True)
    return etree.tostring(etree.fromstring(ADDRESS.sub(b"http://ax/port.svc", content), parser), method="c14n")


@pytest.mark.parametrize("name", PARTS)
def test_is_what_the_port_serves(ax, name):
    served = ax.http.get(f"{ax.url}?{query_of(name)}")
    assert served.status_code == 200
    assert canonical(served.content) == canonical((FOLDER / name).read_bytes()), f"renew connectors/ax/wsdl/{name}"


def test_the_port_serves_no_part_that_we_have_not(ax):
    text = "".join((FOLDER / name).read_text("utf-8") for name in PARTS)
    named = set(re.findall(r"\?((?:wsdl|xsd)=\w+)", text))
    assert named <= {query_of(name) for name in PARTS}


def test_another_soap_client_reads_it_and_finds_the_same_operations(tmp_path):
    for name in PARTS:
        content = (FOLDER / name).read_text("utf-8")
        local = re.sub(
            r"http://[^\"]*\?(wsdl|xsd)=(\w+)", lambda match: f"{(tmp_path / match[2]).as_uri()}.{match[1]}", content
        )
        (tmp_path / name).write_text(local, "utf-8")
    client = suds.client.Client((tmp_path / "xppservice.wsdl").as_uri(), cache=None)
    ports = {port.name: sorted(port.methods) for service in client.wsdl.services for port in service.ports}
    assert ports["BasicHttpBinding_CustomerService"] == ["create", "find", "findKeys", "read", "update"]
    assert ports["BasicHttpBinding_FreeTextInvoiceService"] == ["create"]
    document = client.factory.create(
        "{http://schemas.microsoft.com/dynamics/2008/01/documents/FreeTextInvoice}AxdFreeTextInvoice"
    )
    assert hasattr(document, "CustInvoiceTable")
