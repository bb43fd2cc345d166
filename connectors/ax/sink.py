"""The AX sink: brings AX to the state that a command asks for, once in effect.

    look up ──▶ nothing is missing ──▶ confirmed
       ▲    └─▶ create, with a MessageId that a replay would repeat
       │          ├─ done ─▶ look up: it is there, once ─▶ confirmed
       └──────────┴─ duplicate, or unclear (time-out, reset, 5xx, F6, F8), inside the retry budget

Each attempt begins with a look-up in AX, so a crash at any point and any number of replays end in the same documents:
what a lost call did is found, what it did not do is done. Nothing here depends on what an earlier process remembers.
Source: reference ax-aif, section 9.3.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec

from connectors.ax.aif_client import CUSTOMER_SERVICE, INVOICE_SERVICE, FoundCustomer
from connectors.ax.aif_documents import reversal_of
from connectors.ax.aif_failures import EXISTS, UNCLEAR, UnclearOutcomeError
from connectors.ax.invoice_state import Cancel, Correct, Create, Decision, Nothing, Unknown, decide
from connectors.ax.lookup import FoundDocument
from connectors.ax.message_ids import MessageIds, MessageKey
from schemas.failures import Failure, PoisonError, RetryableError
from schemas.records import (
    AxCommand,
    AxConfirmation,
    AxOperation,
    AxOutcome,
    CrossReference,
    CustomerDocument,
    FreeTextInvoice,
)
from streams.runtime.retry import retrying
from streams.runtime.settings import AifSettings

T = TypeVar("T")
D = TypeVar("D", CustomerDocument, FreeTextInvoice)
_SYSTEM = "ax"
# Bounds memory; what is forgotten is read from the cross-reference.
_MOST_REMEMBERED = 2_000


class Services(Protocol):
    """What the sink needs of AX's document services: AifClient, or a fake of it."""

    async def find_customers(self, company: str, our_account_number: str) -> list[FoundCustomer]:
        """Customers by OurAccountNum."""

    async def create_customer(self, company: str, document: CustomerDocument, message_id: UUID) -> str | None:
        """Create a customer, return its account number."""

    async def create_invoices(self, company: str, invoices: dict[str, FreeTextInvoice], message_id: UUID) -> None:
        """Create free-text invoices in one transaction."""

    async def close(self) -> None:
        """Let go of connections."""


