"""AX documents and commands for tests, small and valid; every part can be replaced."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from schemas.keys import command_id
from schemas.records import (
    AxCommand,
    AxOperation,
    CrossReference,
    CustomerDocument,
    FreeTextInvoice,
    FreeTextInvoiceLine,
    PartyType,
    SourceRef,
)
from streams.agents.ax_sink import cross_reference as cross_reference
from streams.transforms.documents import document_hash

ACCOUNT = "ZyQ04o"
START = datetime(2026, 6, 29, 16, 52, 44, tzinfo=UTC)


def line(price: str = "50.00", quantity: str = "2", **parts: Any) -> FreeTextInvoiceLine:
    """A line of `quantity` x `price`, taxed at 8.25 %."""
    net = Decimal(price) * Decimal(quantity)
    values: dict[str, Any] = {
        "description": "Consulting: June",
        "main_account": "401100",
        "quantity": Decimal(quantity),
        "unit_price": Decimal(price),
        "amount": net,
        "tax_group": "CA",
        "tax_item_group": "FULL",
        "tax_amount": (net * Decimal("0.0825")).quantize(Decimal("0.01")),
        "dimensions": {"Department": "022"},
    }
    return FreeTextInvoiceLine(**(values | parts))


def invoice(*lines: FreeTextInvoiceLine, **parts: Any) -> FreeTextInvoice:
    """An invoice of US-001 with `lines` (one by default)."""
    lines = lines or (line(),)
    values: dict[str, Any] = {
        "customer_account": "US-001",
        "invoice_date": date(2026, 6, 29),
        "document_date": date(2026, 6, 29),
        "due_date": date(2026, 7, 29),
        "currency_code": "USD",
        "invoice_number": "0000008",
        "customer_purchase_order": "PO-77",
        "language": "en-us",
        "tax_group": "CA",
        "dimensions": {},
        "lines": lines,
        "total": sum((item.amount + item.tax_amount for item in lines), Decimal(0)),
    }
    return FreeTextInvoice(**(values | parts))


def customer(**parts: Any) -> CustomerDocument:
    """An organization that AX does not know yet."""
    values: dict[str, Any] = {
        "customer_group": "10",
        "currency_code": "USD",
        "our_account_number": f"FB{ACCOUNT}-1",
        "party_type": PartyType.ORGANIZATION,
        "name": "Contoso Bakery",
        "dimensions": {},
    }
    return CustomerDocument(**(values | parts))


def source(entity_id: int, kind: str = "invoice", *, step: int = 0) -> SourceRef:
    """FreshBooks' state number `step` of an entity."""
    return SourceRef(
        account_id=ACCOUNT,
        kind=kind,
        entity_id=entity_id,
        version=str(step),
        content_hash="0" * 64,
        changed_at=START + timedelta(seconds=step),
    )


def upsert(document: FreeTextInvoice, *, invoice_id: int = 9001, step: int = 0, company: str = "usmf") -> AxCommand:
    """The command that wants `document` as the state number `step` of an invoice."""
    digest = document_hash(document)
    return _command(AxOperation.UPSERT_INVOICE, source(invoice_id, step=step), digest, company, invoice=document)


def cancel(held: CrossReference | None = None, *, invoice_id: int = 9001, step: int = 0) -> AxCommand:
    """The command that wants no document, with what the flow knows of the held one."""
    digest = (held.document_hash if held else None) or ""
    document = held.invoice if held else None
    return _command(AxOperation.CANCEL_INVOICE, source(invoice_id, step=step), digest, "usmf", invoice=document)


def upsert_customer(document: CustomerDocument, *, client_id: int = 1, company: str = "usmf") -> AxCommand:
    """The command that wants `document` to exist."""
    digest = document_hash(document)
    return _command(AxOperation.UPSERT_CUSTOMER, source(client_id, "client"), digest, company, customer=document)


def with_total(total: str) -> FreeTextInvoice:
    """An invoice of one untaxed line over `total`."""
    return invoice(line(total, "1", tax_amount=Decimal(0), tax_item_group="EXEMPT"))


def without_dimensions(document: FreeTextInvoice) -> FreeTextInvoice:
    """The same invoice, its lines without dimensions."""
    lines = tuple(msgspec.structs.replace(item, dimensions={}) for item in document.lines)
    return msgspec.structs.replace(document, lines=lines)


def _command(operation: AxOperation, origin: SourceRef, digest: str, company: str, **document: Any) -> AxCommand:
    key = f"{origin.account_id}:{origin.kind}:{origin.entity_id}"
    return AxCommand(
        command_id=command_id("ax", key, digest, f"{operation.value}:{origin.version}"),
        operation=operation,
        company=company,
        source=origin,
        document_hash=digest,
        mapping_revision="test@1",
        master_versions={},
        issued_at=origin.changed_at,
        **document,
    )
