"""Incremental snapshots: a table, or a range of its keys, read again while it streams. See backfill_chunk.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC

import msgspec
import structlog

from connectors.ax.backfill_chunk import Chunk, Scans
from connectors.ax.catalog import CaptureInstance, NewestCommit, server_clock
from connectors.ax.envelope import snapshot_position
from connectors.ax.feed_state import Feed, TableFeed
from connectors.ax.pages import KeyRange, estimated_rows, partitions_of, read_page
from connectors.ax.row_key import RowKey
from connectors.ax.sql import SqlConnection
from connectors.ax.sql_worker import SqlWorker
from connectors.ax.throttle import Throttle
from schemas.failures import FatalError
from schemas.positions import Lsn
from schemas.records import Backfill, CaptureSignal, SignalAction
from streams.runtime import metrics

_log = structlog.get_logger(__name__)

SCANS_SQL = """
SELECT TOP (1) session_id, start_time, empty_scan_count FROM sys.dm_cdc_log_scan_sessions
WHERE session_id <> 0 ORDER BY start_time DESC
"""

# Called behind the last chunk: says which rows of the range, last told before an LSN, have vanished.
Sweep = Callable[[TableFeed, Lsn, KeyRange], None]


def take_signal(feed: TableFeed, offset: int, signal: CaptureSignal) -> bool:
    """Note a request for `feed`'s table; True when its checkpoint must be written. A known offset is no news."""
    if offset <= feed.signals_taken:
        return False
    if signal.action is SignalAction.SNAPSHOT:
        feed.requests.append((offset, signal))
        return False
    if signal.action is SignalAction.STOP:
        stopped = feed.backfill is not None or bool(feed.requests)
        feed.requests.clear()
        feed.backfill = feed.chunk = None
        feed.paused = False
        feed.signals_taken = offset
        _log.info("snapshot stopped" if stopped else "nothing to stop", table=feed.table.full_name)
        return True
    if signal.action is SignalAction.UNKNOWN:
        _log.warning("signal ignored", table=feed.table.full_name, reason="a later release's action")
        return False
    # Not noted as taken: read again at a restart, it holds what it held before.
    feed.paused = signal.action is SignalAction.PAUSE
    _log.info("snapshot paused" if feed.paused else "snapshot goes on", table=feed.table.full_name)
    return False


def takes_whole_table(feed: TableFeed) -> bool:
    """Take up a waiting request for the whole table, when there is one: where streaming is impossible, it heals."""
    for index, (offset, signal) in enumerate(feed.requests):
        if KeyRange(signal.from_key, signal.to_key).whole:
            for _ in range(index + 1):
                feed.requests.popleft()
            feed.signals_taken = offset
            feed.backfill = feed.chunk = None
            return True
    return False


def can_advance(feed: TableFeed) -> bool:
    """True when the incremental snapshot, running or asked for, has a step to do before the stream goes on."""
    if feed.paused or (feed.backfill is None and not feed.requests):
        return False
    chunk = feed.chunk
    return chunk is None or chunk.high is None or feed.streaming_position.commit_lsn >= chunk.high


async def advance_backfill(
    control: SqlWorker,
    reader: SqlWorker,
    feed: TableFeed,
    instance: CaptureInstance,
    newest: NewestCommit,
    out: Feed,
    sweep: Sweep,
    *,
    chunk_rows: int,
    throttle: Throttle,
) -> None:
    """Do the next step: begin, read a chunk, wait for its high mark, or write it.

    Called between two windows of the table's stream: none of its rows is streamed meanwhile.
    """
    if feed.backfill is None:
        await _begin(reader, feed, instance, out)
    elif feed.chunk is None:
        await _read_chunk(reader, feed, instance, out, sweep, chunk_rows)
    elif feed.chunk.high is None:
        # The scans first: what they prove must be about commits up to `newest`, or earlier ones.
        feed.chunk.look_for_high(newest, await control.run(_scans), time.monotonic())
    else:
        await throttle.pay(len(feed.chunk.rows))
        _write_chunk(feed, feed.chunk, instance, out)


