"""How far a snapshot is: log lines every few seconds, and two metrics."""

from __future__ import annotations

import time

import structlog

from connectors.ax.resume import ContinueSnapshot
from connectors.ax.source_tables import SourceTable
from streams.runtime import metrics

_log = structlog.get_logger(__name__)
_REPORT_SECONDS = 5.0


class Progress:
    """Counts the rows of one snapshot. `done` were written by earlier runs; `estimated` is SQL Server's own count."""

    def __init__(self, table: SourceTable, done: int, estimated: int | None) -> None:
        self._table = table
        self._done = done
        self._estimated = estimated
        self._begun_with = done
        self._started = self._said = time.monotonic()
        metrics.SNAPSHOT_ESTIMATED_ROWS.labels(table.name).set(estimated or 0)

    def begin(self, start: ContinueSnapshot) -> None:
        """Say that it begins."""
        _log.info(
            "snapshot begins",
            table=self._table.full_name,
            lsn=str(start.lsn),
            behind_recid=start.after.rec_id if start.after else None,
            rows_estimated=self._estimated,
        )

    def add(self, rows: int) -> int:
        """Count `rows`, and return how many are done in all."""
        self._done += rows
        metrics.SNAPSHOT_ROWS.labels(self._table.name).set(self._done)
        now = time.monotonic()
        if now - self._said > _REPORT_SECONDS:
            self._said = now
            rate = (self._done - self._begun_with) / (now - self._started)
            left = None if self._estimated is None else max(0, self._estimated - self._done) / rate
            _log.info(
                "snapshot runs",
                table=self._table.full_name,
                rows=self._done,
                rows_per_second=round(rate),
                seconds_left=None if left is None else round(left),
            )
        return self._done

    def end(self) -> None:
        """Say that it is complete."""
        seconds = round(time.monotonic() - self._started, 2)
        _log.info("snapshot complete", table=self._table.full_name, rows=self._done, seconds=seconds)
