"""The one writer of the change feed's topics: in order, without holes, and aware of a second writer.

The capture resumes behind the last row that it finds in a topic, so a hole before that row were lost for good. Two
things could make one, and both are shut off here:

1. A record that times out in the send queue while a later one gets through. The delivery timeout is infinite, and
   librdkafka's gapless guarantee stops the producer at any other failure: what is in a topic is always a prefix of
   what was handed over. A broker that is away makes the writer wait, not give up.
2. A second capture (a zombie whose last request arrives late, a mistaken second start). Each partition has one writer
   and no transactions, so its offsets are contiguous: a delivery at another offset than the next one expected proves
   another writer, and is fatal. A restart then resumes behind whatever is the last row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.failures import FatalError
from streams.runtime.producer import OutRecord
from streams.runtime.settings import KafkaSettings

_log = structlog.get_logger(__name__)
_POLL_SECONDS = 0.05
# Bounds memory: past it a write waits for deliveries.
_QUEUE_KBYTES = 65536
# A stop that comes while records are under way waits so long for their delivery; what is left is sent again.
_STOP_GRACE_SECONDS = 1.5
_SAY_WAITING_SECONDS = 30.0


class Stopping(Exception):  # noqa: N818 - not an error: the way out of a deep call when the process is told to stop
    """The process stops; raised where a call could otherwise wait for ever."""


class FeedWriter:
    """Writes records in order. For one thread."""

    def __init__(self, kafka: KafkaSettings, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._expected: dict[str, int] = {}
        self._left = 0
        self._failure: FatalError | None = None
        self._producer = Producer(
            kafka.client_config()
            | {
                "enable.idempotence": True,
                "enable.gapless.guarantee": True,
                # Errors only: librdkafka warns at every start that the guarantee is experimental.
                "log_level": 3,
                "acks": "all",
                "delivery.timeout.ms": 0,
                # One small batch per change matters for latency, and blocks fill a batch by themselves.
                "linger.ms": 1,
                "compression.type": "lz4",
                "queue.buffering.max.kbytes": _QUEUE_KBYTES,
            }
        )

    def expect(self, topic: str, next_offset: int) -> None:
        """Watch `topic`: the next record written to it must get `next_offset`."""
        self._expected[topic] = next_offset

    def write(self, records: Sequence[OutRecord]) -> None:
        """Hand `records` over; returns before they are delivered. The topic holds a prefix of all ever handed over.

        Raises: FatalError (kafka_refused) when an earlier one never can be delivered, (second_writer) when somebody
        else wrote in between; Stopping when the process stops while the queue is full.
        """
        for record in records:
            self._produce(record)
        self._serve(0)
        if self._failure is not None:
            raise self._failure

    def flush(self) -> None:
        """Return when all that was handed over is delivered. Raises as `write`."""
        started = said = time.monotonic()
        stop_seen: float | None = None
        while self._left and self._failure is None:
            self._serve(_POLL_SECONDS)
            now = time.monotonic()
            if self._stopping.is_set():
                stop_seen = stop_seen or now
                if now - stop_seen > _STOP_GRACE_SECONDS:
                    raise Stopping
            elif now - said > _SAY_WAITING_SECONDS:
                said = now
                _log.warning("kafka does not confirm", waiting_seconds=round(now - started), records=self._left)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Give what is under way a moment; the next start sends what was not delivered."""
        if self._failure is None:
            self._producer.flush(_STOP_GRACE_SECONDS)

    def abandon(self) -> None:
        """Another capture writes now: nothing more may follow. What the broker already has on its way stays."""
        self._failure = self._failure or FatalError("lease_lost", "writing: another capture has taken over")
        self._producer.purge(in_flight=False)

    def _produce(self, record: OutRecord) -> None:
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                    partition=record.partition or 0,
                    on_delivery=self._delivered,
                )
            except BufferError:
                # Full: what is delivered makes room, and is counted here.
                self._serve(_POLL_SECONDS)
                if self._stopping.is_set():
                    raise Stopping from None
            except KafkaException as error:
                raise _refused(record.topic, error.args[0]) from error
            else:
                self._left += 1
                return

    def _serve(self, seconds: float) -> None:
        """Let deliveries be told. A fatal error is raised here, without a word of the record: its report follows."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            if not error.args[0].fatal():
                raise

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        self._left -= 1
        topic, offset = message.topic() or "", message.offset()
        if error is not None:
            self._failure = self._failure or _refused(topic, error)
            return
        expected = self._expected.get(topic)
        # -1: the broker had the batch already (a repeated request) and does not say where.
        if expected is None or offset is None or offset < 0:
            return
        self._expected[topic] = offset + 1
        if offset != expected:
            self._failure = self._failure or FatalError(
                "second_writer",
                f"writing to {topic}: the record got offset {offset}, not {expected}; another capture writes to it. "
                "Stop one of the two",
            )


def _refused(topic: str, error: KafkaError) -> FatalError:
    return FatalError(
        "kafka_refused", f"writing to {topic}: {error.str()}; check topics (`freshax topics plan`), rights and sizes"
    )
