"""The optional Prometheus: it scrapes and evaluates what it is given, and explains what it cannot read."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.stack.errors import StackError
from sandbox.stack.ports import free_port
from sandbox.stack.prometheus import Prometheus
from tests.kit.poll import poll_until

_RULES = """
groups:
  - name: test
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
"""


def query(url: str, expression: str) -> list[dict[str, Any]]:
    return httpx.get(f"{url}/api/v1/query", params={"query": expression}, timeout=10).json()["data"]["result"]


def test_it_scrapes_its_targets_and_evaluates_the_rules(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(_RULES)
    port = free_port()
    scrape = [{"job_name": "itself", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]
    prometheus = Prometheus(tmp_path / "prometheus", scrape, rule_files=[rules], interval="100ms", port=port)
    prometheus.start()
    try:
        prometheus.wait_ready()
        (series,) = poll_until(lambda: query(prometheus.url, "job:up:sum"), 20, "the rule has a result")
        assert (series["metric"]["job"], series["value"][1]) == ("itself", "1")
    finally:
        prometheus.stop()


def test_a_wrong_rule_file_is_explained(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(_RULES.replace("sum by (job) (up)", "sum by ("))
    prometheus = Prometheus(tmp_path / "prometheus", [], rule_files=[rules])
    prometheus.start()
    try:
        with pytest.raises(StackError, match="parse error"):
            prometheus.wait_ready()
    finally:
        prometheus.stop()
