"""Alert rules: valid, tested both ways by promtool, naming what the code exports, each with a runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.build import FOLDER, OPERATIONS, runbooks
from tests.kit.promql import exported, named_in

RULES = FOLDER / "alerts.yml"
CASES = FOLDER / "alerts.test.yml"
_GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
ALERTS = [rule for group in _GROUPS for rule in group["rules"] if "alert" in rule]
RECORDED = {
    rule["record"]: named_in(rule["expr"]).groupings for group in _GROUPS for rule in group["rules"] if "record" in rule
}


def promtool(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_promtool_accepts_the_configuration_and_its_rules() -> None:
    code, said = promtool("check", "config", FOLDER / "prometheus.yml")

    assert code == 0, said
    assert f"{len(ALERTS) + len(RECORDED)} rules found" in said


def test_the_rules_pass_their_own_tests() -> None:
    code, said = promtool("test", "rules", CASES)

    assert code == 0, said


def test_each_alert_has_a_quiet_and_a_firing_case() -> None:
    cases = [case for test in yaml.safe_load(CASES.read_text("utf-8"))["tests"] for case in test["alert_rule_test"]]
    names = {alert["alert"] for alert in ALERTS}

    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


def test_a_broken_rule_fails_its_test(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(RULES.read_text("utf-8").replace("> 3600", "> 36000"))
    (tmp_path / "alerts.test.yml").write_text(CASES.read_text("utf-8"))

    code, said = promtool("test", "rules", tmp_path / "alerts.test.yml")

    assert code != 0
    assert "FreshaxParkedTooOld" in said


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_names_only_metrics_and_labels_that_the_code_exports(alert: dict[str, Any]) -> None:
    found = named_in(alert["expr"])
    known = exported() | {"up": {"job", "instance", "service"}} | RECORDED
    # label_replace makes it from the group's name.
    made = {"stage"} if "label_replace" in alert["expr"] else set()

    assert set(found.metrics) <= known.keys()
    for name, labels in found.metrics.items():
        assert labels <= known[name], name
    assert found.groupings <= set().union(made, *(known[name] for name in found.metrics))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_its_runbook_is(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("warning", "critical")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"].endswith(".")
    assert alert["annotations"]["runbook"] == f"docs/operations.md#{alert['alert'].lower()}"
    assert len(runbooks(OPERATIONS.read_text("utf-8"))[alert["alert"]]) > 100


def test_there_is_no_runbook_without_an_alert() -> None:
    assert set(runbooks(OPERATIONS.read_text("utf-8"))) == {alert["alert"] for alert in ALERTS}


def test_alerts_on_outcomes_name_outcomes_that_the_listener_answers() -> None:
    source = (FOLDER.parent / "connectors/freshbooks/listener.py").read_text("utf-8")
    (alert,) = [alert for alert in ALERTS if alert["alert"] == "FreshaxWebhooksRefused"]
    (named,) = re.findall(r'outcome=~"([^"]+)"', alert["expr"])

    for outcome in named.split("|"):
        assert f'"{outcome}"' in source
