"""Change rows of one capture instance over a bounded window, as changes in their true order.

The window is a closed LSN interval that ends at the N-th captured transaction behind the position: whole transactions
only, and a bounded read however far the reader is behind. The change table is read directly, not through
`fn_cdc_get_all_changes`: only so is `__$command_id` to be had, the order of statements inside a transaction, and the
clustered index gives the order for nothing. The price is that a direct read checks no range: rows removed by cleanup
are silently missing. Hence the gap check before the read and again after each block and before it is published:
cleanup raises the min LSN first and deletes afterwards, so a block read while the min LSN still covers it is complete.
(A check only at the end were too late: the published rows would move the position past the hole.)

Source: reference on SQL Server CDC, sections 3 to 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.ax.catalog import CaptureInstance, covers, first_lsn_behind
from connectors.ax.source_tables import SourceTable, TableShape
from connectors.ax.sql import Row, SqlConnection, quoted
from schemas.failures import FatalError
from schemas.positions import Lsn, Position

DELETE, INSERT, UPDATE_OLD, UPDATE_NEW = 1, 2, 3, 4

# Idle dummy rows carry tran_id 0x00 and are no transactions. The limit is a number in the text: TOP with a parameter
# makes both drivers ask the server for the parameter's type first.
WINDOW_SQL = """
SELECT MAX(w.start_lsn) AS to_lsn, COUNT(*) AS transactions FROM (
  SELECT TOP ({limit}) start_lsn FROM cdc.lsn_time_mapping
  WHERE start_lsn >= ? AND start_lsn <= ? AND tran_id <> 0x00
  ORDER BY start_lsn
) w
"""

# The commit time comes by a join: `fn_cdc_map_lsn_to_time` per row is slow on busy tables.
CHANGES_SQL = """
SELECT c.[__$start_lsn], c.[__$command_id], c.[__$seqval], c.[__$operation], m.tran_end_time AS [__$commit_time],
       {columns}
FROM cdc.{change_table} c
JOIN cdc.lsn_time_mapping m ON m.start_lsn = c.[__$start_lsn]
WHERE c.[__$start_lsn] >= ? AND c.[__$start_lsn] <= ?
ORDER BY c.[__$start_lsn], c.[__$command_id], c.[__$seqval], c.[__$operation]
"""


# Asked of many tables in one round trip: reading each one's window only to find it empty would cost two.
HAS_ROWS_SQL = """
SELECT {number} AS number WHERE EXISTS (
  SELECT 1 FROM cdc.{change_table} WHERE [__$start_lsn] >= ? AND [__$start_lsn] <= ?
)
"""
# Two parameters each; SQL Server takes 2,100 in a query.
_TABLES_PER_QUERY = 100


@dataclass(frozen=True, slots=True)
class Window:
    """A closed interval of whole transactions. `full`: more wait behind it, so poll again at once."""

    from_lsn: Lsn
    to_lsn: Lsn
    transactions: int
    full: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one row: `before` and `after` are rows as read, one of them None for an insert or a delete.

    `position` is that of the change row (of the new image for an update). `committed_at` is the server's local time.
    `serial` counts the rows of one (commit LSN, seqval) from 1, as Debezium's `event_serial_no` does: 2 for an update,
    and for the second half of a key change when both halves share their seqval.
    """

    position: Position
    before: Row | None
    after: Row | None
    committed_at: datetime
    serial: int = 1

    @property
    def op(self) -> str:
        """Debezium's letter: c, u or d."""
        if self.before is None:
            return "c"
        return "d" if self.after is None else "u"


def next_window(connection: SqlConnection, position: Position, newest: Lsn, max_transactions: int) -> Window:
    """The window behind `position`, at most `max_transactions` long and never past `newest`."""
    from_lsn = first_lsn_behind(position)
    row = connection.row(
        WINDOW_SQL.format(limit=int(max_transactions)),
        from_lsn.value,
        newest.value,
        action="bounding the next window",
    )
    count = row["transactions"] if row else 0
    full = count >= max_transactions
    to_lsn = Lsn(row["to_lsn"]) if row and full else newest
    return Window(from_lsn, to_lsn, count, full and to_lsn < newest)


