"""Codec, producer, store and deploy steps against a real broker and a real registry."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from schemas import avro, topics
from schemas.failures import FatalError, PoisonError, RetryableError
from schemas.records import Fetched, Notification, Origin
from schemas.topics import Topic
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.producer import OutRecord, Producer
from streams.runtime.schema_admin import SchemaAdmin, SchemaState
from streams.runtime.settings import KafkaSettings, RegistrySettings
from streams.runtime.store import CompactedStore
from streams.runtime.topic_admin import Action, TopicAdmin
from tests.kit.poll import poll_until
from tests.kit.stack import create_topic

NOW = datetime(2026, 6, 29, 12, 0, tzinfo=UTC)


def fetched(version: str) -> Fetched:
    return Fetched(version=version, content_hash="h", vis_state=0, fetched_at=NOW)


@pytest.fixture
def settings(kafka: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka)


@pytest.fixture
def producer(settings: KafkaSettings) -> Iterator[Producer]:
    made = Producer(settings)
    yield made
    made.close()


@pytest.fixture
def client(registry: str) -> Iterator[SchemaRegistryClient]:
    with registry_client(RegistrySettings(url=registry)) as made:
        yield made


@pytest.fixture
def codec(client: SchemaRegistryClient) -> AvroCodec:
    SchemaAdmin(client).apply(topics.ALL)
    return AvroCodec(client)


@pytest.fixture
def topic(kafka: str, client: SchemaRegistryClient) -> Topic:
    """A compacted topic of its own, with the schema `fetched` registered for it."""
    name = create_topic(kafka, "store", partitions=4, config={"cleanup.policy": "compact"})
    made = Topic(name, "key", "compact", "fetched", "test")
    SchemaAdmin(client).apply([made])
    return made


class TestProducer:
    """`send` returns when every record is confirmed, or raises."""

    def test_what_was_sent_is_there_in_order(self, kafka: str, producer: Producer) -> None:
        name = create_topic(kafka, "out")
        asyncio.run(producer.send([OutRecord(name, b"k", str(n).encode(), [("n", b"1")]) for n in range(100)]))

        assert [value for value, _ in read(kafka, name, 100)] == [str(n).encode() for n in range(100)]

    def test_an_unknown_topic_is_fatal_and_says_what_to_do(self, producer: Producer) -> None:
        with pytest.raises(FatalError, match="freshax topics plan"):
            asyncio.run(producer.send([OutRecord("no.such.topic", b"k", b"v")]))

    def test_a_broker_that_is_away_is_retryable(self) -> None:
        lost = Producer(KafkaSettings(bootstrap_servers="127.0.0.1:1", delivery_timeout_seconds=1))
        try:
            with pytest.raises(RetryableError, match="not_delivered"):
                lost.send_blocking([OutRecord("any", b"k", b"v")])
        finally:
            lost.close()

    def test_a_tombstone_is_a_null_value(self, kafka: str, producer: Producer) -> None:
        name = create_topic(kafka, "out")
        producer.send_blocking([OutRecord(name, b"k", None)])

        assert read(kafka, name, 1) == [(None, b"k")]


class TestCodec:
    """Confluent framing; the registry is only read."""

    def test_a_value_survives_and_carries_its_schema_id(self, codec: AvroCodec) -> None:
        data = codec.encode(topics.FETCHED, fetched("v1"))
        magic, schema_id = struct.unpack_from(">bI", data)

        assert (magic, schema_id > 0) == (0, True)
        assert Fetched.from_avro(codec.decode(topics.FETCHED, data)) == fetched("v1")

    @pytest.mark.parametrize("data", [None, b"", b"\x00\x00", b"not avro at all", b"\x01\x00\x00\x00\x01abc"])
    def test_bytes_without_framing_are_poison(self, codec: AvroCodec, data: bytes | None) -> None:
        with pytest.raises(PoisonError, match="undecodable"):
            codec.decode(topics.FETCHED, data)

    def test_a_cut_body_and_an_unknown_schema_are_poison(self, codec: AvroCodec) -> None:
        data = codec.encode(topics.FETCHED, fetched("v1"))

        with pytest.raises(PoisonError, match="undecodable"):
            codec.decode(topics.FETCHED, data[:-20])
        with pytest.raises(PoisonError, match="undecodable"):
            codec.decode(topics.FETCHED, struct.pack(">bI", 0, 999_999) + data[5:])

    def test_a_value_of_another_record_is_poison(self, codec: AvroCodec) -> None:
        notification = Notification(
            account_id="a", kind="client", verb="update", object_id=1, origin=Origin.POLL, received_at=NOW
        )
        data = codec.encode(topics.NOTIFICATIONS, notification)

        with pytest.raises(PoisonError, match="undecodable"):
            codec.decode(topics.FETCHED, data)

    def test_a_schema_that_was_not_registered_is_fatal_and_says_what_to_do(self, client: SchemaRegistryClient) -> None:
        unregistered = Topic("nobody.registered.this", "key", "delete", "fetched", "test")

        with pytest.raises(FatalError, match="freshax schemas apply"):
            AvroCodec(client).encode(unregistered, fetched("v1"))

    def test_a_registry_that_is_away_is_retryable(self) -> None:
        away = AvroCodec(registry_client(RegistrySettings(url="http://127.0.0.1:1", timeout_seconds=1)))

        with pytest.raises(RetryableError, match="registry_unavailable"), closing(away):
            away.encode(topics.FETCHED, fetched("v1"))


class TestStore:
    """A compacted topic as a dict: recovered whole, followed, own writes seen at once."""

    def open(self, topic: Topic, settings: KafkaSettings, codec: AvroCodec, listener: Any = None) -> Any:
        store = CompactedStore(topic, Fetched, kafka=settings, codec=codec, listener=listener)
        store.start()
        store.wait_recovered(20)
        return store

    def write(self, producer: Producer, topic: Topic, codec: AvroCodec, rows: dict[str, Fetched | None]) -> None:
        producer.send_blocking(
            OutRecord(topic.name, key.encode(), None if row is None else codec.encode(topic, row))
            for key, row in rows.items()
        )

    def test_the_newest_row_per_key_is_recovered_and_tombstones_are_absent(
        self, topic: Topic, settings: KafkaSettings, codec: AvroCodec, producer: Producer
    ) -> None:
        self.write(producer, topic, codec, {f"k{n}": fetched("v1") for n in range(50)})
        self.write(producer, topic, codec, {"k1": fetched("v2"), "k2": None})
        store = self.open(topic, settings, codec)
        try:
            assert store.get("k1") == fetched("v2")
            assert store.get("k2") is None
            assert len(store) == 49
        finally:
            store.close()

    def test_later_rows_are_followed_and_told(
        self, topic: Topic, settings: KafkaSettings, codec: AvroCodec, producer: Producer
    ) -> None:
        told: list[tuple[str, Fetched | None, Fetched | None]] = []
        store = self.open(topic, settings, codec, lambda *change: told.append(change))
        try:
            self.write(producer, topic, codec, {"k": fetched("v1")})
            poll_until(lambda: store.get("k"), 10, "the row did not arrive")
            self.write(producer, topic, codec, {"k": None})
            poll_until(lambda: store.get("k") is None, 10, "the tombstone did not arrive")
        finally:
            store.close()
        assert told == [("k", None, fetched("v1")), ("k", fetched("v1"), None)]

    def test_an_own_write_is_seen_at_once_and_told_once(
        self, topic: Topic, settings: KafkaSettings, codec: AvroCodec, producer: Producer
    ) -> None:
        told: list[Any] = []
        store = self.open(topic, settings, codec, lambda *change: told.append(change))
        try:
            store.put("k", fetched("v1"))
            assert store.get("k") == fetched("v1")
            self.write(producer, topic, codec, {"k": fetched("v1"), "end": fetched("v1")})
            poll_until(lambda: store.get("end"), 10, "the topic did not bring the rows back")
        finally:
            store.close()
        assert [change[0] for change in told] == ["k", "end"]

    def test_a_slow_tail_never_shows_a_state_older_than_the_own_write(
        self, topic: Topic, settings: KafkaSettings, codec: AvroCodec, producer: Producer
    ) -> None:
        store = self.open(topic, settings, codec)
        try:
            store.put("k", fetched("v2"))
            self.write(producer, topic, codec, {"k": fetched("v1"), "end": fetched("v1")})
            # Rows of other partitions may come first; the marker of the same partition is the second write of k.
            poll_until(lambda: store.get("end"), 10, "the topic did not bring the rows")
            assert store.get("k") == fetched("v2")
            self.write(producer, topic, codec, {"k": fetched("v2")})
            self.write(producer, topic, codec, {"k": fetched("v3")})
            poll_until(lambda: store.get("k") == fetched("v3"), 10, "the overlay did not end")
        finally:
            store.close()

    def test_a_bad_row_is_skipped_and_the_row_before_it_stays(
        self, topic: Topic, settings: KafkaSettings, codec: AvroCodec, producer: Producer
    ) -> None:
        self.write(producer, topic, codec, {"k": fetched("v1")})
        producer.send_blocking([OutRecord(topic.name, b"k", b"garbage")])
        store = self.open(topic, settings, codec)
        try:
            assert store.get("k") == fetched("v1")
        finally:
            store.close()

    def test_a_topic_that_does_not_exist_is_fatal(self, settings: KafkaSettings, codec: AvroCodec) -> None:
        missing = Topic("no.such.table", "key", "compact", "fetched", "test")
        store = CompactedStore(missing, Fetched, kafka=settings, codec=codec)
        store.start()
        try:
            with pytest.raises(FatalError, match="freshax topics apply"):
                store.wait_recovered(20)
        finally:
            store.close()


class TestDeploySteps:
    """`freshax topics` and `freshax schemas` make cluster and registry follow what is declared."""

    def test_topics_are_created_once_and_then_left_alone(self, settings: KafkaSettings) -> None:
        admin = TopicAdmin(settings)
        admin.apply(topics.ALL)
        created = poll_until(
            lambda: {change.action for change in admin.plan(topics.ALL)} == {Action.NONE}, 10, "topics did not appear"
        )

        assert created

    def test_a_topic_with_another_number_of_partitions_is_refused_before_anything_changes(
        self, kafka: str, settings: KafkaSettings
    ) -> None:
        name = create_topic(kafka, "wide", partitions=3)
        wide = Topic(name, "key", "delete", None, "test")
        new = Topic(f"{name}.new", "key", "delete", None, "test")
        # A broker knows a topic a moment after the controller has made it.
        poll_until(lambda: TopicAdmin(settings).plan([wide])[0].action is Action.REFUSE, 10, "the topic did not appear")

        with pytest.raises(FatalError, match="3 partitions"):
            TopicAdmin(settings).apply([new, wide])
        assert TopicAdmin(settings).plan([new])[0].action is Action.CREATE

    def test_schemas_are_registered_once(self, client: SchemaRegistryClient) -> None:
        admin = SchemaAdmin(client)
        admin.apply(topics.ALL)

        assert {plan.state for plan in admin.plan(topics.ALL)} == {SchemaState.REGISTERED}

    def test_an_incompatible_schema_is_refused(
        self, client: SchemaRegistryClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        topic = Topic("evolving", "key", "delete", "fetched", "test")
        admin = SchemaAdmin(client)
        admin.apply([topic])
        broken = avro.load("fetched")
        broken["fields"].append({"name": "new", "type": "string", "doc": "No default: old records lack it."})
        monkeypatch.setattr(avro, "text", lambda _name, _version=None: json.dumps(broken))

        assert admin.plan([topic])[0].state is SchemaState.INCOMPATIBLE
        with pytest.raises(FatalError, match="schema_incompatible"):
            admin.apply([topic])

    @pytest.mark.parametrize(
        "name", sorted({t.schema for t in topics.ALL if t.schema and avro.latest_version(t.schema) > 1})
    )
    def test_every_version_follows_the_one_before(
        self, client: SchemaRegistryClient, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        topic = Topic(f"history.{name.replace('_', '-')}", "key", "delete", name, "test")
        published = {number: avro.text(name, number) for number in range(1, avro.latest_version(name) + 1)}
        states = []
        for text in published.values():
            monkeypatch.setattr(avro, "text", lambda _name, _version=None, text=text: text)
            states.append(SchemaAdmin(client).apply([topic])[0].state)

        assert states == [SchemaState.NEW_SUBJECT] + [SchemaState.NEW_VERSION] * (len(published) - 1)

    def test_a_field_with_a_default_is_a_new_version(
        self, client: SchemaRegistryClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        topic = Topic("growing", "key", "delete", "fetched", "test")
        SchemaAdmin(client).apply([topic])
        grown = avro.load("fetched")
        grown["fields"].append({"name": "new", "type": ["null", "string"], "default": None, "doc": "Added."})
        monkeypatch.setattr(avro, "text", lambda _name, _version=None: json.dumps(grown))

        assert SchemaAdmin(client).apply([topic])[0].state is SchemaState.NEW_VERSION
        assert client.lookup_schema("growing-value", Schema(json.dumps(grown), "AVRO")).version == 2


def read(kafka: str, name: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(name, 0, 0)])
    try:
        found: list[tuple[bytes | None, bytes | None]] = []
        poll_until(lambda: _take(consumer, found) or len(found) >= count, 10, f"{name} has no {count} records")
        return found
    finally:
        consumer.close()


def _take(consumer: Consumer, found: list[tuple[bytes | None, bytes | None]]) -> bool:
    found += [(message.value(), message.key()) for message in consumer.consume(1000, 0.1)]
    return False
