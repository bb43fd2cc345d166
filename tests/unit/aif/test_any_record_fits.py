"""Any valid FreshBooks record gives a document that the port's XSD takes, or a named refusal by its flow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from connectors.ax import aif_documents, aif_journals, journals
from connectors.ax.aif_client import (
    CUSTOMER_SERVICE,
    INVOICE_SERVICE,
    JOURNAL_DOCUMENTS,
    VENDOR_SERVICE,
    AifClient,
)
from connectors.ax.aif_envelope import PayloadSchema
from connectors.ax.document_kinds import KINDS
from connectors.ax.wsdl_files import FOLDER
from schemas.failures import PoisonError
from schemas.records import AxCommand
from streams.flows import load_flows
from streams.runtime.settings import AifSettings
from streams.transforms.decisions import Ready
from streams.transforms.flow import Flow, Flows
from tests.unit.transforms.conftest import Builder
from tests.unit.transforms.test_any_record_of_any_flow import FLOWS, master_of, records_of

REFERENCE = "FB:ZyQ04o:7:1:0123456789abcdef"


@pytest.fixture(scope="module")
def flows() -> Flows:
    return load_flows()


@pytest.fixture(scope="module")
def client() -> AifClient:
    return AifClient(AifSettings(url="http://127.0.0.1:9/port.svc", auth="none"))


@pytest.fixture(scope="module")
def schema() -> PayloadSchema:
    return PayloadSchema(FOLDER)


def payload(client: AifClient, command: AxCommand) -> tuple[str, dict[str, Any]] | None:
    """Service and document of a command, as the sink makes them; None for a cancellation, whose document AX holds."""
    if command.operation.cancels:
        return None
    if command.customer is not None:
        return CUSTOMER_SERVICE, {"Customer": aif_documents.customer_payload(command.customer, client._typed)}
    if command.vendor is not None:
        return VENDOR_SERVICE, {"Vendor": aif_documents.vendor_payload(command.vendor, client._typed)}
    if command.invoice is not None:
        return INVOICE_SERVICE, {"FreeTextInvoice": aif_documents.invoice_payload({REFERENCE: command.invoice})}
    service = KINDS[command.operation].service
    journal = command.journal
    if command.customer_payment is not None:
        journal = journals.customer_payment_journal(command.customer_payment, "FTI-1")
    if command.vendor_payment is not None:
        journal = journals.vendor_payment_journal(command.vendor_payment)
    if command.vendor_invoice is not None:
        journal = journals.vendor_invoice_journal(command.vendor_invoice)
    assert journal is not None
    purchase = JOURNAL_DOCUMENTS[service] == "PurchaseInvoice"
    return service, {
        JOURNAL_DOCUMENTS[service]: aif_journals.journal_payload({REFERENCE: journal}, "usmf", purchase=purchase)
    }


@pytest.mark.parametrize("name", [*FLOWS, "clients-to-ax", "invoices-to-ax"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_a_flow_sends_is_valid_by_the_ports_schema(
    flows: Flows, client: AifClient, schema: PayloadSchema, name: str, data: st.DataObject
) -> None:
    flow: Flow = flows[name]
    record = data.draw(records_of(flow.source.record)).to_avro()
    try:
        decision = flow.decide(record, master_of(Builder()), Builder.now)
    except PoisonError as reason:
        assert reason.code  # noqa: PT017 - a refusal is one of the two outcomes
        return
    for command in decision.ax_commands if isinstance(decision, Ready) else ():
        try:
            sent = payload(client, command)
        except PoisonError as reason:
            # The one thing that only the making of a journal sees.
            assert reason.code == "amount_zero"  # noqa: PT017
            continue
        if sent is not None:
            service, document = sent
            message = client._client.create_message(
                client._services[service], "create", **document, _soapheaders={"context": {"Company": "usmf"}}
            )
            schema.check(etree.fromstring(etree.tostring(message)).find("{*}Body")[0])
