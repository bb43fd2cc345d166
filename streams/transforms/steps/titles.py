"""One line for each step, for `freshax flows show`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from streams.transforms.step_declarations import Convert, LookUp, Map, Match, Post, Price, Step, WriteBack


def _look_up(step: LookUp) -> str:
    through = f" through the {step.through}'s cross-reference" if step.through else ""
    wish = step.on_missing if isinstance(step.on_missing, str) else f"ignore as {step.on_missing['ignore']}"
    missing = "" if step.table == "companies" else f"; missing: {wish.replace('_', ' ')}"
    if step.on_found is not None:
        missing = f"; found: ignore as {step.on_found['ignore']}"
    return f"{step.name} = {step.table}[{step.key}]{through}{missing}"


def _match(step: Match) -> str:
    return f"the record with {step.table} by {', '.join(key.by for key in step.keys)}; none: create"


def _map(step: str | Map) -> str:
    if isinstance(step, str):
        return step
    lines = ", ".join(
        f"{lines.mapping} ({'for each ' + lines.for_each if lines.for_each else 'one'})" for lines in step.lines
    )
    return f"{step.mapping}; lines: {lines}" if lines else step.mapping


def _price(step: Price) -> str:
    return f"lines, discount and taxes by table {step.taxes}"


def _convert(step: Convert) -> str:
    return f"{step.name} = {step.source} in {'accounting currency' if step.target == 'null' else step.target}"


def _post(step: Post) -> str:
    return f"the document; changed after it was sent: {step.on_change}"


def _write_back(step: WriteBack) -> str:
    return "the AX reference" if step.reference else "nothing"


_TITLES: Mapping[str, Callable[[Any], str]] = {
    "filter": lambda rules: "; ".join(
        f"{rule.when} → {'reverse' if rule.reverse else 'ignore'} as {rule.ignore}" for rule in rules
    ),
    "look_up": _look_up,
    "match": _match,
    "validate": lambda rules: "; ".join(rule.code or f"{rule.check} {rule.value}" for rule in rules),
    "derive": lambda tables: "; ".join(
        f"{name} = {rows}" if isinstance(rows, str) else f"{name} ({len(rows)} rows)" for name, rows in tables.items()
    ),
    "price": _price,
    "convert": _convert,
    "map": _map,
    "route": lambda branches: "; ".join(f"{b.branch}{' when ' + b.when if b.when else ''}" for b in branches),
    "post": _post,
    "write_back": _write_back,
}


def title_of(step: Step) -> str:
    """What a step does, in a line."""
    return " ".join(_TITLES[step.kind](step.settings).split())
