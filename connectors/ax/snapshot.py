"""Snapshot of one table: every row once as `r`, page by page in key order, resumable behind the last row written.

The LSN S is noted before the first read, never after: rows that change between S and a page's read come again by the
stream, and converge under their key. Under SNAPSHOT isolation, where the database allows it, all pages of one run see
one moment; else READ COMMITTED, which blocks writers only for a moment and still converges. What was deleted since an
earlier snapshot is said at the end: without it a re-snapshot after a gap would leave dead rows in the topic for ever.

Source: reference on SQL Server CDC, section 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from connectors.ax.backfill import Sweep
from connectors.ax.catalog import (
    CaptureInstance,
    NewestCommit,
    commit_time,
    newest_commit,
    server_clock,
)
from connectors.ax.envelope import snapshot_position
from connectors.ax.feed_state import Feed, TableFeed, begin_snapshot
from connectors.ax.pages import EVERYTHING, KeyRange, estimated_rows, pages
from connectors.ax.progress import Progress
from connectors.ax.resume import ContinueSnapshot, each_record, position_of
from connectors.ax.row_key import RowKey
from connectors.ax.sql import SqlConnection
from connectors.ax.sql_worker import SqlWorker
from connectors.ax.throttle import Throttle
from schemas.positions import Lsn, Position
from streams.runtime.codec import AvroCodec
from streams.runtime.producer import OutRecord
from streams.runtime.settings import KafkaSettings

SNAPSHOT_ALLOWED_SQL = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
_ON = 1


async def take_snapshot(
    control: SqlWorker,
    reader: SqlWorker,
    feed: TableFeed,
    instance: CaptureInstance,
    out: Feed,
    sweep: Sweep,
    *,
    page_rows: int,
    throttle: Throttle,
) -> None:
    """Write the rows of `feed`'s table, whose shape is in use; afterwards it streams behind the snapshot's LSN."""
    start = begin_snapshot(feed, snapshot_lsn(await control.run(newest_commit), instance))
    as_of, one_moment = await control.run(lambda c: (_as_of(c, start.lsn), _snapshot_allowed(c)))
    feed.rows_estimated = await control.run(lambda c: estimated_rows(c, feed.table))
    progress = Progress(feed.table, feed.rows_read or 0, feed.rows_estimated)
    # Before the first row: a crash must find S, not choose a later one.
    out.checkpoint(feed, instance)
    progress.begin(start)
    after = start.after
    async with aclosing(
        reader.each(lambda c: pages(c, feed.shape, after, page_rows, one_moment=one_moment))
    ) as all_pages:
        async for page in all_pages:
            await throttle.pay(len(page.rows))
            records = [
                feed.envelopes.of_snapshot(row, snapshot_position(start.lsn, RowKey.of(row).rec_id, page.number), as_of)
                for row in page.rows
            ]
            out.deliver(feed.table, records, {"r": len(records)})
            feed.start = ContinueSnapshot(start.lsn, RowKey.of(page.rows[-1]))
            feed.rows_read = progress.add(len(records))
            out.checkpoint(feed, instance, busy=True)
    sweep(feed, start.lsn, EVERYTHING)
    feed.advance(Position.end_of(start.lsn))
    out.checkpoint(feed, instance)
    progress.end()


def snapshot_lsn(newest: NewestCommit | None, instance: CaptureInstance) -> Lsn:
    """The LSN behind which streaming begins: the newest captured commit, but never before the instance's start.

    Right behind `sp_cdc_enable_table` the newest commit lies before the instance (or there is none): nothing of this
    table was captured yet, so its start is as good, and a position before it would look like a gap.
    """
    before_start = instance.min_lsn.previous()
    return before_start if newest is None else max(newest.lsn, before_start)


def sweep_vanished(kafka: KafkaSettings, codec: AvroCodec, out: Feed) -> Sweep:
    """A function for the end of a snapshot: says what has vanished since an earlier one."""

    def sweep(feed: TableFeed, lsn: Lsn, keys: KeyRange) -> None:
        if feed.topic_was_empty:
            return
        out.flush()
        for records in _vanished_rows(kafka, codec, feed, lsn, keys):
            out.deliver(feed.table, records, {"d": 1})

    return sweep


def _vanished_rows(
    kafka: KafkaSettings, codec: AvroCodec, feed: TableFeed, lsn: Lsn, keys: KeyRange
) -> Iterator[list[OutRecord]]:
    """Deletes with tombstones for the rows in `keys` that the topic still holds, but last told before `lsn`.

    Two passes, so that memory holds keys and not rows: first the keys whose last record is from before `lsn`, then
    their images.
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
    gone = {key for key, position in last.items() if position.commit_lsn < lsn and RowKey.parse(key).rec_id in keys}
    images: dict[bytes, dict[str, Any]] = {}

    def keep(message: Any) -> None:
        if message.key() in gone and message.value() is not None:
            value = codec.decode_as_written(topic, message.value())
            images[message.key()] = value["after"] or value["before"]

    if gone:
        each_record(kafka, topic, keep)
    streamed = feed.position
    for key, image in images.items():
        rec_id = RowKey.parse(key).rec_id
        if streamed is None:
            position = snapshot_position(lsn, rec_id)
        else:
            position = snapshot_position(streamed.commit_lsn, rec_id, incremental=True)
        yield feed.envelopes.of_vanished(image, position, feed.envelopes.clock())


def _snapshot_allowed(connection: SqlConnection) -> bool:
    row = connection.row(SNAPSHOT_ALLOWED_SQL, action="asking whether SNAPSHOT isolation is allowed")
    return row is not None and row["snapshot_isolation_state"] == _ON


def _as_of(connection: SqlConnection, lsn: Lsn) -> datetime:
    """When the commit at `lsn` was made, in UTC; the server's present time when nothing was captured yet."""
    now, offset = server_clock(connection)
    return ((commit_time(connection, lsn) or now) - offset).replace(tzinfo=UTC)
