"""Examples of a flow: a record with the master data around it, decided dry, shown as plain values.

An example is a mapping with `record` (fields of the trigger's record as JSON has them), and what the flow finds:
`links` (cross-references), `rows` (table name → rows), `ledgers` (company → AX's ledger), `under_way` (a command is on
its way), `now`, `overrides` of the flow's settings and tables. A `base` gives what examples of one flow have in
common; `record` and `rows` of an example are laid over those of the base, key by key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from schemas.failures import PoisonError
from schemas.keys import ax_key, freshbooks_key
from schemas.records import AxCommand, CrossReference, FreshBooksCommand
from streams.transforms.coverage import coverage
from streams.transforms.decisions import Decision, Ignored, ParkedFor, Ready
from streams.transforms.declared_yaml import DeclarationError
from streams.transforms.flow import Flow
from streams.transforms.ledger import Ledger
from streams.transforms.matching import normalise
from streams.transforms.run import StepOutput
from streams.transforms.sources import AX_TABLES, FRESHBOOKS_TABLES
from streams.transforms.targets import DOCUMENTS

NOW = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
_LINK_DEFAULTS = {"linked_by": "created", "revision": 0, "linked_at": NOW.isoformat()}


class MemoryMaster:
    """Master data and cross-references in lists (implements `Lookups`)."""

    def __init__(
        self,
        links: Sequence[CrossReference] = (),
        rows: Mapping[str, Sequence[Any]] | None = None,
        *,
        under_way: bool = False,
        ledgers: Mapping[str, Ledger] | None = None,
    ) -> None:
        self.links = list(links)
        self.rows = {name: list(of_table) for name, of_table in (rows or {}).items()}
        self.under_way = under_way
        self.ledgers = dict(ledgers or {})

    def xref(self, account_id: str, kind: str, freshbooks_id: int) -> CrossReference | None:
        """The AX object of a FreshBooks entity."""
        wanted = (account_id, kind, freshbooks_id)
        return next((x for x in self.links if (x.account_id, x.kind, x.freshbooks_id) == wanted), None)

    def xref_by_ax(self, company: str, entity: str, ax_id: str) -> CrossReference | None:
        """The FreshBooks entity of an AX object."""
        return next((x for x in self.links if (x.company, x.entity, x.ax_id) == (company, entity, ax_id)), None)

    def row(self, table: str, key: str) -> Any:
        """A row by its key."""
        return next((row for row in self.rows.get(table, ()) if key_of_row(table, row) == key), None)

    def rows_by(self, table: str, company: str, field_name: str, value: str) -> Sequence[Any]:
        """Rows of a company whose field equals `value`, compared normalised."""
        wanted = normalise(field_name, value)
        own = (row for row in self.rows.get(table, ()) if row.company == company)
        return [row for row in own if normalise(field_name, getattr(row, field_name)) == wanted]

    def rows_of(self, table: str, company: str) -> Sequence[Any]:
        """All rows of a company."""
        return [row for row in self.rows.get(table, ()) if row.company == company]

    def ledger(self, company: str) -> Ledger | None:
        """The ledger of a company."""
        return self.ledgers.get(company)

    def settled(self, account_id: str, kind: str, freshbooks_id: int) -> bool:  # noqa: ARG002 - for all documents
        """Whether nothing is under way."""
        return not self.under_way


def key_of_row(table: str, row: Any) -> str:
    """Key of a row of a table that flows look up."""
    source = AX_TABLES.get(table) or FRESHBOOKS_TABLES[table]
    entity_id = getattr(row, source.id_field)
    if source.end == "ax":
        return ax_key(row.company, source.kind, entity_id)
    return freshbooks_key(row.account_id, source.kind, entity_id)


@dataclass(frozen=True, slots=True)
class Example:
    """One record with its surroundings."""

    record: dict[str, Any]
    master: MemoryMaster
    now: datetime
    overrides: dict[str, Any] = field(default_factory=dict)


def example_of(flow: Flow, given: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> Example:
    """The example that a file declares. Raises DeclarationError naming what does not fit."""
    base = base or {}
    fields = {**base.get("record", {}), **given.get("record", {})}
    rows = {**base.get("rows", {}), **given.get("rows", {})}
    links = given.get("links", base.get("links", []))
    known = {"why", "source", "record", "rows", "links", "ledgers", "under_way", "now", "overrides"}
    for name in given.keys() - known:
        raise DeclarationError(f"example: {name}: unknown key; known are {', '.join(sorted(known))}")
    master = MemoryMaster(
        [_converted(CrossReference, {**_LINK_DEFAULTS, **link}, "links") for link in links],
        {name: _rows(name, of_table) for name, of_table in rows.items()},
        under_way=bool(given.get("under_way", False)),
        ledgers={
            company: _converted(Ledger, ledger, f"ledgers.{company}")
            for company, ledger in given.get("ledgers", base.get("ledgers", {})).items()
        },
    )
    record = _converted(flow.source.record, fields, "record").to_avro()
    now = datetime.fromisoformat(given["now"]) if "now" in given else NOW
    return Example(record, master, now, dict(given.get("overrides", {})))


def _rows(table: str, rows: Sequence[Any]) -> list[Any]:
    source = AX_TABLES.get(table) or FRESHBOOKS_TABLES.get(table)
    if source is None:
        raise DeclarationError(f"example: rows.{table}: unknown table; known are {', '.join(AX_TABLES)}")
    return [_converted(source.record, row, f"rows.{table}") for row in rows]


def _converted(kind: type[msgspec.Struct], value: Any, place: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as reason:
        raise DeclarationError(f"example: {place}: {reason}; correct the example") from reason


def decided(flow: Flow, example: Example) -> tuple[list[StepOutput], dict[str, Any]]:
    """What each step did, and the outcome as plain values."""
    shown, outcome = flow.explain(example.record, example.master, example.now)
    return shown, plain_outcome(outcome)


def coverage_of(flow: Flow, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Reports on the decision tables of a flow, over master data as an example has it."""
    rows = {
        name: [msgspec.to_builtins(row, builtin_types=(Decimal,)) for row in _rows(name, of_table)]
        for name, of_table in given.get("rows", {}).items()
    }
    ledgers = given.get("ledgers", {})
    ledger = _converted(Ledger, next(iter(ledgers.values())), "ledgers") if ledgers else None
    reports = (coverage(decision, rows, ledger) for decision in flow.decision_tables)
    return [{"flow": flow.name, **dataclasses.asdict(report)} for report in reports]


