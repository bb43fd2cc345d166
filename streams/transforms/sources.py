"""What a flow can read: the records that trigger one, and the tables that it can look up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from schemas import topics
from schemas.keys import ax_key, freshbooks_key
from schemas.records import (
    Bill,
    BillPayment,
    BillVendor,
    Category,
    Client,
    CreditNote,
    CrossReference,
    Customer,
    Expense,
    Invoice,
    Item,
    LedgerAccountType,
    Payment,
    Project,
    Record,
    SourceRef,
    Tax,
)

End = Literal["freshbooks", "ax"]
_PARTIES = (LedgerAccountType.VENDOR, LedgerAccountType.CUSTOMER)


@dataclass(frozen=True, slots=True)
class Source:
    """Records of one topic. `root` names them in expressions; `kind` and the field `id_field` make their key."""

    root: str
    record: type[Record]
    end: End
    kind: str
    id_field: str

    def key(self, record: Mapping[str, Any]) -> str:
        """Key of a record of this source."""
        if self.end == "ax":
            return ax_key(record["company"], self.kind, record[self.id_field])
        return freshbooks_key(record["account_id"], self.kind, record[self.id_field])

    def reference(self, record: Any) -> SourceRef:
        """The FreshBooks state that a command will name as its cause."""
        return SourceRef(
            account_id=record.account_id,
            kind=self.kind,
            entity_id=getattr(record, self.id_field),
            version=record.version,
            content_hash=record.content_hash,
            changed_at=record.updated_at,
        )


SOURCES: Mapping[str, Source] = {
    topics.CLIENTS.name: Source("client", Client, "freshbooks", "client", "client_id"),
    topics.INVOICES.name: Source("invoice", Invoice, "freshbooks", "invoice", "invoice_id"),
    topics.VENDORS.name: Source("vendor", BillVendor, "freshbooks", "bill_vendor", "vendor_id"),
    topics.EXPENSES.name: Source("expense", Expense, "freshbooks", "expense", "expense_id"),
    topics.PAYMENTS.name: Source("payment", Payment, "freshbooks", "payment", "payment_id"),
    topics.BILLS.name: Source("bill", Bill, "freshbooks", "bill", "bill_id"),
    topics.BILL_PAYMENTS.name: Source("bill_payment", BillPayment, "freshbooks", "bill_payment", "bill_payment_id"),
    topics.CREDIT_NOTES.name: Source("credit_note", CreditNote, "freshbooks", "credit_note", "credit_note_id"),
    topics.AX_CUSTOMERS.name: Source("customer", Customer, "ax", "customer", "account_number"),
}

# What `look_up` and `match` can name under `in`: company by account, cross-references, rows of AX, FreshBooks records.
COMPANIES = "companies"
XREF = "xref"
AX_TABLES: Mapping[str, Source] = {"customers": SOURCES[topics.AX_CUSTOMERS.name]}
# Compacted topics of FreshBooks' look-up data.
TABLE_TOPICS: Mapping[str, topics.Topic] = {
    "categories": topics.CATEGORIES,
    "projects": topics.PROJECTS,
    "items": topics.ITEMS,
    "taxes": topics.TAXES,
}
FRESHBOOKS_TABLES: Mapping[str, Source] = {
    "categories": Source("category", Category, "freshbooks", "category", "category_id"),
    "projects": Source("project", Project, "freshbooks", "project", "project_id"),
    "items": Source("item", Item, "freshbooks", "item", "item_id"),
    "taxes": Source("tax", Tax, "freshbooks", "tax", "tax_id"),
}
# What a cross-reference's journal says of the vendor or customer that it was posted on: fields of a row of XREF.
PARTY_ACCOUNT, PARTY_INVOICE = "party_account", "party_invoice"
LOOK_UP_RECORDS: Mapping[str, type[Record]] = {
    XREF: CrossReference,
    **{name: source.record for name, source in {**AX_TABLES, **FRESHBOOKS_TABLES}.items()},
}
LOOK_UPS: tuple[str, ...] = (COMPANIES, *LOOK_UP_RECORDS)


def fields_of(table: str) -> frozenset[str]:
    """Fields of the rows of a table that flows can look up."""
    more = (PARTY_ACCOUNT, PARTY_INVOICE) if table == XREF else ()
    return frozenset((*LOOK_UP_RECORDS[table].__struct_fields__, *more))


def row_of(record: Record) -> dict[str, Any]:
    """A row as expressions see it."""
    row = msgspec.structs.asdict(record)
    if isinstance(record, CrossReference):
        lines = record.journal.lines if record.journal is not None else ()
        party = next((line for line in lines if line.account_type in _PARTIES), None)
        row[PARTY_ACCOUNT] = None if party is None else party.account
        row[PARTY_INVOICE] = None if party is None else party.invoice_number
    return row


def changed_at(record: Any) -> datetime:
    """When a record changed, whichever end it is of."""
    value: datetime = record.changed_at if hasattr(record, "changed_at") else record.updated_at
    return value
