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
    CustomerPayment,
    FreeTextInvoice,
    FreeTextInvoiceLine,
    LedgerAccountType,
    LedgerJournal,
    LedgerJournalLine,
    PartyType,
    SourceRef,
    VendorDocument,
    VendorInvoice,
    VendorInvoiceLine,
    VendorPayment,
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


def vendor(**parts: Any) -> VendorDocument:
    """An organization that AX does not know yet."""
    values: dict[str, Any] = {
        "vendor_group": "10",
        "currency_code": "USD",
        "your_account_number": f"FB{ACCOUNT}-1",
        "party_type": PartyType.ORGANIZATION,
        "name": "Fabrikam Paper",
        "dimensions": {},
    }
    return VendorDocument(**(values | parts))


def journal_line(debit: str = "0", credit: str = "0", account: str = "618100", **parts: Any) -> LedgerJournalLine:
    """A line on a main account."""
    values: dict[str, Any] = {
        "account_type": LedgerAccountType.LEDGER,
        "account": account,
        "dimensions": {},
        "offset_dimensions": {},
        "transaction_date": date(2026, 6, 29),
        "description": "Taxi",
        "debit": Decimal(debit),
        "credit": Decimal(credit),
        "currency_code": "USD",
    }
    return LedgerJournalLine(**(values | parts))


def journal(amount: str = "42.50", *lines: LedgerJournalLine, **parts: Any) -> LedgerJournal:
    """An expense of `amount` paid by bank, or a journal of `lines`."""
    bank = {"offset_account_type": LedgerAccountType.BANK, "offset_account": "USMF OPER"}
    values: dict[str, Any] = {
        "journal_name": "GenJrn",
        "currency_code": "USD",
        "includes_tax": True,
        "dimensions": {},
        "lines": lines or (journal_line(amount, dimensions={"Department": "022"}, **bank),),
    }
    return LedgerJournal(**(values | parts))


def customer_payment(amount: str = "119.00", **parts: Any) -> CustomerPayment:
    """A payment of US-001 into the bank, on account."""
    values: dict[str, Any] = {
        "journal_name": "CustPay",
        "customer_account": "US-001",
        "payment_date": date(2026, 6, 30),
        "amount": Decimal(amount),
        "currency_code": "USD",
        "offset_account_type": LedgerAccountType.BANK,
        "offset_account": "USMF OPER",
        "description": "Payment 5001",
        "payment_mode": "ELECTRONIC",
        "payment_reference": "5001",
        "dimensions": {},
    }
    return CustomerPayment(**(values | parts))


def vendor_invoice(amount: str = "100.00", tax: str = "19.00", **parts: Any) -> VendorInvoice:
    """A bill of V-001 over `amount`, and `tax` as a line of its own."""
    lines = (
        VendorInvoiceLine(description="Paper", main_account="618100", amount=Decimal(amount), dimensions={}),
        VendorInvoiceLine(description="VAT 19%", main_account="202100", amount=Decimal(tax), dimensions={}),
    )
    values: dict[str, Any] = {
        "journal_name": "VendInv",
        "vendor_account": "V-001",
        "invoice_number": "A-77",
        "transaction_date": date(2026, 6, 29),
        "due_date": date(2026, 7, 29),
        "currency_code": "USD",
        "description": "Bill A-77",
        "includes_tax": True,
        "dimensions": {},
        "lines": lines,
        "total": Decimal(amount) + Decimal(tax),
    }
    return VendorInvoice(**(values | parts))


def vendor_payment(amount: str = "119.00", **parts: Any) -> VendorPayment:
    """A payment to V-001 out of the bank, on account."""
    values: dict[str, Any] = {
        "journal_name": "GenJrn",
        "vendor_account": "V-001",
        "payment_date": date(2026, 6, 30),
        "amount": Decimal(amount),
        "currency_code": "USD",
        "offset_account_type": LedgerAccountType.BANK,
        "offset_account": "USMF OPER",
        "description": "Bill payment 6001",
        "dimensions": {},
    }
    return VendorPayment(**(values | parts))


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


def upsert_vendor(document: VendorDocument, *, vendor_id: int = 1, company: str = "usmf") -> AxCommand:
    """The command that wants `document` to exist."""
    digest = document_hash(document)
    return _command(AxOperation.UPSERT_VENDOR, source(vendor_id, "bill_vendor"), digest, company, vendor=document)


def upsert_kind(kind: str, operation: AxOperation, document: Any, *, entity_id: int = 7001, step: int = 0) -> AxCommand:
    """The command that wants `document` as the state number `step` of an entity of a FreshBooks kind."""
    field = operation.value.removeprefix("upsert_")
    digest = document_hash(document)
    return _command(operation, source(entity_id, kind, step=step), digest, "usmf", **{field: document})


def cancel_kind(
    kind: str, operation: AxOperation, held: CrossReference | None = None, *, entity_id: int = 7001, step: int = 0
) -> AxCommand:
    """The command that wants no document, with what the flow knows of the held one."""
    digest = (held.document_hash if held else None) or ""
    document = {"invoice": held.invoice, "journal": held.journal} if held else {}
    return _command(operation, source(entity_id, kind, step=step), digest, "usmf", **document)


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
