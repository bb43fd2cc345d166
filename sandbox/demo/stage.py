"""The stage of a demo: every real part and every freshax process, on free loopback ports, in a temporary folder.

Started in waves, each as wide as its needs allow: broker, registry and the two simulators; topics and schemas;
freshax's services. Everything ends with the stage, whatever ends it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from sandbox.demo.ends import AIF_PASSWORD, AIF_USER, ax_config, flow_overrides, freshbooks_config
from sandbox.demo.programs import FreshaxService, Simulator, finish, run_command
from sandbox.demo.scenario import Scenario
from sandbox.stack.kafka import Kafka
from sandbox.stack.ports import LOOPBACK, free_port
from sandbox.stack.prometheus import Prometheus
from sandbox.stack.registry import Registry
from sandbox.stack.supervisor import Supervisor

_DEPLOY_SECONDS = 60.0
# Agents that share a process: what reads FreshBooks and decides, and what writes.
_ROLES = {
    "worker-in": ["fetch", "flow"],
    "worker-out": ["ax-sink", "confirmations", "freshbooks-sink"],
}


class Stage:
    """All processes of one demo. Use it inside a Supervisor, which ends them."""

    def __init__(self, scenario: Scenario, folder: Path, *, workers: int = 1) -> None:
        self._folder = folder
        self._workers = workers
        self._scenario = scenario
        self.kafka = Kafka(folder / "kafka")
        self.registry = Registry(folder / "registry")
        self.freshbooks = Simulator("sandbox.freshbooks", folder, freshbooks_config(scenario))
        self.ax = Simulator("sandbox.ax", folder, ax_config(scenario))
        self.services: dict[str, FreshaxService] = {}
        self.prometheus: Prometheus | None = None
        self.environment: dict[str, str] = {}

    def start_ends(self, supervisor: Supervisor) -> None:
        """Broker, registry, FreshBooks and AX."""
        supervisor.start(self.kafka, self.registry, self.freshbooks, self.ax)
        self.environment = self._environment()

    def deploy(self) -> None:
        """Topics and schemas, side by side."""
        commands = [
            run_command("topics apply", ["topics", "apply"], self._folder, self.environment),
            run_command("schemas apply", ["schemas", "apply"], self._folder, self.environment),
        ]
        with ThreadPoolExecutor(len(commands)) as pool:
            list(pool.map(lambda process: finish(process, deadline_seconds=_DEPLOY_SECONDS), commands))

    def start_services(self, supervisor: Supervisor) -> None:
        """Freshax itself: listener, poller, capture, workers."""
        commands = {"listen": ["listen"], "poll": ["poll"], "capture": ["capture"]}
        for role, agents in _ROLES.items():
            arguments = ["worker", *(part for agent in agents for part in ("--agents", agent))]
            commands |= {f"{role}-{number}": arguments for number in range(1, self._workers + 1)}
        self.services = {
            name: FreshaxService(name, arguments, self._folder, self.environment)
            for name, arguments in commands.items()
        }
        supervisor.start(*self.services.values())

    def workers(self) -> list[FreshaxService]:
        """The worker processes."""
        return [service for name, service in self.services.items() if name.startswith("worker-")]

    def start_prometheus(self, supervisor: Supervisor) -> None:
        """Prometheus over all services, where it is installed."""
        if not Prometheus.installed():
            return
        targets = [
            {"targets": [f"{LOOPBACK}:{service.port}"], "labels": {"service": name}}
            for name, service in self.services.items()
        ]
        jobs = [{"job_name": "freshax", "static_configs": targets}]
        self.prometheus = Prometheus(self._folder / "prometheus", jobs)
        supervisor.start(self.prometheus)

    def addresses(self) -> dict[str, str]:
        """Where everything is, for people."""
        found = {
            "Kafka": self.kafka.bootstrap,
            "Schema registry": self.registry.url,
            "FreshBooks API": str(self.freshbooks.addresses["api_url"]),
            "FreshBooks control": str(self.freshbooks.addresses["control_url"]),
            "AX services": str(self.ax.addresses["aif_url"]),
            "AX control": str(self.ax.addresses["control_url"]),
            "AX SQL Server": f"{self.ax.addresses['sql']['host']}:{self.ax.addresses['sql']['port']}",
        }
        found |= {f"{name} metrics": f"{service.url}/metrics" for name, service in self.services.items()}
        if self.prometheus is not None:
            found["Prometheus"] = self.prometheus.url
        return found

    def _environment(self) -> dict[str, str]:
        """What freshax's own commands are told: only settings, as in a deployment."""
        freshbooks, sql = self.freshbooks.addresses, self.ax.addresses["sql"]
        listen_port = free_port()
        overrides = self._folder / "flow-overrides.yaml"
        overrides.write_text(yaml.safe_dump(flow_overrides(freshbooks["account_id"], self._scenario)), "utf-8")
        sections: Mapping[str, Mapping[str, Any]] = {
            "kafka": {"bootstrap_servers": self.kafka.bootstrap},
            "registry": {"url": self.registry.url},
            "freshbooks": {
                "api_url": freshbooks["api_url"],
                "account_id": freshbooks["account_id"],
                "business_id": freshbooks["business_id"],
                "client_id": freshbooks["client_id"],
                "client_secret": freshbooks["client_secret"],
                "redirect_uri": freshbooks.get("redirect_uri", "https://freshax.test/oauth/callback"),
                "refresh_token": freshbooks["refresh_token"],
                # What flows use: a round a second through all kinds would be over FreshBooks' rate limit.
                "kinds": "client,invoice",
                "token_file": self._folder / "freshbooks-token",
                "token_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            },
            "webhook": {
                "port": listen_port,
                "public_url": f"http://{LOOPBACK}:{listen_port}",
                "allow_http": True,
                "verifier_file": self._folder / "freshbooks-verifiers",
            },
            "poll": {"interval_seconds": 1},
            "ax_sql": {
                "driver": "FreeTDS",
                "server": sql["host"],
                "port": sql["port"],
                "database": sql["database"],
                "user": sql["user"],
                "password": sql["password"],
                "encrypt": "no",
            },
            "capture": {"poll_interval_seconds": 0.1},
            "aif": {
                "url": self.ax.addresses["aif_url"],
                "company": self._scenario.company,
                "auth": "ntlm",
                "user": AIF_USER,
                "password": AIF_PASSWORD,
            },
            "flow": {"overrides": overrides},
            "observe": {"log_level": "info", "log_format": "json"},
        }
        return {
            f"FRESHAX_{section}__{field}".upper(): str(value)
            for section, fields in sections.items()
            for field, value in fields.items()
        }
