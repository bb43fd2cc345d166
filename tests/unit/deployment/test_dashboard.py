"""The committed dashboard: what the builder makes, asking only for what the code exports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.build import DATASOURCE_UID, OPERATIONS, OUTPUT, build, runbooks
from grafana.panels import ROWS
from tests.kit.promql import exported, filled_in, named_in

GRAFANA = OUTPUT.parent.parent
BOARD: dict[str, Any] = json.loads(OUTPUT.read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] not in ("row", "text")]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


def test_the_committed_dashboard_is_what_the_builder_makes() -> None:
    assert OUTPUT.read_text("utf-8") == build(OPERATIONS.read_text("utf-8")), "run `make dashboards` and commit"


@pytest.mark.parametrize(("title", "expression"), QUERIES)
def test_a_query_names_only_metrics_and_labels_that_the_code_exports(title: str, expression: str) -> None:
    found, known = named_in(filled_in(expression)), exported()

    assert found.metrics, title
    assert set(found.metrics) <= known.keys()
    for name, labels in found.metrics.items():
        assert labels <= known[name], name
    # Grouping by a label that no operand has would put everything into one series.
    assert found.groupings <= set().union(*(known[name] for name in found.metrics))


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_legend_uses_only_labels_that_its_query_keeps(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        used = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        found = named_in(filled_in(target["expr"]))
        kept = set().union(*(exported()[name] for name in found.metrics))
        assert used <= kept
        if " by (" in target["expr"]:
            assert used <= found.groupings


def test_every_metric_of_the_code_is_on_the_dashboard() -> None:
    asked = {name for _, expression in QUERIES for name in named_in(filled_in(expression)).metrics}

    assert {_family(name) for name in exported() if name.startswith("freshax_")} <= {_family(name) for name in asked}


def _family(series: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", series)


def test_panels_have_ids_titles_and_places_of_their_own() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells

    assert len(set(ids)) == len(ids)
    assert BOARD["uid"] == "freshax"


def test_every_panel_reads_the_datasource_that_is_provisioned() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]

    assert DATASOURCE_UID in [source["uid"] for source in provisioned if source["type"] == "prometheus"]
    for panel in PANELS:
        used = [panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])]
        assert set(used) == {DATASOURCE_UID}


def test_links_lead_to_the_runbook_that_they_name() -> None:
    books = {panel["id"]: panel for panel in BOARD["panels"] if panel["type"] == "text"}
    links = [link for panel in PANELS for link in panel.get("links") or ()]

    assert len(links) == sum(panel.runbook is not None for row in ROWS for panel in row.panels)
    for link in links:
        number = int(link["url"].rpartition("=")[2])
        assert link["title"] == f"Runbook {books[number]['title']}"
    for panel in books.values():
        assert panel["options"]["content"] == runbooks(OPERATIONS.read_text("utf-8"))[panel["title"]]


def test_a_metric_that_the_code_does_not_export_would_be_seen() -> None:
    found = named_in('sum by (nonsense) (rate(freshax_gone_total{service=~"$service"}[$__rate_interval]))')

    assert found.metrics.keys() - exported().keys() == {"freshax_gone_total"}
    assert found.groupings == {"nonsense"}


def test_the_folder_that_grafana_reads_holds_only_dashboards() -> None:
    assert [path.suffix for path in Path(OUTPUT.parent).iterdir()] == [".json"]
