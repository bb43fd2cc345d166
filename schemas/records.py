"""Typed records, one per Avro schema (same field names; a test holds them together with schemas/avro).

What AX documents say is in ax_documents.py, what FreshBooks holds in freshbooks_records.py, what it is told in
freshbooks_commands.py; importers take all records from here.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from schemas.ax_documents import CustomerDocument as CustomerDocument
from schemas.ax_documents import CustomerPayment as CustomerPayment
from schemas.ax_documents import FreeTextInvoice as FreeTextInvoice
from schemas.ax_documents import FreeTextInvoiceLine as FreeTextInvoiceLine
from schemas.ax_documents import LedgerAccountType as LedgerAccountType
from schemas.ax_documents import LedgerJournal as LedgerJournal
from schemas.ax_documents import LedgerJournalLine as LedgerJournalLine
from schemas.ax_documents import PartyType as PartyType
from schemas.ax_documents import PostalAddress as PostalAddress
from schemas.ax_documents import VendorDocument as VendorDocument
from schemas.ax_documents import VendorInvoice as VendorInvoice
from schemas.ax_documents import VendorInvoiceLine as VendorInvoiceLine
from schemas.ax_documents import VendorPayment as VendorPayment
from schemas.freshbooks_commands import FreshBooksCommand as FreshBooksCommand
from schemas.freshbooks_commands import FreshBooksConfirmation as FreshBooksConfirmation
from schemas.freshbooks_commands import FreshBooksOperation as FreshBooksOperation
from schemas.freshbooks_commands import FreshBooksOutcome as FreshBooksOutcome
from schemas.freshbooks_commands import Intent as Intent
from schemas.freshbooks_commands import IntentState as IntentState
from schemas.freshbooks_commands import InvoiceDraft as InvoiceDraft
from schemas.freshbooks_commands import InvoiceDraftLine as InvoiceDraftLine
from schemas.freshbooks_commands import PaymentDraft as PaymentDraft
from schemas.freshbooks_records import Bill as Bill
from schemas.freshbooks_records import BillLine as BillLine
from schemas.freshbooks_records import BillPayment as BillPayment
from schemas.freshbooks_records import BillVendor as BillVendor
from schemas.freshbooks_records import Category as Category
from schemas.freshbooks_records import Client as Client
from schemas.freshbooks_records import CreditNote as CreditNote
from schemas.freshbooks_records import CreditNoteLine as CreditNoteLine
from schemas.freshbooks_records import Entity as Entity
from schemas.freshbooks_records import Expense as Expense
from schemas.freshbooks_records import Invoice as Invoice
from schemas.freshbooks_records import InvoiceLine as InvoiceLine
from schemas.freshbooks_records import Item as Item
from schemas.freshbooks_records import Payment as Payment
from schemas.freshbooks_records import Project as Project
from schemas.freshbooks_records import Tax as Tax
from schemas.freshbooks_records import VendorTax as VendorTax
from schemas.record import Record as Record


class Origin(StrEnum):
    """Who noticed a change in FreshBooks."""

    WEBHOOK = "webhook"
    POLL = "poll"
    DEPENDENCY = "dependency"
    OPERATOR = "operator"


class Notification(Record, frozen=True, kw_only=True):
    """A FreshBooks entity may have changed: fetch it."""

    account_id: str
    kind: str
    verb: str
    object_id: int
    business_id: int | None = None
    identity_id: int | None = None
    origin: Origin
    received_at: datetime


class Fetched(Record, frozen=True, kw_only=True):
    """What the fetch agent last published of an entity."""

    version: str
    content_hash: str
    vis_state: int
    fetched_at: datetime


class Phase(StrEnum):
    """What a capture does."""

    SNAPSHOT = "snapshot"
    STREAMING = "streaming"


class Backfill(Record, frozen=True, kw_only=True):
    """An incremental snapshot of `from_key` <= RECID < `to_key` (None: no limit), complete up to the `after` row."""

    signal_id: str
    from_key: int | None = None
    to_key: int | None = None
    begun_at_lsn: str
    after_partition: int | None = None
    after_key: int | None = None


class SignalAction(StrEnum):
    """What an operator asks of the capture."""

    UNKNOWN = "unknown"
    SNAPSHOT = "snapshot"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"


class CaptureSignal(Record, frozen=True, kw_only=True):
    """A request to the running capture."""

    signal_id: UUID
    action: SignalAction
    table: str
    from_key: int | None = None
    to_key: int | None = None
    requested_by: str
    requested_at: datetime


class CapturePosition(Record, frozen=True, kw_only=True):
    """Checkpoint of one capture instance. LSNs and positions in their text form."""

    capture_instance: str
    topic: str
    phase: Phase
    snapshot_lsn: str | None = None
    snapshot_key: int | None = None
    snapshot_partition: int | None = None
    position: str | None = None
    object_id: int | None = None
    rows_read: int | None = None
    rows_estimated: int | None = None
    signals_taken: int = -1
    backfill: Backfill | None = None
    at: datetime


class Customer(Record, frozen=True, kw_only=True):
    """An AX customer with its party's name."""

    company: str
    account_number: str
    name: str
    name_alias: str
    customer_group: str
    currency_code: str
    payment_terms: str
    tax_group: str
    vat_number: str
    our_account_number: str
    language: str
    blocked: int
    rec_id: int
    party_rec_id: int
    version: str
    changed_at: datetime
    deleted: bool = False


