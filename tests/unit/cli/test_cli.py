"""The command line: help with examples, clear errors, exit codes 0, 1 and 2, JSON for machines."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.runtime import topic_admin

RUNNER = CliRunner()
COMMANDS = [
    ["worker"],
    ["listen"],
    ["poll"],
    ["capture"],
    ["capture", "plan"],
    ["doctor", "ax"],
    ["demo"],
    ["topics", "plan"],
    ["topics", "apply"],
    ["schemas", "plan"],
    ["schemas", "apply"],
    ["flows", "check"],
    ["flows", "show"],
    ["flows", "run"],
    ["flows", "test"],
    ["flows", "functions"],
    ["flows", "coverage"],
    ["config", "show"],
    ["config", "reference"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    result = RUNNER.invoke(app, [*command, "--help"])

    assert result.exit_code == 0
    assert "Example" in result.output


def test_help_loads_neither_faust_nor_zeep() -> None:
    code = "import sys, streams.cli; sys.exit(bool({'faust', 'zeep', 'pyodbc'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wrong_setting_is_named_and_the_exit_code_is_2() -> None:
    result = RUNNER.invoke(app, ["config", "show"], env={"FRESHAX_AIF__TIMEOUT_SECONDS": "never"})

    assert result.exit_code == 2
    assert "FRESHAX_AIF__TIMEOUT_SECONDS" in result.output
    assert "never" in result.output


def test_a_missing_setting_is_named_and_the_exit_code_is_2() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "streams", "listen"], capture_output=True, text=True, check=False, env={"PATH": ""}
    )

    assert result.returncode == 2
    assert "FRESHAX_FRESHBOOKS__ACCOUNT_ID" in result.stderr


def test_bare_capture_still_runs_the_service() -> None:
    command = [sys.executable, "-m", "streams", "capture"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": ""})

    assert result.returncode == 2
    assert "FRESHAX_AX_SQL__PASSWORD must be set" in result.stderr


def test_secrets_are_masked_in_config_show() -> None:
    result = RUNNER.invoke(app, ["config", "show", "-o", "json"], env={"FRESHAX_AIF__PASSWORD": "canary-77"})

    assert result.exit_code == 0
    assert "canary-77" not in result.output
    assert {row["setting"]: row["value"] for row in json.loads(result.output)}["aif.password"] == "**********"


def test_a_broker_that_is_away_is_a_clear_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_admin, "_TIMEOUT_SECONDS", 0.5)
    environment = {"FRESHAX_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    result = RUNNER.invoke(app, ["topics", "plan"], env=environment)

    assert result.exit_code == 1
    assert "kafka_unavailable" in result.output
    assert "127.0.0.1:1" in result.output


def test_the_demo_asks_for_one_of_once_and_keep() -> None:
    result = RUNNER.invoke(app, ["demo"])

    assert result.exit_code == 2
    assert "--once" in result.output


def test_an_unknown_agent_is_refused_with_those_that_exist() -> None:
    result = RUNNER.invoke(app, ["worker", "--agents", "fetcher"])

    assert result.exit_code == 2
    assert "freshbooks-sink" in result.output
