"""What the doctor and the plan for the database administrator look at: facts, as plain data. Pure.

A fact that the login may not see is `Unseen`, with what would show it: a missing right is a finding, never a crash.
Moments without a zone are by SQL Server's own clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias, TypeVar

from connectors.ax.catalog import CaptureInstance, NewestCommit
from connectors.ax.sql_types import SqlType
from schemas.failures import Failure
from schemas.positions import Position


class TableName(NamedTuple):
    """A table by schema and name, as SQL Server spells them."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Unseen:
    """A fact that could not be read: why, and what would show it (a GRANT, mostly)."""

    why: str
    remedy: str


T = TypeVar("T")
# Read, or not for us to see.
Seen: TypeAlias = T | Unseen


@dataclass(frozen=True, slots=True)
class Session:
    """Our connection. `skew` is the server's clock minus ours; `encrypted` is what the server says of it."""

    login: str
    driver: str
    server_version: str
    auth_scheme: str
    now: datetime
    skew: timedelta
    encrypted: Seen[bool]


@dataclass(frozen=True, slots=True)
class Database:
    """The database's state. `updateability` is READ_ONLY on a readable secondary."""

    name: str
    state: str
    updateability: str
    cdc_enabled: bool
    snapshot_isolation: str
    log_reuse_wait: str
    always_on: bool


@dataclass(frozen=True, slots=True)
class LogSpace:
    """The transaction log: its size, and how much of it is in use."""

    total_bytes: int
    used_percent: float


@dataclass(frozen=True, slots=True)
class CaptureJob:
    """Settings of the capture job (msdb.dbo.cdc_jobs)."""

    polling_interval_seconds: int
    max_transactions: int
    max_scans: int
    continuous: bool


@dataclass(frozen=True, slots=True)
class Jobs:
    """The two Agent jobs of the database; None: there is no such job."""

    capture: CaptureJob | None
    retention: timedelta | None


@dataclass(frozen=True, slots=True)
class ScanSession:
    """The newest line of sys.dm_cdc_log_scan_sessions. `ended` is None while it runs."""

    started: datetime
    ended: datetime | None
    errors: int
    latency_seconds: int
    empty_scans: int


@dataclass(frozen=True, slots=True)
class ScanError:
    """A line of sys.dm_cdc_errors; its text may quote data and is not taken."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source table. `type` is None for a type of the CLR."""

    name: str
    type: SqlType | None
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """A capture instance with the names of its captured columns, and its gating role.

    `in_role` is None where there is no role; `ddl` are the commands that ran on the source table since it was made.
    """

    capture: CaptureInstance
    role: str | None
    in_role: bool | None
    columns: tuple[str, ...]
    ddl: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """Our checkpoint. `position` is None while a snapshot runs; `reached` is the commit time of the position."""

    instance: str
    position: Position | None
    at: datetime
    reached: datetime | None = None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One source table.

    `declared` are the columns of its registered schema, `misfits` what keeps the newest instance from being published
    under it, one reason per column.
    """

    table: TableName
    columns: tuple[Column, ...]
    may_select: bool
    instances: Seen[tuple[Instance, ...]]
    stored: Seen[Stored | None]
    misfits: Seen[tuple[str, ...]] = ()
    declared: frozenset[str] = frozenset()

    @property
    def visible(self) -> bool:
        """False when the table does not exist, or the login has no right on it: SQL Server does not say which."""
        return bool(self.columns)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything of one look. `session` is the failure when there was no connection, and the rest is empty then."""

    session: Session | Failure
    database: Database | None = None
    view_database_state: bool = False
    cdc_schema: bool = False
    msdb_jobs: bool = False
    newest: Seen[NewestCommit | None] = None
    jobs: Seen[Jobs] = field(default_factory=lambda: Unseen("not asked", "connect first"))
    agent: Seen[str] = field(default_factory=lambda: Unseen("not asked", "connect first"))
    scan: Seen[ScanSession | None] = None
    errors: Seen[tuple[ScanError, ...]] = ()
    log: Seen[LogSpace] = field(default_factory=lambda: Unseen("not asked", "connect first"))
    tables: tuple[TableFacts, ...] = ()
    readable: dict[TableName, bool] = field(default_factory=dict)
