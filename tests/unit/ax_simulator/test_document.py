"""Documents in and out: what an element means, and which values are written."""

from datetime import datetime
from decimal import Decimal

import pytest
from lxml import etree

from sandbox.ax.contract.entities import CUSTOMER, FREE_TEXT_INVOICE
from sandbox.ax.model.faults import AifError
from sandbox.ax.model.node import Nil, Node
from sandbox.ax.soap import document
from tests.kit import aif


def read(fields, party_xml=""):
    root = etree.fromstring(aif.customer(aif.cust_table(fields, party_xml)))
    return document.read(root, CUSTOMER).tops[0]


def test_omitted_nil_and_empty_differ():
    node = read('<AccountNum/><CustGroup i:nil="true"/>')
    assert node.values == {"AccountNum": "", "CustGroup": Nil.NIL}
    assert node.get("Currency", "default") == node.get("CustGroup", "default") == "default"


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("<Blocked>All</Blocked>", 2),
        ("<CreditMax> 10.50 </CreditMax>", Decimal("10.50")),
        ("<CashDiscBaseDays>3</CashDiscBaseDays>", 3),
        ("<BirthDate_IT>1980-02-29</BirthDate_IT>", datetime.fromisoformat("1980-02-29")),
        ("<RecId>5637144576</RecId>", 5637144576),
        ("<Memo>  kept \n as it is </Memo>", "  kept \n as it is "),
        ("<CreditMax></CreditMax>", ""),
    ],
)
def test_values_have_their_types(element, value):
    assert list(read(element).values.values()) == [value]


@pytest.mark.parametrize("element", ["<Blocked>Maybe</Blocked>", "<CreditMax>1,5</CreditMax>", "<RecId>x</RecId>"])
def test_a_value_that_does_not_read_is_a_fault(element):
    with pytest.raises(AifError, match="is not valid"):
        read(element)


def test_instants_become_utc():
    views = '<OrganizationName class="entity"><Name>N</Name><ValidFrom>{}</ValidFrom></OrganizationName>'
    for text in ("2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05"):
        node = read("", aif.party("A", inside=views.format(text)))
        assert node.children[0].children[0].values["ValidFrom"] == datetime.fromisoformat("2026-01-02T03:04:05")


def test_long_texts_are_cut():
    assert read(f"<VATNum>{'9' * 25}</VATNum>").values["VATNum"] == "9" * 20


def test_dimensions_are_names_to_values():
    pairs = "".join(
        f"<Value><Name>{name}</Name><Value>{value}</Value></Value>" for name, value in (("A", "1"), ("B", "2"))
    )
    node = read(f'<DefaultDimension><Values xmlns="{aif.SHARED}">{pairs}</Values></DefaultDimension>')
    assert node.values["DefaultDimension"] == {"A": "1", "B": "2"}


def test_the_subtype_brings_its_fields():
    node = read("", aif.party("Acme", inside="<OrgNumber>5</OrgNumber>"))
    assert node.named("DirParty")[0].values == {"Name": "Acme", "OrgNumber": "5"}


def written(node):
    root = etree.Element(f"{{{CUSTOMER.namespace}}}Customer", nsmap={None: CUSTOMER.namespace, "i": aif.XSI})
    return document.write(root, CUSTOMER, node, declared_type=CUSTOMER.top.type)


def test_empty_values_are_not_written_unless_mandatory():
    node = Node("CustTable", CUSTOMER.top.type)
    node.values = {"AccountNum": "A", "Blocked": 0, "CreditMax": Decimal(0), "CustGroup": "", "VATNum": ""}
    assert [etree.QName(item).localname for item in written(node)] == ["AccountNum", "CustGroup"]


def test_fields_are_written_in_wire_order_and_a_subtype_is_named():
    node = Node("CustTable", CUSTOMER.top.type, values={"VATNum": "V", "AccountNum": "A", "CreditMax": Decimal("1.50")})
    node.children = [Node("DirParty", "AxdEntity_DirParty_DirPerson", values={"Name": "P"})]
    element = written(node)
    assert [(etree.QName(item).localname, item.text) for item in element[:3]] == [
        ("AccountNum", "A"),
        ("CreditMax", "1.5"),
        ("VATNum", "V"),
    ]
    assert element[3].get(f"{{{aif.XSI}}}type") == "AxdEntity_DirParty_DirPerson"


def test_what_is_written_can_be_read_again():
    values = {"AccountNum": "A", "Blocked": 3, "CreditMax": Decimal("1e3"), "DefaultDimension": {"Department": "022"}}
    node = Node("CustTable", CUSTOMER.top.type, values=values | {"CustGroup": "10", "RecId": 7})
    assert document.read(written(node).getparent(), CUSTOMER).tops[0].values == node.values


def test_entity_keys_round_trip():
    keys = [{"AccountNum": "A"}, {"AccountNum": "B"}]
    assert document.read_entity_keys(document.entity_keys(keys)) == keys
    assert document.read_entity_keys(None) == []


def test_a_default_account_is_its_text():
    root = etree.fromstring(aif.invoice(aif.invoice_table("C", aif.line(account="401100"))))
    node = document.read(root, FREE_TEXT_INVOICE).tops[0].named("CustInvoiceLine")[0]
    assert node.values["LedgerDimension"] == "401100"
