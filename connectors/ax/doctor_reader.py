"""Reads the facts for the doctor and for the plan, all with the reader's own login.

Every question stands alone: what the login may not see becomes `Unseen`, with the GRANT that would show it, and the
next question is asked. A lost connection is no such thing and is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from connectors.ax.catalog import CaptureInstance, captured_columns, commit_time, newest_commit
from connectors.ax.doctor_facts import (
    CaptureJob,
    Column,
    Database,
    Facts,
    Instance,
    Jobs,
    LogSpace,
    ScanError,
    ScanSession,
    Seen,
    Session,
    Stored,
    TableFacts,
    TableName,
    Unseen,
)
from connectors.ax.liveness import AGENT_SQL, clock_skew
from connectors.ax.resume import read_checkpoints
from connectors.ax.source_tables import SourceTable
from connectors.ax.sql import Row, SqlConnection, quoted
from connectors.ax.sql_types import SqlType
from connectors.ax.table_schema import Refused, row_fields
from connectors.ax.table_shapes import evolved
from schemas import avro
from schemas.failures import Failure, FatalError
from schemas.positions import Lsn, Position
from schemas.records import CapturePosition
from streams.runtime.codec import AvroCodec
from streams.runtime.schema_admin import Subjects
from streams.runtime.settings import AxSqlSettings, KafkaSettings

T = TypeVar("T")

# What the functions give is sql_variant, which not every driver reads.
SESSION_SQL = """
SELECT SUSER_SNAME() AS login, GETDATE() AS now,
       CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) AS version,
       CONVERT(nvarchar(128), SERVERPROPERTY('Edition')) AS edition,
       CONVERT(nvarchar(128), CONNECTIONPROPERTY('auth_scheme')) AS auth_scheme
"""
ENCRYPTION_SQL = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID"
DATABASE_SQL = """
SELECT name, state_desc, is_cdc_enabled, snapshot_isolation_state_desc, log_reuse_wait_desc,
       CONVERT(nvarchar(128), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) AS updateability,
       CONVERT(nvarchar(128), SERVERPROPERTY('IsHadrEnabled')) AS always_on
FROM sys.databases WHERE database_id = DB_ID()
"""
RIGHTS_SQL = """
SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DATABASE STATE') AS view_database_state,
       HAS_PERMS_BY_NAME('cdc', 'SCHEMA', 'SELECT') AS cdc_schema
"""
TABLE_RIGHT_SQL = "SELECT HAS_PERMS_BY_NAME(?, 'OBJECT', 'SELECT') AS may_select"
COLUMNS_SQL = """
SELECT c.name, c.is_computed, t.name AS type_name, c.precision, c.scale, c.max_length
FROM sys.columns c LEFT JOIN sys.types t ON t.user_type_id = c.system_type_id
WHERE c.object_id = OBJECT_ID(?) ORDER BY c.column_id
"""
INSTANCES_SQL = """
SELECT t.capture_instance, t.object_id, t.source_object_id, t.create_date, t.role_name,
       OBJECT_NAME(t.object_id) AS change_table,
       IS_ROLEMEMBER(t.role_name) AS in_role, sys.fn_cdc_get_min_lsn(t.capture_instance) AS min_lsn