class SourceRef(Record, frozen=True, kw_only=True):
    """The FreshBooks state that led to a command."""

    account_id: str
    kind: str
    entity_id: int
    version: str
    content_hash: str
    changed_at: datetime


class AxOperation(StrEnum):
    """What an AX command is to reach."""

    UPSERT_CUSTOMER = "upsert_customer"
    UPSERT_INVOICE = "upsert_invoice"
    CANCEL_INVOICE = "cancel_invoice"
    UPSERT_VENDOR = "upsert_vendor"
    UPSERT_JOURNAL = "upsert_journal"
    CANCEL_JOURNAL = "cancel_journal"
    UPSERT_CUSTOMER_PAYMENT = "upsert_customer_payment"
    CANCEL_CUSTOMER_PAYMENT = "cancel_customer_payment"
    UPSERT_VENDOR_INVOICE = "upsert_vendor_invoice"
    CANCEL_VENDOR_INVOICE = "cancel_vendor_invoice"
    UPSERT_VENDOR_PAYMENT = "upsert_vendor_payment"
    CANCEL_VENDOR_PAYMENT = "cancel_vendor_payment"

    @property
    def cancels(self) -> bool:
        """True when the document shall not stand in AX any more."""
        return self.value.startswith("cancel_")


class AxCommand(Record, frozen=True, kw_only=True):
    """The state that AX shall have for one FreshBooks document.

    Exactly the document that the operation names is set; a cancellation may leave it out. A credit note is an invoice
    with negative amounts, told apart by `source.kind`.
    """

    command_id: UUID
    operation: AxOperation
    company: str
    source: SourceRef
    document_hash: str
    customer: CustomerDocument | None = None
    invoice: FreeTextInvoice | None = None
    vendor: VendorDocument | None = None
    journal: LedgerJournal | None = None
    customer_payment: CustomerPayment | None = None
    vendor_invoice: VendorInvoice | None = None
    vendor_payment: VendorPayment | None = None
    mapping_revision: str
    master_versions: dict[str, str]
    issued_at: datetime


class AxOutcome(StrEnum):
    """What the AX sink did."""

    CREATED = "created"
    ALREADY_PRESENT = "already_present"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    UNCHANGED = "unchanged"


class AxConfirmation(Record, frozen=True, kw_only=True):
    """What AX holds for a document after a command."""

    command_id: UUID
    outcome: AxOutcome
    company: str
    entity: str
    ax_id: str
    reference: str
    revision: int
    source: SourceRef
    document_hash: str
    invoice: FreeTextInvoice | None = None
    journal: LedgerJournal | None = None
    confirmed_at: datetime


class CrossReference(Record, frozen=True, kw_only=True):
    """The pair of ids of one business object."""

    account_id: str
    kind: str
    freshbooks_id: int
    company: str
    entity: str
    ax_id: str
    linked_by: str
    revision: int
    document_hash: str | None = None
    invoice: FreeTextInvoice | None = None
    journal: LedgerJournal | None = None
    cancelled: bool = False
    source_changed_at: datetime | None = None
    linked_at: datetime


class Header(Record, frozen=True, kw_only=True):
    """One Kafka header."""

    name: str
    value: bytes | None = None


class Parked(Record, frozen=True, kw_only=True):
    """A record that waits for another to arrive."""

    flow: str
    waits_for: str
    reason: str
    origin_topic: str
    origin_partition: int
    origin_offset: int
    value: bytes
    headers: tuple[Header, ...]
    version: str
    parked_at: datetime
