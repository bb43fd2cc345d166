"""How far each captured table is, and the checkpoints that say so."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.ax.backfill_chunk import Chunk
from connectors.ax.catalog import CaptureInstance
from connectors.ax.envelope import Envelopes, Origin
from connectors.ax.feed_writer import Stopping
from connectors.ax.resume import ContinueSnapshot, NewSnapshot, Start, Stream
from connectors.ax.source_tables import SourceTable, TableShape
from schemas import topics
from schemas.positions import Lsn, Position
from schemas.records import Backfill, CapturePosition, CaptureSignal, Phase
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec
from streams.runtime.producer import OutRecord

# While rows flow the topic itself says how far they are; a checkpoint adds little then.
_BUSY_CHECKPOINT_SECONDS = 1.0


class Writer(Protocol):
    """What the capture needs of the feed writer."""

    def write(self, records: list[OutRecord]) -> None:
        """Hand over: they will be delivered in order, or the process ends."""

    def flush(self) -> None:
        """Return when all that was handed over is delivered."""


@dataclass(slots=True)
class TableFeed:
    """One table on its way. Only the capture's thread touches it.

    `position` is behind the last row handed over; None while a snapshot is due. `known` is the instance last read;
    `known_object` its name and change table, also from the checkpoint of an earlier run. `inbox` holds signals (with
    their offsets) that came while the table was busy, `requests` those that wait for their turn; `backfill` and
    `chunk` are the incremental snapshot under way, which takes turns with the stream (`streamed_last`).
    `use` says how the known instance's rows are read and written.
    """

    table: SourceTable
    origin: Origin
    start: Start
    topic_was_empty: bool = False
    known: CaptureInstance | None = None
    known_object: tuple[str, int] | None = None
    checkpointed: Position | None = None
    checkpointed_at: float = 0.0
    rows_read: int | None = None
    rows_estimated: int | None = None
    signals_taken: int = -1
    inbox: deque[tuple[int, CaptureSignal]] = field(default_factory=deque)
    requests: deque[tuple[int, CaptureSignal]] = field(default_factory=deque)
    paused: bool = False
    backfill: Backfill | None = None
    chunk: Chunk | None = None
    streamed_last: bool = False
    _envelopes: Envelopes | None = None

    @property
    def position(self) -> Position | None:
        """Where it streams; None while a snapshot is due."""
        return self.start.position if isinstance(self.start, Stream) else None

    @property
    def streaming_position(self) -> Position:
        """Where it streams. Raises ValueError before its snapshot is complete."""
        if not isinstance(self.start, Stream):
            raise ValueError(f"{self.table.full_name}: no position before its snapshot")
        return self.start.position

    def use(self, shape: TableShape) -> None:
        """Read and write rows in `shape` from now on."""
        if self._envelopes is None or self._envelopes.shape is not shape:
            self._envelopes = Envelopes(shape, self.origin)

    @property
    def envelopes(self) -> Envelopes:
        """Makes records in the shape in use. Raises ValueError before there is one."""
        if self._envelopes is None:
            raise ValueError(f"{self.table.full_name}: no shape before its instance is known")
        return self._envelopes

    @property
    def shape(self) -> TableShape:
        """The shape in use."""
        return self.envelopes.shape

    def advance(self, position: Position) -> None:
        """Everything up to `position` is in the topic, or on its way there with nothing before it missing."""
        self.start = Stream(position)


class Feed:
    """Writes rows and checkpoints.

    Order of durability, kept by every caller:

    1. the rows of a block are handed over, in order and without holes (feed_writer.py)
    2. the table's position moves (in memory)
    3. all that was handed over is delivered
    4. the checkpoint is delivered
    """

    def __init__(
        self,
        writer: Writer,
        codec: AvroCodec,
        clock: Callable[[], datetime],
        stopping: threading.Event,
        require_lease: Callable[[], None] = lambda: None,
    ) -> None:
        self._writer = writer
        self._codec = codec
        self._clock = clock
        self._stopping = stopping
        self._require_lease = require_lease
        self.last_delivery = time.monotonic()

    def deliver(self, table: SourceTable, records: list[OutRecord], counts: Mapping[str, int]) -> None:
        """Hand rows over; `counts` are theirs by op.

        Raises: Stopping when the process stops, FatalError (lease_lost).
        """
        if self._stopping.is_set():
            raise Stopping
        if records:
            self._require_lease()
            self._writer.write(records)
            self.last_delivery = time.monotonic()
            for op, count in counts.items():
                metrics.CDC_ROWS.labels(table.name, op).inc(count)

    def require_lease(self) -> None:
        """Raise FatalError (lease_lost) when another capture may write now; also one that is idle must find out."""
        self._require_lease()

    def flush(self) -> None:
        """Return when all that was handed over is delivered."""
        self._writer.flush()

    def checkpoint(self, feed: TableFeed, instance: CaptureInstance, *, busy: bool = False) -> None:
        """Write where `feed` is; returns when it is delivered. While `busy` at most once a second."""
        now = time.monotonic()
        if busy and now - feed.checkpointed_at < _BUSY_CHECKPOINT_SECONDS:
            return
        self._writer.flush()
        start = feed.start
        after = start.after if isinstance(start, ContinueSnapshot) else None
        record = CapturePosition(
            capture_instance=instance.name,
            topic=feed.table.topic.name,
            phase=Phase.STREAMING if isinstance(start, Stream) else Phase.SNAPSHOT,
            snapshot_lsn=str(start.lsn) if isinstance(start, ContinueSnapshot) else None,
            snapshot_key=after.rec_id if after else None,
            snapshot_partition=after.partition if after else None,
            position=str(start.position) if isinstance(start, Stream) else None,
            object_id=instance.object_id,
            rows_read=feed.rows_read,
            rows_estimated=feed.rows_estimated,
            signals_taken=feed.signals_taken,
            backfill=feed.backfill,
            at=self._clock(),
        )
        topic = topics.CDC_POSITIONS
        self._require_lease()
        self._writer.write(
            [OutRecord(topic.name, instance.name.encode(), self._codec.encode(topic, record), partition=0)]
        )
        self._writer.flush()
        feed.checkpointed = feed.position
        feed.checkpointed_at = time.monotonic()


def begin_snapshot(feed: TableFeed, lsn: Lsn) -> ContinueSnapshot:
    """Fix the LSN of a snapshot that has not begun; one that has keeps its own."""
    if isinstance(feed.start, ContinueSnapshot):
        return feed.start
    if not isinstance(feed.start, NewSnapshot):
        raise ValueError(f"{feed.table.full_name} is streaming")
    feed.start = ContinueSnapshot(lsn, None)
    return feed.start
