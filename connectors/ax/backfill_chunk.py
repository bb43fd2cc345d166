"""A chunk of an incremental snapshot between its two watermarks (the DBLog algorithm, without writing to AX).

    1. low mark: the stream stands at L; nothing of the table is streamed while the chunk is read
    2. the chunk is read; it sees every change up to L, and maybe later ones, up to the moment the read ends
    3. streaming goes on; a row that it tells of leaves the chunk, since the stream's word is newer
    4. high mark: the stream reaches H, behind which no change made before the end of the read can come
    5. what is left was not changed between L and H, so it is the row's state at H: written there, as reads

DBLog writes its marks into a table. We may not write, so H is found by waiting for proof that the capture job has read
the log beyond the end of the chunk's read: a captured commit made later, or a scan begun later. On a database so quiet
that neither comes, and where the login may not see the scans, the chunk is written after `PATIENCE_SECONDS` without
proof: then a row may be ahead of the stream for a moment, as in a first snapshot, and converges.

Source: reference on SQL Server CDC, section 9.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from connectors.ax.catalog import NewestCommit
from connectors.ax.row_key import RowKey
from connectors.ax.sql import Row
from schemas.positions import Lsn

# Three scans at the capture job's default interval of 5 s.
PATIENCE_SECONDS = 15.0
# A scan that is under way when the read ends may have passed the log's end before: two more must be counted.
_SCANS = 2


@dataclass(frozen=True, slots=True)
class Scans:
    """The newest scan session of the capture job: its id, its start, and the empty scans counted in it."""

    session_id: int
    started_at: datetime
    empty_scans: int


@dataclass(slots=True)
class Chunk:
    """Rows of the `number`-th partition read in one query that ended at `read_at` (the server's clock).

    `last` is the key up to which the range is read; `as_of` is `read_at` in UTC.
    """

    number: int
    rows: dict[RowKey, Row]
    last: RowKey
    read_at: datetime
    as_of: datetime
    high: Lsn | None = None
    scans: Scans | None = None
    waiting_since: float = field(default_factory=time.monotonic)

    def saw(self, keys: Iterable[RowKey]) -> None:
        """The stream told of these rows."""
        for key in keys:
            self.rows.pop(key, None)

    def look_for_high(self, newest: NewestCommit, scans: Scans | None, now: float) -> None:
        """Set `high` to the newest captured commit when it is proven, or waited for long enough, to be one.

        `scans` must have been read before `newest`; `now` is the monotonic clock.
        """
        if self.scans is None:
            self.scans = scans
        proven = newest.committed_at > self.read_at or (scans is not None and self._scanned_again(scans))
        if proven or now - self.waiting_since > PATIENCE_SECONDS:
            self.high = newest.lsn

    def _scanned_again(self, scans: Scans) -> bool:
        if scans.started_at > self.read_at:
            return True
        first = self.scans
        if first is None or first.session_id != scans.session_id:
            return False
        return scans.empty_scans >= first.empty_scans + _SCANS