FROM cdc.change_tables t WHERE t.source_object_id = OBJECT_ID(?)
"""
CAPTURED_SQL = "SELECT column_name FROM cdc.captured_columns WHERE object_id = ? ORDER BY column_ordinal"
DDL_SQL = "SELECT ddl_command FROM cdc.ddl_history WHERE object_id = ?"
JOBS_SQL = """
SELECT job_type, maxtrans, maxscans, continuous, pollinginterval, retention
FROM msdb.dbo.cdc_jobs WHERE database_id = DB_ID()
"""
# Session 0 is the sum of all since the server started.
SCAN_SQL = """
SELECT TOP (1) start_time, end_time, error_count, latency, empty_scan_count
FROM sys.dm_cdc_log_scan_sessions WHERE session_id <> 0 ORDER BY session_id DESC
"""
ERRORS_SQL = "SELECT error_number, entry_time FROM sys.dm_cdc_errors ORDER BY entry_time"
LOG_SQL = "SELECT total_log_size_in_bytes, used_log_space_in_percent FROM sys.dm_db_log_space_usage"

_GRANT_STATE = "GRANT VIEW DATABASE STATE TO {login}"
_GRANT_SERVER = "GRANT VIEW SERVER STATE TO {login} (in master; it is much: leaving it is no mistake)"
_GRANT_CDC = "GRANT SELECT ON SCHEMA::cdc TO {login}"
_GRANT_JOBS = "in msdb: GRANT SELECT ON dbo.cdc_jobs TO {login}"
# What a missing right, or a view that this release of SQL Server does not have, looks like.
_UNSEEN_CODES = ("sql_no_rights", "sql_object_missing", "sql_column_missing")


def read_facts(
    settings: AxSqlSettings,
    tables: Sequence[SourceTable],
    looked_up: Iterable[TableName],
    stored: Seen[dict[str, CapturePosition]],
    subjects: Seen[Subjects],
) -> Facts:
    """One look at everything. `stored` are our checkpoints by topic (see read_stored), `subjects` the registry."""
    try:
        connection = SqlConnection(settings)
    except Failure as failure:
        return Facts(failure)
    with connection:
        return _Reader(connection, stored, subjects).facts(tables, looked_up)


def read_stored(kafka: KafkaSettings, codec: AvroCodec) -> Seen[dict[str, CapturePosition]]:
    """Our checkpoints by topic; Unseen when Kafka or the registry does not answer."""
    try:
        return read_checkpoints(kafka, codec)
    except Failure as failure:
        return Unseen(str(failure), "make Kafka and the schema registry reachable, and run `freshax topics apply`")


class _Reader:
    """Asks by one connection."""

    def __init__(
        self, connection: SqlConnection, stored: Seen[dict[str, CapturePosition]], subjects: Seen[Subjects]
    ) -> None:
        self._connection = connection
        self._stored = stored
        self._subjects = subjects
        self._login = "freshax_reader"

    def facts(self, tables: Sequence[SourceTable], looked_up: Iterable[TableName]) -> Facts:
        session = self._session()
        database = self._database()
        rights = self._one(RIGHTS_SQL, "reading our rights")
        cdc = database.cdc_enabled
        return Facts(
            session=session,
            database=database,
            view_database_state=bool(rights["view_database_state"]),
            cdc_schema=bool(rights["cdc_schema"]),
            msdb_jobs=not isinstance(jobs := self._jobs(), Unseen),
            newest=self._seen(lambda: newest_commit(self._connection), _GRANT_CDC) if cdc else None,
            jobs=jobs,
            agent=self._agent(),
            scan=self._scan(),
            errors=self._errors(),
            log=self._log(),
            tables=tuple(self._table(table, cdc=cdc) for table in tables),
            readable={table: self._may_select(table) for table in looked_up},
        )

    def _seen(self, ask: Callable[[], T], grant: str) -> Seen[T]:
        try:
            return ask()
        except FatalError as failure:
            if failure.code not in _UNSEEN_CODES:
                raise
            return Unseen(str(failure), grant.format(login=quoted(self._login)))

    def _rows(self, sql: str, action: str, grant: str, *parameters: object) -> Seen[list[Row]]:
        return self._seen(lambda: self._connection.rows(sql, *parameters, action=action), grant)

    def _one(self, sql: str, action: str, *parameters: object) -> Row:
        row = self._connection.row(sql, *parameters, action=action)
        if row is None:
            raise FatalError("sql_no_answer", f"{action}: no row")
        return row

    def _session(self) -> Session:
        row = self._one(SESSION_SQL, "reading who we are")
        self._login = row["login"]
        encrypted = self._rows(ENCRYPTION_SQL, "reading how we are connected", _GRANT_SERVER)
        return Session(
            login=row["login"],
            driver=self._connection.driver_version,
            server_version=f"{row['version']} {row['edition']}",
            auth_scheme=row["auth_scheme"] or "?",
            now=row["now"],
            skew=clock_skew(self._connection),
            encrypted=encrypted
            if isinstance(encrypted, Unseen)
            else any(r["encrypt_option"] == "TRUE" for r in encrypted),
        )

    def _database(self) -> Database:
        row = self._one(DATABASE_SQL, "reading the database's state")
        return Database(
            name=row["name"],
            state=row["state_desc"],
            updateability=row["updateability"] or "?",
            cdc_enabled=bool(row["is_cdc_enabled"]),
            snapshot_isolation=row["snapshot_isolation_state_desc"],
            log_reuse_wait=row["log_reuse_wait_desc"],
            always_on=row["always_on"] == "1",
        )

    def _jobs(self) -> Seen[Jobs]:
        rows = self._rows(JOBS_SQL, "reading the settings of the CDC jobs", _GRANT_JOBS)
        if isinstance(rows, Unseen):
            return rows
        found = {row["job_type"].strip(): row for row in rows}
        capture, cleanup = found.get("capture"), found.get("cleanup")
        return Jobs(
            None
            if capture is None
            else CaptureJob(
                capture["pollinginterval"], capture["maxtrans"], capture["maxscans"], bool(capture["continuous"])
            ),
            None if cleanup is None else timedelta(minutes=cleanup["retention"]),
        )

    def _agent(self) -> Seen[str]:
        rows = self._rows(AGENT_SQL, "reading the state of SQL Server Agent", _GRANT_SERVER)
        if isinstance(rows, Unseen):
            return rows
        return str(rows[0]["status_desc"]) if rows else "not installed"

    def _scan(self) -> Seen[ScanSession | None]:
        rows = self._rows(SCAN_SQL, "reading the scans of the capture job", _GRANT_STATE)
        if isinstance(rows, Unseen) or not rows:
            return rows if isinstance(rows, Unseen) else None
        row = rows[0]
        return ScanSession(
            row["start_time"], row["end_time"], row["error_count"], row["latency"], row["empty_scan_count"]
        )

    def _errors(self) -> Seen[tuple[ScanError, ...]]:
        rows = self._rows(ERRORS_SQL, "reading the errors of the capture job", _GRANT_STATE)
        if isinstance(rows, Unseen):
            return rows
        return tuple(ScanError(row["error_number"], row["entry_time"]) for row in rows)

    def _log(self) -> Seen[LogSpace]:
        rows = self._rows(LOG_SQL, "reading the size of the transaction log", _GRANT_STATE)
        if isinstance(rows, Unseen):
            return rows
        if not rows:
            return Unseen("no row", "nothing")
        return LogSpace(rows[0]["total_log_size_in_bytes"], float(rows[0]["used_log_space_in_percent"]))

    def _may_select(self, table: TableName) -> bool:
        row = self._one(TABLE_RIGHT_SQL, f"reading our rights on {table}", _spelled(table))
        return bool(row["may_select"])

    def _table(self, table: SourceTable, *, cdc: bool) -> TableFacts:
        name = TableName(table.schema, table.name)
        rows = self._connection.rows(COLUMNS_SQL, _spelled(name), action=f"reading the columns of {name}")
        instances = self._instances(name) if cdc else ()
        if not rows and not isinstance(instances, Unseen):
            # Its id is hidden too, so nothing can be said of its instances.
            grant = f"GRANT SELECT ON {_spelled(name)} TO {quoted(self._login)}"
            instances = Unseen(f"{name} does not exist, or is hidden from us", grant)
        declared, misfits = self._shape(table, instances)
        return TableFacts(
            table=name,
            columns=tuple(Column(row["name"], _type_of(row), bool(row["is_computed"])) for row in rows),
            may_select=self._may_select(name),
            instances=instances,
            stored=self._checkpoint(table, cdc=cdc),
            misfits=misfits,
            declared=declared,
        )

    def _instances(self, table: TableName) -> Seen[tuple[Instance, ...]]:
        rows = self._rows(INSTANCES_SQL, f"reading the capture instances of {table}", _GRANT_CDC, _spelled(table))
        if isinstance(rows, Unseen):
            return rows
        return tuple(self._instance(table, row) for row in rows)

    def _instance(self, table: TableName, row: Row) -> Instance:
        name = row["capture_instance"]
        captured = self._connection.rows(CAPTURED_SQL, row["object_id"], action=f"reading the columns of {name}")
        ddl = self._connection.rows(DDL_SQL, row["object_id"], action=f"reading the DDL behind {name}")
        return Instance(
            capture=CaptureInstance(
                name=name,
                object_id=row["object_id"],
                change_table=row["change_table"] or "",
                source_schema=table.schema,
                source_table=table.name,
                min_lsn=Lsn(row["min_lsn"]) if row["min_lsn"] else Lsn.ZERO,
                created_at=row["create_date"],
                source_object_id=row["source_object_id"],
            ),
            role=row["role_name"],
            in_role=None if row["role_name"] is None else bool(row["in_role"]),
            columns=tuple(found["column_name"] for found in captured),
            ddl=tuple(found["ddl_command"] or "" for found in ddl),
        )

    def _shape(
        self, table: SourceTable, instances: Seen[tuple[Instance, ...]]
    ) -> tuple[frozenset[str], Seen[tuple[str, ...]]]:
        """The declared columns, and what does not fit them in the newest instance."""
        if isinstance(self._subjects, Unseen):
            return frozenset(), self._subjects
        try:
            newest = self._subjects.newest(table.topic.subject or "")
        except Failure as failure:
            return frozenset(), Unseen(str(failure), "make the schema registry reachable")
        base = newest.schema if newest is not None else avro.load(table.topic.schema) if table.topic.schema else None
        declared = frozenset(part["name"] for part in row_fields(base)) if base is not None else frozenset()
        if isinstance(instances, Unseen) or not instances:
            return declared, ()
        latest = max(instances, key=lambda instance: (instance.capture.min_lsn, instance.capture.created_at))
        found = self._seen(lambda: captured_columns(self._connection, latest.capture), _GRANT_CDC)
        if isinstance(found, Unseen):
            return declared, found
        shape = evolved(table, newest, found, f"comparing {latest.capture.name}")
        return declared, shape.reasons if isinstance(shape, Refused) else ()

    def _checkpoint(self, table: SourceTable, *, cdc: bool) -> Seen[Stored | None]:
        if isinstance(self._stored, Unseen):
            return self._stored
        found = self._stored.get(table.topic.name)
        if found is None:
            return None
        position = Position.parse(found.position) if found.position else None
        reached: Seen[datetime | None] = None
        if position is not None and cdc:
            lsn = position.commit_lsn
            reached = self._seen(lambda: commit_time(self._connection, lsn), _GRANT_CDC)
        return Stored(found.capture_instance, position, found.at, None if isinstance(reached, Unseen) else reached)


def _spelled(table: TableName) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}"


def _type_of(row: Row) -> SqlType | None:
    if row["type_name"] is None:
        return None
    return SqlType(row["type_name"].lower(), row["precision"], row["scale"], row["max_length"])
