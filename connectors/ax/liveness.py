"""The silent failures of change capture, made loud: a stopped capture job, retention about to pass our position.

Nothing fails when the capture job stops: no row comes, as on a quiet day. In quiet times the job writes a dummy commit
about every five minutes, so a newest commit that is much older means that nobody reads the log; the log then grows
until all writers stop. Whether it is the job or the whole SQL Server Agent can be told only with VIEW SERVER STATE.
Source: reference on SQL Server CDC, sections 1, 7 and 11.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import structlog

from connectors.ax.catalog import CaptureInstance, NewestCommit, commit_time
from connectors.ax.feed_state import TableFeed
from connectors.ax.sql import SqlConnection
from schemas.failures import FatalError
from streams.runtime import metrics

_log = structlog.get_logger(__name__)

# Minutes. Few readers may look into msdb; without the right the headroom is not known.
RETENTION_SQL = "SELECT retention FROM msdb.dbo.cdc_jobs WHERE job_type = 'cleanup' AND database_id = DB_ID()"

# The Agent's state, for the few readers that hold VIEW SERVER STATE.
AGENT_SQL = "SELECT status_desc FROM sys.dm_server_services WHERE servicename LIKE 'SQL Server Agent%'"

UTC_CLOCK_SQL = "SELECT GETUTCDATE() AS utc_time"

# A database administrator may raise it to win time: seen within so long.
_RETENTION_EVERY_SECONDS = 600.0

_START_JOB = "start the job: EXEC sys.sp_cdc_start_job N'capture'; look at sys.dm_cdc_errors"
_START_AGENT = "start the service SQL Server Agent; its job for CDC starts with it"


class Liveness:
    """Watches the capture job, the retention and the clocks. For one thread."""

    def __init__(self, stalled_after_seconds: float) -> None:
        self._stalled_after = stalled_after_seconds
        self._stalled = False
        self._empty_since: float | None = None
        self._retention: timedelta | None = None
        self._retention_due = 0.0
        self._unknown_told = False
        self._measured: set[str] = set()

    @property
    def stalled(self) -> bool:
        """True while the capture job seems to be stopped."""
        return self._stalled

    def see(self, newest: NewestCommit | None, control: SqlConnection | None = None) -> None:
        """Note the newest captured commit of one poll; warns once per spell, by `control` with the Agent's state."""
        if newest is None:
            self._empty_since = self._empty_since or time.monotonic()
            lag = time.monotonic() - self._empty_since
        else:
            self._empty_since = None
            lag = max(0.0, newest.lag.total_seconds())
        metrics.CDC_LAG_SECONDS.set(lag)
        stalled = lag > self._stalled_after
        if stalled and not self._stalled:
            agent = agent_state(control) if control is not None else None
            off = agent is not None and agent != "Running"
            _log.warning(
                "SQL Server Agent is off: nothing is captured"
                if off
                else "nothing is captured; is the capture job stopped, or SQL Server Agent off?",
                seconds_since_last_commit=round(lag),
                agent=agent or "not visible (VIEW SERVER STATE)",
                remedy=_START_AGENT if off else _START_JOB,
            )
        elif self._stalled and not stalled:
            _log.info("captured again")
        self._stalled = stalled

    def measure_headroom(
        self,
        control: SqlConnection,
        feeds: Iterable[TableFeed],
        instances: Iterable[CaptureInstance],
        newest: NewestCommit | None,
    ) -> None:
        """Set the headroom metric of each instance that is streamed, and the skew of the clocks.

        Cleanup goes by the newest captured commit, not by the clock: headroom = retention - (newest - position). With
        the retention unknown there is no headroom to tell, and no series: 0 would be a false alarm.
        """
        metrics.CDC_CLOCK_SKEW_SECONDS.set(clock_skew(control).total_seconds())
        retention = self._known_retention(control)
        by_name = {instance.name: instance for instance in instances}
        measured = set()
        for feed in feeds:
            instance = by_name.get(feed.known.name) if feed.known else None
            if retention is None or newest is None or feed.position is None or instance is None:
                continue
            reached = commit_time(control, feed.position.commit_lsn)
            if reached is None:
                continue
            headroom = headroom_of(retention, newest.committed_at, reached)
            metrics.CDC_HEADROOM.labels(instance.name).set(headroom.total_seconds())
            measured.add(instance.name)
        # An instance that was switched away from is no longer in danger; its last value must not stand for ever.
        for name in self._measured - measured:
            metrics.CDC_HEADROOM.remove(name)
        self._measured = measured

    def _known_retention(self, control: SqlConnection) -> timedelta | None:
        """The cleanup job's retention; None when we may not see it, or when there is no such job."""
        now = time.monotonic()
        if now < self._retention_due:
            return self._retention
        self._retention_due = now + _RETENTION_EVERY_SECONDS
        code = "no_cleanup_job"
        row = None
        try:
            row = control.row(RETENTION_SQL, action="reading the retention of CDC")
        except FatalError as error:
            # No right, or no such table: no reason to stop, but somebody should know.
            code = error.code
        self._retention = timedelta(minutes=row["retention"]) if row else None
        if self._retention is None and not self._unknown_told:
            self._unknown_told = True
            _log.warning(
                "retention of CDC is not readable: the time until data loss is not measured",
                code=code,
                remedy="grant SELECT on msdb.dbo.cdc_jobs; `freshax capture plan` prints how",
            )
        return self._retention


def headroom_of(retention: timedelta, newest: datetime, reached: datetime) -> timedelta:
    """Time until cleanup passes the commit at `reached`, never below zero. Both moments by the server's clock."""
    return max(timedelta(0), retention - (newest - reached))


def agent_state(control: SqlConnection) -> str | None:
    """`Running`, `Stopped` …; None when the login may not see it, which is the usual case."""
    try:
        row = control.row(AGENT_SQL, action="reading the state of SQL Server Agent")
    except FatalError:
        return None
    return str(row["status_desc"]) if row else None


def clock_skew(control: SqlConnection) -> timedelta:
    """The server's clock minus ours, to the length of one answer. Positive: the server is ahead."""
    asked = datetime.now(UTC)
    row = control.row(UTC_CLOCK_SQL, action="reading the server's clock")
    answered = datetime.now(UTC)
    if row is None:
        raise FatalError("sql_no_answer", "reading the server's clock: no row")
    theirs: datetime = row["utc_time"].replace(tzinfo=UTC)
    return theirs - (asked + (answered - asked) / 2)
