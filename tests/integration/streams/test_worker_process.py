"""`freshax worker` as a process: ready when it works, bad bytes to the DLQ, a clean and quick end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from sandbox.stack.ports import free_port
from schemas import topics
from schemas.records import AxConfirmation, AxOutcome, FreshBooksCommand, SourceRef
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.producer import OutRecord, Producer
from streams.runtime.schema_admin import SchemaAdmin
from streams.runtime.settings import KafkaSettings, RegistrySettings
from streams.runtime.topic_admin import Action, TopicAdmin
from tests.kit.poll import poll_until

NOW = datetime(2026, 6, 29, 12, 0, tzinfo=UTC)
_SECONDS = 40


class WorkerProcess:
    """One worker with the agent `confirmations`, which needs nothing but Kafka and the registry."""

    def __init__(self, kafka: str, registry: str, folder: Path, **environment: str) -> None:
        self.port = free_port()
        settings = {
            "FRESHAX_KAFKA__BOOTSTRAP_SERVERS": kafka,
            "FRESHAX_REGISTRY__URL": registry,
            "FRESHAX_OBSERVE__PORT": str(self.port),
            "FRESHAX_WORKER__GROUP_PREFIX": f"test-{uuid.uuid4().hex[:8]}",
            "FRESHAX_WORKER__DATA_DIR": str(folder / "worker"),
            "FRESHAX_WORKER__SESSION_TIMEOUT_SECONDS": "6",
        }
        command = [sys.executable, "-m", "streams", "worker", "--agents", "confirmations"]
        self.process = subprocess.Popen(
            command, env=dict(os.environ) | settings | environment, stderr=subprocess.PIPE, text=True
        )

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self) -> None:
        poll_until(lambda: self.get("/readyz")[0] == 200, _SECONDS, "the worker did not become ready")

    def end(self) -> tuple[int, str]:
        try:
            _, log = self.process.communicate(timeout=_SECONDS)
        finally:
            self.process.kill()
        return self.process.returncode, log


@pytest.fixture
def settings(kafka: str, registry: str) -> KafkaSettings:
    """Settings of a cluster that has freshax's topics and schemas."""
    made = KafkaSettings(bootstrap_servers=kafka)
    admin = TopicAdmin(made)
    admin.apply(topics.ALL)
    poll_until(lambda: {c.action for c in admin.plan(topics.ALL)} == {Action.NONE}, 10, "topics did not appear")
    with registry_client(RegistrySettings(url=registry)) as client:
        SchemaAdmin(client).apply(topics.ALL)
    return made


@pytest.fixture
def worker(settings: KafkaSettings, kafka: str, registry: str, tmp_path: Path) -> Iterator[WorkerProcess]:
    made = WorkerProcess(kafka, registry, tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()


def confirmation(number: int) -> AxConfirmation:
    source = SourceRef(
        account_id="acc", kind="invoice", entity_id=number, version="v", content_hash="h", changed_at=NOW
    )
    return AxConfirmation(
        command_id=uuid.uuid4(),
        outcome=AxOutcome.CREATED,
        company="usmf",
        entity="invoice",
        ax_id=str(number),
        reference=f"FB:acc:{number}:1:00ff",
        revision=1,
        source=source,
        document_hash="00ff",
        confirmed_at=NOW,
    )


def find(kafka: str, topic: str, key: bytes) -> Message:
    """The first record of `key` in a topic, waited for."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "finder", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(topics.PARTITIONS)])
    try:
        return poll_until(
            lambda: next((m for m in consumer.consume(500, 0.1) if m.key() == key), None),
            _SECONDS,
            f"{topic} has no record of {key!r}",
        )
    finally:
        consumer.close()


def test_undecodable_bytes_go_to_the_dlq_and_the_next_record_is_handled(
    worker: WorkerProcess, settings: KafkaSettings, kafka: str, registry: str
) -> None:
    number = time.time_ns()
    key = f"acc:invoice:{number}".encode()
    producer = Producer(settings)
    with registry_client(RegistrySettings(url=registry)) as client:
        codec = AvroCodec(client)
        good = codec.encode(topics.AX_CONFIRMATIONS, confirmation(number))
        producer.send_blocking(
            [
                OutRecord(topics.AX_CONFIRMATIONS.name, key, b"\x00garbage", [("traceparent", b"00-a-b-01")]),
                OutRecord(topics.AX_CONFIRMATIONS.name, key, good),
            ]
        )
        producer.close()
        worker.wait_ready()

        written = find(kafka, topics.FRESHBOOKS_COMMANDS.name, key)
        command = FreshBooksCommand.from_avro(codec.decode(topics.FRESHBOOKS_COMMANDS, written.value()))
    assert command.reference == f"usmf/{number}"

    letter = find(kafka, topics.DLQ.name, key)
    headers = dict(letter.headers() or [])
    assert letter.value() == b"\x00garbage"
    assert headers["freshax.dlq.code"] == b"undecodable"
    assert headers["__connect.errors.topic"] == b"ax.confirmations"
    assert headers["traceparent"] == b"00-a-b-01"


def test_a_worker_tells_its_lag_and_ends_quickly_with_code_0(worker: WorkerProcess) -> None:
    worker.wait_ready()
    poll_until(lambda: "freshax_consumer_lag_records{" in worker.get("/metrics")[1], _SECONDS, "no lag was measured")
    assert worker.get("/healthz") == (200, "ok\n")

    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    code, _ = worker.end()

    assert code == 0
    # The promise to whoever stops us is ten seconds; a bound on a hang, not a measurement.
    assert time.monotonic() - began < 10


def test_a_worker_is_not_ready_before_it_has_started(worker: WorkerProcess) -> None:
    first = poll_until(lambda: worker.get("/readyz")[0], _SECONDS, "the health port did not open")

    assert first == 503
    worker.wait_ready()


def test_a_worker_without_registered_schemas_ends_with_the_remedy(kafka: str, registry: str, tmp_path: Path) -> None:
    missing = f"{registry.rsplit('/', 1)[0]}/v7/nothing-here"
    process = WorkerProcess(kafka, missing, tmp_path)

    code, log = process.end()

    assert code == 1
    assert "freshax schemas apply" in log
