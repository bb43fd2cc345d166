"""Which combinations of values no row of a decision table answers, and how many each row does.

The fields that the conditions of a table name are its axes. Values of an axis are those of the master data given (a
row looked up as `category` gives `category.name`), else the texts and numbers that the conditions compare with, the
keys of the tables they look up, and a text that is none of them; and null. Every combination is asked, up to a bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice, product
from typing import Any

from schemas.failures import PoisonError
from streams.transforms.decision_tables import DIMENSIONS, DecisionTable
from streams.transforms.expressions.tokens import tokenize
from streams.transforms.ledger import Ledger

MOST_COMBINATIONS = 20_000
# Stands for every text that no condition names.
OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision table of a flow. `tables`: name of a row in expressions → the table that it is looked up in."""

    place: str
    table: DecisionTable
    tables: Mapping[str, str]
    keys: Mapping[str, Sequence[str]]


@dataclass(slots=True)
class Coverage:
    """What was found out about one decision table."""

    place: str
    axes: list[str]
    asked: int = 0
    complete: bool = True
    uncovered: list[dict[str, Any]] = field(default_factory=list)
    # How many combinations each row answers: a row with 0 stands idle, one with most may hide gaps.
    answered_by: list[int] = field(default_factory=list)
    refused_by_ax: list[str] = field(default_factory=list)


def coverage(decision: Decision, rows: Mapping[str, Sequence[Mapping[str, Any]]], ledger: Ledger | None) -> Coverage:
    """Ask a decision table for every combination of the values that are known."""
    axes = _axes(decision)
    values = {axis: _values(axis, decision, rows) for axis in axes}
    report = Coverage(decision.place, axes)
    report.answered_by = [0] * len(decision.table.rows)
    combinations = product(*values.values())
    for combination in islice(combinations, MOST_COMBINATIONS):
        report.asked += 1
        chosen = dict(zip(axes, combination, strict=True))
        row = _row_for(decision.table, _environment(chosen))
        if row is None:
            report.uncovered.append(chosen)
        else:
            report.answered_by[row] += 1
    report.complete = next(combinations, None) is None
    report.refused_by_ax = [] if ledger is None else list(_refused(decision, ledger))
    return report


def _axes(decision: Decision) -> list[str]:
    """Fields that conditions name, in the order in which they first appear."""
    found: dict[str, None] = {}
    for row in decision.table.rows:
        for token in tokenize(row.when.text) if row.when is not None else ():
            if token.kind == "name" and "." in token.text and not token.text.startswith("settings."):
                found[token.text] = None
    return list(found)


def _values(axis: str, decision: Decision, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Any]:
    root, _, name = axis.partition(".")
    given = [row.get(name) for row in rows.get(decision.tables.get(root, ""), ())]
    compared: list[Any] = []
    for row in decision.table.rows:
        tokens = tokenize(row.when.text) if row.when is not None else []
        if not any(token.text == axis for token in tokens):
            continue
        for token in tokens:
            if token.kind == "text":
                compared += decision.keys.get(token.text, [token.text])
            elif token.kind == "number":
                compared.append(Decimal(token.text))
    unique: dict[Any, None] = {}
    for value in [*(given or [*compared, OTHER]), None]:
        unique.setdefault(value, None)
    return list(unique)


def _environment(chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    env: dict[str, dict[str, Any]] = {}
    for axis, value in chosen.items():
        root, _, name = axis.partition(".")
        env.setdefault(root, {})[name] = value
    return env


def _row_for(table: DecisionTable, env: Mapping[str, Any]) -> int | None:
    """Index of the row that answers; a condition that a value does not fit (text < number) does not hold."""
    for index, row in enumerate(table.rows):
        try:
            if row.when is None or row.when.condition(env):
                return index
        except PoisonError:
            continue
    return None


def _refused(decision: Decision, ledger: Ledger) -> Iterator[str]:
    if decision.table.name != DIMENSIONS:
        return
    for index, row in enumerate(decision.table.rows):
        if isinstance(row.value, Mapping):
            try:
                ledger.check_dimensions(None, row.value, f"{decision.place}.{index}")
            except PoisonError as reason:
                yield reason.message
