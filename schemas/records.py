"""Typed records, one per Avro schema (same field names; a test holds them together with schemas/avro).

What AX documents say is in ax_documents.py; importers take all records from here.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
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


class Client(Record, frozen=True, kw_only=True):
    """A FreshBooks client, as fetched."""

    account_id: str
    client_id: int
    organization: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    vat_number: str | None = None
    currency_code: str
    language: str | None = None
    street: str | None = None
    street2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country: str | None = None
    note: str | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class InvoiceLine(Record, frozen=True, kw_only=True):
    """One line of a FreshBooks invoice."""

    line_id: int
    line_type: int
    name: str | None = None
    description: str | None = None
    quantity: Decimal
    unit_cost: Decimal
    amount: Decimal
    tax_name1: str | None = None
    tax_percent1: Decimal | None = None
    tax_name2: str | None = None
    tax_percent2: Decimal | None = None
    compounded_tax: bool


class Invoice(Record, frozen=True, kw_only=True):
    """A FreshBooks invoice with its lines, as fetched."""

    account_id: str
    invoice_id: int
    client_id: int
    invoice_number: str
    create_date: date
    due_date: date | None = None
    currency_code: str
    language: str | None = None
    amount: Decimal
    outstanding: Decimal
    paid: Decimal
    discount_percent: Decimal
    discount_total: Decimal
    status: str
    payment_status: str | None = None
    po_number: str | None = None
    notes: str | None = None
    terms: str | None = None
    lines: tuple[InvoiceLine, ...]
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


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


class CapturePosition(Record, frozen=True, kw_only=True):
    """Checkpoint of one capture instance. LSNs and positions in their text form."""

    capture_instance: str
    topic: str
    phase: Phase
    snapshot_lsn: str | None = None
    snapshot_key: int | None = None
    position: str | None = None
    object_id: int | None = None
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


class FreshBooksOperation(StrEnum):
    """What a FreshBooks command is to reach."""

    WRITE_REFERENCE = "write_reference"
    UPDATE_CLIENT = "update_client"


class FreshBooksCommand(Record, frozen=True, kw_only=True):
    """The state that a FreshBooks entity shall have."""

    command_id: UUID
    operation: FreshBooksOperation
    account_id: str
    kind: str
    entity_id: int
    reference: str | None = None
    fields: dict[str, str]
    reason: str
    changed_at: datetime
    owner_changed_at: datetime | None = None
    issued_at: datetime


class FreshBooksOutcome(StrEnum):
    """What the FreshBooks sink did."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"


class FreshBooksConfirmation(Record, frozen=True, kw_only=True):
    """What FreshBooks holds after a command."""

    command_id: UUID
    outcome: FreshBooksOutcome
    account_id: str
    kind: str
    entity_id: int
    version: str
    content_hash: str
    changed_at: datetime
    confirmed_at: datetime


class IntentState(StrEnum):
    """How far a write to FreshBooks came."""

    INTENDED = "intended"
    SENT = "sent"
    CONFIRMED = "confirmed"


class Intent(Record, frozen=True, kw_only=True):
    """Intent log of one write to FreshBooks."""

    command_id: UUID
    state: IntentState
    content_hash: str | None = None
    owner_changed_at: datetime | None = None
    at: datetime


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
