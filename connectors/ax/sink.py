"""The AX sink: brings AX to the state that a command asks for, once in effect.

    look up ──▶ nothing is missing ──▶ confirmed
       ▲    └─▶ create, with a MessageId that a replay would repeat
       │          ├─ done ─▶ look up: it is there, once ─▶ confirmed
       └──────────┴─ duplicate, or unclear (time-out, reset, 5xx, F6, F8), inside the retry budget

Each attempt begins with a look-up in AX, so a crash at any point and any number of replays end in the same documents:
what a lost call did is found, what it did not do is done. Nothing here depends on what an earlier process remembers.
The same for every kind; what sets them apart is in document_kinds.py and sink_accounts.py.
Source: reference ax-aif, section 9.3.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from connectors.ax import document_kinds
from connectors.ax.creation import Creation, Run
from connectors.ax.document_kinds import KINDS, DocumentKind, held_document
from connectors.ax.document_state import (
    Cancel,
    Correct,
    Create,
    Decision,
    Document,
    Nothing,
    Unknown,
    decide,
    document_of,
    reference_prefix,
)
from connectors.ax.lookup import FoundDocument
from connectors.ax.message_ids import MessageIds, MessageKey
from connectors.ax.sink_accounts import Account, account_of, found_or_created
from connectors.ax.sink_ports import Documents, Services
from schemas.failures import Failure, RetryableError
from schemas.records import AxCommand, AxConfirmation, AxOutcome, CrossReference, FreeTextInvoice, LedgerJournal
from streams.runtime.retry import retrying
from streams.runtime.settings import AifSettings

_SYSTEM = "ax"
# Bounds memory; what is forgotten is read from the cross-reference.
_MOST_REMEMBERED = 2_000

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Held:
    """What AX holds: `found` is None when nothing is open, `document` what it says."""

    found: FoundDocument | None
    revision: int
    document: Document | None


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
        message_ids = MessageIds(settings.url, under_way_seconds=settings.timeout_seconds, clock=clock)
        self._creation = Creation(message_ids)
        self._confirmed: OrderedDict[Key, AxConfirmation] = OrderedDict()
        self._unknown_since: dict[str, float] = {}

    async def apply(self, command: AxCommand, prior: CrossReference | None) -> AxConfirmation:
        """Compare with what AX holds, do what is missing, say what AX holds now.

        `prior` is the document's cross-reference: it holds the document that a correction must reverse.
        Raises: RetryableError (the budget is used up, the invoice that a payment settles is not posted, or the
        cross-reference is behind AX: come again with a fresh one), PoisonError (AX will never take it), FatalError.
        """
        run = Run()
        account = account_of(command, self._services)
        if account is not None:
            number = await retrying(
                _SYSTEM, self._budget_seconds, lambda: found_or_created(account, command.company, self._creation, run)
            )
            return self._account_confirmation(command, account, number, run)
        kind = KINDS[command.operation]
        document = document_of(command.source.kind, command.source.entity_id)
        key = (command.company.lower(), command.source.account_id, document)
        last = self._confirmed.get(key)
        if last is not None and command.source.changed_at < last.source.changed_at:
            return self._overtaken(command, last)
        if last is None and prior is not None and _is_older(command, prior):
            return self._overtaken_before(command, prior)
        known = _known_documents(kind, command, prior, last)
        held = await retrying(
            _SYSTEM, self._budget_seconds, lambda: self._document(kind, command, document, known, run)
        )
        if isinstance(held, Unknown):
            raise self._unknown(held)
        confirmation = self._document_confirmation(kind, command, prior, held, run)
        self._remember(key, confirmation)
        return confirmation

    async def close(self) -> None:
        """Let go of AX."""
        await self._services.close()
        await self._lookup.close()

    async def _document(
        self, kind: DocumentKind, command: AxCommand, document: str, known: Mapping[str, Document], run: Run
    ) -> _Held | Unknown:
        """One attempt. Returns what AX holds, or Unknown when the document to reverse is not among `known`."""
        decision, found = await self._look(kind, command, document, known)
        wanted: Document | None = None
        if isinstance(decision, Create | Correct | Cancel):
            if not isinstance(decision, Cancel):
                wanted = await document_kinds.wanted_document(command, self._lookup, waits=True)
            documents, outcome = _writes(decision, wanted)
            key = MessageKey(command.company, kind.service, next(reversed(documents)))
            await self._creation.send(
                run,
                key,
                outcome,
                lambda message_id: document_kinds.create(kind, self._services, command.company, documents, message_id),
            )
            decision, found = await self._look(kind, command, document, known)
        if isinstance(decision, Unknown):
            return decision
        if not isinstance(decision, Nothing):
            raise self._creation.not_there_yet(run, f"{command.source.kind} {command.source.entity_id}")
        self._creation.settled(run)
        held = str(decision.held) if decision.held else None
        if wanted is None and held is not None:
            wanted = await document_kinds.wanted_document(command, self._lookup, waits=False)
        return _Held(next((row for row in found if row.reference == held), None), decision.revision, wanted)

    async def _look(
        self, kind: DocumentKind, command: AxCommand, document: str, known: Mapping[str, Document]
    ) -> tuple[Decision, list[FoundDocument]]:
        account_id = command.source.account_id
        prefix = reference_prefix(account_id, document)
        found = await document_kinds.find(kind, self._lookup, command.company, prefix)
        decision = decide(
            account_id=account_id,
            document=document,
            wanted_hash=None if command.operation.cancels else command.document_hash,
            found=[row.reference for row in found],
            known=known,
        )
        return decision, found

    def _unknown(self, unknown: Unknown) -> Failure:
        """RetryableError while the cross-reference may just be behind AX (after a rebalance), PoisonError after."""
        reference = str(unknown.held)
        since = self._unknown_since.setdefault(reference, self._clock())
        if self._clock() - since < self._budget_seconds:
            return RetryableError(
                "cross_reference_behind",
                f"correcting {unknown.held.document}: the cross-reference does not know {reference} yet",
            )
        del self._unknown_since[reference]
        return unknown.failure()

    def _remember(self, key: Key, confirmation: AxConfirmation) -> None:
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
            journal=prior.journal,
            confirmed_at=self._now(),
        )

    def _account_confirmation(self, command: AxCommand, account: Account, number: str, run: Run) -> AxConfirmation:
        return AxConfirmation(
            command_id=command.command_id,
            outcome=run.planned or AxOutcome.ALREADY_PRESENT,
            company=command.company,
            entity=account.entity,
            ax_id=number,
            reference=account.key,
            revision=0,
            source=command.source,
            document_hash=command.document_hash,
            confirmed_at=self._now(),
        )

    def _document_confirmation(
        self, kind: DocumentKind, command: AxCommand, prior: CrossReference | None, held: _Held, run: Run
    ) -> AxConfirmation:
        """A cancelled document keeps the id of what was reversed, and is CANCELLED however often told."""
        cancelled = command.operation.cancels
        document = None if cancelled else held.document
        found = held.found
        return AxConfirmation(
            command_id=command.command_id,
            outcome=AxOutcome.CANCELLED if cancelled else run.planned or AxOutcome.ALREADY_PRESENT,
            company=command.company,
            entity=kind.entity,
            ax_id=found.ax_id if found else prior.ax_id if prior else "",
            reference=found.reference if found else "",
            revision=held.revision,
            source=command.source,
            document_hash=command.document_hash,
            invoice=document if isinstance(document, FreeTextInvoice) else None,
            journal=document if isinstance(document, LedgerJournal) else None,
            confirmed_at=self._now(),
        )


def _is_older(command: AxCommand, prior: CrossReference) -> bool:
    """True for a replay: AX holds a later version of the FreshBooks document."""
    return prior.source_changed_at is not None and command.source.changed_at < prior.source_changed_at


def _known_documents(
    kind: DocumentKind, command: AxCommand, prior: CrossReference | None, last: AxConfirmation | None
) -> dict[str, Document]:
    """The documents we could reverse, by hash: of the cross-reference, of our last confirmation, of the command."""
    known: dict[str, Document] = {}
    for holder in (prior, last, command):
        document = held_document(kind, holder) if holder is not None else None
        if document is not None and holder is not None and holder.document_hash:
            known[holder.document_hash] = document
    return known


def _writes(decision: Create | Correct | Cancel, wanted: Document | None) -> tuple[dict[str, Document], AxOutcome]:
    """The documents to create, by reference: the reversal first. AX takes all or none."""
    documents: dict[str, Document] = {}
    if isinstance(decision, Correct | Cancel):
        documents[str(decision.reversal)] = document_kinds.reversal_of(decision.reversed_document)
    if isinstance(decision, Create | Correct) and wanted is not None:
        documents[str(decision.reference)] = wanted
    outcomes = {Create: AxOutcome.CREATED, Correct: AxOutcome.CORRECTED, Cancel: AxOutcome.CANCELLED}
    return documents, outcomes[type(decision)]
