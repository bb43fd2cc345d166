"""Builds `dashboards/freshax.json` from `panels.py` and the runbooks of docs/operations.md: `make dashboards`.

The result is committed, so that Grafana needs no Python; a test says when it is not what this builds. The runbooks
stand at the end of the dashboard and panels link to them: no address of a web site is needed, and at three o'clock in
the morning one page is enough.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import prometheus, stat, text, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.text import TextMode

from grafana.panels import ROWS, Panel

UID = "freshax"
DATASOURCE_UID = "freshax-prometheus"
FOLDER = Path(__file__).parent
OUTPUT = FOLDER / "dashboards" / "freshax.json"
OPERATIONS = FOLDER.parent / "docs" / "operations.md"

_HEIGHT, _RUNBOOK_HEIGHT, _RUNBOOK_WIDTH = 8, 9, 8
# Panel ids are part of links: runbooks are numbered apart, so that a new panel does not move them.
_FIRST_RUNBOOK_ID = 1000
_DATASOURCE = models.DataSourceRef(type_val="prometheus", uid=DATASOURCE_UID)
_RUNBOOK = re.compile(r"^### (Freshax\w+)\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)


def runbooks(operations: str) -> dict[str, str]:
    """The runbook paragraphs of docs/operations.md by alert, in its order."""
    return {name: body.strip() for name, body in _RUNBOOK.findall(operations)}


def build(operations: str) -> str:
    """The dashboard as JSON text."""
    books = runbooks(operations)
    links = {name: _FIRST_RUNBOOK_ID + number for number, name in enumerate(sorted(books))}
    board = (
        dashboards.Dashboard("freshax")
        .uid(UID)
        .description("FreshBooks and Dynamics AX in step: what moves, what waits, what a person must look at.")
        .tags(["freshax"])
        .readonly()
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .refresh("30s")
        .with_variable(_service_variable())
    )
    ids = iter(range(1, _FIRST_RUNBOOK_ID))
    for row in ROWS:
        board = board.with_row(dashboards.Row(row.title).id(next(ids)))
        for panel in row.panels:
            board = board.with_panel(_panel(panel, next(ids), links))
    board = board.with_row(dashboards.Row("Runbooks").id(next(ids)))
    for name, body in books.items():
        board = board.with_panel(_runbook(name, body, links[name]))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _service_variable() -> dashboards.QueryVariable:
    return (
        dashboards.QueryVariable("service")
        .label("Process")
        .description("Processes whose series are shown.")
        .datasource(_DATASOURCE)
        .query({"query": 'label_values(up{job="freshax"}, service)', "refId": "service"})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _panel(panel: Panel, number: int, links: dict[str, int]) -> timeseries.Panel | stat.Panel:
    built = _stat(panel) if panel.kind == "stat" else _timeseries(panel)
    built = built.id(number).title(panel.title).description(panel.about).unit(panel.unit).datasource(_DATASOURCE)
    built = built.span(panel.width).height(_HEIGHT)
    for query, ref_id in zip(panel.queries, _ref_ids(), strict=False):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref_id)
        target = target.datasource(_DATASOURCE)
        built = built.with_target(target.instant() if panel.kind == "stat" else target.range())
    if panel.runbook is not None:
        url = f"/d/{UID}/freshax?viewPanel={links[panel.runbook]}"
        built = built.links([dashboards.DashboardLink(f"Runbook {panel.runbook}").url(url)])
    return built


def _timeseries(panel: Panel) -> timeseries.Panel:
    mode = common.StackingMode.NORMAL if panel.stacked else common.StackingMode.NONE
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    return (
        timeseries.Panel()
        .min(0)
        .legend(legend.placement(common.LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .stacking(common_builders.StackingConfig().mode(mode))
        .fill_opacity(20 if panel.stacked else 0)
        .show_points(common.VisibilityMode.AUTO)
    )


def _stat(panel: Panel) -> stat.Panel:
    reduce = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    built = stat.Panel().reduce_options(reduce).graph_mode(common.BigValueGraphMode.NONE)
    if panel.warn_at is None or panel.bad_at is None:
        return built.color_mode(common.BigValueColorMode.NONE)
    rising = panel.warn_at < panel.bad_at
    colours = ("green", "orange", "red") if rising else ("red", "orange", "green")
    bounds = (None, *sorted((panel.warn_at, panel.bad_at)))
    steps = [models.Threshold(value=bound, color=colour) for bound, colour in zip(bounds, colours, strict=True)]
    thresholds = dashboards.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
    return built.thresholds(thresholds).color_mode(common.BigValueColorMode.VALUE)


def _runbook(name: str, body: str, number: int) -> text.Panel:
    return (
        text.Panel()
        .id(number)
        .title(name)
        .mode(TextMode.MARKDOWN)
        .content(body)
        .span(_RUNBOOK_WIDTH)
        .height(_RUNBOOK_HEIGHT)
    )


def _ref_ids() -> Iterator[str]:
    return iter("ABCDEFGH")


def main() -> None:
    """Write the dashboard."""
    OUTPUT.write_text(build(OPERATIONS.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"wrote {OUTPUT.relative_to(Path.cwd()) if OUTPUT.is_relative_to(Path.cwd()) else OUTPUT}\n")


if __name__ == "__main__":
    main()
