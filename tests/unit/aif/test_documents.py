"""Records as AIF documents."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.ax.aif_documents import (
    CUSTOMER_NAMESPACE,
    ORGANIZATION_TYPE,
    PERSON_TYPE,
    criterion,
    customer_payload,
    invoice_payload,
    plain_decimal,
    reversal_of,
    xml_text,
)
from schemas.records import PartyType, PostalAddress
from tests.kit.ax_documents import customer, invoice, line


def typed(name, fields):
    return {"xsi:type": name, **fields}


def cust_table(**parts):
    return customer_payload(customer(**parts), typed)["CustTable"][0]


def entities(value):
    """All dicts that stand for an entity, at any depth."""
    if isinstance(value, dict):
        if "class" in value:
            yield value
        for part in value.values():
            yield from entities(part)
    elif isinstance(value, list):
        for part in value:
            yield from entities(part)


class TestCustomer:
    def test_leaves_the_account_number_to_ax(self):
        assert "AccountNum" not in cust_table()
        assert cust_table(account_number="US-9")["AccountNum"] == "US-9"

    def test_carries_our_key(self):
        assert cust_table(our_account_number="FBZy-7")["OurAccountNum"] == "FBZy-7"

    def test_is_an_organization_or_a_person_by_type(self):
        assert cust_table()["DirParty"][0]["xsi:type"] == f"{{{CUSTOMER_NAMESPACE}}}{ORGANIZATION_TYPE}"
        person = cust_table(party_type=PartyType.PERSON, first_name="Zoë", last_name="Ng")["DirParty"][0]
        assert person["xsi:type"] == f"{{{CUSTOMER_NAMESPACE}}}{PERSON_TYPE}"
        assert person["PersonName"] == [{"class": "entity", "FirstName": "Zoë", "LastName": "Ng"}]

    def test_a_person_without_split_name_has_no_person_name(self):
        assert "PersonName" not in cust_table(party_type=PartyType.PERSON)["DirParty"][0]

    def test_leaves_out_what_has_no_value(self):
        table = cust_table(vat_number="", payment_terms=None)
        assert not {"VATNum", "PaymTermId", "DefaultDimension"} & set(table)
        assert not {"DirPartyPostalAddressView", "DirPartyContactInfoView"} & set(table["DirParty"][0])

    def test_has_one_primary_address(self):
        party = cust_table(address=PostalAddress(street="Main St 1\nRear", city="Bonn", country_region="DEU"))[
            "DirParty"
        ][0]
        assert party["DirPartyPostalAddressView"] == [
            {
                "class": "entity",
                "City": "Bonn",
                "CountryRegionId": "DEU",
                "IsPrimary": "Yes",
                "Roles": "Business",
                "Street": "Main St 1\nRear",
            }
        ]

    def test_has_mail_and_phone_as_contacts(self):
        party = cust_table(email="a@b.example", phone="+49 1")["DirParty"][0]
        contacts = [(item["Type"], item["Locator"]) for item in party["DirPartyContactInfoView"]]
        assert contacts == [("Email", "a@b.example"), ("Phone", "+49 1")]


class TestInvoice:
    def test_keeps_the_order_of_the_documents(self):
        payload = invoice_payload({"FB:Zy:7:1R:aa": invoice(), "FB:Zy:7:2:bb": invoice()})
        assert [item["CustomerRef"] for item in payload["CustInvoiceTable"]] == ["FB:Zy:7:1R:aa", "FB:Zy:7:2:bb"]

    def test_never_sets_an_invoice_number_of_its_own(self):
        assert "InvoiceId" not in invoice_payload({"r": invoice()})["CustInvoiceTable"][0]

    def test_says_the_tax_of_each_line_even_when_it_is_zero(self):
        item = invoice_payload({"r": invoice(line(tax_amount=Decimal(0)))})["CustInvoiceTable"][0]["CustInvoiceLine"][0]
        assert item["TaxAmount"] == "0"

    def test_line_has_account_and_dimensions_apart(self):
        item = invoice_payload({"r": invoice()})["CustInvoiceTable"][0]["CustInvoiceLine"][0]
        assert item["LedgerDimension"] == {"MainAccount": "401100"}
        assert item["DefaultDimension"] == {"Values": {"Value": [{"Name": "Department", "Value": "022"}]}}

    def test_every_entity_says_that_it_is_one(self):
        payloads = [invoice_payload({"r": invoice()}), {"CustTable": [cust_table(email="a@b")]}]
        found = [entity for payload in payloads for entity in entities(payload)]
        assert len(found) == 5
        assert {entity["class"] for entity in found} == {"entity"}


class TestReversal:
    def test_negates_quantities_amounts_and_taxes_and_nothing_else(self):
        document = invoice(line("50.00", "2"), line("-10.00", "1"))
        reversal = reversal_of(document)
        assert [item.quantity for item in reversal.lines] == [-2, -1]
        assert [item.unit_price for item in reversal.lines] == [item.unit_price for item in document.lines]
        assert [item.amount for item in reversal.lines] == [Decimal("-100.00"), Decimal("10.00")]
        assert sum(item.tax_amount for item in (*document.lines, *reversal.lines)) == 0
        assert reversal.total == -document.total
        assert reversal.invoice_date == document.invoice_date

    def test_of_a_reversal_is_the_document(self):
        assert reversal_of(reversal_of(invoice())) == invoice()

    def test_has_no_negative_zero(self):
        item = reversal_of(invoice(line(tax_amount=Decimal("0.00")))).lines[0]
        assert str(item.tax_amount) == "0.00"


class TestText:
    @given(st.text())
    def test_is_what_xml_can_carry(self, text):
        element = etree.Element("x")
        element.text = xml_text(text)
        assert etree.fromstring(etree.tostring(element)).text == (xml_text(text) or None)

    def test_loses_controls_and_lone_surrogates_only(self):
        assert xml_text("a\x00\x0b\ud800\uffff\x7f\tb\nc 💶 é") == "a\x7f\tb\nc 💶 é"

    def test_of_every_field_is_cleaned(self):
        table = customer_payload(customer(name="A\x01B", dimensions={"Dep\x02t": "0\x03"}), typed)["CustTable"][0]
        assert table["DirParty"][0]["Name"] == "AB"
        assert table["DefaultDimension"] == {"Values": {"Value": [{"Name": "Dept", "Value": "0"}]}}
        assert criterion("CustTable", "OurAccountNum", "FB\x01")["_value_1"][0]["CriteriaElement"]["Value1"] == "FB"


@pytest.mark.parametrize(
    ("value", "text"),
    [("2.000000", "2"), ("50.1200", "50.12"), ("-0.00", "0"), ("1E+3", "1000"), ("1E-3", "0.001"), ("100", "100")],
)
def test_a_number_has_no_exponent_and_no_trailing_zeros(value, text):
    assert plain_decimal(Decimal(value)) == text
