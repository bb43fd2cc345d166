"""The embedded Kafka and registry of one pytest run, started when the first test asks, shared by all."""

import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from sandbox.stack.jars import fetch
from sandbox.stack.kafka import Kafka
from sandbox.stack.registry import Registry
from sandbox.stack.service import Service
from sandbox.stack.supervisor import Supervisor

_ADMIN_SECONDS = 20.0


class SharedStack:
    """Kafka and the registry for the tests that use the fixtures `kafka` and `registry`; `stop` ends both.

    Whatever the collected tests will need is started at the first demand, so that the two start side by side.
    """

    def __init__(self, state: Path, session: pytest.Session) -> None:
        jars = fetch()
        self._kafka = Kafka(state / "kafka", jars=jars)
        self._registry = Registry(state / "registry", jars=jars)
        self._supervisor = Supervisor()
        self._foreseen = _collected_fixtures(session)

    @property
    def kafka(self) -> str:
        """Bootstrap address of a Kafka that serves."""
        self._start_with(self._kafka)
        return self._kafka.bootstrap

    @property
    def registry(self) -> str:
        """Base URL of Confluent's API of a registry that serves."""
        self._start_with(self._registry)
        return self._registry.url

    def stop(self) -> None:
        """End what was started."""
        self._supervisor.stop_all()

    def _start_with(self, demanded: Service) -> None:
        named = {"kafka": self._kafka, "registry": self._registry}
        wanted = [service for name, service in named.items() if service is demanded or name in self._foreseen]
        self._supervisor.start(*(service for service in wanted if not service.process.running))


def _collected_fixtures(session: pytest.Session) -> set[str]:
    return {name for item in session.items for name in getattr(item, "fixturenames", ())}


def create_topic(bootstrap: str, name: str, *, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
    """Create a topic called `name` plus a unique ending and return its full name; it exists when this returns."""
    topic = f"{name}.{uuid.uuid4().hex[:8]}"
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
    admin = AdminClient({"bootstrap.servers": bootstrap})  # a name of its own: the request dies with its client
    admin.create_topics([new])[topic].result(_ADMIN_SECONDS)
    return topic
