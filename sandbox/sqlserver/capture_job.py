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

from sandbox.sqlserver.changes import COPY_HEADER, COPY_TRAILER, RowBuilder, lsn
from sandbox.sqlserver.instances import read_instances
from sandbox.sqlserver.replication import ReplicationStream, StreamError, Transaction
from sandbox.sqlserver.scan_sessions import ScanSession

if TYPE_CHECKING:
    from sandbox.sqlserver.postgres import Cluster

_log = logging.getLogger(__name__)

_ENABLED = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'cdc')"
_SESSIONS_KEPT = 50
# In quiet times a row without a transaction moves max_lsn, about every five minutes.
_QUIET_SECONDS = 300.0
# Above this many changes (some 30 ms of work) rows are built in a thread, so that sessions are served meanwhile.
_LONG_TRANSACTION = 1000


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
        async with self._lock:
            captured = await self._scan()
            while self._pending:
                captured += await self._apply()
            return captured

    async def run_cleanup(self, retention_minutes: float | None = None) -> None:
        """Run the cleanup job once, with its own retention or another one."""
        connection = await self._connected()
        await connection.execute("SELECT sys.sp_mscdc_cleanup_job(%s::numeric)", [retention_minutes])

    async def _loop(self) -> None:
        while True:
            try:
                async with self._lock:
                    await self._scan()
                    for _ in range(self.max_scans):
                        if not self._pending:
                            break
                        await self._apply()
            except (StreamError, psycopg.Error, OSError) as error:
                # The job goes on, as Agent would start it again; what was not confirmed comes again.
                _log.warning("scanning the transaction log: %s", error)
                await self._disconnect()
            await asyncio.sleep(self.interval_seconds)

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self.cluster.dsn, autocommit=True)
        return self._connection

    async def _connected_stream(self) -> ReplicationStream:
        if self._stream is None:
            stream = ReplicationStream(self.cluster.host, self.cluster.port, self.cluster.database, "postgres")
            await stream.connect()
            self._stream = stream
        return self._stream

    async def _disconnect(self) -> None:
        if self._stream:
            await self._stream.close()
        if self._connection:
            await self._connection.close()
        self._stream = self._connection = None
        self._pending.clear()
        self._scanned_to = 0

    async def _scan(self) -> int:
        """Read the log up to now into `_pending`; returns 0 (nothing is captured yet)."""
        connection = await self._connected()
        cursor = await connection.execute(f"SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, ({_ENABLED})")
        row = await cursor.fetchone()
        position, enabled = row if row else (0, False)
        if not enabled:
            return 0
        if position <= self._scanned_to and not self._pending:
            await self._empty_scan()
            return 0
        stream = await self._connected_stream()
        self._marker += 1
        marker = f"{id(self)}:{self._marker}"
        await connection.execute("SELECT pg_logical_emit_message(true, 'cdc.scan', %s)", [marker])
        found = 0
        while True:
            transaction = await stream.transaction()
            if transaction.changes:
                self._pending.append(transaction)
                found += 1
            if marker in transaction.markers:
                break
        self._scanned_to = transaction.end_position
        if not self._pending:
            stream.confirm(self._scanned_to)
            await self._empty_scan()
        return 0

    async def _apply(self) -> int:
        """Write up to `max_transactions` pending transactions; returns how many touched a capture instance."""
        begun = time.monotonic()
        connection = await self._connected()
        if not self._captured_to:
            self._captured_to = await self._newest(connection)
        batch = [self._pending.popleft() for _ in range(min(self.max_transactions, len(self._pending)))]
        builder = RowBuilder(await read_instances(connection))
        captured: list[Transaction] = []
        for transaction in batch:
            if lsn(transaction.commit_position, 1) <= self._captured_to:
                continue  # delivered again after a crash
            if len(transaction.changes) > _LONG_TRANSACTION:
                touched = await asyncio.to_thread(builder.add, transaction)
            else:
                touched = builder.add(transaction)
            if touched:
                captured.append(transaction)
        if captured:
            await self._write(connection, builder, captured)
            self._captured_to = lsn(captured[-1].commit_position, 1)
            self._last_mapping = time.monotonic()
        stream = await self._connected_stream()
        stream.confirm(self._scanned_to if not self._pending else batch[-1].end_position)
        self._remember(captured, sum(rows.count for rows in builder.rows.values()), time.monotonic() - begun)
        return len(captured)

    async def _newest(self, connection: psycopg.AsyncConnection[Any]) -> bytes:
        cursor = await connection.execute("SELECT sys.fn_cdc_get_max_lsn()::bytea")
        row = await cursor.fetchone()
        return bytes(row[0]) if row and row[0] else bytes(10)

    async def _write(
        self, connection: psycopg.AsyncConnection[Any], builder: RowBuilder, captured: list[Transaction]
    ) -> None:
        async with connection.transaction(), connection.cursor() as cursor:
            for table, rows in builder.rows.items():
                if not rows.count:
                    continue
                statement = psycopg.sql.SQL("COPY cdc.{} FROM STDIN (FORMAT binary)").format(
                    psycopg.sql.Identifier(table)
                )
                async with cursor.copy(statement) as copy:
                    await copy.write(COPY_HEADER)
                    await copy.write(bytes(rows.data))
                    await copy.write(COPY_TRAILER)
            async with cursor.copy("COPY cdc.lsn_time_mapping FROM STDIN") as copy:
                for transaction in captured:
                    await copy.write_row(self._mapping(transaction))

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
