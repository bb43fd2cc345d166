"""What the CDC catalog says: capture instances, their columns and validity, the newest captured commit.

Names are read from the catalog and never built from a table's name: `dbo_CUSTTABLE` is only the default, and a second
instance is called what the DBA called it. One query gives a consistent picture of all instances, so that two tables
are never judged by two different moments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.ax.source_tables import SourceTable
from connectors.ax.sql import Row, SqlConnection
from connectors.ax.sql_types import SqlType
from connectors.ax.table_schema import CapturedColumn
from schemas.failures import FatalError
from schemas.positions import Lsn, Position

# min_lsn is asked through the function: it gives zeros when the login has lost the gating role, which the catalog
# row alone does not tell.
INSTANCES_SQL = """
SELECT t.capture_instance, t.object_id, t.source_object_id, t.create_date, OBJECT_NAME(t.object_id) AS change_table,
       s.name AS source_schema, o.name AS source_table, sys.fn_cdc_get_min_lsn(t.capture_instance) AS min_lsn,
       (SELECT MAX(d.ddl_lsn) FROM cdc.ddl_history d WHERE d.object_id = t.object_id) AS ddl_lsn
FROM cdc.change_tables t
JOIN sys.tables o ON o.object_id = t.source_object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
"""

COLUMNS_SQL = """
SELECT column_name, column_ordinal, column_type, is_computed FROM cdc.captured_columns
WHERE object_id = ? ORDER BY column_ordinal
"""

# Asked once for the change table and once for its source: a dropped column is missing in the latter, and whether one
# may be NULL is told there only. A type of the CLR has no row of its own under its system type.
TYPES_SQL = """
SELECT c.name, y.name AS type_name, c.precision, c.scale, c.max_length, c.is_nullable
FROM sys.columns c LEFT JOIN sys.types y ON y.user_type_id = c.system_type_id
WHERE c.object_id = ?
"""

# The newest captured commit with its time in one read of the clustered index. `fn_cdc_get_max_lsn` is this column's
# maximum by definition, but recompiles on every call and contends with the capture job on busy servers.
NEWEST_COMMIT_SQL = """
SELECT TOP (1) start_lsn, tran_end_time, GETDATE() AS server_time, GETUTCDATE() AS utc_time
FROM cdc.lsn_time_mapping ORDER BY start_lsn DESC
"""

CLOCK_SQL = "SELECT GETDATE() AS server_time, GETUTCDATE() AS utc_time"

COMMIT_TIME_SQL = """
SELECT TOP (1) tran_end_time FROM cdc.lsn_time_mapping WHERE start_lsn <= ? ORDER BY start_lsn DESC
"""

LAST_COMMIT_SQL = "SELECT TOP (1) start_lsn FROM cdc.lsn_time_mapping WHERE start_lsn <= ? ORDER BY start_lsn DESC"

_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class CaptureInstance:
    """One capture instance. `min_lsn` is the low end of its validity; zeros: gone, or not for us to see.

    `ddl_lsn` is the newest change of its source table's definition that the capture job has passed, None for none. The
    job reads the log in order and writes it down before any row that was changed later (inferred), so an unchanged one
    vouches for the shape of those read.
    """

    name: str
    object_id: int
    change_table: str
    source_schema: str
    source_table: str
    min_lsn: Lsn
    created_at: datetime
    source_object_id: int = 0
    ddl_lsn: Lsn | None = None


@dataclass(frozen=True, slots=True)
class NewestCommit:
    """The newest captured commit. `lag` is the server's clock minus its commit time; both by the server's clock."""

    lsn: Lsn
    committed_at: datetime
    lag: timedelta
    utc_offset: timedelta


@dataclass(frozen=True, slots=True)
class Choice:
    """The instance to read next, and the last LSN that may be read from it (None: no limit)."""

    instance: CaptureInstance
    until: Lsn | None


def read_instances(connection: SqlConnection) -> list[CaptureInstance]:
    """All capture instances that the login may see."""
    return [
        CaptureInstance(
            name=row["capture_instance"],
            object_id=row["object_id"],
            change_table=row["change_table"] or "",
            source_schema=row["source_schema"],
            source_table=row["source_table"],
            min_lsn=Lsn(row["min_lsn"]) if row["min_lsn"] else Lsn.ZERO,
            created_at=row["create_date"],
            source_object_id=row["source_object_id"],
            ddl_lsn=Lsn(row["ddl_lsn"]) if row["ddl_lsn"] else None,
        )
        for row in connection.rows(INSTANCES_SQL, action="reading capture instances")
    ]


def captured_columns(connection: SqlConnection, instance: CaptureInstance) -> tuple[CapturedColumn, ...]:
    """The columns of `instance` in order.

    Raises: FatalError (cdc_instance_gone) when it has none: it was dropped meanwhile.
    """
    action = f"reading the captured columns of {instance.name}"
    captured = connection.rows(COLUMNS_SQL, instance.object_id, action=action)
    types = {row["name"]: row for row in connection.rows(TYPES_SQL, instance.object_id, action=action)}
    source = {row["name"]: row for row in connection.rows(TYPES_SQL, instance.source_object_id, action=action)}
    if not captured or any(row["column_name"] not in types for row in captured):
        raise FatalError("cdc_instance_gone", f"{action}: they are not there any more; it was dropped meanwhile")
    return tuple(_column(row, types[row["column_name"]], source.get(row["column_name"])) for row in captured)


def _column(captured: Row, described: Row, source: Row | None) -> CapturedColumn:
    return CapturedColumn(
        name=captured["column_name"],
        ordinal=captured["column_ordinal"],
        type=_type(described, captured["column_type"]),
        source=None if source is None else _type(source, captured["column_type"]),
        nullable=source is None or bool(source["is_nullable"]),
        computed=bool(captured["is_computed"]),
    )


def _type(described: Row, told: str) -> SqlType:
    """`told` is the type's name in cdc.captured_columns, for one that sys.types does not name."""
    name = (described["type_name"] or told).lower()
    return SqlType(name, described["precision"], described["scale"], described["max_length"])


