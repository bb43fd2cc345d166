"""The kinds of documents that the AX sink creates, corrects and cancels, for tests that hold for all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from schemas.records import AxCommand, AxOperation, CrossReference, LedgerAccountType, LedgerJournal
from tests.kit.ax_documents import (
    cancel_kind,
    customer_payment,
    journal,
    upsert_kind,
    vendor_invoice,
    vendor_payment,
    with_total,
)


@dataclass(frozen=True)
class KindCase:
    """One kind: the FreshBooks kind that leads there, its operations, and a document over an amount."""

    kind: str
    code: str
    upserts: AxOperation
    cancels: AxOperation
    document: Callable[[str], Any]

    def upsert(self, amount: str, *, entity_id: int = 7001, step: int = 0) -> AxCommand:
        return upsert_kind(self.kind, self.upserts, self.document(amount), entity_id=entity_id, step=step)

    def cancel(self, held: CrossReference | None, *, entity_id: int = 7001, step: int = 0) -> AxCommand:
        return cancel_kind(self.kind, self.cancels, held, entity_id=entity_id, step=step)

    def name(self, entity_id: int) -> str:
        """The document's part of its references."""
        return f"{self.code}{entity_id}"


CREDIT_NOTE = KindCase(
    "credit_note",
    "CN",
    AxOperation.UPSERT_INVOICE,
    AxOperation.CANCEL_INVOICE,
    lambda amount: with_total(f"-{amount}"),
)
EXPENSE = KindCase("expense", "EX", AxOperation.UPSERT_JOURNAL, AxOperation.CANCEL_JOURNAL, journal)
PAYMENT = KindCase(
    "payment", "PM", AxOperation.UPSERT_CUSTOMER_PAYMENT, AxOperation.CANCEL_CUSTOMER_PAYMENT, customer_payment
)
BILL = KindCase("bill", "BL", AxOperation.UPSERT_VENDOR_INVOICE, AxOperation.CANCEL_VENDOR_INVOICE, vendor_invoice)
BILL_PAYMENT = KindCase(
    "bill_payment", "BP", AxOperation.UPSERT_VENDOR_PAYMENT, AxOperation.CANCEL_VENDOR_PAYMENT, vendor_payment
)
JOURNALS = (EXPENSE, PAYMENT, BILL, BILL_PAYMENT)
ALL = (CREDIT_NOTE, *JOURNALS)


def effect(documents: list[LedgerJournal]) -> dict[tuple[LedgerAccountType, str], Decimal]:
    """What journals do to each account, offsets included; accounts that end where they began are left out."""
    totals: dict[tuple[LedgerAccountType, str], Decimal] = {}
    for document in documents:
        for line in document.lines:
            signed = line.debit - line.credit
            sides = [(line.account_type, line.account, signed)]
            if line.offset_account_type:
                sides.append((line.offset_account_type, line.offset_account or "", -signed))
            for kind, account, amount in sides:
                totals[kind, account] = totals.get((kind, account), Decimal(0)) + amount
    return {key: amount for key, amount in totals.items() if amount}
