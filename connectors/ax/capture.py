"""The capture: snapshot, then stream, of every table, by one loop in one thread.

One poll asks for the newest captured commit (some 1 ms when idle). Each table whose position is before it reads a
window of whole transactions from its capture instance, and writes its rows before it reads on; after a full window the
next poll comes at once, else after the interval. A quiet table moves along and stores its position every
`heartbeat_seconds`: cleanup raises the low mark of tables that nobody touches, too, and a position that stands still
would look like a gap.

The order of durability stands in feed_state.py, what a kill at each point leaves in resume.py. A retryable failure
closes both connections and the loop goes on from the position in memory; a fatal one ends it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from connectors.ax.catalog import (
    CaptureInstance,
    NewestCommit,
    choose,
    instances_of,
    newest_commit,
    read_instances,
)
from connectors.ax.changes import Pairing, behind, next_window, read_changes, require_no_gap
from connectors.ax.feed_state import Feed, TableFeed
from connectors.ax.liveness import Liveness
from connectors.ax.resume import ContinueSnapshot
from connectors.ax.snapshot import take_snapshot
from connectors.ax.sql import SqlConnection
from connectors.ax.table_shapes import TableShapes
from schemas.failures import FatalError, RetryableError
from schemas.positions import Lsn, Position
from streams.runtime import metrics
from streams.runtime.settings import AxSqlSettings, CaptureSettings

_log = structlog.get_logger(__name__)

# Rows per block: bounds memory, and is what a crash may have to read again. Some 2 MB of CUSTTABLE.
BLOCK_ROWS = 2000
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 8.0
# A database that stays missing is a wrong name and not a start-up; so is a server without a handshake.
_BOUNDED = ("sql_database_unavailable", "sql_no_handshake")
_BOUNDED_TRIES = 6

# Called after a snapshot's last page, before streaming begins: says what has vanished since an earlier snapshot.
Sweep = Callable[[TableFeed, Lsn], None]


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
    ) -> None:
        self._sql = sql
        self._settings = capture
        self._feeds = feeds
        self._out = out
        self._sweep = sweep
        self._shapes = shapes
        self._stopping = stopping
        self._liveness = Liveness(capture.stalled_after_seconds)
        self._heartbeat_due = 0.0
        self._failures = 0
        self._last_poll = time.monotonic()
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
        while not self._stopping.is_set():
            try:
                self._session()
            except RetryableError as error:
                self._back_off(error)

    def _session(self) -> None:
        """Work with one pair of connections until stopped or one of them fails."""
        with SqlConnection(self._sql) as control, SqlConnection(self._sql) as reader:
            for feed in self._feeds:
                if feed.position is None:
                    self._snapshot(control, reader, feed)
            while not self._stopping.is_set():
                at_once = self._poll(control, reader)
                self._failures = 0
                self._last_poll = time.monotonic()
                self.streaming.set()
                if not at_once:
                    self._stopping.wait(self._settings.poll_interval_seconds)

    def _snapshot(self, control: SqlConnection, reader: SqlConnection, feed: TableFeed) -> None:
        instance = instances_of(feed.table, read_instances(control))[-1]
        feed.use(self._shapes.of(control, feed.table, instance))
        done: ContinueSnapshot = take_snapshot(
            control, reader, feed, instance, self._out, page_rows=self._settings.snapshot_chunk_rows
        )
        self._sweep(feed, done.lsn)
        feed.advance(Position.end_of(done.lsn))
        self._know(control, feed, instance)
        self._out.checkpoint(feed, instance)

    def _poll(self, control: SqlConnection, reader: SqlConnection) -> bool:
        """One round over all tables; True when more waits already."""
        newest = newest_commit(control)
        self._liveness.see(newest, control)
        heartbeat = time.monotonic() >= self._heartbeat_due
        at_once = False
        if newest is not None or heartbeat:
            moved = [feed for feed in self._feeds if newest is not None and _waits(feed, newest.lsn)]
            if moved or heartbeat:
                instances = read_instances(control)
                for feed in self._feeds:
                    at_once |= self._round(control, reader, feed, instances, newest)
                if heartbeat:
                    self._heartbeat(control, instances, newest)
        return at_once

    def _round(
        self,
        control: SqlConnection,
        reader: SqlConnection,
        feed: TableFeed,
        instances: Sequence[CaptureInstance],
        newest: NewestCommit | None,
    ) -> bool:
        """Check one table's instances and read its next window, if there is one; True when more waits already."""
        candidates = instances_of(feed.table, instances)
        position = _streaming_position(feed)
        self._require_same_object(feed, candidates)
        choice = choose(candidates, position)
        if choice is None:
            require_no_gap(feed.table, candidates[0], position, candidates[0].min_lsn)
            raise AssertionError("no instance covers the position, so the gap check raises")
        if newest is None:
            self._know(control, feed, choice.instance)
            return False
        _require_not_restored(feed, choice.instance, position, newest.lsn)
        self._know(control, feed, choice.instance)
        if not _waits(feed, newest.lsn):
            return False
        until = newest.lsn if choice.until is None else min(newest.lsn, choice.until)
        switched = until < newest.lsn
        return self._read_window(control, reader, feed, choice.instance, until, newest.utc_offset) or switched

    def _read_window(
        self,
        control: SqlConnection,
        reader: SqlConnection,
        feed: TableFeed,
        instance: CaptureInstance,
        until: Lsn,
        utc_offset: timedelta,
    ) -> bool:
        position = _streaming_position(feed)
        window = next_window(control, position, until, self._settings.max_transactions)
        pairing = Pairing(instance.name)
        wrote = False
        if window.transactions:
            blocks = read_changes(reader, feed.shape, instance, window, block_rows=BLOCK_ROWS)
            for block in blocks:
                self._require_still_covered(control, feed, position)
                changes = list(behind(position, pairing.take(block)))
                if not changes:
                    continue
                records = [record for change in changes for record in feed.envelopes.of_change(change, utc_offset)]
                self._out.deliver(feed.table, records)
                wrote = True
                position = changes[-1].position
                feed.advance(position)
            pairing.finish()
        # An empty window proves nothing while cleanup may have emptied it.
        self._require_still_covered(control, feed, position)
        feed.advance(Position.end_of(window.to_lsn))
        if wrote:
            metrics.LAST_SUCCESS.labels("capture").set_to_current_time()
            self._out.checkpoint(feed, instance)
        return window.full

    def _require_still_covered(self, control: SqlConnection, feed: TableFeed, position: Position) -> None:
        """The gap check behind a read: cleanup, or a drop, may have run in between."""
        candidates = instances_of(feed.table, read_instances(control))
        self._require_same_object(feed, candidates)
        known = feed.known
        current = [instance for instance in candidates if known is not None and instance.name == known.name]
        if not current:
            raise _made_anew(feed)
        require_no_gap(feed.table, current[0], position, current[0].min_lsn)
        # A column may have been dropped, or changed its type, before the rows just read were written.
        self._know(control, feed, current[0])

    def _require_same_object(self, feed: TableFeed, candidates: Sequence[CaptureInstance]) -> None:
        """An instance that was dropped and made again under its name has another change table: history is gone."""
        if feed.known_object is None:
            return
        name, object_id = feed.known_object
        for instance in candidates:
            if instance.name == name and instance.object_id != object_id:
                raise _made_anew(feed)

    def _know(self, control: SqlConnection, feed: TableFeed, instance: CaptureInstance) -> None:
        """Note the instance that is read; a new one is checked against the schema first."""
        known = feed.known
        same = known is not None and (known.name, known.object_id) == (instance.name, instance.object_id)
        if known is not None and same and known.ddl_lsn == instance.ddl_lsn:
            return
        feed.use(self._shapes.of(control, feed.table, instance))
        if known is not None and not same:
            _log.info("capture instance switched", table=feed.table.full_name, instance=instance.name)
        feed.known = instance
        feed.known_object = (instance.name, instance.object_id)

    def _heartbeat(
        self, control: SqlConnection, instances: Sequence[CaptureInstance], newest: NewestCommit | None
    ) -> None:
        """Store the position of idle tables, compare shapes, measure the headroom."""
        self._heartbeat_due = time.monotonic() + self._settings.heartbeat_seconds
        self._liveness.measure_headroom(control, self._feeds, instances, newest)
        for feed in self._feeds:
            if feed.known is None:
                continue
            # A type change reaches an existing change table without a new instance.
            feed.use(self._shapes.of(control, feed.table, feed.known))
            if feed.position != feed.checkpointed:
                self._out.checkpoint(feed, feed.known)

    def _back_off(self, error: RetryableError) -> None:
        self._failures += 1
        metrics.RETRIES.labels("ax_sql", error.code).inc()
        if error.code in _BOUNDED and self._failures >= _BOUNDED_TRIES:
            raise FatalError(error.code, f"{error.message} (tried {self._failures} times)") from error
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1))
        pause *= random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret
        _log.warning("capture retries", error=str(error), failures=self._failures, pause_seconds=round(pause, 2))
        self._stopping.wait(pause)


