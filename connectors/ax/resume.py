"""Where a capture goes on: behind the last row found in the topic, or behind its checkpoint, whichever is later.

The topic itself is the truth: every row carries its position in a header, and rows are delivered in order without
holes (feed_writer.py). The checkpoint adds what the rows cannot say: that a quiet table was read up to an LSN, that a
snapshot is complete, which change table was read. So a kill at any point loses nothing and doubles nothing:

    killed …                                        found at the start               goes on
    before the first row of a window                checkpoint or older row          reads the window again
    after some rows of a transaction                last row, inside a transaction   reads that transaction again and
                                                                                     skips what is not behind the row
    between a delete and its tombstone              a delete at the very end         writes the tombstone first
    after the rows, before the checkpoint           last row, ahead of checkpoint    as inside a transaction
    inside a snapshot                               last snapshot row: LSN, key      continues behind that key
    inside a chunk of an incremental snapshot       last row, with the request's id  continues behind that key
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.ax.envelope import is_snapshot
from connectors.ax.row_key import RowKey
from schemas import headers, topics
from schemas.failures import FatalError, RetryableError
from schemas.positions import Lsn, Position
from schemas.records import Backfill, CapturePosition, Phase
from schemas.topics import Topic
from streams.runtime.codec import AvroCodec
from streams.runtime.settings import KafkaSettings

_TIMEOUT_SECONDS = 10.0
# The last row is one record back, but for the holes that compaction leaves and a late record of a predecessor.
_LOOK_BACK = 100


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """Begin with a snapshot."""


@dataclass(frozen=True, slots=True)
class ContinueSnapshot:
    """Continue the snapshot taken at `lsn` behind the row `after` (None: no row was written)."""

    lsn: Lsn
    after: RowKey | None


@dataclass(frozen=True, slots=True)
class Stream:
    """Stream what is behind `position`."""

    position: Position


Start = NewSnapshot | ContinueSnapshot | Stream


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a topic. `position` and `key` of the last row are None for an empty one.

    `unfinished` is a delete whose tombstone is missing; `snapshot_id` the request that the last row answers.
    """

    position: Position | None
    end_offset: int
    key: RowKey | None = None
    snapshot_id: str | None = None
    unfinished: Message | None = None


def start_of(checkpoint: CapturePosition | None, tail: Tail) -> Start:
    """Where to go on, from the newest checkpoint of a table and the end of its topic."""
    last = tail.position
    if checkpoint is None:
        return NewSnapshot() if last is None else _behind_row(last, tail.key)
    if checkpoint.phase is Phase.SNAPSHOT:
        return _in_snapshot(checkpoint, tail)
    if checkpoint.position is None:
        raise FatalError("checkpoint_invalid", f"reading the checkpoint of {checkpoint.capture_instance}: no position")
    position = Position.parse(checkpoint.position)
    return Stream(position) if last is None or last <= position else _behind_row(last, tail.key)


def backfill_of(checkpoint: CapturePosition | None, tail: Tail) -> Backfill | None:
    """The incremental snapshot to go on with; rows of its last chunk that are in the topic already are passed."""
    backfill = None if checkpoint is None else checkpoint.backfill
    if backfill is None or tail.key is None or tail.snapshot_id != backfill.signal_id:
        return backfill
    return msgspec.structs.replace(backfill, after_partition=tail.key.partition, after_key=tail.key.rec_id)


def _in_snapshot(checkpoint: CapturePosition, tail: Tail) -> Start:
    if checkpoint.snapshot_lsn is None:
        return NewSnapshot()
    lsn = Lsn.parse(checkpoint.snapshot_lsn)
    if tail.position is None or tail.position.commit_lsn < lsn:
        partition, rec_id = checkpoint.snapshot_partition, checkpoint.snapshot_key
        after = None if partition is None or rec_id is None else RowKey(partition, rec_id)
        return ContinueSnapshot(lsn, after)
    return _behind_row(tail.position, tail.key)


def _behind_row(last: Position, key: RowKey | None) -> Start:
    return ContinueSnapshot(last.commit_lsn, key) if is_snapshot(last) else Stream(last)


