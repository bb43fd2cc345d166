"""The published WSDL and XSD files: they match the tables, and schema processors accept them."""

import re

import pytest
from lxml import etree

from sandbox.ax.contract import namespaces as ns
from sandbox.ax.contract.entities import CUST_TABLE, FREE_TEXT_INVOICE, VEND_TABLE
from sandbox.ax.contract.files import FOLDER, published, render
from sandbox.ax.contract.ledger_entities import (
    CURRENCY_PAIR,
    EXCHANGE_RATE,
    LEDGER_JOURNAL_TABLE,
    LEDGER_JOURNAL_TRANS,
)
from sandbox.ax.contract.schema import load_schema
from sandbox.ax.contract.services import SERVICES

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
XS = "{http://www.w3.org/2001/XMLSchema}"


def test_the_committed_files_are_the_generated_ones():
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.[wx]s*")}
    assert committed == render(), "run `python -m sandbox.ax.contract`"


def test_all_parts_compile_to_one_schema():
    assert isinstance(load_schema(), etree.XMLSchema)


def test_the_router_port_comes_first_and_has_no_operation():
    root = etree.fromstring(render()["xppservice.wsdl"].encode())
    ports = [port.get("name") for port in root.iter(f"{WSDL}port")]
    assert ports == ["serviceEndpoint", *(f"BasicHttpBinding_{service}" for service in SERVICES)]
    router = next(binding for binding in root.iter(f"{WSDL}binding") if binding.get("name") == "serviceEndpoint")
    assert router.find(f"{WSDL}operation") is None


@pytest.mark.parametrize(("service", "operations"), [(name, spec[1]) for name, spec in SERVICES.items()])
def test_only_the_ticked_operations_are_on_the_port(service, operations):
    root = etree.fromstring(render()["xppservice.wsdl"].encode())
    binding = next(item for item in root.iter(f"{WSDL}binding") if item.get("name") == f"BasicHttpBinding_{service}")
    assert [item.get("name") for item in binding.iter(f"{WSDL}operation")] == list(operations)


def test_one_schema_has_no_target_namespace():
    roots = [etree.fromstring(text.encode()) for name, text in render().items() if name.endswith(".xsd")]
    assert [root.get("targetNamespace") for root in roots].count(None) == 1


def test_customer_fields_are_alphabetical_whatever_their_case():
    names = [field.name for field in CUST_TABLE.fields]
    assert names[0] == "_DocumentHash"
    # Underscores sort behind letters in AX, so the suffixed localisation fields are left out here.
    plain = [name.lower() for name in names[1:] if "_" not in name]
    assert plain == sorted(plain)


@pytest.mark.parametrize(
    "entity",
    [VEND_TABLE, LEDGER_JOURNAL_TABLE, LEDGER_JOURNAL_TRANS, CURRENCY_PAIR, EXCHANGE_RATE],
    ids=lambda entity: entity.type,
)
def test_fields_of_the_reconstructed_documents_are_alphabetical_whatever_their_case(entity):
    names = [field.name.lower() for field in entity.fields if field.name != "_DocumentHash"]
    assert names == sorted(names)


def test_every_entity_requires_its_class_attribute():
    root = etree.fromstring(render()["xsd6.xsd"].encode())
    for entity in FREE_TEXT_INVOICE.entities:
        node = next(item for item in root.iter(f"{XS}complexType") if item.get("name") == entity.type)
        first = next(node.iter(f"{XS}attribute"))
        assert (first.get("name"), first.get("use")) == ("class", "required")


def test_served_files_carry_the_servers_own_address():
    address = "http://127.0.0.1:8080/x/xppservice.svc"
    for kind, part in (("wsdl", ""), ("wsdl", "wsdl1"), ("xsd", "xsd5")):
        text = published(kind, part, address).decode()
        assert ns.PLACEHOLDER not in text
        assert address in text


@pytest.mark.parametrize("part", ["xsd99", "../contract/files", "", "wsdl0"])
def test_an_unknown_part_is_not_served(part):
    assert published("xsd", part, "http://127.0.0.1") is None


def test_invoice_unit_price_has_three_decimals():
    assert re.search(r'AxdExtType_InvoiceUnitPrice".*?fractionDigits value="3"', render()["xsd7.xsd"], re.DOTALL)
