"""`freshax poll` as a process: the backfill, a change that no webhook told, nothing twice, a quick end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from connectors.freshbooks.entities import parse
from connectors.freshbooks.kinds import CLIENT
from sandbox.freshbooks.server import FreshBooksSimulator
from sandbox.stack.ports import free_port
from schemas import keys, topics
from schemas.records import Fetched
from streams.runtime.codec import AvroCodec
from streams.runtime.producer import OutRecord, Producer
from streams.runtime.settings import KafkaSettings
from tests.integration.freshbooks.conftest import Notifications, Service, freshbooks_environment
from tests.kit.freshbooks import Person


async def publish(producer: Producer, codec: AvroCodec, person: Person, number: int) -> None:
    """What the fetch agent writes when it has fetched a client."""
    entity = parse(CLIENT, person.client(number), account_id="ZyQ04o", fetched_at=datetime.now(UTC))
    row = Fetched(
        version=entity.version,
        content_hash=entity.content_hash,
        vis_state=entity.vis_state,
        fetched_at=entity.fetched_at,
    )
    key = keys.freshbooks_key("ZyQ04o", "client", number).encode()
    await producer.send([OutRecord(topics.FETCHED.name, key, codec.encode(topics.FETCHED, row))])


def test_backfill_lost_webhooks_and_a_quick_end(
    deployed: dict[str, str],
    kafka: str,
    codec: AvroCodec,
    simulator: FreshBooksSimulator,
    person: Person,
    notifications: Notifications,
    tmp_path: Path,
) -> None:
    known, unknown = person.new_client()["id"], person.new_client()["id"]
    producer = Producer(KafkaSettings(bootstrap_servers=kafka))
    asyncio.run(publish(producer, codec, person, known))
    observe = free_port()
    environment = {
        **deployed,
        **freshbooks_environment(simulator, tmp_path),
        "FRESHAX_POLL__INTERVAL_SECONDS": "0.2",
        "FRESHAX_OBSERVE__PORT": str(observe),
    }
    service = Service("poll", environment, tmp_path)
    try:
        service.ready(f"http://127.0.0.1:{observe}/readyz")
        paid = person.pay_bill(person.new_bill(person.new_vendor()["vendorid"])["id"], "19")["id"]
        notifications.wait_for("bill_payment", paid)
        (told,) = notifications.wait_for("client", unknown)
        assert (told.verb, told.origin.value) == ("poll", "poll")
        person.change_client(known, organization="No webhook told")
        notifications.wait_for("client", known)
        assert len([one for one in notifications.poll() if one.object_id in (known, unknown)]) == 2
        code, seconds = service.stop()
        assert code == 0, service.log
        assert seconds < 10
    finally:
        service.kill()
        producer.close()
