"""What a flow can decide about one record, and what it may look up to decide.

A join miss, a duplicate or a filtered record is a result, not an exception. A record that can never pass raises
PoisonError with a code, the field and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schemas.records import AxCommand, CrossReference, FreshBooksCommand
from streams.transforms.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Loss:
    """A coercion that lost something: counted by kind and written to the record's headers."""

    field: str
    kind: str  # truncated, rounded, stripped, replaced
    detail: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The record leads to commands, to cross-references found by matching, or both. Published in this order."""

    links: Sequence[CrossReference] = ()
    ax_commands: Sequence[AxCommand] = ()
    freshbooks_commands: Sequence[FreshBooksCommand] = ()
    losses: Sequence[Loss] = ()


@dataclass(frozen=True, slots=True)
class ParkedFor:
    """The record waits until the cross-reference or master row `waits_for` exists.

    `fetch` names a FreshBooks entity (kind, id) whose arrival would help: the agent asks for it.
    """

    waits_for: str
    reason: str
    fetch: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to do, and why: draft, unchanged, not ours."""

    reason: str  # a stable word for metrics: draft, unchanged, deleted_before_sync, ...
    detail: str = ""


Decision = Ready | ParkedFor | Ignored


@dataclass(frozen=True, slots=True)
class Match:
    """Result of looking for an AX row by something other than its id."""

    candidates: Sequence[Any] = field(default=())
    matched_by: str = ""


class Lookups(Protocol):
    """Master data and cross-references as the flow sees them; reads of memory, never of a network."""

    def xref(self, account_id: str, kind: str, freshbooks_id: int) -> CrossReference | None:
        """The AX object of a FreshBooks entity."""

    def xref_by_ax(self, company: str, entity: str, ax_id: str) -> CrossReference | None:
        """The FreshBooks entity of an AX object."""

    def row(self, table: str, key: str) -> Any:
        """A row of a table that flows can look up (`streams.transforms.sources`), as its struct; None when missing."""

    def rows_by(self, table: str, company: str, field_name: str, value: str) -> Sequence[Any]:
        """Rows of an AX table (customers, vendors) whose `field_name` equals `value`.

        Both sides are compared in the form that `streams.transforms.matching.normalise` gives.
        """

    def rows_of(self, table: str, company: str) -> Iterable[Any]:
        """All rows of an AX table in a company."""

    def ledger(self, company: str) -> Ledger | None:
        """AX's ledger of a company, None while it is not captured."""

    def settled(self, account_id: str, kind: str, freshbooks_id: int) -> bool:
        """True when the newest command for this document is known, and the cross-reference shows what it asked for.

        False while one is on its way, or when it is not known whether one is (after a restart): then the
        cross-reference says what was, and a decision must not rest on it. The sink compares with AX in any case.
        """
