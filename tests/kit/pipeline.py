"""In-memory stand-ins for what agents need of Kafka: a codec without a registry, a producer that remembers, a store."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import fastavro

from schemas import avro
from schemas.failures import PoisonError, RetryableError
from schemas.records import Record
from schemas.topics import Topic
from streams.agents.outbox import Outbox
from streams.runtime.dead_letters import Origin
from streams.runtime.producer import OutRecord

NOW = datetime(2026, 6, 29, 17, 0, tzinfo=UTC)
R = TypeVar("R", bound=Record)


class PlainCodec:
    """Real Avro without the registry."""

    def encode(self, topic: Topic, record: Record) -> bytes:
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(avro.load(topic.schema or "")), record.to_avro())
        return buffer.getvalue()

    def decode(self, topic: Topic, data: bytes | None) -> dict[str, Any]:
        if not data:
            raise PoisonError("undecodable", "nothing to decode")
        schema = fastavro.parse_schema(avro.load(topic.schema or ""))
        return fastavro.schemaless_reader(io.BytesIO(data), schema, None)  # type: ignore[return-value]


class RememberingProducer:
    """Keeps what was sent; fails the sends it is told to (by their number, from 1)."""

    def __init__(self) -> None:
        self.sent: list[OutRecord] = []
        self.fail_sends: set[int] = set()
        self.sends = 0

    async def send(self, records: Iterable[OutRecord]) -> None:
        self.sends += 1
        if self.sends in self.fail_sends:
            raise RetryableError("not_delivered", "told to")
        self.sent += records

    def topics(self) -> list[str]:
        return [record.topic for record in self.sent]

    def records(self, topic: Topic, kind: type[R]) -> list[R | None]:
        found = [record.value for record in self.sent if record.topic == topic.name]
        return [None if value is None else kind.from_avro(PlainCodec().decode(topic, value)) for value in found]


class DictStore(Generic[R]):
    """A compacted store that is only a dict."""

    def __init__(self, rows: dict[str, R] | None = None) -> None:
        self.rows = dict(rows or {})

    def get(self, key: str) -> R | None:
        return self.rows.get(key)

    def put(self, key: str, row: R | None) -> None:
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row

    def items(self) -> Iterator[tuple[str, R]]:
        return iter(list(self.rows.items()))


def outbox(producer: RememberingProducer) -> Outbox:
    return Outbox(producer, PlainCodec(), lambda: NOW)  # type: ignore[arg-type]


def incoming(topic: Topic, key: str, record: Record | None, *, offset: int = 0) -> Origin:
    value = None if record is None else PlainCodec().encode(topic, record)
    return Origin(topic.name, 0, offset, key.encode(), value, (("traceparent", b"00-" + b"a" * 32 + b"-bbbb-01"),))
