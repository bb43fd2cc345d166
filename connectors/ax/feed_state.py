"""How far each captured table is, and the checkpoints that say so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from connectors.ax.catalog import CaptureInstance
from connectors.ax.envelope import Envelopes, Origin
from connectors.ax.feed_writer import Stopping
from connectors.ax.resume import ContinueSnapshot, NewSnapshot, Start, Stream
from connectors.ax.source_tables import SourceTable, TableShape
from schemas import topics
from schemas.positions import Lsn, Position
from schemas.records import CapturePosition, Phase
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec
from streams.runtime.producer import OutRecord


class Writer(Protocol):
    """What the capture needs of the feed writer."""

    def write(self, records: list[OutRecord]) -> None:
        """Return when all are delivered."""


@dataclass(slots=True)
class TableFeed:
    """One table on its way. Only the capture's thread touches it.

    `position` is behind the last row delivered; None while a snapshot is due. `known` is the instance last read;
    `known_object` its name and change table, also from the checkpoint of an earlier run. `use` says how that instance's
    rows are read and written.
    """

    table: SourceTable
    origin: Origin
    start: Start
    topic_was_empty: bool = False
    known: CaptureInstance | None = None
    known_object: tuple[str, int] | None = None
    checkpointed: Position | None = None
    _envelopes: Envelopes | None = None

    @property
    def position(self) -> Position | None:
        """Where it streams; None while a snapshot is due."""
        return self.start.position if isinstance(self.start, Stream) else None

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
        """Everything up to `position` is in the topic."""
        self.start = Stream(position)


class Feed:
    """Writes rows and checkpoints.

    Order of durability, kept by every caller:

    1. the rows of a block are delivered
    2. the table's position moves (in memory)
    3. the checkpoint of the window, or of the snapshot's page, is delivered
    4. the next window or page is read
    """

    def __init__(
        self, writer: Writer, codec: AvroCodec, clock: Callable[[], datetime], stopping: threading.Event
    ) -> None:
        self._writer = writer
        self._codec = codec
        self._clock = clock
        self._stopping = stopping
        self.last_delivery = time.monotonic()

    def deliver(self, table: SourceTable, records: list[OutRecord]) -> None:
        """Write rows; returns when they are delivered. Raises Stopping when the process stops."""
        if self._stopping.is_set():
            raise Stopping
        if records:
            self._writer.write(records)
            self.last_delivery = time.monotonic()
            for record in records:
                if record.value is not None:
                    op = str(dict(record.headers)["ce_type"], "ascii").rpartition(".")[2]
                    metrics.CDC_ROWS.labels(table.name, op).inc()

    def checkpoint(self, feed: TableFeed, instance: CaptureInstance) -> None:
        """Write where `feed` is; returns when it is delivered."""
        start = feed.start
        record = CapturePosition(
            capture_instance=instance.name,
            topic=feed.table.topic.name,
            phase=Phase.STREAMING if isinstance(start, Stream) else Phase.SNAPSHOT,
            snapshot_lsn=str(start.lsn) if isinstance(start, ContinueSnapshot) else None,
            snapshot_key=start.after if isinstance(start, ContinueSnapshot) else None,
            position=str(start.position) if isinstance(start, Stream) else None,
            object_id=instance.object_id,
            at=self._clock(),
        )
        topic = topics.CDC_POSITIONS
        self._writer.write(
            [OutRecord(topic.name, instance.name.encode(), self._codec.encode(topic, record), partition=0)]
        )
        feed.checkpointed = feed.position


def begin_snapshot(feed: TableFeed, lsn: Lsn) -> ContinueSnapshot:
    """Fix the LSN of a snapshot that has not begun; one that has keeps its own."""
    if isinstance(feed.start, ContinueSnapshot):
        return feed.start
    if not isinstance(feed.start, NewSnapshot):
        raise ValueError(f"{feed.table.full_name} is streaming")
    feed.start = ContinueSnapshot(lsn, None)
    return feed.start
