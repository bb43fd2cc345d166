"""`freshax worker` at the FreshBooks end, on real Kafka: kinds into their topics, an invoice of AX made once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeVar

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from sandbox.freshbooks.server import FreshBooksSimulator
from sandbox.stack.ports import free_port
from schemas import keys, topics
from schemas.record import Record
from schemas.records import (
    BillPayment,
    CrossReference,
    FreshBooksCommand,
    FreshBooksConfirmation,
    FreshBooksOperation,
    FreshBooksOutcome,
    Invoice,
    InvoiceDraft,
    InvoiceDraftLine,
    Notification,
    Origin,
    Payment,
    Project,
)
from schemas.topics import Topic
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.producer import OutRecord, Producer
from streams.runtime.schema_admin import SchemaAdmin
from streams.runtime.settings import KafkaSettings, RegistrySettings
from streams.runtime.topic_admin import TopicAdmin
from tests.integration.freshbooks.conftest import Service, freshbooks_environment
from tests.kit.freshbooks import Control, Person
from tests.kit.poll import poll_until

R = TypeVar("R", bound=Record)
ACCOUNT = "ZyQ04o"
_DEADLINE_SECONDS = 40.0


class Pipe:
    """Writes what others would write, reads what the worker wrote."""

    def __init__(self, kafka: str, codec: AvroCodec) -> None:
        self._kafka = kafka
        self._codec = codec
        self._producer = Producer(KafkaSettings(bootstrap_servers=kafka))

    def close(self) -> None:
        self._producer.close()

    def send(self, topic: Topic, key: str, record: Record) -> None:
        asyncio.run(self._producer.send([OutRecord(topic.name, key.encode(), self._codec.encode(topic, record), [])]))

    def notify(self, kind: str, number: int) -> None:
        told = Notification(
            account_id=ACCOUNT,
            kind=kind,
            verb="update",
            object_id=number,
            origin=Origin.WEBHOOK,
            received_at=datetime.now(UTC),
        )
        self.send(topics.NOTIFICATIONS, keys.freshbooks_key(ACCOUNT, kind, number), told)

    def read(self, topic: Topic, record: type[R], key: str) -> list[R]:
        """Everything in `topic` under `key`, in order."""
        consumer = Consumer({"bootstrap.servers": self._kafka, "group.id": "test", "enable.partition.eof": True})
        try:
            consumer.assign(
                [TopicPartition(topic.name, number, OFFSET_BEGINNING) for number in range(topic.partitions)]
            )
            found, ended = [], 0
            while ended < topic.partitions:
                for message in consumer.consume(500, 1):
                    if message.error() is not None:
                        ended += 1
                    elif message.key() == key.encode():
                        found.append(record.from_avro(self._codec.decode(topic, message.value())))
            return found
        finally:
            consumer.close()

    def wait_for(self, topic: Topic, record: type[R], key: str) -> R:
        """The newest record of `key`, once there is one."""
        found: list[R] = []

        def there() -> bool:
            found[:] = self.read(topic, record, key)
            return bool(found)

        poll_until(there, _DEADLINE_SECONDS, f"{topic.name} has {key}")
        return found[-1]


@pytest.fixture(scope="module")
def pipe(kafka: str, registry: str, codec: AvroCodec) -> Iterator[Pipe]:
    TopicAdmin(KafkaSettings(bootstrap_servers=kafka)).apply(topics.ALL)
    with registry_client(RegistrySettings(url=registry)) as client:
        SchemaAdmin(client).apply(topics.ALL)
    made = Pipe(kafka, codec)
    yield made
    made.close()


@pytest.fixture(scope="module")
def worker(
    pipe: Pipe, deployed: dict[str, str], simulator: FreshBooksSimulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("worker")
    observe = free_port()
    environment = {
        **deployed,
        **freshbooks_environment(simulator, folder),
        "FRESHAX_WORKER__GROUP_PREFIX": f"test-{uuid.uuid4().hex[:8]}",
        "FRESHAX_WORKER__DATA_DIR": str(folder / "worker"),
        "FRESHAX_OBSERVE__PORT": str(observe),
    }
    service = Service("worker", environment, folder, "--agents", "fetch", "--agents", "freshbooks-sink")
    try:
        service.ready(f"http://127.0.0.1:{observe}/readyz")
        yield service
    finally:
        service.kill()


def posted_invoice(client: int) -> FreshBooksCommand:
    """What a flow makes of an invoice that AX has posted."""
    line = InvoiceDraftLine(name="Work", quantity=Decimal(2), unit_cost=Decimal(50), compounded_tax=False)
    now = datetime.now(UTC).replace(microsecond=0)
    return FreshBooksCommand(
        command_id=uuid.uuid4(),
        operation=FreshBooksOperation.UPSERT_INVOICE,
        account_id=ACCOUNT,
        kind="invoice",
        reference="usmf/CIV-000012",
        fields={},
        invoice=InvoiceDraft(
            client_id=client,
            create_date=date(2026, 6, 29),
            due_offset_days=30,
            currency_code="USD",
            discount_percent=Decimal(0),
            mark_as_sent=True,
            lines=(line,),
        ),
        reason="AX posted an invoice",
        changed_at=now,
        issued_at=now,
    )


def test_kinds_reach_their_topics(worker: Service, pipe: Pipe, person: Person) -> None:
    payment = person.pay(person.new_invoice(person.new_client()["id"])["id"], "130")["id"]
    paid_bill = person.pay_bill(person.new_bill(person.new_vendor()["vendorid"])["id"], "19")["id"]
    project = person.new_project()["id"]
    for kind, number in (("payment", payment), ("bill_payment", paid_bill), ("project", project)):
        pipe.notify(kind, number)
    assert pipe.wait_for(topics.PAYMENTS, Payment, f"{ACCOUNT}:payment:{payment}").amount == 130
    assert pipe.wait_for(topics.BILL_PAYMENTS, BillPayment, f"{ACCOUNT}:bill_payment:{paid_bill}").amount == 19
    assert pipe.wait_for(topics.PROJECTS, Project, f"{ACCOUNT}:project:{project}").title == "Relaunch"
    assert worker.process.poll() is None, worker.log


def test_an_invoice_of_ax_is_made_once_linked_and_does_not_come_back(
    worker: Service, pipe: Pipe, person: Person, control: Control
) -> None:
    command = posted_invoice(person.new_client()["id"])
    for _ in range(2):
        pipe.send(topics.FRESHBOOKS_COMMANDS, command.key, command)

    def confirmed() -> bool:
        done = pipe.read(topics.FRESHBOOKS_CONFIRMATIONS, FreshBooksConfirmation, command.key)
        return [one.outcome for one in done] == [FreshBooksOutcome.CREATED, FreshBooksOutcome.UNCHANGED]

    poll_until(confirmed, _DEADLINE_SECONDS, "one command made it, the other found it")
    (made,) = [item for item in control.get("state")["invoices"] if item["po_number"] == "[AX:usmf/CIV-000012]"]
    own = f"{ACCOUNT}:invoice:{made['id']}"
    link = pipe.wait_for(topics.XREF, CrossReference, own)
    assert (link.company, link.entity, link.ax_id) == ("usmf", "invoice", "CIV-000012")

    fetches = control.requests("GET", "/invoices/invoices/{id}", "freshax-client-id")
    pipe.notify("invoice", made["id"])  # the webhook of our own write
    poll_until(
        lambda: control.requests("GET", "/invoices/invoices/{id}", "freshax-client-id") > fetches,
        _DEADLINE_SECONDS,
        "the echo is fetched",
    )
    person.change_invoice(made["id"], terms="A person wrote this")
    pipe.notify("invoice", made["id"])
    pipe.wait_for(topics.INVOICES, Invoice, own)
    assert [one.terms for one in pipe.read(topics.INVOICES, Invoice, own)] == ["A person wrote this"], worker.log
