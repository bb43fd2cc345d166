"""One record on its way through the steps of a flow: what it is, what was found for it, what it leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from schemas.failures import PoisonError
from schemas.keys import freshbooks_key
from schemas.records import AxCommand, CrossReference, FreshBooksCommand, Record
from streams.transforms.decisions import Decision, Ignored, Lookups, Loss, Ready
from streams.transforms.pricing import PricedLine
from streams.transforms.sources import Source


@dataclass(slots=True, kw_only=True)
class Run:
    """The state of one run. `record` is what the Avro reader gave, `subject` the same as its struct.

    `env` is what expressions see: root name → fields. Steps add to it; nothing else outlives a step.
    """

    source: Source
    record: Mapping[str, Any]
    subject: Any
    lookups: Lookups
    now: datetime
    revision: str
    companies: Mapping[str, str]
    env: dict[str, Any]
    company: str | None = None
    losses: list[Loss] = field(default_factory=list)
    # Versions of the master rows that were used, by key; rate, date and rule of a conversion.
    used: dict[str, str] = field(default_factory=dict)
    priced: list[PricedLine] = field(default_factory=list)
    # What the priced lines add up to; lines as `price` saw them.
    total: Decimal | None = None
    # Rows joined to the elements of a list of the record: list → name → a row or None per element.
    joined: dict[str, dict[str, list[dict[str, Any] | None]]] = field(default_factory=dict)
    target: str = ""
    document: Record | dict[str, Any] | None = None
    links: list[CrossReference] = field(default_factory=list)
    ax_commands: list[AxCommand] = field(default_factory=list)
    freshbooks_commands: list[FreshBooksCommand] = field(default_factory=list)
    # What the step under way has to show (`freshax flows run`).
    note: Any = None

    @property
    def key(self) -> str:
        """Key of the record."""
        return self.source.key(self.record)

    def in_company(self) -> str:
        """AX company of the record. Raises PoisonError `unknown_account`."""
        if self.company is None:
            self.company = company_of(self.subject.account_id, self.companies)
        return self.company

    def own_link(self) -> CrossReference | None:
        """Cross-reference of a FreshBooks record."""
        return self.lookups.xref(self.subject.account_id, self.source.kind, getattr(self.subject, self.source.id_field))

    def settled(self) -> bool:
        """True when the cross-reference shows what the newest command for this record asked for."""
        entity_id = getattr(self.subject, self.source.id_field)
        return self.lookups.settled(self.subject.account_id, self.source.kind, entity_id)

    def outcome(self) -> Decision:
        """The decision after the last step."""
        if not (self.links or self.ax_commands or self.freshbooks_commands):
            return Ignored("nothing_to_do", "no step of the flow made a command")
        return Ready(tuple(self.links), tuple(self.ax_commands), tuple(self.freshbooks_commands), self.losses)


StepRun = Callable[[Run], Decision | None]


@dataclass(frozen=True, slots=True)
class Step:
    """A compiled step. `run` gives the decision that ends the record, None to go on.

    `title` says in a line what it does; `branches` are the steps of a route's branches by their name.
    """

    place: str
    kind: str
    title: str
    run: StepRun
    branches: tuple[tuple[str, tuple[Step, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one step did with one record."""

    place: str
    kind: str
    title: str
    outcome: str  # go_on, ready, parked, ignored, refused
    shown: Any = None


def company_of(account_id: str, companies: Mapping[str, str]) -> str:
    """AX company of a FreshBooks account. Raises PoisonError `unknown_account`."""
    company = companies.get(account_id)
    if company is None:
        raise PoisonError(
            "unknown_account",
            f"finding the AX company of account {account_id}: none is set; add it to settings.companies and redrive",
            field="account_id",
        )
    return company


def key_of(kind: str, account_id: str, entity_id: int | str) -> str:
    """Key of a FreshBooks entity that is not the record itself."""
    return freshbooks_key(account_id, kind, entity_id)
