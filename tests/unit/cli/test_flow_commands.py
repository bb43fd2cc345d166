"""`freshax flows`: what it checks, draws, runs dry and tests, and how it says that something does not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams import flows as declared
from streams.cli import app

RUNNER = CliRunner()
RECORD = {
    "account_id": "ZyQ04o",
    "client_id": 7,
    "organization": "Blumen Käfer GmbH",
    "currency_code": "EUR",
    "vis_state": 0,
    "updated_at": "2026-06-29T16:48:49Z",
    "version": "v1",
    "content_hash": "c1",
    "fetched_at": "2026-06-29T16:48:50Z",
}


def run(*arguments: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    result = RUNNER.invoke(app, ["flows", *arguments], env=env)
    assert result.exit_code == code, result.output
    return result.output


def written(path: Path, value: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")
    return str(path)


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """An environment whose flows do not hold."""
    for file in Path(declared.__file__).parent.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text().replace("client.vis_state == 1", "client.state == 1"))
    return {"FRESHAX_FLOW__DIRECTORY": str(tmp_path)}


def test_check_lists_the_flows_and_their_steps() -> None:
    rows = {row["flow"]: row for row in json.loads(run("check", "-o", "json"))}

    assert rows["customers-to-freshbooks"]["steps"] == "filter → look_up → route"
    assert rows["clients-to-ax"]["trigger"] == "freshbooks.clients"
    assert "clients-to-ax" in run("check")


def test_check_names_what_does_not_hold(broken: dict[str, str]) -> None:
    assert "clients-to-ax.yaml: steps.1.filter.0.when: position 1" in run("check", code=1, env=broken)


def test_show_draws_a_flow() -> None:
    drawn = run("show", "invoices-to-ax")

    assert "price  lines, discount and taxes by table tax_item_groups" in drawn
    assert "company = companies[invoice.account_id]" in drawn
    (flow,) = json.loads(run("show", "invoices-to-ax", "-o", "json"))
    assert flow["steps"][0]["place"] == "steps.0.filter"
    assert "customers-to-freshbooks" in run("show")
    assert "there are bill-payments-to-ax" in run("show", "invoice-to-ax", code=2)


def test_run_shows_what_each_step_did_and_the_outcome(tmp_path: Path) -> None:
    record = written(tmp_path / "client.json", RECORD)

    result = json.loads(run("run", "--record", record, "-o", "json"))

    assert [step["outcome"] for step in result["steps"]] == ["go_on"] * 9
    assert result["steps"][3]["shown"] == {"id": "usmf"}
    (command,) = result["outcome"]["ax_commands"]
    assert command["document"]["our_account_number"] == "FBZyQ04o-7"
    assert "→ ready" in run("run", "--record", record, "--flow", "clients-to-ax")


def test_run_finds_what_the_master_file_has(tmp_path: Path) -> None:
    link = {"account_id": "ZyQ04o", "kind": "client", "freshbooks_id": 7, "company": "usmf", "entity": "customer"}
    record = written(tmp_path / "client.json", RECORD)
    master = written(tmp_path / "master.json", {"links": [{**link, "ax_id": "C-1"}]})

    result = json.loads(run("run", "--record", record, "--master", master, "-o", "json"))

    assert result["outcome"] == {"decision": "ignored", "reason": "linked"}


def test_run_of_a_refused_record_says_why_and_fails(tmp_path: Path) -> None:
    record = written(tmp_path / "client.json", {**RECORD, "currency_code": "XXX"})

    result = json.loads(run("run", "--record", record, "-o", "json", code=1))

    assert result["outcome"] == {"decision": "refused", "code": "currency_not_allowed", "field": "currency_code"}
    assert "settings.currencies" in result["steps"][-1]["shown"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"client_id": 7}, "add --flow"),
        ({**RECORD, "client_id": "seven"}, "example: record: Expected `int`"),
        ({"record": RECORD, "customers": []}, "customers: unknown key"),
        ({"record": RECORD, "rows": {"clients": []}}, "rows.clients: unknown table"),
        ([1], "a mapping of keys is expected"),
    ],
)
def test_a_record_that_cannot_be_run_is_wrong_use(tmp_path: Path, content: Any, message: str) -> None:
    assert message in run("run", "--record", written(tmp_path / "r.json", content), code=2)


def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    assert "reading" in run("run", "--record", str(tmp_path / "none.json"), code=2)
    assert "is no folder" in run("test", "--examples", str(tmp_path / "none"), code=2)
    assert "no <flow>/<name>.in.json" in run("test", "--examples", str(tmp_path), code=2)


def test_examples_are_compared_place_by_place(tmp_path: Path) -> None:
    folder = tmp_path / "clients-to-ax"
    written(folder / "base.json", {"record": RECORD})
    written(folder / "01-deleted.in.json", {"record": {"vis_state": 1}})
    expected = written(folder / "01-deleted.out.json", {"decision": "ignored", "reason": "deleted_before_sync"})
    written(folder / "02-overridden.in.json", {"overrides": {"settings": {"currencies": ["CHF"]}}})
    refused = {"decision": "refused", "code": "currency_not_allowed", "field": "currency_code"}
    written(folder / "02-overridden.out.json", refused)

    assert "2 examples, 0 differ" in run("test", "--examples", str(tmp_path))

    Path(expected).write_text('{"decision": "ignored", "reason": "deleted"}')
    result = json.loads(run("test", "--examples", str(tmp_path), "-o", "json", code=1))
    assert (result["examples"], result["failed"]) == (2, 1)
    assert result["results"][0]["differences"] == ["reason: expected 'deleted', is 'deleted_before_sync'"]
    assert "clients-to-ax/01-deleted: reason" in run("test", "--examples", str(tmp_path), code=1)


def test_coverage_tells_gaps_and_fails_when_there_are_any(tmp_path: Path) -> None:
    for file in Path(declared.__file__).parent.glob("*.yaml"):
        text = file.read_text().replace(
            '              - value: {Department: "022"}\n        - mapping: expense-tax1-line',
            '              - when: category.name == "Travel"\n'
            '                value: {Department: "022"}\n        - mapping: expense-tax1-line',
        )
        (tmp_path / file.name).write_text(text)
    own = {"FRESHAX_FLOW__DIRECTORY": str(tmp_path)}

    told = run("coverage", "expenses-to-ax", code=1, env=own)
    reports = json.loads(run("coverage", "expenses-to-ax", "-o", "json", code=1, env=own))

    assert "without a rule" in told
    assert "category.name = (other)" in told
    assert [bool(report.get("uncovered")) for report in reports] == [False, True]
    assert json.loads(run("coverage", "invoices-to-ax", "-o", "json"))
    master = written(tmp_path / "master.json", {"rows": {"clients": []}})
    assert "unknown table" in run("coverage", "--master", master, code=2)


def test_functions_prints_the_page_of_the_language() -> None:
    assert "| `month_end(date)` | the last day of its month |" in run("functions")
