"""What the demo tells: a table for people, JSON for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox.demo.ledger import Ledger

_STYLES = {"synced": "green", "ignored": "dim", "dead_lettered": "yellow", "parked": "yellow"}


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Nearest-rank percentile, None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def as_json(ledger: Ledger) -> dict[str, Any]:
    """The report in the form of docs/demo.md."""
    seconds = [document.seconds for document in ledger.documents if document.seconds is not None]
    return {
        "documents": [
            {
                "kind": document.kind,
                "freshbooks_id": document.freshbooks_id,
                "ax_id": document.ax_id,
                "outcome": document.outcome,
                "reason": document.reason,
                "seconds": None if document.seconds is None else round(document.seconds, 3),
            }
            for document in ledger.documents
        ],
        "totals": [
            {
                "company": total.company,
                "customer": total.customer,
                "currency": total.currency,
                "freshbooks": _amount(total.freshbooks),
                "ax": _amount(total.ax),
            }
            for total in ledger.totals
        ],
        "lost": ledger.count("lost"),
        "duplicated": ledger.count("duplicated"),
        "mismatched": ledger.count("mismatched") + len(ledger.strangers),
        "dead_lettered": ledger.count("dead_lettered"),
        "parked": ledger.count("parked"),
        "latency_seconds": {"p50": percentile(seconds, 50), "p99": percentile(seconds, 99)},
    }


def write_json(ledger: Ledger, path: Path) -> None:
    """Write the report."""
    path.write_text(json.dumps(as_json(ledger), indent=2, ensure_ascii=False) + "\n", "utf-8")


def print_report(ledger: Ledger, console: Console, *, played_seconds: float) -> None:
    """Print documents, totals and the verdict."""
    console.print(_documents(ledger))
    console.print(_totals(ledger))
    for stranger in ledger.strangers:
        console.print(f"AX has an invoice of ours that FreshBooks does not explain: {stranger}", style="red")
    seconds = [document.seconds for document in ledger.documents if document.seconds is not None]
    p50, p99 = percentile(seconds, 50), percentile(seconds, 99)
    counted = ("synced", "ignored", "dead_lettered", "parked", "lost", "duplicated", "mismatched")
    console.print(", ".join(f"{ledger.count(outcome)} {outcome.replace('_', ' ')}" for outcome in counted))
    if p50 is not None and p99 is not None:
        console.print(f"from the change in FreshBooks to the AX reference on it: p50 {p50:.2f} s, p99 {p99:.2f} s")
    verdict = "FreshBooks and AX agree." if ledger.agrees else "FreshBooks and AX do NOT agree."
    console.print(f"{verdict} Played in {played_seconds:.1f} s.", style="bold green" if ledger.agrees else "bold red")


def _documents(ledger: Ledger) -> Table:
    table = Table(title="What became of each document", title_justify="left")
    for name in ("kind", "FreshBooks", "name", "AX", "outcome"):
        table.add_column(name, no_wrap=name != "name")
    table.add_column("seconds", justify="right")
    table.add_column("reason", overflow="fold")
    for one in ledger.documents:
        seconds = "" if one.seconds is None else f"{one.seconds:.2f}"
        style = _STYLES.get(one.outcome, "bold red")
        outcome = f"[{style}]{one.outcome.replace('_', ' ')}[/]"
        name = one.name if len(one.name) <= 40 else f"{one.name[:39]}…"
        table.add_row(one.kind, str(one.freshbooks_id), name, one.ax_id or "-", outcome, seconds, one.reason)
    return table


def _totals(ledger: Ledger) -> Table:
    table = Table(title="Totals by customer and currency, without what was set aside", title_justify="left")
    for name in ("company", "customer", "currency"):
        table.add_column(name)
    for name in ("FreshBooks", "AX", "difference"):
        table.add_column(name, justify="right")
    for total in ledger.totals:
        difference = total.ax - total.freshbooks
        style = "" if difference == 0 else "bold red"
        amounts = (_amount(total.freshbooks), _amount(total.ax), _amount(difference))
        table.add_row(total.company, total.customer, total.currency, *amounts, style=style)
    return table


def _amount(amount: Decimal) -> str:
    return format(amount.normalize() + Decimal("0.00"), "f")
