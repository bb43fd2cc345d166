"""Snapshot of one table: every row once as `r`, page by page in RECID order, resumable behind the last row written.

The LSN S is noted before the first read, never after: rows that change between S and a page's read come again by the
stream, and converge under their key. Pages are asked by key, never by OFFSET. Under SNAPSHOT isolation, where the
database allows it, all pages of one run see one moment; else READ COMMITTED, which blocks writers only for a moment
and still converges. What was deleted since an earlier snapshot is said at the end: without it a re-snapshot after a
gap would leave dead rows in the topic for ever.

Source: reference on SQL Server CDC, section 9.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

import structlog

from connectors.ax.catalog import (
    CaptureInstance,
    NewestCommit,
    commit_time,
    newest_commit,
    server_clock,
)
from connectors.ax.envelope import snapshot_position
from connectors.ax.feed_state import Feed, TableFeed, begin_snapshot
from connectors.ax.resume import ContinueSnapshot, each_record, position_of
from connectors.ax.source_tables import TableShape
from connectors.ax.sql import Row, SqlConnection, quoted
from connectors.ax.table_schema import KEY_COLUMN
from schemas.positions import Lsn, Position
from streams.runtime.codec import AvroCodec
from streams.runtime.producer import OutRecord
from streams.runtime.settings import KafkaSettings

_log = structlog.get_logger(__name__)

PAGE_SQL = "SELECT TOP ({limit}) {columns} FROM {table} WHERE {key} > ? ORDER BY {key}"

SNAPSHOT_ALLOWED_SQL = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
_ON = 1
_BEFORE_ALL = -(1 << 63)
_REPORT_SECONDS = 5.0


def take_snapshot(
    control: SqlConnection,
    reader: SqlConnection,
    feed: TableFeed,
    instance: CaptureInstance,
    out: Feed,
    *,
    page_rows: int,
) -> ContinueSnapshot:
    """Write the rows of `feed`'s table and return the finished snapshot; the caller begins to stream behind it.

    The feed's shape is in use. `control` and `reader` are two connections: the reader's may be inside the snapshot
    transaction.
    """
    start = begin_snapshot(feed, snapshot_lsn(newest_commit(control), instance))
    as_of = _as_of(control, start.lsn)
    # Before the first row: a crash must find S, not choose a later one.
    out.checkpoint(feed, instance)
    started = said = time.monotonic()
    rows_read = 0
    _log.info("snapshot begins", table=feed.table.full_name, lsn=str(start.lsn), behind_recid=start.after)
    with _isolation(control, reader):
        for page in _pages(reader, feed.shape, start.after, page_rows):
            out.deliver(feed.table, [feed.envelopes.of_snapshot(row, start.lsn, as_of) for row in page])
            feed.start = start = ContinueSnapshot(start.lsn, page[-1][KEY_COLUMN])
            out.checkpoint(feed, instance)
            rows_read += len(page)
            if time.monotonic() - said > _REPORT_SECONDS:
                said = time.monotonic()
                rate = round(rows_read / (said - started))
                _log.info("snapshot runs", table=feed.table.full_name, rows=rows_read, rows_per_second=rate)
    seconds = round(time.monotonic() - started, 2)
    _log.info("snapshot complete", table=feed.table.full_name, rows=rows_read, seconds=seconds)
    return start


def snapshot_lsn(newest: NewestCommit | None, instance: CaptureInstance) -> Lsn:
    """The LSN behind which streaming begins: the newest captured commit, but never before the instance's start.

    Right behind `sp_cdc_enable_table` the newest commit lies before the instance (or there is none): nothing of this
    table was captured yet, so its start is as good, and a position before it would look like a gap.
    """
    before_start = instance.min_lsn.previous()
    return before_start if newest is None else max(newest.lsn, before_start)


def sweep_vanished(kafka: KafkaSettings, codec: AvroCodec, out: Feed) -> Callable[[TableFeed, Lsn], None]:
    """A function for the end of a snapshot: says what has vanished since an earlier one."""

    def sweep(feed: TableFeed, lsn: Lsn) -> None:
        if feed.topic_was_empty:
            return
        for records in _vanished_rows(kafka, codec, feed, lsn):
            out.deliver(feed.table, records)

    return sweep


def _vanished_rows(kafka: KafkaSettings, codec: AvroCodec, feed: TableFeed, lsn: Lsn) -> Iterator[list[OutRecord]]:
    """Deletes with tombstones for the rows that the topic still holds but the snapshot taken at `lsn` did not see.

    Two passes, so that memory holds keys and not rows: first the keys whose last record is a row from before `lsn`,
    then their images.
    """
    topic = feed.table.topic
    last: dict[bytes, Position] = {}

    def note(message: Any) -> None:
        key = message.key()
        if message.value() is None:
            last.pop(key, None)
        else:
            last[key] = position_of(message)

    each_record(kafka, topic, note)
    gone = {key for key, position in last.items() if position.commit_lsn < lsn}
    images: dict[bytes, dict[str, Any]] = {}

    def keep(message: Any) -> None:
        if message.key() in gone and message.value() is not None:
            value = codec.decode_as_written(topic, message.value())
            images[message.key()] = value["after"] or value["before"]

    if gone:
        each_record(kafka, topic, keep)
    for image in images.values():
        yield feed.envelopes.of_vanished(image, snapshot_position(lsn, image[KEY_COLUMN]), feed.envelopes.clock())


def _pages(reader: SqlConnection, shape: TableShape, after: int | None, page_rows: int) -> Iterator[list[Row]]:
    table = shape.table
    sql = PAGE_SQL.format(
        limit=int(page_rows),
        columns=shape.select_list(),
        table=f"{quoted(table.schema)}.{quoted(table.name)}",
        key=quoted(KEY_COLUMN),
    )
    behind = _BEFORE_ALL if after is None else after
    while page := reader.rows(sql, behind, action=f"reading a page of {table.full_name}"):
        yield page
        if len(page) < page_rows:
            return
        behind = page[-1][KEY_COLUMN]


def _isolation(control: SqlConnection, reader: SqlConnection) -> AbstractContextManager[None]:
    row = control.row(SNAPSHOT_ALLOWED_SQL, action="asking whether SNAPSHOT isolation is allowed")
    allowed = row is not None and row["snapshot_isolation_state"] == _ON
    return reader.snapshot() if allowed else nullcontext()


def _as_of(control: SqlConnection, lsn: Lsn) -> datetime:
    """When the commit at `lsn` was made, in UTC; the server's present time when nothing was captured yet."""
    now, offset = server_clock(control)
    return ((commit_time(control, lsn) or now) - offset).replace(tzinfo=UTC)