class Documents(Protocol):
    """What the sink needs of the look-up: InvoiceLookup, or a fake of it."""

    async def documents(self, company: str, account_id: str, invoice_id: int) -> list[FoundDocument]:
        """All documents of one FreshBooks invoice."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(slots=True)
class _Run:
    """One `apply`: what its attempts have sent so far."""

    planned: AxOutcome | None = None
    key: MessageKey | None = None
    exists: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """What AX holds of an invoice; `document` is None when nothing is open."""

    document: FoundDocument | None
    revision: int


class AxSink:
    """Applies commands. One per process; commands that are under way together are of different documents."""

    def __init__(
        self,
        services: Services,
        lookup: Documents,
        settings: AifSettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._lookup = lookup
        self._budget_seconds = settings.retry_budget_seconds
        self._now = now
        self._clock = clock
        # The port's address names the AX environment: a test system must not share ids with production.
        self._message_ids = MessageIds(settings.url, under_way_seconds=settings.timeout_seconds, clock=clock)
        self._confirmed: OrderedDict[tuple[str, str, int], AxConfirmation] = OrderedDict()
        self._unknown_since: dict[str, float] = {}

    async def apply(self, command: AxCommand, prior: CrossReference | None) -> AxConfirmation:
        """Compare with what AX holds, do what is missing, say what AX holds now.

        `prior` is the document's cross-reference: it holds the invoice that a correction must reverse.
        Raises: RetryableError (the budget is used up, or the cross-reference is behind AX: come again with a fresh
        one), PoisonError (AX will never take it), FatalError.
        """
        run = _Run()
        if command.operation is AxOperation.UPSERT_CUSTOMER:
            document = _required(command, command.customer, "customer")
            account = await retrying(_SYSTEM, self._budget_seconds, lambda: self._customer(command, document, run))
            return self._customer_confirmation(command, document, account, run)
        if command.operation not in (AxOperation.UPSERT_INVOICE, AxOperation.CANCEL_INVOICE):
            raise PoisonError("operation_unsupported", f"applying {command.operation}: the AX sink does not do it yet")
        key = (command.company.lower(), command.source.account_id, command.source.entity_id)
        last = self._confirmed.get(key)
        if last is not None and command.source.changed_at < last.source.changed_at:
            return self._overtaken(command, last)
        if last is None and prior is not None and _is_older(command, prior):
            return self._overtaken_before(command, prior)
        known = _known_documents(command, prior, last)
        held = await retrying(_SYSTEM, self._budget_seconds, lambda: self._invoice(command, known, run))
        if isinstance(held, Unknown):
            raise self._unknown(held)
        confirmation = self._invoice_confirmation(command, prior, held, run)
        self._remember(key, confirmation)
        return confirmation

    async def close(self) -> None:
        """Let go of AX."""
        await self._services.close()
        await self._lookup.close()

    async def _customer(self, command: AxCommand, document: CustomerDocument, run: _Run) -> str:
        """One attempt. Returns the account number."""
        ours = document.our_account_number
        account = await self._find_customer(command.company, ours)
        if account is None:
            key = MessageKey(command.company, CUSTOMER_SERVICE, ours)
            account = await self._send(
                run,
                key,
                AxOutcome.CREATED,
                lambda message_id: self._services.create_customer(command.company, document, message_id),
            )
            if account is None or self._message_ids.was_unclear(key):
                account = await self._find_customer(command.company, ours)
        if account is None:
            raise self._not_there_yet(run, f"customer {ours}")
        self._settled(run)
        return account

    async def _find_customer(self, company: str, our_account_number: str) -> str | None:
        found = await self._services.find_customers(company, our_account_number)
        if len(found) > 1:
            accounts = ", ".join(row.account_number for row in found)
            raise PoisonError(
                "customer_doubled",
                f"looking up customer {our_account_number} in {company}: {accounts} all carry it; keep it on one",
                field="our_account_number",
            )
        return found[0].account_number if found else None

    async def _invoice(self, command: AxCommand, known: Mapping[str, FreeTextInvoice], run: _Run) -> _Held | Unknown:
        """One attempt. Returns what AX holds, or Unknown when the document to reverse is not among `known`."""
        decision, found = await self._look(command, known)
        if isinstance(decision, Create | Correct | Cancel):
            invoices, outcome = _writes(decision, command)
            key = MessageKey(command.company, INVOICE_SERVICE, next(reversed(invoices)))
            await self._send(
                run,
                key,
                outcome,
                lambda message_id: self._services.create_invoices(command.company, invoices, message_id),
            )
            decision, found = await self._look(command, known)
        if isinstance(decision, Unknown):
            return decision
        if not isinstance(decision, Nothing):
            raise self._not_there_yet(run, f"invoice {command.source.entity_id}")
        self._settled(run)
        held = str(decision.held) if decision.held else None
        return _Held(next((row for row in found if row.reference == held), None), decision.revision)

    async def _look(
        self, command: AxCommand, known: Mapping[str, FreeTextInvoice]
    ) -> tuple[Decision, list[FoundDocument]]:
        source = command.source
        found = await self._lookup.documents(command.company, source.account_id, source.entity_id)
        decision = decide(
            account_id=source.account_id,
            invoice_id=source.entity_id,
            wanted_hash=command.document_hash if command.operation is AxOperation.UPSERT_INVOICE else None,
            found=[row.reference for row in found],
            known=known,
        )
        return decision, found

    async def _send(self, run: _Run, key: MessageKey, outcome: AxOutcome, create: Callable[[UUID], Awaitable[T]]) -> T:
        """Create with the key's current MessageId, and note how it ended.

        Raises: PoisonError `record_exists` when AX said so before and the look-up in between found nothing of ours.
        """
        if run.exists is not None:
            raise PoisonError(EXISTS, run.exists.message) from run.exists
        run.planned, run.key = outcome, key
        try:
            return await create(self._message_ids.current(key))
        except Failure as failure:
            self._message_ids.failed(key, failure)
            if failure.code == EXISTS:
                run.exists = failure
            raise

    def _not_there_yet(self, run: _Run, what: str) -> UnclearOutcomeError:
        """AX answered 'created' and the look-up does not show it: an old answer repeated, or a look-up that lags."""
        failure = UnclearOutcomeError(UNCLEAR, f"looking up {what} after its creation: not there yet")
        failure.lost = False
        if run.key is not None:
            self._message_ids.failed(run.key, failure)
        return failure

    def _settled(self, run: _Run) -> None:
        if run.key is not None:
            self._message_ids.done(run.key)

    def _unknown(self, unknown: Unknown) -> Failure:
        """RetryableError while the cross-reference may just be behind AX (after a rebalance), PoisonError after."""
        reference = str(unknown.held)
        since = self._unknown_since.setdefault(reference, self._clock())
        if self._clock() - since < self._budget_seconds:
            return RetryableError(
                "cross_reference_behind",
                f"correcting invoice {unknown.held.invoice_id}: the cross-reference does not know {reference} yet",
            )
        del self._unknown_since[reference]
        return unknown.failure()

    def _remember(self, key: tuple[str, str, int], confirmation: AxConfirmation) -> None:
        self._unknown_since.pop(confirmation.reference, None)
        self._confirmed[key] = confirmation
        self._confirmed.move_to_end(key)
        if len(self._confirmed) > _MOST_REMEMBERED:
            self._confirmed.popitem(last=False)

    def _overtaken(self, command: AxCommand, last: AxConfirmation) -> AxConfirmation:
        """Answer to a command older than what was confirmed: a replay. What AX holds stays."""
        outcome = AxOutcome.CANCELLED if last.outcome is AxOutcome.CANCELLED else AxOutcome.UNCHANGED
        return msgspec.structs.replace(last, command_id=command.command_id, outcome=outcome, confirmed_at=self._now())

    def _overtaken_before(self, command: AxCommand, prior: CrossReference) -> AxConfirmation:
        """As `_overtaken`, by what the cross-reference remembers of an earlier process."""
        return AxConfirmation(
            command_id=command.command_id,
            outcome=AxOutcome.CANCELLED if prior.cancelled else AxOutcome.UNCHANGED,
            company=prior.company,
            entity=prior.entity,
            ax_id=prior.ax_id,
            reference="",
            revision=prior.revision,
            source=msgspec.structs.replace(command.source, changed_at=prior.source_changed_at),
            document_hash=prior.document_hash or "",
            invoice=prior.invoice,
            confirmed_at=self._now(),
        )

    def _customer_confirmation(
        self, command: AxCommand, document: CustomerDocument, account: str, run: _Run
    ) -> AxConfirmation:
        return AxConfirmation(
            command_id=command.command_id,
            outcome=run.planned or AxOutcome.ALREADY_PRESENT,
            company=command.company,
            entity="customer",
            ax_id=account,
            reference=document.our_account_number,
            revision=0,
            source=command.source,
            document_hash=command.document_hash,
            confirmed_at=self._now(),
        )

    def _invoice_confirmation(
        self, command: AxCommand, prior: CrossReference | None, held: _Held, run: _Run
    ) -> AxConfirmation:
        """A cancelled invoice keeps the id of the document that was reversed, and is CANCELLED however often told."""
        cancelled = command.operation is AxOperation.CANCEL_INVOICE
        outcome = AxOutcome.CANCELLED if cancelled else run.planned or AxOutcome.ALREADY_PRESENT
        document = held.document
        return AxConfirmation(
            command_id=command.command_id,
            outcome=outcome,
            company=command.company,
            entity="invoice",
            ax_id=str(document.rec_id) if document else prior.ax_id if prior else "",
            reference=document.reference if document else "",
            revision=held.revision,
            source=command.source,
            document_hash=command.document_hash,
            invoice=None if cancelled else command.invoice,
            confirmed_at=self._now(),
        )


def _is_older(command: AxCommand, prior: CrossReference) -> bool:
    """True for a replay: AX holds a later version of the FreshBooks document."""
    return prior.source_changed_at is not None and command.source.changed_at < prior.source_changed_at


def _known_documents(
    command: AxCommand, prior: CrossReference | None, last: AxConfirmation | None
) -> dict[str, FreeTextInvoice]:
    """The documents we could reverse, by hash: of the cross-reference, of our last confirmation, of the command."""
    known: dict[str, FreeTextInvoice] = {}
    for holder in (prior, last, command):
        if holder is not None and holder.invoice is not None and holder.document_hash:
            known[holder.document_hash] = holder.invoice
    return known


def _writes(decision: Create | Correct | Cancel, command: AxCommand) -> tuple[dict[str, FreeTextInvoice], AxOutcome]:
    """The documents to create, by reference: the reversal first. AX takes all or none."""
    invoices: dict[str, FreeTextInvoice] = {}
    if isinstance(decision, Correct | Cancel):
        invoices[str(decision.reversal)] = reversal_of(decision.reversed_document)
    if isinstance(decision, Create | Correct):
        invoices[str(decision.reference)] = _required(command, command.invoice, "invoice")
    outcomes = {Create: AxOutcome.CREATED, Correct: AxOutcome.CORRECTED, Cancel: AxOutcome.CANCELLED}
    return invoices, outcomes[type(decision)]


def _required(command: AxCommand, document: D | None, name: str) -> D:
    if document is None:
        raise PoisonError(
            "command_incomplete", f"applying {command.operation}: the command holds no {name}", field=name
        )
    return document
