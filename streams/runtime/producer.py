"""The one producer of a process: librdkafka, idempotent, acks from all in-sync replicas.

`send` returns when every record's delivery is confirmed, or raises: nothing is acknowledged on hope. librdkafka
retries inside the delivery timeout and keeps the order per partition; a record that could not be delivered within it
may still have been written (the broker's answer was lost), so writers must be idempotent by key.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as LibrdkafkaProducer

from schemas.failures import FatalError, RetryableError
from streams.runtime.settings import KafkaSettings

# Bounds memory: some 64 MiB of records under way; past it `send` waits.
_QUEUE_KBYTES = 65536
_POLL_SECONDS = 0.1
_UNKNOWN_TOPIC_MS = 2000


@dataclass(frozen=True, slots=True)
class OutRecord:
    """One record to be written. A None value is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = field(default=())
    partition: int | None = None


class Producer:
    """Idempotent producer with confirmed delivery. `close` flushes."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._timeout = settings.delivery_timeout_seconds
        self._client = LibrdkafkaProducer(
            settings.client_config()
            | {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 2,
                "compression.type": "lz4",
                # A topic that does not exist is a mistake of the deployment: say so at once, not after 30 s.
                "topic.metadata.propagation.max.ms": _UNKNOWN_TOPIC_MS,
                "queue.buffering.max.kbytes": _QUEUE_KBYTES,
                "delivery.timeout.ms": int(self._timeout * 1000),
                # Java's partitioner, so that every client of the cluster puts a key into the same partition.
                "partitioner": "murmur2_random",
            }
        )
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._serve_callbacks, name="producer", daemon=True)
        self._poller.start()

    async def send(self, records: Iterable[OutRecord]) -> None:
        """Write records in order and return when all are confirmed.

        Raises: RetryableError (not_delivered) when one was not confirmed in time; FatalError when it never can be
        (unknown topic, no rights, too large for the broker's setting).
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: KafkaError | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(_failure(error))

        def settle_in_loop(error: KafkaError | None) -> None:
            loop.call_soon_threadsafe(settle, error)

        count = self._submit(records, settle_in_loop)
        if count:
            await done

    def send_blocking(self, records: Iterable[OutRecord]) -> None:
        """As `send`, for code outside an event loop."""
        done = threading.Event()
        outcome: list[KafkaError | None] = []

        def settle(error: KafkaError | None) -> None:
            outcome.append(error)
            done.set()

        if self._submit(records, settle):
            # librdkafka gives up by itself after the delivery timeout; the margin is for the callback.
            if not done.wait(self._timeout + 5):
                raise RetryableError("not_delivered", "writing to Kafka: no delivery report in time")
            if outcome[0] is not None:
                raise _failure(outcome[0])

    def close(self) -> None:
        """Wait for what is under way, then stop."""
        self._client.flush(self._timeout)
        self._stopping.set()
        self._poller.join(timeout=2)

    def _submit(self, records: Iterable[OutRecord], settle: Any) -> int:
        """Hand `records` to librdkafka; `settle` is called once, with the first error or None. Returns the count."""
        batch = list(records)
        pending = _Pending(len(batch), settle)
        for record in batch:
            self._produce(record, pending)
        return len(batch)

    def _produce(self, record: OutRecord, pending: _Pending) -> None:
        arguments: dict[str, Any] = {"key": record.key, "value": record.value, "headers": list(record.headers)}
        if record.partition is not None:
            arguments["partition"] = record.partition
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                self._client.produce(record.topic, on_delivery=pending.delivered, **arguments)
            except BufferError:
                if time.monotonic() > deadline:
                    raise RetryableError(
                        "not_delivered", f"writing to {record.topic}: the send queue is full"
                    ) from None
                self._client.poll(_POLL_SECONDS)
            except KafkaException as error:
                raise _failure(error.args[0]) from error
            else:
                return

    def _serve_callbacks(self) -> None:
        while not self._stopping.is_set():
            self._client.poll(_POLL_SECONDS)


class _Pending:
    """Counts deliveries of one `send`; calls `settle` when all are reported."""

    def __init__(self, count: int, settle: Any) -> None:
        self._left = count
        self._settle = settle
        self._error: KafkaError | None = None
        self._lock = threading.Lock()

    def delivered(self, error: KafkaError | None, _message: Message) -> None:
        with self._lock:
            self._left -= 1
            self._error = self._error or error
            last = self._left == 0
        if last:
            self._settle(self._error)


_NEVER = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's name for its own codes
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError._FATAL,  # noqa: SLF001
    }
)


def _failure(error: KafkaError) -> RetryableError | FatalError:
    """Our class for a delivery error, by its code."""
    if error.code() in _NEVER or error.fatal():
        return FatalError(
            "kafka_refused", f"writing to Kafka: {error.str()}; check topics (`freshax topics plan`), rights and sizes"
        )
    return RetryableError("not_delivered", f"writing to Kafka: {error.str()}")
