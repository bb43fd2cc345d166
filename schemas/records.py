"""Typed records, one per Avro schema (same field names; a test holds them together with schemas/avro).

Amounts are Decimal in the currency of their record, instants are aware UTC datetimes, dates are dates. Records are
frozen: a change is a new record. `to_avro` and `from_avro` convert to and from fastavro's dicts.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

import msgspec

# Types that fastavro takes as they are: no detour over text.
_NATIVE = (Decimal, datetime, date, bytes, UUID)
R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records."""

    def to_avro(self) -> dict[str, Any]:
        """Plain dict for the Avro writer."""
        result: dict[str, Any] = msgspec.to_builtins(self, builtin_types=_NATIVE)
        return result

    @classmethod
    def from_avro(cls: type[R], value: dict[str, Any]) -> R:
        """Record from what the Avro reader gave. Raises msgspec.ValidationError when a field does not fit."""
        return msgspec.convert(value, cls, builtin_types=_NATIVE)


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


class PartyType(StrEnum):
    """Subtype of an AX party."""

    ORGANIZATION = "organization"
    PERSON = "person"


class PostalAddress(Record, frozen=True, kw_only=True):
    """Postal address in AX's terms."""

    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    state: str | None = None
    country_region: str | None = None


class CustomerDocument(Record, frozen=True, kw_only=True):
    """AxdCustomer, the part that freshax sets."""

    account_number: str | None = None
    customer_group: str
    currency_code: str
    payment_terms: str | None = None
    tax_group: str | None = None
    vat_number: str | None = None
    our_account_number: str
    party_type: PartyType
    name: str
    name_alias: str | None = None
    language: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    address: PostalAddress | None = None
    dimensions: dict[str, str]


class FreeTextInvoiceLine(Record, frozen=True, kw_only=True):
    """CustInvoiceLine of AxdFreeTextInvoice; amounts without tax but for `tax_amount`."""

    description: str
    main_account: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    tax_group: str | None = None
    tax_item_group: str | None = None
    tax_amount: Decimal
    dimensions: dict[str, str]


class FreeTextInvoice(Record, frozen=True, kw_only=True):
    """AxdFreeTextInvoice, the part that freshax sets."""

    customer_account: str
    invoice_date: date
    document_date: date
    due_date: date | None = None
    currency_code: str
    invoice_number: str
    customer_purchase_order: str | None = None
    language: str | None = None
    payment_terms: str | None = None
    tax_group: str | None = None
    dimensions: dict[str, str]
    lines: tuple[FreeTextInvoiceLine, ...]
    total: Decimal


class AxOperation(StrEnum):
    """What an AX command is to reach."""

    UPSERT_CUSTOMER = "upsert_customer"
    UPSERT_INVOICE = "upsert_invoice"
    CANCEL_INVOICE = "cancel_invoice"


class AxCommand(Record, frozen=True, kw_only=True):
    """The state that AX shall have for one FreshBooks document."""

    command_id: UUID
    operation: AxOperation
    company: str
    source: SourceRef
    document_hash: str
    customer: CustomerDocument | None = None
    invoice: FreeTextInvoice | None = None
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
