"""One small day in the sandbox with Prometheus watching from its beginning; shared by the tests of this folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from grafana.build import FOLDER
from sandbox.demo.director import Director
from sandbox.demo.ledger import Ledger, reconcile
from sandbox.demo.observer import Observer
from sandbox.demo.scenario import load_scenario
from sandbox.demo.stage import Stage
from sandbox.stack.ports import LOOPBACK
from sandbox.stack.prometheus import Prometheus
from sandbox.stack.supervisor import Supervisor
from tests.kit.poll import poll_until

SCENARIO = Path("sandbox/scenarios/smoke.yaml")
_AGREED_SECONDS = 60.0
_SCRAPED_SECONDS = 20.0
# Both ends agree a moment before the last confirmation is counted; the lag is measured every two seconds.
_SETTLED_SECONDS = 3.0


@dataclass(frozen=True)
class WatchedDay:
    """A day that is over, and the Prometheus that saw it."""

    prometheus: str
    ledger: Ledger
    processes: frozenset[str]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Series of an instant query. Raises AssertionError with Prometheus' words when it is none."""
        answer = self._ask("query", query=expression)
        assert answer["resultType"] == "vector", expression
        return list(answer["result"])

    def rules(self) -> list[dict[str, Any]]:
        """State of all rules."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, what: str, **parameters: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.prometheus}/api/v1/{what}", params=parameters, timeout=10).json()
        assert answer["status"] == "success", answer
        return dict(answer["data"])


@pytest.fixture(scope="session")
def watched_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedDay]:
    """Play the scenario `smoke` with the alert rules of grafana/ in force."""
    scenario = load_scenario(SCENARIO)
    stage = Stage(scenario, tmp_path_factory.mktemp("watched"))
    with Supervisor() as supervisor:
        stage.start_ends(supervisor)
        # Headroom and positions are measured at each heartbeat: not within a short day otherwise.
        stage.environment["FRESHAX_CAPTURE__HEARTBEAT_SECONDS"] = "1"
        stage.deploy()
        stage.start_services(supervisor)
        prometheus = _prometheus(stage)
        supervisor.start(prometheus)
        processes = frozenset(_service(name) for name in stage.services)
        # Prometheus looks for targets every five seconds: a rate needs samples from before the first document.
        before = WatchedDay(prometheus.url, Ledger(documents=[], totals=[]), processes)
        poll_until(
            lambda: len(before.query('up{job="freshax"} == 1')) == len(processes),
            _SCRAPED_SECONDS,
            "every process is scraped",
        )
        day = replace(before, ledger=_play(stage))
        settled = time.time() + _SETTLED_SECONDS
        poll_until(
            lambda: day.query(f'min(timestamp(up{{job="freshax"}})) > {settled}'),
            _SCRAPED_SECONDS,
            "every process is scraped after the day's end",
        )
        yield day


def _prometheus(stage: Stage) -> Prometheus:
    """Labels as grafana/prometheus.yml gives them: a worker's service is its role."""
    targets = [
        {"targets": [f"{LOOPBACK}:{service.port}"], "labels": {"service": _service(name)}}
        for name, service in stage.services.items()
    ]
    jobs = [{"job_name": "freshax", "static_configs": targets}]
    return Prometheus(stage.kafka.state.parent / "prometheus", jobs, rule_files=[FOLDER / "alerts.yml"])


def _service(name: str) -> str:
    return name.rstrip("-0123456789")


def _play(stage: Stage) -> Ledger:
    """Play, and wait until both ends agree."""
    scenario = load_scenario(SCENARIO)
    freshbooks, ax = stage.freshbooks.addresses, stage.ax.addresses
    with Observer(freshbooks=freshbooks, ax=ax, kafka=stage.kafka.bootstrap) as observer:
        director = Director(scenario, freshbooks, ax, said=lambda _text: None, marker_of=observer.marker)
        try:
            director.play()
        finally:
            director.close()

        def agreed() -> Ledger | None:
            ends = observer.ends()
            ledger = reconcile(
                clients=ends.clients,
                invoices=ends.invoices,
                customers=ends.customers,
                ax_invoices=ends.ax_invoices,
                set_aside=observer.set_aside(),
                company=scenario.company,
            )
            settled = all(document.outcome in ("synced", "dead_lettered") for document in ledger.documents)
            return ledger if ledger.agrees and settled else None

        ledger = poll_until(agreed, _AGREED_SECONDS, "both ends agree")
        assert ledger is not None
        return ledger
