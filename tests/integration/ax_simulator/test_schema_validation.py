"""Validation of the document XML: faults in .NET's words, and what happens when the port option is off."""

import pytest

from tests.kit.aif import CUSTOMER, INVOICE, cust_table, customer, invoice, invoice_table, line, party


def report(answer):
    assert answer.status == 500
    assert answer.aif_code == "InvalidDocumentSchema"
    assert answer.xpp is None
    assert answer.fault_text.startswith("Invalid document schema. The following error is reported: ")
    return answer.fault_text.partition("reported: ")[2]


def test_wrong_order_names_the_expected_element(aif):
    content = customer(cust_table("<Currency>USD</Currency><AccountNum>X</AccountNum><CustGroup>10</CustGroup>"))
    text = report(aif.customers("create", content))
    assert text.startswith(
        f"The element 'CustTable' in namespace '{CUSTOMER}' has invalid child element 'AccountNum' in namespace "
        f"'{CUSTOMER}'. List of possible elements expected: "
    )
    assert "'CustClassificationId' in namespace" in text


def test_a_missing_mandatory_field_shows_as_an_unexpected_later_one(aif):
    text = report(aif.customers("create", customer(cust_table("<AccountNum>X</AccountNum>"))))
    assert "has invalid child element 'DirParty'" in text


def test_missing_content_at_the_end(aif):
    content = invoice('<CustInvoiceTable class="entity"><CurrencyCode>USD</CurrencyCode></CustInvoiceTable>')
    text = report(aif.create_invoice(content))
    assert text.startswith(f"The element 'CustInvoiceTable' in namespace '{INVOICE}' has incomplete content.")
    assert "'OrderAccount'" in text


@pytest.mark.parametrize(
    ("field", "fragment"),
    [
        ("<Unknown>1</Unknown><CustGroup>10</CustGroup>", "has invalid child element 'Unknown'"),
        (f"<CustGroup>10</CustGroup><VATNum>{'9' * 21}</VATNum>", "The actual length is greater than the MaxLength"),
        ("<Blocked>Perhaps</Blocked><CustGroup>10</CustGroup>", "The Enumeration constraint failed."),
        ("<CreditMax>many</CreditMax><CustGroup>10</CustGroup>", "The string is not a valid value"),
        (
            "<Currency>USD</Currency><Currency>USD</Currency><CustGroup>10</CustGroup>",
            "invalid child element 'Currency'",
        ),
    ],
)
def test_fields_are_checked(aif, field, fragment):
    assert fragment in report(aif.customers("create", customer(cust_table(field))))


def test_class_is_required(aif):
    content = customer(cust_table()).replace('<CustTable class="entity"', "<CustTable")
    assert report(aif.customers("create", content)) == "The required attribute 'class' is missing."


def test_class_is_entity(aif):
    # This is what zeep sends when the attribute is forgotten.
    content = customer(cust_table()).replace('<CustTable class="entity"', '<CustTable class="None"')
    assert "The 'class' attribute is invalid" in report(aif.customers("create", content))


def test_action_is_one_of_four(aif):
    assert "'action' attribute" in report(aif.customers("create", customer(cust_table(attributes='action="upsert"'))))


def test_the_root_takes_no_attributes(aif):
    content = customer(cust_table()).replace("<Customer ", '<Customer class="entity" ')
    assert report(aif.customers("create", content)) == "The 'class' attribute is not declared."


def test_xsi_type_must_be_known(aif):
    text = report(aif.customers("create", customer(cust_table(party_xml=party("Acme", kind="DirShip")))))
    assert text.startswith("This is an invalid xsi:type 'AxdEntity_DirParty_DirShip' for the element 'DirParty'")


def test_a_prefixed_xsi_type_is_fine_unless_the_site_is_strict(aif):
    prefixed = customer(cust_table(party_xml=party("Acme")))
    prefixed = prefixed.replace("<Customer ", f'<Customer xmlns:p="{CUSTOMER}" ')
    prefixed = prefixed.replace('i:type="AxdEntity', 'i:type="p:AxdEntity')
    assert aif.customers("create", prefixed).status == 200
    aif.control("PATCH", "/switches", {"strict_xsi_type": True})
    assert "invalid xsi:type 'p:AxdEntity_DirParty_DirOrganization'" in report(aif.customers("create", prefixed))
    assert aif.customers("create", customer(cust_table(party_xml=party("Acme")))).status == 200


def test_unit_prices_have_three_decimals(aif):
    account = aif.new_customer()
    assert "FractionDigits" in report(aif.create_invoice(invoice(invoice_table(account, line(price="1.2345")))))


def test_a_message_may_use_prefixes(aif):
    content = f'<d:Customer xmlns:d="{CUSTOMER}"><d:CustTable class="entity"><d:Bad/></d:CustTable></d:Customer>'
    assert "The element 'CustTable'" in report(aif.customers("create", content))


def test_a_missing_document_is_a_fault(aif):
    assert aif.customers("create", "").aif_code == "MissingDocument"
    assert aif.customers("create", customer()).aif_code == "EmptyDocument"


class TestWithoutValidation:
    @pytest.fixture(autouse=True)
    def _off(self, aif):
        aif.control("PATCH", "/switches", {"validate_document_xml": False})

    def test_long_texts_are_cut_silently(self, aif):
        account = aif.new_customer("N" * 120, f"<CustGroup>10</CustGroup><VATNum>{'9' * 30}</VATNum>")
        stored = aif.stored_customer(account)
        assert stored["name"] == "N" * 100
        assert stored["vat"] == "9" * 20

    def test_a_value_that_does_not_read_is_a_fault(self, aif):
        answer = aif.customers("create", customer(cust_table("<CreditMax>x</CreditMax><CustGroup>10</CustGroup>")))
        assert answer.xpp == 3

    def test_mandatory_fields_are_still_asked_for(self, aif):
        answer = aif.customers("create", customer(cust_table("<Currency>USD</Currency>")))
        assert answer.fault_text == "Field 'Customer group' must be filled in."

    def test_an_unknown_type_is_a_fault(self, aif):
        assert aif.customers("create", customer(cust_table(party_xml=party("A", kind="DirShip")))).xpp == 3
