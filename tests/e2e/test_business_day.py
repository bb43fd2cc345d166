"""The pipeline in the sandbox, judged by what both ends hold: nothing lost, nothing doubled, nothing different."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

_SECONDS = 240
SCENARIOS = Path(__file__).parents[2] / "sandbox" / "scenarios"


def demo(folder: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Run `freshax demo --once`; returns exit code, report and output."""
    report = folder / "report.json"
    command = [
        sys.executable,
        "-m",
        "streams",
        "demo",
        "--once",
        "--report",
        str(report),
        "--state",
        str(folder / "state"),
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=_SECONDS, check=False)
    output = done.stdout + done.stderr
    return done.returncode, json.loads(report.read_text()) if report.exists() else {}, output


def outcomes(report: dict[str, Any], kind: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for document in report["documents"]:
        if document["kind"] == kind:
            found[document["outcome"]] = found.get(document["outcome"], 0) + 1
    return found


def assert_reconciled(report: dict[str, Any]) -> None:
    assert (report["lost"], report["duplicated"], report["mismatched"], report["parked"]) == (0, 0, 0, 0)
    assert all(Decimal(total["freshbooks"]) == Decimal(total["ax"]) for total in report["totals"])


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that still use the demo's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder / "state") in command:
            found.append(command)
    return found


def test_a_business_day_ends_reconciled_and_leaves_nothing_behind(tmp_path: Path) -> None:
    code, report, output = demo(tmp_path)

    assert code == 0, output
    assert_reconciled(report)
    assert outcomes(report, "client") == {"synced": 20}
    assert outcomes(report, "invoice") == {"synced": 57, "dead_lettered": 1, "ignored": 2}
    assert outcomes(report, "customer") == {"synced": 1}
    assert {total["currency"] for total in report["totals"]} == {"EUR", "USD", "JPY"}
    (dead,) = [document for document in report["documents"] if document["outcome"] == "dead_lettered"]
    assert "Luxury levy" in dead["reason"]
    assert left_behind(tmp_path) == []


def test_workers_killed_three_times_lose_and_double_nothing(tmp_path: Path) -> None:
    code, report, output = demo(tmp_path, "--workers", "2", "--kill-workers", "3", "--seed", "7")

    assert output.count("killed worker-") == 3
    assert code == 0, output
    assert_reconciled(report)


def test_the_last_of_many_names_stands_whatever_echoes_come_back(tmp_path: Path) -> None:
    code, report, output = demo(tmp_path, "--workers", "2", "--scenario", str(SCENARIOS / "renames.yaml"))

    assert code == 0, output
    assert_reconciled(report)
    assert outcomes(report, "customer") == {"synced": 4}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scenario: x\nday: [{invoice: a, client: nobody, lines: [{price: '1'}]}]", "nobody"),
        ("scenario: x\nday: [{edit: a, lines: [{price: '1'}]}]", "before an act creates it"),
        ("scenario: x\npace: 3", "pace"),
        ("- just\n- a list", "mapping"),
        ("scenario: [", "reading"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_told_before_anything_starts(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "day.yaml"
    file.write_text(text)

    code, report, output = demo(tmp_path, "--scenario", str(file))

    assert (code, report) == (2, {})
    assert told in output.replace("\n", " ")