def newest_commit(connection: SqlConnection) -> NewestCommit | None:
    """The newest captured commit; None when nothing was ever captured (or all of it was cleaned away)."""
    row = connection.row(NEWEST_COMMIT_SQL, action="reading the newest captured commit")
    if row is None or row["start_lsn"] is None:
        return None
    return NewestCommit(
        lsn=Lsn(row["start_lsn"]),
        committed_at=row["tran_end_time"],
        lag=row["server_time"] - row["tran_end_time"],
        utc_offset=utc_offset(row["server_time"], row["utc_time"]),
    )


def commit_time(connection: SqlConnection, lsn: Lsn) -> datetime | None:
    """When the last captured transaction up to `lsn` committed, by the server's clock; None when none is known."""
    row = connection.row(COMMIT_TIME_SQL, lsn.value, action="reading a commit's time")
    return row["tran_end_time"] if row else None


def last_commit_upto(connection: SqlConnection, lsn: Lsn) -> Lsn | None:
    """The last captured commit up to `lsn`; None when cleanup has passed it."""
    row = connection.row(LAST_COMMIT_SQL, lsn.value, action="looking for the commit of our position")
    return Lsn(row["start_lsn"]) if row else None


def server_clock(connection: SqlConnection) -> tuple[datetime, timedelta]:
    """The server's local time and its offset from UTC."""
    row = connection.row(CLOCK_SQL, action="reading the server's clock")
    if row is None:
        raise FatalError("sql_no_answer", "reading the server's clock: no row")
    return row["server_time"], utc_offset(row["server_time"], row["utc_time"])


def utc_offset(local: datetime, utc: datetime) -> timedelta:
    """Offset of the server's clock: the two are read a moment apart, and offsets are whole quarters of an hour."""
    return round((local - utc) / _QUARTER) * _QUARTER


def instances_of(table: SourceTable, instances: Iterable[CaptureInstance]) -> list[CaptureInstance]:
    """The instances of `table`, oldest first.

    Raises: FatalError (cdc_instance_missing) when there is none, (cdc_instance_hidden) when one gives all zeros for
    its min LSN: never to be taken for "no lower limit".
    """
    names = (table.schema.lower(), table.name.lower())
    found = [item for item in instances if (item.source_schema.lower(), item.source_table.lower()) == names]
    if not found:
        raise FatalError(
            "cdc_instance_missing",
            f"looking for the capture instance of {table.full_name}: there is none, or the login may not see it; "
            f"run sys.sp_cdc_enable_table for it, and grant SELECT on {table.full_name} and on SCHEMA::cdc",
        )
    for instance in found:
        if instance.min_lsn == Lsn.ZERO or not instance.change_table:
            raise FatalError(
                "cdc_instance_hidden",
                f"reading the min LSN of {instance.name}: all zeros; the instance was just dropped, or the login "
                "lacks its gating role or SELECT on its columns",
            )
    # Cleanup raises all instances to one mark, hence the date.
    return sorted(found, key=lambda instance: (instance.min_lsn, instance.created_at))


def choose(instances: Sequence[CaptureInstance], position: Position) -> Choice | None:
    """The newest instance that covers everything behind `position`, limited below the start of the next newer one.

    `instances` is ordered by min LSN. None when even the oldest begins too late: changes are gone (a gap).
    """
    covering = [instance for instance in instances if covers(instance.min_lsn, position)]
    if not covering:
        return None
    chosen = covering[-1]
    newer = [instance.min_lsn for instance in instances if instance.min_lsn > chosen.min_lsn]
    return Choice(chosen, newer[0].previous() if newer else None)


def covers(min_lsn: Lsn, position: Position) -> bool:
    """True when no row behind `position` can be missing from a change table that is valid from `min_lsn`."""
    return first_lsn_behind(position) >= min_lsn


def first_lsn_behind(position: Position) -> Lsn:
    """The first commit LSN that may hold a row behind `position`: its own while its transaction is not complete."""
    complete = position == Position.end_of(position.commit_lsn)
    return position.commit_lsn.next() if complete else position.commit_lsn
