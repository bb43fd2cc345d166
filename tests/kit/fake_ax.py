"""AX's document services and look-up in memory, with the ends that a call can have. For the sink's unit tests."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeVar
from uuid import UUID

import msgspec

from connectors.ax.aif_client import FoundAccount
from connectors.ax.aif_failures import CONFLICT, DUPLICATE, EXISTS, UNCLEAR, UnclearOutcomeError
from connectors.ax.lookup import FoundDocument
from schemas.failures import PoisonError, RetryableError
from schemas.records import CustomerDocument, FreeTextInvoice, LedgerJournal, VendorDocument

T = TypeVar("T")
End = Literal[
    "done",
    "crash_before",
    "crash_after",
    "lost_before",
    "lost_after",
    "deadlock",
    "generic_before",
    "generic_after",
    "conflict",
    "exists",
    "refused",
]


class Crash(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class StoredInvoice:
    """A free-text invoice in the fake."""

    company: str
    reference: str
    rec_id: int
    invoice: FreeTextInvoice


@dataclass(frozen=True)
class StoredJournal:
    """A journal in the fake."""

    company: str
    reference: str
    journal_num: str
    service: str
    journal: LedgerJournal


@dataclass
class FakeAx:
    """`ends` says how the next creates end, `done` when it is empty. `duplicates` as the simulator's switch."""

    duplicates: Literal["error", "cached_response", "off"] = "error"
    failure_consumes_id: bool = False
    ends: deque[End] = field(default_factory=deque)
    customers: list[tuple[str, str, str]] = field(default_factory=list)
    vendors: list[tuple[str, str, str]] = field(default_factory=list)
    invoices_held: list[StoredInvoice] = field(default_factory=list)
    journals_held: list[StoredJournal] = field(default_factory=list)
    posted: bool = True
    message_ids: list[UUID] = field(default_factory=list)
    _seen: dict[UUID, object] = field(default_factory=dict)

    async def find_customers(self, company: str, our_account_number: str) -> list[FoundAccount]:
        return [FoundAccount(a, ours) for c, a, ours in self.customers if (c, ours) == (company, our_account_number)]

    async def create_customer(self, company: str, document: CustomerDocument, message_id: UUID) -> str | None:
        def create() -> str:
            account = document.account_number or f"C-{len(self.customers) + 1:06d}"
            self.customers.append((company, account, document.our_account_number))
            return account

        return self._create(message_id, create)

    async def find_vendors(self, company: str, your_account_number: str) -> list[FoundAccount]:
        return [FoundAccount(a, ours) for c, a, ours in self.vendors if (c, ours) == (company, your_account_number)]

    async def create_vendor(self, company: str, document: VendorDocument, message_id: UUID) -> str | None:
        def create() -> str:
            account = document.account_number or f"V-{len(self.vendors) + 1:06d}"
            self.vendors.append((company, account, document.your_account_number))
            return account

        return self._create(message_id, create)

    async def create_invoices(self, company: str, invoices: Mapping[str, FreeTextInvoice], message_id: UUID) -> None:
        def create() -> None:
            for reference, document in invoices.items():
                rec_id = 5637144576 + len(self.invoices_held)
                self.invoices_held.append(StoredInvoice(company, reference, rec_id, document))

        self._create(message_id, create)

    async def create_journals(
        self, service: str, company: str, journals: Mapping[str, LedgerJournal], message_id: UUID
    ) -> None:
        def create() -> None:
            for reference, document in journals.items():
                number = f"{len(self.journals_held) + 1:08d}"
                self.journals_held.append(StoredJournal(company, reference, number, service, document))

        self._create(message_id, create)

    async def invoices(self, company: str, prefix: str) -> list[FoundDocument]:
        return [
            FoundDocument(stored.reference, str(stored.rec_id), f"FTI-{stored.rec_id}" if self.posted else "")
            for stored in self.invoices_held
            if stored.company == company and stored.reference.startswith(prefix)
        ]

    async def journals(self, company: str, prefix: str) -> list[FoundDocument]:
        return [
            FoundDocument(stored.reference, stored.journal_num)
            for stored in self.journals_held
            if stored.company == company and stored.reference.startswith(prefix)
        ]

    async def vendor_invoice_posted(self, company: str, account: str, invoice_number: str) -> bool:
        del company
        return self.posted and any(
            (line.account, line.invoice_number) == (account, invoice_number)
            for stored in self.journals_held
            for line in stored.journal.lines
        )

    async def close(self) -> None:
        return None

    @property
    def balance(self) -> Decimal:
        """What the books hold: the sum of all documents."""
        return sum((stored.invoice.total for stored in self.invoices_held), Decimal(0))

    def _create(self, message_id: UUID, create: Callable[[], T]) -> T:
        self.message_ids.append(message_id)
        end = self.ends.popleft() if self.ends else "done"
        if end == "crash_before":
            raise Crash
        if end == "lost_before":
            raise UnclearOutcomeError(UNCLEAR, "time-out")
        if self.duplicates != "off" and message_id in self._seen:
            if self.duplicates == "cached_response" and self._seen[message_id] != "failed":
                return self._seen[message_id]  # type: ignore[return-value]
            raise RetryableError(DUPLICATE, "Duplicate message")
        if end in ("deadlock", "generic_before", "conflict", "exists", "refused"):
            if self.failure_consumes_id:
                self._seen[message_id] = "failed"
            raise _failure(end)
        result = create()
        self._seen[message_id] = result
        if end == "crash_after":
            raise Crash
        if end == "lost_after":
            raise UnclearOutcomeError(UNCLEAR, "connection reset")
        if end == "generic_after":
            raise _failure(end)
        return result


def _failure(end: End) -> Exception:
    if end == "conflict":
        return RetryableError(CONFLICT, "update conflict")
    if end == "exists":
        return RetryableError(EXISTS, "The record already exists.")
    if end == "refused":
        return PoisonError("ax_refused", "no")
    failure = UnclearOutcomeError(UNCLEAR, end)
    failure.lost, failure.ended = False, end == "deadlock"
    return failure


def reversal_adds_to_nothing(document: FreeTextInvoice, reversal: FreeTextInvoice) -> bool:
    """True when two invoices cancel each other, line by line."""
    pairs = zip(document.lines, reversal.lines, strict=True)
    return all(a.amount + b.amount == 0 and a.tax_amount + b.tax_amount == 0 for a, b in pairs) and (
        msgspec.structs.replace(reversal, lines=(), total=Decimal(0))
        == msgspec.structs.replace(document, lines=(), total=Decimal(0))
    )
