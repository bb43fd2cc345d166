"""2xx is said only for what Kafka has confirmed: proved by taking the broker away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from confluent_kafka import Consumer

from connectors.freshbooks.announce import Announcer
from connectors.freshbooks.clocks import utc_now
from connectors.freshbooks.listener import Listener
from connectors.freshbooks.sealed_file import SealedFile
from connectors.freshbooks.signature import HEADER, signature
from connectors.freshbooks.verifiers import Verifiers
from sandbox.stack.kafka import Kafka
from schemas import topics
from streams.runtime.codec import AvroCodec
from streams.runtime.producer import Producer
from streams.runtime.settings import KafkaSettings, WebhookSettings
from streams.runtime.topic_admin import TopicAdmin
from tests.kit.freshbooks import KEY
from tests.kit.poll import poll_until


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of this test alone, which it may kill."""
    own = Kafka(tmp_path / "kafka")
    own.start()
    try:
        own.wait_ready()
        yield own
    finally:
        own.stop()


async def send(http: httpx.AsyncClient, number: int) -> int:
    form = {"name": "client.update", "object_id": str(number), "account_id": "ZyQ04o"}
    headers = {"Content-Type": "application/x-www-form-urlencoded", HEADER: signature("the-verifier", form)}
    answer = await http.post("/webhooks/freshbooks/ZyQ04o/client", content=urlencode(form), headers=headers)
    return answer.status_code


def written(bootstrap: str, codec: AvroCodec, at_least: int) -> list[int]:
    """Ids of the notifications in the topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([topics.NOTIFICATIONS.name])
    ids: list[int] = []

    def enough() -> bool:
        found = consumer.consume(100, 0.2)
        ids.extend(codec.decode(topics.NOTIFICATIONS, message.value())["object_id"] for message in found)
        return len(ids) >= at_least

    try:
        poll_until(enough, 20, f"{at_least} notifications")
    finally:
        consumer.close()
    return ids


def test_503_while_the_broker_is_away_200_before_and_after(broker: Kafka, codec: AvroCodec, tmp_path: Path) -> None:
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap, delivery_timeout_seconds=2)
    TopicAdmin(settings).apply([topics.NOTIFICATIONS])
    verifiers = Verifiers(SealedFile(tmp_path / "verifiers", KEY), clock=utc_now)
    producer = Producer(settings)
    listener = Listener(
        WebhookSettings(),
        account_id="ZyQ04o",
        verifiers=verifiers,
        announce=Announcer(producer, codec).announce,
        clock=utc_now,
        on_handshake=lambda: None,
        on_fatal=lambda error: pytest.fail(str(error)),
    )

    async def run() -> None:
        await verifiers.expect("client")
        await verifiers.offer("client", 1, "the-verifier")
        await verifiers.confirm(1)
        transport = httpx.ASGITransport(listener.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://hooks.test") as http:
            assert await send(http, 1) == 200
            await asyncio.to_thread(broker.kill)
            assert await asyncio.gather(*(send(http, number) for number in (2, 3))) == [503, 503]
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(broker.wait_ready)
            async with asyncio.timeout(20):
                while await send(http, 4) != 200:
                    await asyncio.sleep(0.1)

    try:
        asyncio.run(run())
        assert {1, 4} <= set(written(broker.bootstrap, codec, at_least=2))
    finally:
        producer.close()
