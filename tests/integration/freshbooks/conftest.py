"""The two FreshBooks processes as they are run: `freshax listen` and `freshax poll`, on real Kafka and registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from sandbox.freshbooks.config import Config
from sandbox.freshbooks.server import FreshBooksSimulator
from schemas import topics
from schemas.records import Notification
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.schema_admin import SchemaAdmin
from streams.runtime.settings import KafkaSettings, RegistrySettings
from streams.runtime.topic_admin import TopicAdmin
from tests.kit.freshbooks import KEY, Control, Person
from tests.kit.poll import poll_until

_DEADLINE_SECONDS = 20.0
OURS = (topics.NOTIFICATIONS, topics.FETCHED, topics.FRESHBOOKS_INTENTS)


@pytest.fixture(scope="session")
def deployed(kafka: str, registry: str) -> dict[str, str]:
    """Topics and schemas of the FreshBooks side, applied as a deploy does; the settings that reach them."""
    TopicAdmin(KafkaSettings(bootstrap_servers=kafka)).apply(OURS)
    with registry_client(RegistrySettings(url=registry)) as client:
        SchemaAdmin(client).apply(OURS)
    return {"FRESHAX_KAFKA__BOOTSTRAP_SERVERS": kafka, "FRESHAX_REGISTRY__URL": registry}


@pytest.fixture(scope="session")
def codec(deployed: dict[str, str]) -> Iterator[AvroCodec]:
    with closing(AvroCodec(registry_client(RegistrySettings(url=deployed["FRESHAX_REGISTRY__URL"])))) as made:
        yield made


@pytest.fixture(scope="module")
def simulator() -> Iterator[FreshBooksSimulator]:
    with FreshBooksSimulator(Config()) as running:
        yield running


@pytest.fixture(scope="module")
def person(simulator: FreshBooksSimulator) -> Iterator[Person]:
    someone = Person(simulator.ready)
    yield someone
    someone.close()


@pytest.fixture(scope="module")
def control(simulator: FreshBooksSimulator) -> Iterator[Control]:
    caller = Control(simulator.ready)
    yield caller
    caller.close()


class Service:
    """One `freshax` command as a process, with its log in a file."""

    def __init__(self, command: str, environment: dict[str, str], folder: Path, *options: str) -> None:
        self._log = folder / f"{command}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", command, *options],
                cwd=folder,
                env={**_clean_environment(), **environment, "PYTHONPATH": str(Path(__file__).parents[3])},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ready(self, url: str) -> None:
        """Return when `url` is answered by 200."""

        def answered() -> bool:
            assert self.process.poll() is None, self.log
            try:
                return httpx.get(url, timeout=2).status_code == 200
            except httpx.TransportError:
                return False

        poll_until(answered, _DEADLINE_SECONDS, f"{url} is ready")

    def stop(self) -> tuple[int, float]:
        """Ask it to end; its exit code, and how long it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_DEADLINE_SECONDS), time.monotonic() - started
        finally:
            self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FRESHAX_")}


def freshbooks_environment(simulator: FreshBooksSimulator, folder: Path) -> dict[str, str]:
    """Settings of a process that talks to the simulator; its files lie in `folder`."""
    ready = simulator.ready
    granted = Control(ready)
    try:
        pair = granted.post("tokens/issue", client_id=ready["client_id"], identity_id=88001)
    finally:
        granted.close()
    return {
        "FRESHAX_FRESHBOOKS__API_URL": ready["api_url"],
        "FRESHAX_FRESHBOOKS__ACCOUNT_ID": ready["account_id"],
        "FRESHAX_FRESHBOOKS__CLIENT_ID": ready["client_id"],
        "FRESHAX_FRESHBOOKS__CLIENT_SECRET": ready["client_secret"],
        "FRESHAX_FRESHBOOKS__REFRESH_TOKEN": pair["refresh_token"],
        "FRESHAX_FRESHBOOKS__TOKEN_FILE": str(folder / "token"),
        "FRESHAX_FRESHBOOKS__TOKEN_KEY": KEY.get_secret_value(),
        "FRESHAX_WEBHOOK__VERIFIER_FILE": str(folder / "verifiers"),
    }


class Notifications:
    """Reads the notifications written since it was made."""

    def __init__(self, kafka: str, codec: AvroCodec) -> None:
        self._codec = codec
        self._consumer = Consumer({"bootstrap.servers": kafka, "group.id": "test", "enable.auto.commit": False})
        partitions = [TopicPartition(topics.NOTIFICATIONS.name, n) for n in range(topics.NOTIFICATIONS.partitions)]
        for partition in partitions:
            partition.offset = self._consumer.get_watermark_offsets(partition, timeout=10)[1]
        self._consumer.assign(partitions)
        self.keys: list[str] = []
        self.read: list[Notification] = []

    def poll(self) -> list[Notification]:
        """All that has come so far."""
        for message in self._consumer.consume(500, 0.1):
            assert message.error() is None
            self.keys.append((message.key() or b"").decode())
            self.read.append(Notification.from_avro(self._codec.decode(topics.NOTIFICATIONS, message.value())))
        return self.read

    def wait_for(self, kind: str, *ids: int) -> list[Notification]:
        """Return when each of `ids` has been told."""

        def told() -> bool:
            return set(ids) <= {one.object_id for one in self.poll() if one.kind == kind}

        poll_until(told, _DEADLINE_SECONDS, f"notifications of {kind} {ids}")
        return [one for one in self.read if one.kind == kind and one.object_id in ids]

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def notifications(kafka: str, deployed: dict[str, str], codec: AvroCodec) -> Iterator[Notifications]:
    reader = Notifications(kafka, codec)
    yield reader
    reader.close()
