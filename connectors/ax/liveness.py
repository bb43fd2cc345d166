"""The silent failures of change capture, made loud: a stopped capture job, retention about to pass our position.

Nothing fails when the capture job stops: no row comes, as on a quiet day. In quiet times the job writes a dummy commit
about every five minutes, so a newest commit that is much older means that nobody reads the log; the log then grows
until all writers stop. Source: reference on SQL Server CDC, sections 1, 7 and 11.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

import structlog

from connectors.ax.catalog import CaptureInstance, NewestCommit, commit_time
from connectors.ax.feed_state import TableFeed
from connectors.ax.sql import SqlConnection
from schemas.failures import FatalError
from streams.runtime import metrics

_log = structlog.get_logger(__name__)

# Minutes. Few readers may look into msdb; without the right we fall back to what the catalog tells.
RETENTION_SQL = "SELECT retention FROM msdb.dbo.cdc_jobs WHERE job_type = 'cleanup' AND database_id = DB_ID()"


class Liveness:
    """Watches the capture job and the retention. For one thread."""

    def __init__(self, stalled_after_seconds: float) -> None:
        self._stalled_after = stalled_after_seconds
        self._stalled = False
        self._empty_since: float | None = None
        self._retention: timedelta | None = None
        self._retention_asked = False

    @property
    def stalled(self) -> bool:
        """True while the capture job seems to be stopped."""
        return self._stalled

    def see(self, newest: NewestCommit | None) -> None:
        """Note the newest captured commit of one poll; warns once per spell."""
        if newest is None:
            self._empty_since = self._empty_since or time.monotonic()
            lag = time.monotonic() - self._empty_since
        else:
            self._empty_since = None
            lag = max(0.0, newest.lag.total_seconds())
        metrics.CDC_LAG_SECONDS.set(lag)
        stalled = lag > self._stalled_after
        if stalled and not self._stalled:
            _log.warning(
                "nothing is captured; is the capture job stopped, or SQL Server Agent off?",
                seconds_since_last_commit=round(lag),
                remedy="start the job: EXEC sys.sp_cdc_start_job N'capture'; look at sys.dm_cdc_errors",
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
        """Set the headroom metric of each instance that is streamed.

        Cleanup goes by the newest captured commit, not by the clock: headroom = retention - (newest - position). With
        the retention unknown it is at least the time from the low end of the change table to the position.
        """
        by_name = {instance.name: instance for instance in instances}
        for feed in feeds:
            instance = by_name.get(feed.known.name) if feed.known else None
            if newest is None or feed.position is None or instance is None:
                continue
            reached = commit_time(control, feed.position.commit_lsn)
            if reached is None:
                continue
            retention = self._known_retention(control)
            if retention is not None:
                headroom = retention - (newest.committed_at - reached)
            else:
                headroom = reached - (commit_time(control, instance.min_lsn) or reached)
            metrics.CDC_HEADROOM.labels(instance.name).set(max(0.0, headroom.total_seconds()))

    def _known_retention(self, control: SqlConnection) -> timedelta | None:
        """The cleanup job's retention, asked once per connection; None when we may not see it."""
        if not self._retention_asked:
            self._retention_asked = True
            try:
                row = control.row(RETENTION_SQL, action="reading the retention of CDC")
            except FatalError as error:
                # No right, or no such table: no reason to stop, the fallback is honest.
                _log.info("retention of CDC is not readable; headroom is a lower bound", code=error.code)
            else:
                self._retention = timedelta(minutes=row["retention"]) if row else None
        return self._retention
