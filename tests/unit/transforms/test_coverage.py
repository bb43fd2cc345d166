"""The report on decision tables: which combinations have no rule, which rows stand idle, what AX would refuse."""

from __future__ import annotations

from typing import Any

import pytest

from streams.transforms.coverage import OTHER
from streams.transforms.examples import coverage_of
from streams.transforms.flow import Flow
from streams.transforms.release import compile_flows

ROWS = """            dimensions:
              - when: project.title == "Rebuild" and category.name == "Travel"
                value: {Department: "023"}
              - when: lookup("project_departments", project.title) == "022"
                value: {Department: "022"}
              - when: category.name == "Rent"
                value: {Department: "099"}
"""
PLACE = "map.lines.0.derive.dimensions"
COMMON = {
    "account_id": "ZyQ04o",
    "vis_state": 0,
    "updated_at": "2026-06-29T16:48:49Z",
    "version": "v1",
    "content_hash": "h1",
    "fetched_at": "2026-06-29T16:48:50Z",
}


@pytest.fixture(scope="session")
def flow(declared_files: dict[str, str]) -> Flow:
    text = declared_files["expenses-to-ax.yaml"]
    start, end = text.index("            dimensions:\n"), text.index("        - mapping: expense-tax1-line")
    text = text[:start] + ROWS + text[end:]
    text = text.replace("project_departments: {}", "project_departments: {Harbour: '022', Attic: '023'}")
    return compile_flows({**declared_files, "expenses-to-ax.yaml": text})["expenses-to-ax"]


def report(flow: Flow, **master: Any) -> dict[str, Any]:
    return next(row for row in coverage_of(flow, master) if row["place"].endswith(PLACE))


def category(name: str) -> dict[str, Any]:
    return {**COMMON, "category_id": 1, "name": name, "is_cogs": False, "is_editable": False}


def project(title: str) -> dict[str, Any]:
    return {**COMMON, "project_id": 1, "title": title, "internal": False, "active": True, "complete": False}


def test_combinations_of_the_master_data_without_a_rule_are_listed(flow: Flow) -> None:
    rows = {"categories": [category("Travel"), category("Rent")], "projects": [project("Rebuild"), project("Harbour")]}

    found = report(flow, rows=rows)

    assert found["axes"] == ["project.title", "category.name"]
    assert (found["asked"], found["complete"]) == (9, True)
    # Rebuild with Travel; Harbour with everything; Rent with what is left.
    assert found["answered_by"] == [1, 3, 2]
    assert found["uncovered"] == [
        {"project.title": "Rebuild", "category.name": None},
        {"project.title": None, "category.name": "Travel"},
        {"project.title": None, "category.name": None},
    ]


def test_without_master_data_the_values_that_conditions_name_are_asked(flow: Flow) -> None:
    found = report(flow)

    assert found["asked"] > 20
    assert {"project.title": OTHER, "category.name": OTHER} in found["uncovered"]
    assert {"project.title": "Harbour", "category.name": None} not in found["uncovered"]


def test_what_ax_would_refuse_of_the_answers_is_told(flow: Flow) -> None:
    ledger = {"currency": "USD", "dimensions": {"Department": {"022": True, "023": False}}}

    refused = report(flow, ledgers={"usmf": ledger})["refused_by_ax"]

    assert len(refused) == 2
    assert "Department '023' is suspended in AX" in refused[0]
    assert "Department has no value '099' in AX" in refused[1]


def test_a_row_without_condition_answers_everything(flows: Any) -> None:
    (found,) = coverage_of(flows["payments-to-ax"], {})

    assert (found["axes"], found["asked"], found["uncovered"], found["answered_by"]) == ([], 1, [], [1])


def test_the_number_of_combinations_is_bounded(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.transforms.coverage.MOST_COMBINATIONS", 5)

    found = report(flow)

    assert (found["asked"], found["complete"]) == (5, False)