def _waits(feed: TableFeed, newest: Lsn) -> bool:
    """True when something may lie behind the table's position, up to `newest`."""
    position = _streaming_position(feed)
    return position < Position.end_of(newest)


def _streaming_position(feed: TableFeed) -> Position:
    if feed.position is None:
        raise ValueError(f"{feed.table.full_name}: no position before its snapshot")
    return feed.position


def _made_anew(feed: TableFeed) -> FatalError:
    name = feed.known_object[0] if feed.known_object else feed.table.full_name
    return FatalError(
        "cdc_instance_recreated",
        f"reading {name}: the capture instance was dropped or made anew since the last poll, and its history is gone. "
        f"Take a new snapshot: `freshax capture --snapshot {feed.table.name}`",
    )


def _require_not_restored(feed: TableFeed, instance: CaptureInstance, position: Position, newest: Lsn) -> None:
    """Raise FatalError (cdc_restored) when the newest commit lies before our position.

    Not so right behind `sp_cdc_enable_table`: then the position is the instance's start, and nothing is captured yet.
    """
    if newest >= position.commit_lsn or position.commit_lsn < instance.min_lsn:
        return
    raise FatalError(
        "cdc_restored",
        f"reading {instance.name}: the newest captured commit {newest} lies before our position "
        f"{position.commit_lsn}; the database was restored or failed over with loss. Positions do not order any more: "
        f"re-create {feed.table.topic.name}, then `freshax capture --snapshot {feed.table.name}`",
    )
