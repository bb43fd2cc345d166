"""Composition root of `freshax capture`: the capture and the projector in two threads, beside a health server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypeVar

import structlog

from connectors.ax.capture import Capture
from connectors.ax.envelope import Origin
from connectors.ax.feed_state import Feed, TableFeed
from connectors.ax.feed_writer import FeedWriter, Stopping
from connectors.ax.lease import LOST, Lease
from connectors.ax.projector import Projector, ProjectorTopics
from connectors.ax.resume import NewSnapshot, Start, Tail, backfill_of, read_checkpoints, read_tail, start_of
from connectors.ax.snapshot import sweep_vanished
from connectors.ax.source_tables import SourceTable, source_tables
from connectors.ax.sql import check_settings
from connectors.ax.table_shapes import TableShapes
from schemas import topics
from schemas.failures import FatalError, RetryableError
from schemas.records import CapturePosition
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.health import HealthServer
from streams.runtime.process import Lifetime
from streams.runtime.producer import OutRecord, Producer
from streams.runtime.schema_admin import Subjects
from streams.runtime.settings import Settings

_log = structlog.get_logger(__name__)
T = TypeVar("T")
# SIGTERM ends the process within five seconds; what is under way then is as after a kill: found and continued.
_STOP_SECONDS = 4.0
_RETRY_SECONDS = 1.0
_START_TRIES = 20
# How often a capture that stands by looks whether it is to stop.
_LEADING_SECONDS = 0.1


async def run_capture(settings: Settings) -> None:
    """Capture and project until SIGTERM or SIGINT.

    Raises: the Failure that ended the process, if one did.
    """
    check_settings(settings.ax_sql)
    lifetime = Lifetime()
    stopping = threading.Event()
    with HealthServer(settings.observe) as health:
        service = CaptureService(settings, stopping, lifetime.fail, health)
        service.start()
        _log.info("capture started", metrics_port=health.port)
        try:
            await lifetime.wait()
        finally:
            stopping.set()
            await asyncio.to_thread(service.join, _STOP_SECONDS)
    _log.info("capture stopped")


class CaptureService:
    """The two threads, which work while the lease is held. Of the capture the projector needs only its topics."""

    def __init__(
        self,
        settings: Settings,
        stopping: threading.Event,
        fail: Callable[[BaseException], None],
        health: HealthServer,
        tables: Sequence[SourceTable] | None = None,
        where: ProjectorTopics | None = None,
    ) -> None:
        self._settings = settings
        self._tables = tuple(tables) if tables is not None else source_tables(settings.capture.tables)
        self._where = where or ProjectorTopics()
        self._stopping = stopping
        self._fail = fail
        registry = registry_client(settings.registry)
        self._codec = AvroCodec(registry)
        self._shapes = TableShapes(Subjects(registry), register=settings.capture.register_schemas)
        self._capture: Capture | None = None
        self._projector: Projector | None = None
        self._leading = threading.Event()
        self._threads = [
            threading.Thread(target=self._guard, args=("capture", self._run_capture), name="capture", daemon=True),
            threading.Thread(
                target=self._guard, args=("projector", self._run_projector), name="projector", daemon=True
            ),
        ]
        limit = settings.observe.stalled_after_seconds
        health.ready_when("capturing", lambda: self._capture is not None and self._capture.streaming.is_set())
        health.ready_when("projecting", lambda: self._projector is not None and self._projector.ready.is_set())
        health.alive_when("capturing", lambda: self._capture is None or _recent(self._capture.last_progress, limit))
        health.alive_when("projecting", lambda: self._projector is None or _recent(self._projector.last_round, limit))

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout_seconds: float) -> None:
        """Wait for both threads; one that hangs in a query is left behind, the process ends without it."""
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                _log.warning("left behind", thread=thread.name)

    def _guard(self, stage: str, run: Callable[[], None]) -> None:
        """Edge of a thread: every failure ends the process, none is swallowed."""
        try:
            run()
        except Stopping:
            return
        except BaseException as error:  # noqa: BLE001 - handed to the process, which ends because of it
            metrics.FATAL.labels(stage, getattr(error, "code", "unexpected")).inc()
            self._stopping.set()
            self._fail(error)

    def _run_capture(self) -> None:
        settings = self._settings
        self._warm(topics.CDC_POSITIONS, topics.CDC_SIGNALS)
        lease = Lease(settings.kafka, settings.capture, self._codec, self._stopping)
        writer = FeedWriter(settings.kafka, self._stopping)
        try:
            if not lease.acquire():
                return
            self._leading.set()
            feeds = self._retrying(lambda: self._feeds(writer))
            out = Feed(writer, self._codec, _now, self._stopping, lease.require)
            sweep = sweep_vanished(settings.kafka, self._codec, out)
            self._capture = Capture(
                settings.ax_sql, settings.capture, feeds, out, sweep, self._shapes, self._stopping, lease.signals
            )
            self._capture.run()
        except FatalError as error:
            if error.code in LOST:
                writer.abandon()
            raise
        finally:
            # The writer first: whoever gets the lease then must find the end of the topics.
            writer.close()
            lease.close()

    def _feeds(self, writer: FeedWriter) -> list[TableFeed]:
        """Where each table goes on, from its topic and its checkpoint."""
        checkpoints = read_checkpoints(self._settings.kafka, self._codec)
        feeds = []
        for table in self._tables:
            tail = read_tail(self._settings.kafka, table.topic)
            writer.expect(table.topic.name, tail.end_offset)
            feeds.append(self._feed(table, checkpoints.get(table.topic.name), tail, writer))
        return feeds

    def _feed(
        self, table: SourceTable, checkpoint: CapturePosition | None, tail: Tail, writer: FeedWriter
    ) -> TableFeed:
        start = start_of(checkpoint, tail)
        return resumed_feed(table, self._origin(), start, checkpoint, tail, writer)

    def _origin(self) -> Origin:
        return Origin(
            source_name=self._settings.capture.name,
            database=self._settings.ax_sql.database,
            release=version("freshax"),
            clock=_now,
        )

    def _run_projector(self) -> None:
        while not self._leading.wait(_LEADING_SECONDS):
            if self._stopping.is_set():
                return
        self._warm(self._where.table, self._where.changes, *self._where.feeds)
        producer = Producer(self._settings.kafka)
        try:
            self._projector = Projector(
                self._settings.kafka,
                self._codec,
                producer,
                complete=lambda: self._capture is not None and self._capture.streaming.is_set(),
                stopping=self._stopping,
                clock=_now,
                where=self._where,
            )
            self._projector.run()
        finally:
            producer.close()

    def _warm(self, *needed: topics.Topic) -> None:
        self._retrying(lambda: self._codec.warm(*needed))

    def _retrying(self, action: Callable[[], T]) -> T:
        """`action`, repeated while Kafka or the registry starts; after that its failure ends the process."""
        for attempt in range(_START_TRIES):
            try:
                return action()
            except RetryableError as error:
                if attempt == _START_TRIES - 1:
                    raise
                _log.warning("start retries", error=str(error))
                if self._stopping.wait(_RETRY_SECONDS):
                    raise Stopping from error
        raise AssertionError("the last attempt returns or raises")


def resumed_feed(
    table: SourceTable,
    origin: Origin,
    start: Start,
    checkpoint: CapturePosition | None,
    tail: Tail,
    writer: FeedWriter,
) -> TableFeed:
    """A table ready to go on at `start`; a delete at the end of its topic first gets its tombstone."""
    if tail.unfinished is not None:
        message = tail.unfinished
        kept = [(name, value) for name, value in dict(message.headers() or []).items() if isinstance(value, bytes)]
        writer.write([OutRecord(table.topic.name, _bytes(message.key()), None, kept, partition=0)])
        writer.flush()
    feed = TableFeed(table, origin, start, topic_was_empty=tail.end_offset == 0)
    if checkpoint is not None:
        feed.signals_taken = checkpoint.signals_taken
    if checkpoint is not None and checkpoint.object_id is not None and not isinstance(start, NewSnapshot):
        feed.known_object = (checkpoint.capture_instance, checkpoint.object_id)
        feed.rows_read = checkpoint.rows_read
        feed.backfill = backfill_of(checkpoint, tail)
    _log.info("table resumes", table=table.full_name, start=str(start))
    return feed


def _recent(moment: float, limit_seconds: float) -> bool:
    return time.monotonic() - moment < limit_seconds


def _now() -> datetime:
    return datetime.now(UTC)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
