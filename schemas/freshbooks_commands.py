"""What FreshBooks is told, what it holds after that, and the log of how far a write came."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from schemas import keys
from schemas.record import Record


class FreshBooksOperation(StrEnum):
    """What a FreshBooks command is to reach.

    An upsert finds its entity by `entity_id`, or by `reference` where that is None, and creates it when there is none.
    """

    WRITE_REFERENCE = "write_reference"
    UPDATE_CLIENT = "update_client"
    UPSERT_CLIENT = "upsert_client"
    UPSERT_VENDOR = "upsert_vendor"
    UPSERT_INVOICE = "upsert_invoice"
    UPSERT_PAYMENT = "upsert_payment"
    DELETE_INVOICE = "delete_invoice"
    DELETE_PAYMENT = "delete_payment"


class InvoiceDraftLine(Record, frozen=True, kw_only=True):
    """One line of an invoice that FreshBooks shall hold."""

    name: str | None = None
    description: str | None = None
    quantity: Decimal
    unit_cost: Decimal
    tax_name1: str | None = None
    tax_percent1: Decimal | None = None
    tax_name2: str | None = None
    tax_percent2: Decimal | None = None
    compounded_tax: bool


class InvoiceDraft(Record, frozen=True, kw_only=True):
    """An invoice as FreshBooks shall hold it; its sums are computed there. `lines` replace those that are there."""

    client_id: int
    create_date: date
    due_offset_days: int
    currency_code: str
    language: str | None = None
    invoice_number: str | None = None
    notes: str | None = None
    terms: str | None = None
    discount_percent: Decimal
    mark_as_sent: bool
    lines: tuple[InvoiceDraftLine, ...]


class PaymentDraft(Record, frozen=True, kw_only=True):
    """A payment as FreshBooks shall hold it. The invoice that it pays cannot be changed afterwards."""

    invoice_id: int
    payment_date: date
    amount: Decimal
    currency_code: str
    payment_type: str
    note: str | None = None


class FreshBooksCommand(Record, frozen=True, kw_only=True):
    """The state that a FreshBooks entity shall have.

    `reference` is the AX reference without its marker (`usmf/CIV-000012`), which every operation but `update_client`
    needs. `fields` are FreshBooks' names, for clients and vendors; invoices and payments have drafts.
    """

    command_id: UUID
    operation: FreshBooksOperation
    account_id: str
    kind: str
    entity_id: int | None = None
    reference: str | None = None
    fields: dict[str, str]
    invoice: InvoiceDraft | None = None
    payment: PaymentDraft | None = None
    reason: str
    changed_at: datetime
    owner_changed_at: datetime | None = None
    issued_at: datetime

    @property
    def key(self) -> str:
        """Message key and key of the intent: `account:kind:id`, the reference standing in for an id that is not known.

        Raises: ValueError when it has neither.
        """
        who = self.entity_id if self.entity_id is not None else self.reference
        if who is None:
            raise ValueError("a FreshBooks command needs an entity_id or a reference")
        return keys.freshbooks_key(self.account_id, self.kind, who)


class FreshBooksOutcome(StrEnum):
    """What the FreshBooks sink did."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    CREATED = "created"
    DELETED = "deleted"


class FreshBooksConfirmation(Record, frozen=True, kw_only=True):
    """What FreshBooks holds after a command; without `entity_id`, what was to be deleted never was."""

    command_id: UUID
    outcome: FreshBooksOutcome
    account_id: str
    kind: str
    entity_id: int | None = None
    reference: str | None = None
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
    entity_id: int | None = None
    at: datetime