def which_have_rows(
    connection: SqlConnection, asked: Sequence[tuple[CaptureInstance, Position]], newest: Lsn
) -> set[str]:
    """Names of the instances that have rows behind their position, up to `newest`."""
    found: set[str] = set()
    for start in range(0, len(asked), _TABLES_PER_QUERY):
        part = asked[start : start + _TABLES_PER_QUERY]
        selects = [
            HAS_ROWS_SQL.format(number=number, change_table=quoted(instance.change_table))
            for number, (instance, _) in enumerate(part)
        ]
        limits = [value for _, position in part for value in (first_lsn_behind(position).value, newest.value)]
        rows = connection.rows(" UNION ALL ".join(selects), *limits, action="asking which tables have changes")
        found |= {part[row["number"]][0].name for row in rows}
    return found


def require_no_gap(table: SourceTable, instance: CaptureInstance, position: Position, min_lsn: Lsn) -> None:
    """Raise FatalError (cdc_gap) when changes right behind `position` may have been removed."""
    if covers(min_lsn, position):
        return
    raise FatalError(
        "cdc_gap",
        f"reading {instance.name} behind {position.commit_lsn}: it is valid only from {min_lsn}; cleanup passed the "
        f"position or the instance was made anew, so changes are lost. Take a new snapshot: "
        f"`freshax capture snapshot {table.name}`, then start the capture again",
    )


def read_changes(
    connection: SqlConnection, shape: TableShape, instance: CaptureInstance, window: Window, *, block_rows: int
) -> Iterator[list[Row]]:
    """The change rows of `window` in blocks, ordered by (commit LSN, command id, seqval, operation)."""
    sql = CHANGES_SQL.format(columns=shape.change_list("c."), change_table=quoted(instance.change_table))
    return connection.blocks(
        sql,
        window.from_lsn.value,
        window.to_lsn.value,
        action=f"reading changes of {instance.name}",
        block_rows=block_rows,
    )


def position_of(row: Row) -> Position:
    """The position of a change row."""
    return Position(Lsn(row["__$start_lsn"]), row["__$command_id"], Lsn(row["__$seqval"]), row["__$operation"])


class Pairing:
    """Turns change rows into changes: 3 and 4 become one update, whatever block they came in.

    A key change arrives as 1 and 2 and stays a delete and a create, each under its own key.
    """

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._old: tuple[Position, Row] | None = None
        self._place: tuple[Lsn, Lsn] | None = None
        self._serial = 0

    def take(self, rows: Iterable[Row]) -> Iterator[Change]:
        """The changes that `rows` complete, in order.

        Raises: FatalError (cdc_unpaired) for an old image without its new one or the reverse: a broken read.
        """
        for row in rows:
            position = position_of(row)
            operation = position.operation
            serial = self._count(position)
            if operation == UPDATE_OLD:
                self.finish()
                self._old = (position, row)
            elif operation == UPDATE_NEW:
                yield Change(position, self._old_image(position), row, row["__$commit_time"], serial)
            elif operation == INSERT:
                self.finish()
                yield Change(position, None, row, row["__$commit_time"], serial)
            elif operation == DELETE:
                self.finish()
                yield Change(position, row, None, row["__$commit_time"], serial)
            else:
                raise FatalError(
                    "cdc_unknown_operation", f"reading {self._instance} at {position}: operation {operation}"
                )

    def finish(self) -> None:
        """Raise FatalError when an old image still waits for its new one."""
        if self._old is not None:
            raise FatalError(
                "cdc_unpaired",
                f"reading {self._instance} at {self._old[0]}: an old image without its new one; "
                "the read was cut, start again",
            )

    def _count(self, position: Position) -> int:
        """The number of this row among those of its (commit LSN, seqval).

        Counted here, before rows that are in the topic already are left out: so a change has the same number whether
        or not the capture died between the halves of a key change.
        """
        place = (position.commit_lsn, position.seqval)
        self._serial = self._serial + 1 if place == self._place else 1
        self._place = place
        return self._serial

    def _old_image(self, position: Position) -> Row:
        if self._old is None or _without_operation(self._old[0]) != _without_operation(position):
            raise FatalError("cdc_unpaired", f"reading {self._instance} at {position}: a new image without its old one")
        row = self._old[1]
        self._old = None
        return row


def _without_operation(position: Position) -> tuple[Lsn, int, Lsn]:
    return position.commit_lsn, position.command_id, position.seqval


def behind(position: Position, changes: Iterable[Change]) -> Iterator[Change]:
    """Only what is behind `position`: after a crash inside a transaction its first rows are in the topic already."""
    return (change for change in changes if change.position > position)