def plain_outcome(outcome: Decision | PoisonError) -> dict[str, Any]:
    """A decision as plain values, without ids and times that say nothing about it."""
    if isinstance(outcome, PoisonError):
        return _without_nothing({"decision": "refused", "code": outcome.code, "field": outcome.field})
    if isinstance(outcome, ParkedFor):
        fetch = None if outcome.fetch is None else list(outcome.fetch)
        return _without_nothing({"decision": "parked", "waits_for": outcome.waits_for, "fetch": fetch})
    if isinstance(outcome, Ignored):
        return {"decision": "ignored", "reason": outcome.reason}
    return _plain_ready(outcome)


def _plain_ready(ready: Ready) -> dict[str, Any]:
    parts = {
        "links": [f"{link.company}:{link.entity}:{link.ax_id} by {link.linked_by}" for link in ready.links],
        "ax_commands": [_plain_ax(command) for command in ready.ax_commands],
        "freshbooks_commands": [_plain_freshbooks(command) for command in ready.freshbooks_commands],
        "losses": [f"{loss.field}: {loss.kind}" for loss in ready.losses],
    }
    return {"decision": "ready", **{name: value for name, value in parts.items() if value}}


def _plain_ax(command: AxCommand) -> dict[str, Any]:
    contents = (getattr(command, document.field) for document in DOCUMENTS.values())
    return _without_nothing(
        {
            "operation": command.operation.value,
            "company": command.company,
            "document": plain(next((content for content in contents if content is not None), None)),
            "used": command.master_versions,
        }
    )


def _plain_freshbooks(command: FreshBooksCommand) -> dict[str, Any]:
    return _without_nothing(
        {
            "operation": command.operation.value,
            "entity": f"{command.kind}:{command.entity_id}",
            "fields": command.fields,
            "reference": command.reference,
        }
    )


def plain(value: Any) -> Any:
    """Texts, lists and mappings; numbers without trailing zeros; fields without value left out."""
    return _plain(msgspec.to_builtins(value, builtin_types=(Decimal,)))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, dict):
        return _without_nothing({key: _plain(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _without_nothing(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if item not in (None, {}, [])}


def differences(expected: Any, actual: Any, place: str = "") -> list[str]:
    """What differs, one line per place."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        lines = []
        for key in sorted({*expected, *actual}):
            lines += differences(expected.get(key), actual.get(key), f"{place}.{key}" if place else key)
        return lines
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in differences(one, other, f"{place}.{index}")]
    return [] if expected == actual else [f"{place}: expected {expected!r}, is {actual!r}"]
