"""The last look at a request: validated by the port's schema, and close to what a .NET client sends."""

import uuid

import pytest
import zeep
from lxml import etree

from connectors.ax import aif_documents
from connectors.ax.aif_client import CUSTOMER_SERVICE, INVOICE_SERVICE, AifClient
from connectors.ax.aif_envelope import PayloadSchema
from connectors.ax.wsdl_files import FOLDER, local_file
from schemas.failures import FatalError, PoisonError
from streams.runtime.settings import AifSettings
from tests.kit.ax_documents import customer, invoice, line

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
CONTEXT = {"Company": "usmf", "Language": "en-us", "MessageId": f"{{{uuid.UUID(int=7)}}}"}


@pytest.fixture(scope="module")
def client():
    return AifClient(AifSettings(url="http://127.0.0.1:9/port.svc", auth="none"))


def sent(client, service, operation, **payload):
    """The envelope that would be sent, as bytes parsed again."""
    binding = client._services[service]
    message = client._client.create_message(binding, operation, **payload, _soapheaders={"context": CONTEXT})
    return etree.fromstring(etree.tostring(message))


def customer_message(client, **parts):
    payload = aif_documents.customer_payload(customer(**parts), client._typed)
    return sent(client, CUSTOMER_SERVICE, "create", Customer=payload)


def invoice_message(client, document):
    return sent(
        client, INVOICE_SERVICE, "create", FreeTextInvoice=aif_documents.invoice_payload({"FB:Zy:7:1:aa": document})
    )


def names(root):
    return [etree.QName(element).localname for element in root.iter()]


class TestContract:
    def test_is_read_from_files_whatever_host_they_name(self):
        assert local_file(FOLDER, "http://some.iis:82/Port/xppservice.svc?wsdl") == FOLDER / "xppservice.wsdl"
        assert local_file(FOLDER, "https://x/y.svc?xsd=xsd5") == FOLDER / "xsd5.xsd"

    @pytest.mark.parametrize("url", ["http://x/y.svc?xsd=xsd99", "http://x/y.svc", "http://x/y.svc?wsdl=../../secret"])
    def test_document_outside_the_folder_is_refused(self, url):
        with pytest.raises(FatalError) as caught:
            local_file(FOLDER, url)
        assert caught.value.code == "aif_contract_broken"

    def test_without_files_is_fatal(self, tmp_path):
        with pytest.raises(FatalError) as caught:
            AifClient(AifSettings(url="http://127.0.0.1:9/port.svc", auth="none", wsdl_folder=tmp_path))
        assert caught.value.code == "aif_contract_broken"

    def test_both_services_are_bound_to_the_address_of_the_settings(self, client):
        addresses = {service._binding_options["address"] for service in client._services.values()}
        assert addresses == {"http://127.0.0.1:9/port.svc"}

    def test_answers_may_not_hold_dtd_entities_or_external_references(self, client):
        settings = client._client.settings
        assert (settings.forbid_dtd, settings.forbid_entities, settings.forbid_external) == (True, True, True)
        assert settings.strict


class TestEgress:
    def test_carries_the_call_context_and_no_addressing(self, client):
        message = customer_message(client)
        header = message[0]
        assert [etree.QName(item).localname for item in header] == ["CallContext"]
        assert {etree.QName(item).localname: item.text for item in header[0]} == CONTEXT
        assert b"addressing" not in etree.tostring(header)

    def test_writes_entities_in_the_order_of_the_schema(self, client):
        table = names(invoice_message(client, invoice()))
        assert (
            table.index("AmountCur") < table.index("Description") < table.index("Quantity") < table.index("UnitPrice")
        )

    def test_marks_the_party_subtype(self, client):
        party = next(customer_message(client).iter("{*}DirParty"))
        assert party.get(XSI_TYPE).endswith(":AxdEntity_DirParty_DirOrganization")

    def test_declares_the_customer_namespace_by_default_when_the_port_asks_for_it(self):
        settings = AifSettings(url="http://127.0.0.1:9/port.svc", auth="none", unprefixed_xsi_type=True)
        document = next(customer_message(AifClient(settings)).iter("{*}Customer"))
        party = next(document.iter("{*}DirParty"))
        assert document.prefix is None
        assert document.nsmap[None] == aif_documents.CUSTOMER_NAMESPACE
        assert party.get(XSI_TYPE) == "AxdEntity_DirParty_DirOrganization"

    def test_the_rewritten_customer_says_the_same(self, client):
        settings = AifSettings(url="http://127.0.0.1:9/port.svc", auth="none", unprefixed_xsi_type=True)
        plain, rewritten = (
            customer_message(item, dimensions={"Department": "022"}) for item in (client, AifClient(settings))
        )
        assert names(plain) == names(rewritten)
        assert [element.text for element in plain.iter()] == [element.text for element in rewritten.iter()]


class TestValidation:
    @pytest.mark.parametrize(
        ("parts", "element", "rule"),
        [
            ({"name": "n" * 101}, "Name", "maxlength (length 101, limit 100)"),
            ({"customer_group": "g" * 11}, "CustGroup", "maxlength (length 11, limit 10)"),
            ({"our_account_number": "1" * 21}, "OurAccountNum", "maxlength (length 21, limit 20)"),
        ],
    )
    def test_of_a_text_that_ax_would_cut(self, client, parts, element, rule):
        with pytest.raises(PoisonError) as caught:
            customer_message(client, **parts)
        assert (caught.value.code, caught.value.field) == ("invalid_document", element)
        assert f"{element} breaks {rule}" in caught.value.message

    def test_of_a_price_with_more_decimals_than_ax_keeps(self, client):
        with pytest.raises(PoisonError, match="UnitPrice breaks fractiondigits") as caught:
            invoice_message(client, invoice(line("1.2345", "1")))
        assert caught.value.field == "UnitPrice"

    def test_counts_no_trailing_zeros(self, client):
        assert "UnitPrice" in names(invoice_message(client, invoice(line("50.120000", "1"))))

    def test_never_quotes_the_value(self, client):
        with pytest.raises(PoisonError) as caught:
            customer_message(client, name="secret" * 20)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("xml", "field"),
        [
            ("<CustTable><CustGroup>10</CustGroup></CustTable>", "CustTable"),
            ('<CustTable class="entity"><Currency>USD</Currency></CustTable>', "CustTable"),
            ('<CustTable class="entity"><CustGroup>10</CustGroup><Blocked>Maybe</Blocked></CustTable>', "Blocked"),
            ('<CustTable class="None"><CustGroup>10</CustGroup></CustTable>', "CustTable"),
        ],
        ids=["class missing", "mandatory field missing", "wrong order", "class none"],
    )
    def test_names_the_element_of_any_rule(self, xml, field):
        services, documents = "http://schemas.microsoft.com/dynamics/2008/01/services", aif_documents.CUSTOMER_NAMESPACE
        message = etree.fromstring(
            f'<CustomerServiceCreateRequest xmlns="{services}"><Customer xmlns="{documents}">{xml}</Customer>'
            "</CustomerServiceCreateRequest>"
        )
        with pytest.raises(PoisonError) as caught:
            PayloadSchema(FOLDER).check(message)
        assert caught.value.field == field


def test_basic_authentication_needs_tls():
    with pytest.raises(FatalError, match="https") as caught:
        AifClient(AifSettings(url="http://ax.example/port.svc", auth="basic"))
    assert caught.value.code == "setting_invalid"


def test_zeep_is_the_release_whose_strict_mode_was_checked():
    assert zeep.__version__.startswith("4.")
