"""What a mapping may fill: per target its fields with their type, longest length in AX and whether AX needs them.

The fields are those of the documents (schemas/ax_documents.py). Lengths: reference ax-aif, section 7 (shared types of
AX 2012 R3). A name is 100 (DirPartyName), not CustName's 60 of older versions. The description of an invoice's line is
60 until the site's WSDL says more (section 6.5), of a journal line always (LedgerJournalTransTxt).
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from schemas.records import (
    AxOperation,
    CustomerDocument,
    CustomerPayment,
    FreeTextInvoice,
    FreeTextInvoiceLine,
    LedgerJournal,
    LedgerJournalLine,
    Record,
    VendorDocument,
    VendorInvoice,
    VendorInvoiceLine,
    VendorPayment,
)

Kind = Literal["text", "decimal", "integer", "date", "boolean"]


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field of a target. `length` counts UTF-16 units, None where AX sets no limit."""

    kind: Kind = "text"
    length: int | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class AxDocument:
    """A document that AX can hold: its record, its place in a command, the commands for and against it."""

    record: type[Record]
    field: str
    entity: str
    upsert: AxOperation
    cancel: AxOperation | None = None
    lines: str | None = None


# Names by length: the same EDT is behind the same name in every document.
_NAMES: Mapping[int, str] = {
    255: "email phone",
    250: "street",
    100: "name",
    60: "city description",
    25: "first_name last_name",
    20: "account account_number customer_account customer_purchase_order document_number invoice_number main_account "
    "marked_invoice name_alias offset_account our_account_number payment_reference vat_number vendor_account "
    "your_account_number",
    12: "party_type",
    10: "country_region customer_group journal_name payment_mode payment_terms postal_code posting_profile state "
    "tax_group tax_item_group vendor_group",
    7: "language",
    3: "currency_code",
}
_LENGTHS: Mapping[str, int] = {name: length for length, names in _NAMES.items() for name in names.split()}
_KINDS: Mapping[type, Kind] = {str: "text", Decimal: "decimal", int: "integer", date: "date", bool: "boolean"}
# Made by the engine, not mapped: dimensions by `derive`, lines by `map`, amounts of an invoice by `price`.
_COMPUTED = frozenset({"dimensions", "offset_dimensions", "lines"})
_PRICED_HEADER = frozenset({"total"})
PRICED_LINE = frozenset({"quantity", "unit_price", "amount", "tax_item_group", "tax_amount"})

DOCUMENTS: Mapping[str, AxDocument] = {
    "ax.customer": AxDocument(CustomerDocument, "customer", "customer", AxOperation.UPSERT_CUSTOMER),
    "ax.vendor": AxDocument(VendorDocument, "vendor", "vendor", AxOperation.UPSERT_VENDOR),
    "ax.invoice": AxDocument(
        FreeTextInvoice,
        "invoice",
        "invoice",
        AxOperation.UPSERT_INVOICE,
        AxOperation.CANCEL_INVOICE,
        "ax.invoice_line",
    ),
    "ax.journal": AxDocument(
        LedgerJournal, "journal", "journal", AxOperation.UPSERT_JOURNAL, AxOperation.CANCEL_JOURNAL, "ax.journal_line"
    ),
    "ax.customer_payment": AxDocument(
        CustomerPayment,
        "customer_payment",
        "customer_payment",
        AxOperation.UPSERT_CUSTOMER_PAYMENT,
        AxOperation.CANCEL_CUSTOMER_PAYMENT,
    ),
    "ax.vendor_invoice": AxDocument(
        VendorInvoice,
        "vendor_invoice",
        "vendor_invoice",
        AxOperation.UPSERT_VENDOR_INVOICE,
        AxOperation.CANCEL_VENDOR_INVOICE,
        "ax.vendor_invoice_line",
    ),
    "ax.vendor_payment": AxDocument(
        VendorPayment,
        "vendor_payment",
        "vendor_payment",
        AxOperation.UPSERT_VENDOR_PAYMENT,
        AxOperation.CANCEL_VENDOR_PAYMENT,
    ),
}
LINE_RECORDS: Mapping[str, type[Record]] = {
    "ax.invoice_line": FreeTextInvoiceLine,
    "ax.journal_line": LedgerJournalLine,
    "ax.vendor_invoice_line": VendorInvoiceLine,
}


def plain_type(annotation: Any) -> Any:
    """The type of a field without its `| None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _fields(record: type[Record], computed: frozenset[str], prefix: str = "") -> Iterator[tuple[str, TargetField]]:
    for field in msgspec.structs.fields(record):
        if field.name in computed:
            continue
        kind = plain_type(field.type)
        if isinstance(kind, type) and issubclass(kind, Record):
            yield from _fields(kind, frozenset(), f"{prefix}{field.name}.")
        else:
            known = "text" if isinstance(kind, type) and issubclass(kind, StrEnum) else _KINDS[kind]
            yield prefix + field.name, TargetField(known, _LENGTHS.get(field.name), field.required)


def _target(record: type[Record], computed: frozenset[str] = frozenset()) -> Mapping[str, TargetField]:
    return dict(_fields(record, _COMPUTED | computed))


# FreshBooks' own field names; their lengths are not published.
_FRESHBOOKS_CLIENT = (
    "organization fname lname email bus_phone vat_number language currency_code "
    "p_street p_street2 p_city p_province p_code p_country"
)

TARGETS: Mapping[str, Mapping[str, TargetField]] = {
    **{name: _target(document.record) for name, document in DOCUMENTS.items()},
    **{name: _target(record) for name, record in LINE_RECORDS.items()},
    "ax.invoice": _target(FreeTextInvoice, _PRICED_HEADER),
    "ax.invoice_line": _target(FreeTextInvoiceLine, PRICED_LINE),
    "freshbooks.client": {name: TargetField() for name in _FRESHBOOKS_CLIENT.split()},
}