def read_tail(kafka: KafkaSettings, topic: Topic) -> Tail:
    """The end of `topic`, which has one partition.

    Raises: FatalError (topic_missing), (feed_without_position) for a record that the capture did not write;
    RetryableError when Kafka does not answer.
    """
    with _consumer(kafka, topic) as (consumer, low, high):
        look_back = _LOOK_BACK
        found: list[Message] = []
        while not found and high > low:
            start = max(low, high - look_back)
            found = list(_read(consumer, topic, start, high))
            if start == low:
                break
            look_back *= 10
    if not found:
        return Tail(None, high)
    last = found[-1]
    position = max(position_of(message) for message in found)
    is_delete = last.value() is not None and _header(last, headers.CE_TYPE).endswith(b".d")
    return Tail(
        position,
        high,
        key=_row_key(last),
        snapshot_id=_header(last, headers.SNAPSHOT_ID).decode("ascii") or None,
        unfinished=last if is_delete else None,
    )


def read_checkpoints(kafka: KafkaSettings, codec: AvroCodec) -> dict[str, CapturePosition]:
    """The newest checkpoint of each topic, by topic name: an instance that was switched away from leaves an old one."""
    found: dict[str, CapturePosition] = {}
    topic = topics.CDC_POSITIONS
    with _consumer(kafka, topic) as (consumer, low, high):
        for message in _read(consumer, topic, low, high):
            value = message.value()
            if value is not None:
                checkpoint = CapturePosition.from_avro(codec.decode(topic, value))
                found[checkpoint.topic] = checkpoint
    return found


def each_record(kafka: KafkaSettings, topic: Topic, take: Callable[[Message], Any]) -> None:
    """Call `take` with every record that is in `topic` now, in order."""
    with _consumer(kafka, topic) as (consumer, low, high):
        for message in _read(consumer, topic, low, high):
            take(message)


def position_of(message: Message) -> Position:
    """The position in a record's header. Raises FatalError (feed_without_position) when there is none."""
    try:
        return Position.parse(_header(message, headers.POSITION).decode("ascii"))
    except ValueError as error:
        raise _not_ours(message, "no position in the header") from error


def _not_ours(message: Message, what: str) -> FatalError:
    return FatalError(
        "feed_without_position",
        f"reading {message.topic()} at offset {message.offset()}: {what}; the capture did not write this record. "
        "Find out who did, and re-create the topic with `freshax topics`",
    )


def _row_key(message: Message) -> RowKey:
    try:
        return RowKey.parse(message.key() or b"")
    except ValueError as error:
        raise _not_ours(message, "no key of a row") from error


def _header(message: Message, name: str) -> bytes:
    found = dict(message.headers() or [])
    value = found.get(name)
    return value if isinstance(value, bytes) else b""


@contextmanager
def _consumer(kafka: KafkaSettings, topic: Topic) -> Iterator[tuple[Consumer, int, int]]:
    """A consumer without a group, with the first and the next offset of partition 0."""
    consumer = Consumer(
        kafka.client_config()
        | {
            "group.id": f"freshax.capture.{topic.name}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    try:
        known = consumer.list_topics(topic.name, timeout=_TIMEOUT_SECONDS).topics[topic.name]
        if known.error is not None or not known.partitions:
            raise FatalError(
                "topic_missing", f"reading {topic.name}: the topic does not exist; run `freshax topics apply`"
            )
        if len(known.partitions) != topic.partitions:
            raise FatalError(
                "topic_partitions",
                f"reading {topic.name}: it has {len(known.partitions)} partitions, not {topic.partitions}; "
                "the order of changes needs it: re-create the topic",
            )
        low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, 0), timeout=_TIMEOUT_SECONDS)
        yield consumer, low, high
    except KafkaException as error:
        raise RetryableError("kafka_unavailable", f"reading {topic.name}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _read(consumer: Consumer, topic: Topic, start: int, end: int) -> Iterator[Message]:
    """Records of partition 0 with start <= offset < end."""
    if start >= end:
        return
    consumer.assign([TopicPartition(topic.name, 0, start)])
    while True:
        message = consumer.poll(_TIMEOUT_SECONDS)
        if message is None:
            raise RetryableError("kafka_unavailable", f"reading {topic.name}: no answer")
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
            return
        if error is not None:
            raise KafkaException(error)
        offset = message.offset() or 0
        if offset >= end:
            return
        yield message
        if offset == end - 1:
            return
