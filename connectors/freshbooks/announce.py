"""Notifications into Kafka: "this FreshBooks entity may have changed, look"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from schemas import keys, topics
from schemas.records import Notification
from streams.runtime.cloud_events import event_headers
from streams.runtime.codec import AvroCodec
from streams.runtime.producer import OutRecord


class Sender(Protocol):
    """The part of the producer that is needed."""

    async def send(self, records: Iterable[OutRecord]) -> None:
        """Return when delivery is confirmed."""


class Announcer:
    """Writes notifications; `announce` returns when Kafka has confirmed them."""

    def __init__(self, sender: Sender, codec: AvroCodec) -> None:
        self._sender = sender
        self._codec = codec

    async def announce(self, notifications: Sequence[Notification]) -> None:
        """Write in order. Raises: RetryableError (not_delivered), FatalError (kafka_refused)."""
        await self._sender.send([self._record(notification) for notification in notifications])

    def _record(self, notification: Notification) -> OutRecord:
        key = keys.freshbooks_key(notification.account_id, notification.kind, notification.object_id)
        topic = topics.NOTIFICATIONS
        return OutRecord(
            topic.name,
            key.encode(),
            self._codec.encode(topic, notification),
            event_headers(topic.name, key, notification.received_at),
        )
