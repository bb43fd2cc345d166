"""What an agent publishes: records encoded for their topics, with the headers of the record that led to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from schemas.records import Record
from schemas.topics import Topic
from streams.runtime.cloud_events import Headers, event_headers
from streams.runtime.codec import AvroCodec
from streams.runtime.producer import OutRecord, Producer

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of a running process."""
    return datetime.now(UTC)


class Outbox:
    """Encodes and sends; `send` returns when everything is confirmed."""

    def __init__(self, producer: Producer, codec: AvroCodec, clock: Clock = utc_now) -> None:
        self._producer = producer
        self._codec = codec
        self.now = clock

    def record(self, topic: Topic, key: str, value: Record | None, parent: Headers, extra: Headers = ()) -> OutRecord:
        """One record for `topic`; a None value is a tombstone."""
        encoded = None if value is None else self._codec.encode(topic, value)
        headers = event_headers(topic.name, key, self.now(), parent)
        return OutRecord(topic.name, key.encode(), encoded, [*headers, *extra])

    async def send(self, records: Sequence[OutRecord]) -> None:
        """Write in order; returns when all are confirmed."""
        if records:
            await self._producer.send(records)
