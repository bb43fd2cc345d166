"""Procedures and management views that are answered by the server itself, not by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import psycopg

from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.results import Result
from sandbox.sqlserver.tds.types import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sqlserver.capture_job import CaptureJob, ScanSession
    from sandbox.sqlserver.engine import Engine


class ProcedureHost(Protocol):
    """What the procedures need of the server."""

    capture_job: CaptureJob

    def add_login(self, name: str, password: str) -> None:
        """Remember a login."""


async def run(host: ProcedureHost, name: str, arguments: Mapping[str, Any], engine: Engine) -> list[Result] | None:
    """Run procedure `name` (lower case, without schema); None when it is not one of these."""
    match name:
        case "sp_cdc_scan":
            await host.capture_job.scan_now()
            return [Result()]
        case "sp_cdc_start_job":
            await host.capture_job.start()
            return [Result()]
        case "sp_cdc_stop_job":
            await host.capture_job.stop()
            return [Result()]
        case "sp_cdc_add_job" | "sp_cdc_drop_job":
            return [Result()]
        case "sp_rename":
            return [await _rename(arguments, engine)]
        case "sp_addrolemember":
            role, member = _argument(arguments, "rolename", 0), _argument(arguments, "membername", 1)
            return [result async for result in engine.execute(f"ALTER ROLE [{role}] ADD MEMBER [{member}]", {})]
        case "sp_datatype_info" | "sp_datatype_info_100":
            return [_type_information(int(_argument(arguments, "data_type", 0) or 0))]
        case "sp_describe_undeclared_parameters":
            # The driver then binds a NULL without asking for its type.
            raise SqlError(11526, "The metadata could not be determined because the statement was not analysed.")
        case "sp_reset_connection":
            await engine.rollback()
            return [Result()]
    return None


def _argument(arguments: Mapping[str, Any], name: str, place: int) -> Any:
    return arguments.get(name, arguments.get(str(place)))


async def _rename(arguments: Mapping[str, Any], engine: Engine) -> Result:
    """`sp_rename 'dbo.T.COLUMN', 'NEW', 'COLUMN'` or `sp_rename 'dbo.T', 'NEW'`."""
    parts = str(_argument(arguments, "objname", 0)).replace("[", "").replace("]", "").split(".")
    new = str(_argument(arguments, "newname", 1))
    kind = str(_argument(arguments, "objtype", 2) or "OBJECT").upper()
    if kind == "COLUMN":
        schema, table, column = ("dbo", *parts)[-3:]
        await engine.rename_column(schema, table, column, new)
    else:
        schema, table = ("dbo", *parts)[-2:]
        await engine.rename_table(schema, table, new)
    return Result()


# ODBC type code -> name and precision: what drivers ask before they bind a parameter.
_ODBC_TYPES = {12: ("varchar", 8000), -9: ("nvarchar", 4000), -3: ("varbinary", 8000), 93: ("datetime2", 27), -5: ("bigint", 19), -11: ("uniqueidentifier", 36)}
_TYPE_COLUMNS = (
    "TYPE_NAME:nvarchar DATA_TYPE:smallint PRECISION:int LITERAL_PREFIX:nvarchar LITERAL_SUFFIX:nvarchar CREATE_PARAMS:nvarchar "
    "NULLABLE:smallint CASE_SENSITIVE:smallint SEARCHABLE:smallint UNSIGNED_ATTRIBUTE:smallint MONEY:smallint AUTO_INCREMENT:smallint "
    "LOCAL_TYPE_NAME:nvarchar MINIMUM_SCALE:smallint MAXIMUM_SCALE:smallint SQL_DATA_TYPE:smallint SQL_DATETIME_SUB:smallint "
    "NUM_PREC_RADIX:int INTERVAL_PRECISION:smallint USERTYPE:smallint"
)


def _type_information(code: int) -> Result:
    name, precision = _ODBC_TYPES.get(code, ("int", 10))
    pairs = [item.split(":") for item in _TYPE_COLUMNS.split()]
    columns = [Column(title, kind, 128 if kind == "nvarchar" else 0) for title, kind in pairs]
    row = (name, code, precision, None, None, None, 1, 0, 3, None, 0, None, name, None, None, code, None, None, None, 0)
    return Result("select", columns, [row], 1)


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
        insert = f"INSERT INTO sys.scan_sessions VALUES ({', '.join(['%s'] * 21)})"
        for session in job.sessions:
            await connection.execute(insert, _session_row(session))


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
