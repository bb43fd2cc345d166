"""The capture: one loop that asks what is new, and one task per table that reads it.

One poll asks for the newest captured commit (some 1 ms when idle). Each table whose position is before it reads a
window of whole transactions from its capture instance; after a full window the next one comes at once. Tables work
side by side, each with a connection from a small pool, first come first served, so that a large one cannot starve the
others. Snapshots, first or incremental, leave a connection to the streams. A quiet table moves along and stores its
position every `heartbeat_seconds`: cleanup raises the low mark of tables that nobody touches, too, and a position that
stands still would look like a gap.

The order of durability stands in feed_state.py, what a kill at each point leaves in resume.py. A retryable failure
closes the connection that it came by, and the table (or the loop) goes on from the position in memory; a fatal one
ends the capture.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue

import structlog

from connectors.ax.back_off import BackOff
from connectors.ax.backfill import Sweep, advance_backfill, can_advance, take_signal, takes_whole_table
from connectors.ax.catalog import (
    CaptureInstance,
    Choice,
    NewestCommit,
    instances_of,
    newest_commit,
    read_instances,
)
from connectors.ax.changes import which_have_rows
from connectors.ax.coverage import choose_instance, of_another_history, restored
from connectors.ax.feed_state import Feed, TableFeed
from connectors.ax.feed_writer import Stopping
from connectors.ax.liveness import Liveness
from connectors.ax.resume import NewSnapshot
from connectors.ax.snapshot import take_snapshot
from connectors.ax.sql import SqlConnection
from connectors.ax.sql_worker import SqlWorker
from connectors.ax.streaming import stream_window
from connectors.ax.table_shapes import TableShapes
from connectors.ax.throttle import Throttle
from schemas.failures import FatalError, RetryableError
from schemas.positions import Lsn, Position
from schemas.records import CaptureSignal
from streams.runtime.settings import AxSqlSettings, CaptureSettings

_log = structlog.get_logger(__name__)

# How soon a stop is seen in a pause.
_STOP_SECONDS = 0.2
# From so many tables on one question for all is cheaper than each one's own.
_MANY = 2
# What a new snapshot of the whole table heals, when one was asked for.
_HEALABLE = ("cdc_gap", "cdc_instance_recreated", "cdc_restored")


class Capture:
    """Runs in a thread of its own until stopped; everything in it is touched by that thread only."""

    def __init__(
        self,
        sql: AxSqlSettings,
        capture: CaptureSettings,
        feeds: Sequence[TableFeed],
        out: Feed,
        sweep: Sweep,
        shapes: TableShapes,
        stopping: threading.Event,
        signals: SimpleQueue[tuple[int, CaptureSignal]] | None = None,
    ) -> None:
        self._settings = capture
        self._feeds = feeds
        self._out = out
        self._sweep = sweep
        self._shapes = shapes
        self._stopping = stopping
        self._signals: SimpleQueue[tuple[int, CaptureSignal]] = signals or SimpleQueue()
        self._new_worker: Callable[[str], SqlWorker] = lambda name: SqlWorker(sql, name)
        self._liveness = Liveness(capture.stalled_after_seconds)
        self._throttle = Throttle(capture.snapshot_rows_per_second)
        self._heartbeat_due = 0.0
        self._last_poll = time.monotonic()
        self._polling = BackOff("the poll")
        self._reading = {id(feed): BackOff(feed.table.full_name) for feed in feeds}
        self._busy: dict[asyncio.Task[None], TableFeed] = {}
        self._again = False
        self._history_unknown = True
        self._restored: set[int] = set()
        self.streaming = threading.Event()

    @property
    def last_progress(self) -> float:
        """When it last polled or delivered rows (a snapshot takes long), by the monotonic clock."""
        return max(self._last_poll, self._out.last_delivery)

    @property
    def stalled(self) -> bool:
        """True while nothing is captured although something should be."""
        return self._liveness.stalled

    def run(self) -> None:
        """Capture until `stopping` is set.

        Raises: FatalError when a person must act; Stopping when the stop came inside a write.
        """
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._control = self._new_worker("capture-control")
        self._pool: asyncio.Queue[SqlWorker] = asyncio.Queue()
        self._bulk = asyncio.Semaphore(max(1, self._settings.connections - 1))
        workers = [self._new_worker(f"capture-{number}") for number in range(self._settings.connections)]
        for worker in workers:
            self._pool.put_nowait(worker)
        try:
            while not self._stopping.is_set():
                await self._round()
        finally:
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)
            for worker in (self._control, *workers):
                worker.close()

    async def _round(self) -> None:
        """Poll, start what there is to do, then wait: for a table to be done, or for the next poll."""
        self._again = False
        if self._polling.due:
            try:
                await self._until_stopped(self._poll())
            except RetryableError as error:
                self._polling.note(error)
                # Who answers next may be another server, or the same one restored.
                self._history_unknown = True
            else:
                self._polling.reset()
        pause = 0.0 if self._again else self._settings.poll_interval_seconds
        deadline = time.monotonic() + pause
        while not self._stopping.is_set():
            if self._collect():
                return
            left = deadline - time.monotonic()
            if left <= 0:
                return
            await self._rest(min(left, _STOP_SECONDS))

    async def _rest(self, seconds: float) -> None:
        if self._busy:
            await asyncio.wait(self._busy, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    async def _until_stopped(self, work: Coroutine[None, None, None]) -> None:
        """Await `work`, but not beyond a stop: a query may hang for as long as its deadline."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=_STOP_SECONDS)
                if self._stopping.is_set():
                    raise Stopping
            task.result()
        finally:
            task.cancel()

    def _collect(self) -> bool:
        """Take the tables that are done; True when one is, so that it can go on at once."""
        done = [task for task in self._busy if task.done()]
        for task in done:
            feed = self._busy.pop(task)
            back_off = self._reading[id(feed)]
            try:
                task.result()
            except RetryableError as error:
                back_off.note(error)
            else:
                back_off.reset()
        return bool(done) and self._again

    async def _poll(self) -> None:
        """Ask what is new, and start a task for each idle table that has something to do."""
        self._out.require_lease()
        newest = await self._control.run(self._ask)
        self._last_poll = time.monotonic()
        self._take_signals()
        heartbeat = time.monotonic() >= self._heartbeat_due
        working = {id(feed) for feed in self._busy.values()}
        idle = [feed for feed in self._feeds if id(feed) not in working and self._reading[id(feed)].due]
        if heartbeat or any(_has_work(feed, newest) for feed in idle):
            instances = await self._control.run(read_instances)
            if self._history_unknown:
                self._restored = await self._control.run(lambda c: of_another_history(c, self._feeds, instances))
                self._history_unknown = False
            if newest is not None and not self._restored:
                await self._pass_quiet(idle, instances, newest)
            for feed in idle:
                self._start_work(feed, instances, newest)
            if heartbeat:
                await self._heartbeat(instances, newest)
        if not self.streaming.is_set() and all(feed.position is not None for feed in self._feeds):
            self.streaming.set()

    async def _pass_quiet(
        self, idle: Sequence[TableFeed], instances: Sequence[CaptureInstance], newest: NewestCommit
    ) -> None:
        """Move the tables on that have no row up to `newest`: on a busy database most of many tables."""
        by_name = {instance.name: instance for instance in instances}
        asked = [
            (feed, feed.known)
            for feed in idle
            if feed.position is not None
            and feed.known is not None
            and by_name.get(feed.known.name) == feed.known
            and _waits(feed, newest.lsn)
        ]
        if len(asked) < _MANY:
            return
        positions = [(instance, feed.streaming_position) for feed, instance in asked]
        moved = await self._control.run(lambda c: which_have_rows(c, positions, newest.lsn))
        # An empty answer proves nothing while cleanup may have emptied the change table.
        after = await self._control.run(read_instances)
        for feed, instance in asked:
            if instance.name not in moved:
                choice = choose_instance(feed, after, newest.lsn)
                if choice.instance == instance:
                    until = newest.lsn if choice.until is None else min(newest.lsn, choice.until)
                    feed.advance(Position.end_of(until))

    def _ask(self, control: SqlConnection) -> NewestCommit | None:
        newest = newest_commit(control)
        self._liveness.see(newest, control)
        return newest

    def _take_signals(self) -> None:
        by_name = {feed.table.full_name.lower(): feed for feed in self._feeds}
        while True:
            try:
                offset, signal = self._signals.get_nowait()
            except Empty:
                return
            feed = by_name.get(signal.table.lower())
            if feed is None:
                _log.warning("signal ignored", table=signal.table, reason="this table is not captured")
            else:
                feed.inbox.append((offset, signal))

    def _start_work(self, feed: TableFeed, instances: Sequence[CaptureInstance], newest: NewestCommit | None) -> None:
        while feed.inbox:
            if take_signal(feed, *feed.inbox.popleft()) and feed.known is not None:
                self._out.checkpoint(feed, feed.known)
        if feed.position is None:
            work = self._snapshot(feed, instances_of(feed.table, instances)[-1])
        else:
            choice = self._choose(feed, instances, newest)
            if choice is None:
                work = self._snapshot(feed, instances_of(feed.table, instances)[-1])
            elif newest is None:
                work = self._know(feed, choice.instance)
            elif can_advance(feed) and (feed.streamed_last or not _waits(feed, newest.lsn)):
                work = self._backfill(feed, choice.instance, newest)
            elif _waits(feed, newest.lsn):
                work = self._stream(feed, choice, newest)
            else:
                return
        self._busy[asyncio.create_task(work)] = feed

    def _choose(
        self, feed: TableFeed, instances: Sequence[CaptureInstance], newest: NewestCommit | None
    ) -> Choice | None:
        """The instance to read; None when its history is gone and a new snapshot was asked for."""
        try:
            choice = choose_instance(feed, instances, None if newest is None else newest.lsn)
            if id(feed) in self._restored:
                raise restored(feed, f"there is no commit at our position {feed.streaming_position.commit_lsn}")
            return choice
        except FatalError as error:
            if error.code not in _HEALABLE or not takes_whole_table(feed):
                raise
            _log.warning("a new snapshot is taken, as asked for", table=feed.table.full_name, because=error.code)
        feed.start = NewSnapshot()
        feed.known = feed.known_object = feed.rows_read = None
        feed.topic_was_empty = False
        self._restored.discard(id(feed))
        return None

    async def _snapshot(self, feed: TableFeed, instance: CaptureInstance) -> None:
        await self._know(feed, instance)
        async with self._bulk, self._reader() as reader:
            await take_snapshot(
                self._control,
                reader,
                feed,
                instance,
                self._out,
                self._sweep,
                page_rows=self._settings.snapshot_chunk_rows,
                throttle=self._throttle,
            )
        self._again = True

    async def _stream(self, feed: TableFeed, choice: Choice, newest: NewestCommit) -> None:
        await self._know(feed, choice.instance)
        until = newest.lsn if choice.until is None else min(newest.lsn, choice.until)
        async with self._reader() as reader:
            full = await stream_window(
                self._control,
                reader,
                feed,
                choice.instance,
                newest,
                until,
                self._out,
                know=lambda instance: self._know(feed, instance),
                max_transactions=self._settings.max_transactions,
            )
        feed.streamed_last = True
        self._again |= full or until < newest.lsn or can_advance(feed)

    async def _backfill(self, feed: TableFeed, instance: CaptureInstance, newest: NewestCommit) -> None:
        await self._know(feed, instance)
        async with self._bulk, self._reader() as reader:
            await advance_backfill(
                self._control,
                reader,
                feed,
                instance,
                newest,
                self._out,
                self._sweep,
                chunk_rows=self._settings.snapshot_chunk_rows,
                throttle=self._throttle,
            )
        feed.streamed_last = False
        # While it waits for its high mark, the next poll is soon enough.
        self._again |= feed.chunk is None or feed.chunk.high is not None

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[SqlWorker]:
        worker = await self._pool.get()
        try:
            yield worker
        finally:
            self._pool.put_nowait(worker)

    async def _know(self, feed: TableFeed, instance: CaptureInstance) -> None:
        """Note the instance that is read; a new one, or a changed table, is compared with the schema first."""
        known = feed.known
        same = known is not None and (known.name, known.object_id) == (instance.name, instance.object_id)
        if known is not None and same and known.ddl_lsn == instance.ddl_lsn:
            return
        await self._compare(feed, instance)
        if known is not None and not same:
            _log.info("capture instance switched", table=feed.table.full_name, instance=instance.name)
        feed.known = instance
        feed.known_object = (instance.name, instance.object_id)

    async def _compare(self, feed: TableFeed, instance: CaptureInstance) -> None:
        feed.use(await self._control.run(lambda c: self._shapes.of(c, feed.table, instance)))

    async def _heartbeat(self, instances: Sequence[CaptureInstance], newest: NewestCommit | None) -> None:
        """Store the position of idle tables, compare shapes, measure the headroom."""
        self._heartbeat_due = time.monotonic() + self._settings.heartbeat_seconds
        await self._control.run(lambda c: self._liveness.measure_headroom(c, self._feeds, instances, newest))
        for feed in self._feeds:
            known = feed.known
            if known is None:
                continue
            if feed not in self._busy.values():
                # A type change reaches an existing change table without a new instance.
                await self._compare(feed, known)
            if feed.position is not None and feed.position != feed.checkpointed:
                self._out.checkpoint(feed, known)


def _has_work(feed: TableFeed, newest: NewestCommit | None) -> bool:
    if feed.position is None or feed.inbox:
        return True
    return newest is not None and (_waits(feed, newest.lsn) or can_advance(feed))


def _waits(feed: TableFeed, newest: Lsn) -> bool:
    """True when something may lie behind the table's position, up to `newest`."""
    return feed.streaming_position < Position.end_of(newest)