async def _begin(reader: SqlWorker, feed: TableFeed, instance: CaptureInstance, out: Feed) -> None:
    estimated = await reader.run(lambda c: estimated_rows(c, feed.table))
    # From here to the checkpoint nothing is awaited: a heartbeat's checkpoint in between, and a crash, would lose it.
    offset, signal = feed.requests.popleft()
    feed.signals_taken = offset
    feed.rows_read, feed.rows_estimated = 0, estimated
    feed.backfill = Backfill(
        signal_id=str(signal.signal_id),
        from_key=signal.from_key,
        to_key=signal.to_key,
        begun_at_lsn=str(feed.streaming_position.commit_lsn),
    )
    out.checkpoint(feed, instance)
    _log.info(
        "incremental snapshot begins",
        table=feed.table.full_name,
        from_key=signal.from_key,
        to_key=signal.to_key,
        requested_by=signal.requested_by,
    )


async def _read_chunk(
    reader: SqlWorker, feed: TableFeed, instance: CaptureInstance, out: Feed, sweep: Sweep, chunk_rows: int
) -> None:
    backfill = feed.backfill
    if backfill is None:
        raise ValueError("no incremental snapshot is under way")
    keys = _range(backfill)
    chunk = await reader.run(lambda c: _chunk(c, feed, keys, _after(backfill), chunk_rows))
    if chunk is not None:
        feed.chunk = chunk
        return
    sweep(feed, Lsn.parse(backfill.begun_at_lsn), keys)
    feed.backfill = None
    out.checkpoint(feed, instance)
    _log.info("incremental snapshot complete", table=feed.table.full_name, rows=feed.rows_read)


def _chunk(
    connection: SqlConnection, feed: TableFeed, keys: KeyRange, after: RowKey | None, limit: int
) -> Chunk | None:
    partitions = partitions_of(connection, feed.table)
    page = read_page(connection, feed.shape, partitions, after, keys, limit)
    if page is None:
        return None
    read_at, offset = server_clock(connection)
    rows = {RowKey.of(row): row for row in page.rows}
    return Chunk(page.number, rows, RowKey.of(page.rows[-1]), read_at, (read_at - offset).replace(tzinfo=UTC))


def _write_chunk(feed: TableFeed, chunk: Chunk, instance: CaptureInstance, out: Feed) -> None:
    backfill = feed.backfill
    if backfill is None:
        raise ValueError("a chunk without its snapshot")
    lsn = feed.streaming_position.commit_lsn
    records = [
        feed.envelopes.of_snapshot(
            row,
            snapshot_position(lsn, key.rec_id, chunk.number, incremental=True),
            chunk.as_of,
            backfill.signal_id,
        )
        for key, row in chunk.rows.items()
    ]
    out.deliver(feed.table, records, {"r": len(records)})
    feed.chunk = None
    feed.rows_read = (feed.rows_read or 0) + len(records)
    feed.backfill = msgspec.structs.replace(backfill, after_partition=chunk.last.partition, after_key=chunk.last.rec_id)
    out.checkpoint(feed, instance)
    metrics.SNAPSHOT_ROWS.labels(feed.table.name).set(feed.rows_read)


def _scans(connection: SqlConnection) -> Scans | None:
    try:
        row = connection.row(SCANS_SQL, action="asking for the capture job's scans")
    except FatalError:
        # VIEW DATABASE STATE is not granted: later commits, or patience, must do.
        return None
    return None if row is None else Scans(row["session_id"], row["start_time"], row["empty_scan_count"])


def _range(backfill: Backfill) -> KeyRange:
    return KeyRange(backfill.from_key, backfill.to_key)


def _after(backfill: Backfill) -> RowKey | None:
    if backfill.after_partition is None or backfill.after_key is None:
        return None
    return RowKey(backfill.after_partition, backfill.after_key)
