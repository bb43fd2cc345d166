"""The capture job: reads the transaction log every polling interval and fills the change tables.

One scan: (1) write a marker into the log, (2) read the stream up to it, so everything committed before the scan is in,
(3) write change rows and `lsn_time_mapping` in one transaction, (4) confirm the position. A crash between 3 and 4
delivers transactions again; they are recognised by their LSN.

When the log has not moved since the last scan, nothing is written or read: an idle scan costs one small query.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg

from sandbox.sqlserver.change_spool import ChangeSpool
from sandbox.sqlserver.changes import COPY_HEADER, COPY_TRAILER, SLICE, RowBuilder, lsn
from sandbox.sqlserver.instances import read_instances
from sandbox.sqlserver.replication import ReplicationStream, SlotBusyError, StreamError, Transaction
from sandbox.sqlserver.scan_sessions import ScanSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sandbox.sqlserver.postgres import Cluster

_log = logging.getLogger(__name__)

_ENABLED = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'cdc')"
_SESSIONS_KEPT = 50
# In quiet times a row without a transaction moves max_lsn, about every five minutes.
_QUIET_SECONDS = 300.0
# Above this many changes (some 30 ms of work) rows are built in a thread, so that sessions are served meanwhile.
_LONG_TRANSACTION = SLICE
# How long a connection that was dropped may hold the slot.
_SLOT_SECONDS = 5.0
# What is built is written when it is so much, and what is read waits at most in such a number: neither a large
# transaction nor a long backlog fills the memory.
_PART_BYTES = 4 << 20
_MOST_PENDING = 50_000


@dataclass
class _Totals:
    transactions: int = 0
    rows: int = 0
    seconds: float = 0.0


@dataclass
class CaptureJob:
    """`interval_seconds` may be changed at any time and holds from the next wait on.

    `max_transactions` x `max_scans` bound one cycle, as in msdb.dbo.cdc_jobs. `idle_marker_seconds` is the age of the
    newest mapping after which a quiet scan writes a row with tran_id 0x00.
    """

    cluster: Cluster
    interval_seconds: float = 5.0
    time_zone: str = "UTC"
    max_transactions: int = 500
    max_scans: int = 10
    idle_marker_seconds: float = _QUIET_SECONDS
    totals: _Totals = field(default_factory=_Totals)
    sessions: deque[ScanSession] = field(default_factory=lambda: deque(maxlen=_SESSIONS_KEPT))
    _task: asyncio.Task[None] | None = None
    _stream: ReplicationStream | None = None
    _connection: psycopg.AsyncConnection[Any] | None = None
    _pending: deque[Transaction] = field(default_factory=deque)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _scanned_to: int = 0
    _captured_to: bytes = b""
    _marker: int = 0
    _awaited: str = ""
    _in_memory: int = 0
    _last_mapping: float = field(default_factory=time.monotonic)

    @property
    def running(self) -> bool:
        """True between start and stop."""
        return self._task is not None

    async def start(self) -> None:
        """Start the loop. Reads the job's settings, which sp_cdc_change_job may have changed."""
        if self._task is None:
            await self._read_settings()
            self._task = asyncio.create_task(self._loop(), name="sqlserver-capture")

    async def stop(self) -> None:
        """Stop the loop: nothing is lost, nothing is captured until it starts again."""
        task, self._task = self._task, None
        if task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        """Stop and drop the connections."""
        await self.stop()
        await self._disconnect()

    async def scan_now(self) -> int:
        """Capture everything that is committed now, whether the loop runs or not; returns the transactions captured."""
        async with self._work():
            captured = 0
            while True:
                await self._scan()
                while self._pending:
                    captured += await self._apply()
                if not self._awaited:
                    return captured

    async def run_cleanup(self, retention_minutes: float | None = None) -> None:
        """Run the cleanup job once, with its own retention or another one."""
        connection = await self._connected()
        await connection.execute("SELECT sys.sp_mscdc_cleanup_job(%s::numeric)", [retention_minutes])

    async def _loop(self) -> None:
        while True:
            try:
                async with self._work():
                    await self._scan()
                    for _ in range(self.max_scans):
                        if self._awaited and not self._pending:
                            await self._scan()
                        if not self._pending:
                            break
                        await self._apply()
            except (StreamError, psycopg.Error, OSError) as error:
                # The job goes on, as Agent would start it again; what was not confirmed comes again.
                _log.warning("scanning the transaction log: %s", error)
            await asyncio.sleep(self.interval_seconds)

    @contextlib.asynccontextmanager
    async def _work(self) -> AsyncIterator[None]:
        """One piece of work at a time; one that is interrupted begins again behind what was confirmed."""
        async with self._lock:
            try:
                yield
            except BaseException:
                await self._disconnect()
                raise

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self.cluster.dsn, autocommit=True)
        return self._connection

    async def _connected_stream(self) -> ReplicationStream:
        if self._stream is None:
            self._stream = await self._connect_stream()
        return self._stream

    async def _connect_stream(self) -> ReplicationStream:
        give_up = time.monotonic() + _SLOT_SECONDS
        while True:
            stream = ReplicationStream(self.cluster.host, self.cluster.port, self.cluster.database, "postgres")
            try:
                await stream.connect()
                return stream
            except SlotBusyError:
                await stream.close()
                if time.monotonic() > give_up:
                    raise
                await asyncio.sleep(0.02)
            except BaseException:
                await stream.close()
                raise

    async def _disconnect(self) -> None:
        if self._stream:
            await self._stream.close()
        if self._connection:
            await self._connection.close()
        self._stream = self._connection = None
        for transaction in self._pending:
            _close(transaction)
        self._pending.clear()
        self._scanned_to, self._awaited, self._in_memory = 0, "", 0

    async def _scan(self) -> None:
        """Read the log into `_pending`, up to now, or until that is full: `_awaited` says that more waits then."""
        connection = await self._connected()
        if not self._awaited:
            cursor = await connection.execute(f"SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, ({_ENABLED})")
            row = await cursor.fetchone()
            position, enabled = row if row else (0, False)
            if not enabled:
                return
            if position <= self._scanned_to and not self._pending:
                await self._empty_scan()
                return
        stream = await self._connected_stream()
        if not self._awaited:
            self._marker += 1
            self._awaited = f"{id(self)}:{self._marker}"
            await connection.execute("SELECT pg_logical_emit_message(true, 'cdc.scan', %s)", [self._awaited])
        while self._awaited and self._in_memory < _MOST_PENDING:
            transaction = await stream.transaction()
            if transaction.changes:
                self._pending.append(transaction)
                self._in_memory += _weight(transaction)
            if self._awaited in transaction.markers:
                self._awaited = ""
            self._scanned_to = transaction.end_position
        if not self._pending:
            stream.confirm(self._scanned_to)
            if not self._awaited:
                await self._empty_scan()

    async def _apply(self) -> int:
        """Write up to `max_transactions` pending transactions; returns how many touched a capture instance."""
        begun = time.monotonic()
        connection = await self._connected()
        if not self._captured_to:
            self._captured_to = await self._newest(connection)
        batch = [self._pending.popleft() for _ in range(min(self.max_transactions, len(self._pending)))]
        try:
            captured, rows = await self._write(connection, batch)
        finally:
            for transaction in batch:
                self._in_memory -= _weight(transaction)
                _close(transaction)
        if captured:
            self._captured_to = lsn(captured[-1].commit_position, 1)
            self._last_mapping = time.monotonic()
        stream = await self._connected_stream()
        stream.confirm(self._scanned_to if not self._pending else batch[-1].end_position)
        self._remember(captured, rows, time.monotonic() - begun)
        return len(captured)

    async def _newest(self, connection: psycopg.AsyncConnection[Any]) -> bytes:
        cursor = await connection.execute("SELECT sys.fn_cdc_get_max_lsn()::bytea")
        row = await cursor.fetchone()
        return bytes(row[0]) if row and row[0] else bytes(10)

    async def _write(
        self, connection: psycopg.AsyncConnection[Any], batch: list[Transaction]
    ) -> tuple[list[Transaction], int]:
        """Write the change rows of `batch` and its mapping in one transaction.

        Returns the transactions that touched a capture instance, and the number of rows.
        """
        captured: list[Transaction] = []
        written = 0
        async with connection.transaction(), connection.cursor() as cursor:
            builder = RowBuilder(await read_instances(connection))
            for transaction in batch:
                if lsn(transaction.commit_position, 1) <= self._captured_to:
                    continue  # delivered again after a crash
                touched = False
                slices = builder.slices(transaction)
                long = len(transaction.changes) > _LONG_TRANSACTION
                while (
                    found := await asyncio.to_thread(next, slices, None) if long else next(slices, None)
                ) is not None:
                    touched = found
                    if builder.waiting_bytes > _PART_BYTES:
                        written += await _copy(cursor, builder)
                if touched:
                    captured.append(transaction)
            written += await _copy(cursor, builder)
            if captured:
                async with cursor.copy("COPY cdc.lsn_time_mapping FROM STDIN") as copy:
                    for transaction in captured:
                        await copy.write_row(self._mapping(transaction))
        return captured, written

    def _mapping(self, transaction: Transaction) -> tuple[bytes, dt.datetime, dt.datetime, bytes, bytes]:
        return (
            lsn(transaction.commit_position, 1),
            self._local(transaction.began or transaction.committed),
            self._local(transaction.committed),
            transaction.xid.to_bytes(6, "big"),
            lsn(transaction.begin_position or transaction.commit_position, 0),
        )

    def _local(self, microseconds: int) -> dt.datetime:
        """Return the server's local time without a zone, rounded to 1/300 s as datetime is."""
        moment = dt.datetime.fromtimestamp(microseconds // 1_000_000, ZoneInfo(self.time_zone)).replace(tzinfo=None)
        ticks = round(microseconds % 1_000_000 * 3 / 10_000)
        return moment + dt.timedelta(microseconds=round(ticks * 10_000 / 3))

    async def _empty_scan(self) -> None:
        if self.sessions:
            self.sessions[-1].empty_scans += 1
            self.sessions[-1].ended = self._now()
        if time.monotonic() - self._last_mapping >= self.idle_marker_seconds:
            await self._write_idle_marker()

    async def _write_idle_marker(self) -> None:
        """Move max_lsn: what is before `_scanned_to` is captured, and what comes later commits behind it."""
        connection = await self._connected()
        mark = lsn(self._scanned_to, 0)
        now = self._local(time.time_ns() // 1000)
        if mark > await self._newest(connection):
            await connection.execute(
                "INSERT INTO cdc.lsn_time_mapping VALUES (%s, %s, %s, %s, %s)", [mark, now, now, b"\0", bytes(10)]
            )
        self._last_mapping = time.monotonic()

    def _now(self) -> dt.datetime:
        return self._local(time.time_ns() // 1000)

    def _remember(self, captured: list[Transaction], rows: int, seconds: float) -> None:
        if not captured:
            return
        self.totals.transactions += len(captured)
        self.totals.rows += rows
        self.totals.seconds += seconds
        now = self._now()
        self.sessions.append(
            ScanSession(
                id=(self.sessions[-1].id + 1) if self.sessions else 1,
                started=now - dt.timedelta(seconds=seconds),
                ended=now,
                transactions=len(captured),
                commands=rows,
                records=sum(len(transaction.changes) for transaction in captured),
                first_lsn=lsn(captured[0].commit_position, 1),
                last_lsn=lsn(captured[-1].commit_position, 1),
                last_commit=self._local(captured[-1].committed),
            )
        )

    async def _read_settings(self) -> None:
        connection = await self._connected()
        cursor = await connection.execute(
            "SELECT maxtrans, maxscans, interval_seconds FROM sys.jobs WHERE job_type = 'capture' AND changed"
        )
        row = await cursor.fetchone()
        if row:
            self.max_transactions, self.max_scans, self.interval_seconds = row[0], row[1], float(row[2])


async def _copy(cursor: psycopg.AsyncCursor[Any], builder: RowBuilder) -> int:
    """Write what is built into the change tables; returns the number of rows. The order of rows is the key's there."""
    written = 0
    for table, rows in builder.take().items():
        statement = psycopg.sql.SQL("COPY cdc.{} FROM STDIN (FORMAT binary)").format(psycopg.sql.Identifier(table))
        async with cursor.copy(statement) as copy:
            await copy.write(COPY_HEADER)
            await copy.write(bytes(rows.data))
            await copy.write(COPY_TRAILER)
        written += rows.count
    return written


def _weight(transaction: Transaction) -> int:
    """How many changes of `transaction` are in memory."""
    changes = transaction.changes
    return changes.in_memory if isinstance(changes, ChangeSpool) else len(changes)


def _close(transaction: Transaction) -> None:
    if isinstance(transaction.changes, ChangeSpool):
        transaction.changes.close()
