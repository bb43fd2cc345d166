"""Whatever a vendor or a journal says: what leaves is valid by the port's schema, or nothing leaves and it is named."""

from datetime import date
from decimal import Decimal

import pytest
import zeep.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from connectors.ax import aif_documents, aif_journals
from connectors.ax.aif_client import JOURNAL_DOCUMENTS, VENDOR_SERVICE, AifClient
from connectors.ax.aif_envelope import PayloadSchema
from connectors.ax.aif_failures import zeep_failure
from connectors.ax.wsdl_files import FOLDER
from schemas.failures import PoisonError
from schemas.records import LedgerAccountType, LedgerJournal, LedgerJournalLine, PartyType, PostalAddress
from streams.runtime.settings import AifSettings
from tests.kit.ax_documents import vendor

CONTEXT = {"Company": "usmf", "Language": "en-us"}
texts = st.text(max_size=70)
names = st.none() | texts
amounts = st.decimals(min_value=0, max_value=10**12, places=4)
dates = st.dates(date(1900, 1, 1), date(2154, 12, 31))
dimensions = st.dictionaries(st.text(max_size=10), st.text(max_size=40), max_size=2)
kinds = st.sampled_from(LedgerAccountType)
lines = st.builds(
    LedgerJournalLine,
    account_type=kinds,
    account=texts,
    dimensions=dimensions,
    offset_account_type=st.none() | kinds,
    offset_account=names,
    offset_dimensions=dimensions,
    transaction_date=dates,
    description=texts,
    debit=amounts,
    credit=amounts,
    currency_code=st.sampled_from(["USD", "EUR", "", "EURO"]),
    exchange_rate=st.none() | st.decimals(min_value=Decimal("0.0001"), max_value=10**6, places=12),
    tax_group=names,
    tax_item_group=names,
    document_number=names,
    document_date=st.none() | dates,
    due_date=st.none() | dates,
    invoice_number=names,
    marked_invoice=names,
    payment_terms=names,
    payment_mode=names,
    payment_reference=names,
    posting_profile=names,
)
journals = st.builds(
    LedgerJournal,
    journal_name=texts,
    currency_code=st.sampled_from(["USD", ""]),
    includes_tax=st.booleans(),
    dimensions=dimensions,
    lines=st.lists(lines, min_size=1, max_size=3).map(tuple),
)
vendors = st.builds(
    vendor,
    name=texts,
    vat_number=names,
    payment_mode=names,
    email=names,
    first_name=names,
    last_name=names,
    party_type=st.sampled_from(PartyType),
    address=st.none() | st.builds(PostalAddress, street=names, city=names, postal_code=names, country_region=names),
    dimensions=dimensions,
)


@pytest.fixture(scope="module")
def client():
    return AifClient(AifSettings(url="http://127.0.0.1:9/port.svc", auth="none"))


@pytest.fixture(scope="module")
def schema():
    return PayloadSchema(FOLDER)


def valid_or_named(client, schema, service, **payload):
    """Make the message as the client does; it is valid, or a PoisonError names the field."""
    failure = None
    try:
        message = client._client.create_message(
            client._services[service], "create", **payload, _soapheaders={"context": CONTEXT}
        )
    except PoisonError as error:
        failure = error
    except zeep.exceptions.Error as error:
        failure = zeep_failure(error, "making a message")
    if failure is None:
        schema.check(etree.fromstring(etree.tostring(message)).find("{*}Body")[0])
    else:
        assert (failure.failure_class, failure.code) == ("poison", "invalid_document")


@settings(max_examples=40, deadline=None)
@given(document=journals, service=st.sampled_from(sorted(JOURNAL_DOCUMENTS)))
def test_a_journal(client, schema, document, service):
    payload = aif_journals.journal_payload({"FB:Zy:EX7:1:aa": document}, "usmf", purchase=True)
    valid_or_named(client, schema, service, **{JOURNAL_DOCUMENTS[service]: payload})


@settings(max_examples=30, deadline=None)
@given(document=vendors)
def test_a_vendor(client, schema, document):
    payload = aif_documents.vendor_payload(document, client._typed)
    valid_or_named(client, schema, VENDOR_SERVICE, Vendor=payload)
