"""What the management views say about the capture job, written into their tables when somebody asks.

Written at every scan it would itself move the log, and the next scan would never be an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from sandbox.sqlserver.capture_job import CaptureJob


@dataclass
class ScanSession:
    """One line of sys.dm_cdc_log_scan_sessions: a scan that found something, with the empty ones after it."""

    id: int
    started: dt.datetime
    ended: dt.datetime
    transactions: int = 0
    commands: int = 0
    records: int = 0
    first_lsn: bytes = b""
    last_lsn: bytes = b""
    last_commit: dt.datetime | None = None
    empty_scans: int = 0
    phase: str = "Done"


async def publish(dsn: str, relation: str, job: CaptureJob) -> None:
    """Write the state of the capture job into the table behind a management view."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        if relation == "dm_server_services":
            state = (4, "Running") if job.running else (1, "Stopped")
            await connection.execute("DELETE FROM sys.services")
            insert = "INSERT INTO sys.services VALUES (%s, %s, %s, 'Automatic')"
            await connection.execute(insert, ["SQL Server (MSSQLSERVER)", 4, "Running"])
            await connection.execute(insert, ["SQL Server Agent (MSSQLSERVER)", *state])
            return
        await connection.execute("DELETE FROM sys.scan_sessions")
        async with connection.cursor().copy("COPY sys.scan_sessions FROM STDIN") as copy:
            for session in job.sessions:
                await copy.write_row(_session_row(session))


async def publish_connections(dsn: str, encrypted: Mapping[int, bool]) -> None:
    """Write who is connected, by session id, and whether under TLS."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute("DELETE FROM sys.connections")
        async with connection.cursor().copy("COPY sys.connections FROM STDIN") as copy:
            for spid, safe in encrypted.items():
                await copy.write_row((spid, "TCP", "TRUE" if safe else "FALSE", "SQL"))


def _session_row(session: ScanSession) -> list[Any]:
    first, last = _text(session.first_lsn), _text(session.last_lsn)
    latency = int((session.ended - session.last_commit).total_seconds()) if session.last_commit else 0
    duration = int((session.ended - session.started).total_seconds())
    return [
        session.id, session.started, session.ended, duration, session.phase, 0, first, last, last, session.transactions,
        last, session.last_commit, session.records, 0, session.commands, first, last, session.last_commit,
        max(latency, 0), session.empty_scans, 0,
    ]  # fmt: skip


def _text(lsn: bytes) -> str:
    """The conventional form 00000027:00000ac0:0007."""
    return f"{lsn[:4].hex()}:{lsn[4:8].hex()}:{lsn[8:].hex()}" if lsn else "00000000:00000000:0000"
