"""What a PromQL expression names: metrics, and the labels it expects of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import promql_parser
from prometheus_client import REGISTRY

from streams.runtime import metrics

# Given by the scrape, not by the code.
TARGET_LABELS = frozenset({"job", "instance", "service"})
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",), "info": ("_info",)}


@dataclass
class Named:
    """Metrics by name with the labels that matchers want of them, and labels that are only grouped or joined by."""

    metrics: dict[str, set[str]] = field(default_factory=dict)
    groupings: set[str] = field(default_factory=set)


def named_in(expression: str) -> Named:
    """Parse `expression`, Grafana's variables replaced. Raises ValueError when it is no PromQL."""
    found = Named()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            wanted = found.metrics.setdefault(node.name, set())
            wanted |= {matcher.name for matcher in node.matchers.matchers}
        elif isinstance(node, promql_parser.MatrixSelector):
            # The walk does not go into it.
            visit(node.vector_selector)
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            found.groupings |= set(node.modifier.labels)
        elif isinstance(node, promql_parser.BinaryExpr) and node.modifier is not None:
            matching = node.modifier.matching
            found.groupings |= set(matching.labels if matching is not None else ())

    promql_parser.walk(promql_parser.parse(filled_in(expression)), visit)
    return found


def filled_in(expression: str, *, service: str = ".*", rate_interval: str = "1m") -> str:
    """`expression` as Grafana sends it."""
    return expression.replace("$service", service).replace("$__rate_interval", rate_interval)


def exported() -> dict[str, set[str]]:
    """Labels of every series that freshax's metrics module exports, by series name, target labels included."""
    assert metrics  # importing it has registered them
    found: dict[str, set[str]] = {}
    for collector in list(REGISTRY._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.collect() or ():
            for suffix in _SUFFIXES.get(family.type, ("",)):
                own = {"le"} if suffix == "_bucket" else {"release"} if suffix == "_info" else set()
                found[f"{family.name}{suffix}"] = labels | own | TARGET_LABELS
    return found
