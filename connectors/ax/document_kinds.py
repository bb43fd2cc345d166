"""What sets the kinds of documents apart that the sink creates, corrects and cancels: service, look-up, reversal.

A free-text invoice is its own document. Everything else becomes a journal first (journals.py); a payment marks the
invoice that it settles, and AX lets only a posted one be marked, so its number is looked up, or waited for, here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from connectors.ax import aif_client, aif_documents, journals
from connectors.ax.document_state import Document, document_of, open_document, reference_prefix
from connectors.ax.lookup import FoundDocument
from connectors.ax.sink_ports import Documents, Services
from schemas.failures import PoisonError, RetryableError
from schemas.records import (
    AxCommand,
    AxConfirmation,
    AxOperation,
    CrossReference,
    CustomerPayment,
    FreeTextInvoice,
    LedgerJournal,
    VendorPayment,
)


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """One kind. `entity` names it in confirmations and cross-references, `field` in a command."""

    entity: str
    field: str
    service: str


INVOICE = DocumentKind("invoice", "invoice", aif_client.INVOICE_SERVICE)
_JOURNAL = DocumentKind("journal", "journal", aif_client.GENERAL_JOURNAL_SERVICE)
_CUSTOMER_PAYMENT = DocumentKind("customer_payment", "customer_payment", aif_client.CUSTOMER_PAYMENT_SERVICE)
_VENDOR_INVOICE = DocumentKind("vendor_invoice", "vendor_invoice", aif_client.PURCHASE_INVOICE_SERVICE)
_VENDOR_PAYMENT = DocumentKind("vendor_payment", "vendor_payment", aif_client.GENERAL_JOURNAL_SERVICE)

KINDS: dict[AxOperation, DocumentKind] = {
    AxOperation.UPSERT_INVOICE: INVOICE,
    AxOperation.CANCEL_INVOICE: INVOICE,
    AxOperation.UPSERT_JOURNAL: _JOURNAL,
    AxOperation.CANCEL_JOURNAL: _JOURNAL,
    AxOperation.UPSERT_CUSTOMER_PAYMENT: _CUSTOMER_PAYMENT,
    AxOperation.CANCEL_CUSTOMER_PAYMENT: _CUSTOMER_PAYMENT,
    AxOperation.UPSERT_VENDOR_INVOICE: _VENDOR_INVOICE,
    AxOperation.CANCEL_VENDOR_INVOICE: _VENDOR_INVOICE,
    AxOperation.UPSERT_VENDOR_PAYMENT: _VENDOR_PAYMENT,
    AxOperation.CANCEL_VENDOR_PAYMENT: _VENDOR_PAYMENT,
}


def held_document(kind: DocumentKind, holder: AxCommand | AxConfirmation | CrossReference) -> Document | None:
    """The document that `holder` says AX holds, or is to hold; a payment or vendor invoice is no journal yet."""
    return holder.invoice if kind is INVOICE else holder.journal


def reversal_of(document: Document) -> Document:
    """What takes `document` back."""
    if isinstance(document, FreeTextInvoice):
        return aif_documents.reversal_of(document)
    return journals.reversal_of(document)


async def find(kind: DocumentKind, lookup: Documents, company: str, prefix: str) -> list[FoundDocument]:
    """What AX holds under references that begin with `prefix`."""
    return await (lookup.invoices(company, prefix) if kind is INVOICE else lookup.journals(company, prefix))


async def create(
    kind: DocumentKind, services: Services, company: str, documents: Mapping[str, Document], message_id: UUID
) -> None:
    """Create `documents`, by reference, in one AX transaction."""
    if kind is INVOICE:
        invoices = {key: item for key, item in documents.items() if isinstance(item, FreeTextInvoice)}
        await services.create_invoices(company, invoices, message_id)
        return
    found = {key: item for key, item in documents.items() if isinstance(item, LedgerJournal)}
    await services.create_journals(kind.service, company, found, message_id)


async def wanted_document(command: AxCommand, lookup: Documents, *, waits: bool) -> Document:
    """The document that `command` wants, as it is created.

    `waits`: an invoice that it settles must be posted; without, one that is not is left unmarked (for a document that
    AX has already).
    Raises: PoisonError (the command holds no document, or one of nothing), RetryableError `invoice_not_posted`.
    """
    if command.customer_payment is not None:
        marked = await _settled_invoice(command, command.customer_payment, lookup, waits=waits)
        return journals.customer_payment_journal(command.customer_payment, marked)
    if command.vendor_payment is not None:
        if waits:
            await _check_vendor_invoice(command, command.vendor_payment, lookup)
        return journals.vendor_payment_journal(command.vendor_payment)
    if command.vendor_invoice is not None:
        return journals.vendor_invoice_journal(command.vendor_invoice)
    document = held_document(KINDS[command.operation], command)
    if document is None:
        field = KINDS[command.operation].field
        raise PoisonError(
            "command_incomplete", f"applying {command.operation}: the command holds no {field}", field=field
        )
    return document


async def _settled_invoice(
    command: AxCommand, payment: CustomerPayment, lookup: Documents, *, waits: bool
) -> str | None:
    """AX's number of the invoice that the payment settles; None for a payment on account."""
    if payment.marked_invoice or payment.settles_invoice_id is None:
        return payment.marked_invoice
    account_id = command.source.account_id
    document = document_of("invoice", payment.settles_invoice_id)
    found = await lookup.invoices(command.company, reference_prefix(account_id, document))
    held = open_document(account_id, document, [row.reference for row in found])
    number = next((row.number for row in found if held is not None and row.reference == str(held)), "")
    if not number and waits:
        raise _not_posted(command, f"invoice {payment.settles_invoice_id}")
    return number or None


async def _check_vendor_invoice(command: AxCommand, payment: VendorPayment, lookup: Documents) -> None:
    number = payment.marked_invoice
    if number and not await lookup.vendor_invoice_posted(command.company, payment.vendor_account, number):
        raise _not_posted(command, f"invoice {number} of vendor {payment.vendor_account}")


def _not_posted(command: AxCommand, invoice: str) -> RetryableError:
    return RetryableError(
        "invoice_not_posted",
        f"paying {invoice} in {command.company}: AX has not posted it; the payment waits for AX's batch",
    )
