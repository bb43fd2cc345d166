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
SELECT t.capture_instance, t.object_id, t.create_date, OBJECT_NAME(t.object_id) AS change_table,
       s.name AS source_schema, o.name AS source_table, sys.fn_cdc_get_min_lsn(t.capture_instance) AS min_lsn,
       (SELECT MAX(d.ddl_lsn) FROM cdc.ddl_history d WHERE d.object_id = t.object_id) AS ddl_lsn
FROM cdc.change_tables t
JOIN sys.tables o ON o.object_id = t.source_object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
"""

# A column of the change table (d), and the same in the source table (s): a dropped one is missing there, and whether it
# may be NULL is told there only. A type of the CLR has no row of its own under its system type: its name is kept.
COLUMNS_SQL = """
SELECT k.column_name, k.column_ordinal, k.is_computed, s.is_nullable,
       COALESCE(dt.name, k.column_type) AS type_name, d.precision, d.scale, d.max_length,
       s.name AS source_column, COALESCE(st.name, k.column_type) AS source_type_name,
       s.precision AS source_precision, s.scale AS source_scale, s.max_length AS source_max_length
FROM cdc.captured_columns k
JOIN cdc.change_tables t ON t.object_id = k.object_id
JOIN sys.columns d ON d.object_id = k.object_id AND d.name = k.column_name
LEFT JOIN sys.types dt ON dt.user_type_id = d.system_type_id
LEFT JOIN sys.columns s ON s.object_id = t.source_object_id AND s.name = k.column_name
LEFT JOIN sys.types st ON st.user_type_id = s.system_type_id
WHERE k.object_id = ?
ORDER BY k.column_ordinal
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

_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class CaptureInstance:
    """One capture instance. `min_lsn` is the low end of its validity; zeros: gone, or not for us to see.

    `ddl_lsn` is the newest change of its source table's definition that the capture job has passed, None for none. The
    job writes it down before any row that was changed later, so an unchanged one vouches for the shape of those read.
    """

    name: str
    object_id: int
    change_table: str
    source_schema: str
    source_table: str
    min_lsn: Lsn
    created_at: datetime
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
            ddl_lsn=Lsn(row["ddl_lsn"]) if row["ddl_lsn"] else None,
        )
        for row in connection.rows(INSTANCES_SQL, action="reading capture instances")
    ]


def captured_columns(connection: SqlConnection, instance: CaptureInstance) -> tuple[CapturedColumn, ...]:
    """The columns of `instance` in order.

    Raises: FatalError (cdc_instance_gone) when it has none: it was dropped meanwhile.
    """
    rows = connection.rows(COLUMNS_SQL, instance.object_id, action=f"reading the captured columns of {instance.name}")
    if not rows:
        raise FatalError(
            "cdc_instance_gone",
            f"reading the captured columns of {instance.name}: it has none any more; it was dropped meanwhile",
        )
    return tuple(
        CapturedColumn(
            name=row["column_name"],
            ordinal=row["column_ordinal"],
            type=SqlType(row["type_name"].lower(), row["precision"], row["scale"], row["max_length"]),
            source=_source_type(row),
            nullable=bool(row["is_nullable"]),
            computed=bool(row["is_computed"]),
        )
        for row in rows
    )


def _source_type(row: Row) -> SqlType | None:
    if row["source_column"] is None:
        return None
    name = row["source_type_name"].lower()
    return SqlType(name, row["source_precision"], row["source_scale"], row["source_max_length"])


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
