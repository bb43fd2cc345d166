"""Every query of the dashboard, and every rule, on a real Prometheus that scraped a real run."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import pytest

from grafana.build import OUTPUT
from tests.integration.observability.conftest import WatchedDay
from tests.kit.promql import filled_in, named_in

QUERIES = [
    (panel["title"], target["expr"])
    for panel in json.loads(OUTPUT.read_text("utf-8"))["panels"]
    for target in panel.get("targets") or ()
]
# Panels that such a run leaves empty, and why.
EMPTY = {
    "Failures that stopped a process": "no process fails",
    "Rows behind a position already passed, per minute": "the capture is not restarted, so no row comes twice",
}


def numbers(series: list[dict[str, Any]]) -> list[float]:
    return [value for one in series if not math.isnan(value := float(one["value"][1]))]


@pytest.mark.parametrize(("title", "expression"), QUERIES)
def test_a_query_has_an_answer(watched_day: WatchedDay, title: str, expression: str) -> None:
    found = watched_day.query(filled_in(expression))

    if title in EMPTY:
        assert found == [], f"{title} has series now: take it off the list"
    else:
        assert numbers(found), f"{title}: {expression}"


def test_the_exceptions_are_panels() -> None:
    assert EMPTY.keys() <= {title for title, _ in QUERIES}


def test_the_variable_offers_every_process(watched_day: WatchedDay) -> None:
    assert {one["metric"]["service"] for one in watched_day.query('up{job="freshax"} == 1')} == watched_day.processes


def test_a_choice_of_one_process_hides_the_others(watched_day: WatchedDay) -> None:
    (expression,) = [expression for title, expression in QUERIES if title == "Memory"]

    found = watched_day.query(filled_in(expression, service="listen"))

    assert [one["metric"]["service"] for one in found] == ["listen"]


def test_what_the_metrics_say_is_what_happened(watched_day: WatchedDay) -> None:
    outcomes = Counter(document.outcome for document in watched_day.ledger.documents)
    confirmed = watched_day.query('sum(freshax_end_to_end_seconds_count{direction="freshbooks_to_ax", kind="invoice"})')
    dead = watched_day.query("sum(freshax_dlq_records_total)")

    assert outcomes == {"synced": 5, "dead_lettered": 1}
    assert numbers(dead) == [outcomes["dead_lettered"]]
    assert numbers(confirmed) == [
        sum(d.kind == "invoice" and d.outcome == "synced" for d in watched_day.ledger.documents)
    ]
    assert numbers(watched_day.query('freshax_events_total{stage="flow", kind="invoice", outcome="parked"} > 0'))
    assert numbers(watched_day.query("sum(freshax_parked_records)")) == [0]


def test_all_rules_evaluate_and_only_the_dead_letter_alerts(watched_day: WatchedDay) -> None:
    rules = watched_day.rules()

    assert {rule["health"] for rule in rules} == {"ok"}
    firing = {rule["name"] for rule in rules if rule.get("state") == "firing"}
    pending = {rule["name"] for rule in rules if rule.get("state") == "pending"}
    assert firing == {"FreshaxDeadLetters"}
    assert pending == set()


def test_a_query_for_a_metric_that_does_not_exist_is_empty(watched_day: WatchedDay) -> None:
    assert named_in("freshax_gone").metrics
    assert watched_day.query("freshax_gone") == []
