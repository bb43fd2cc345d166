"""The rows of a table in pages, by its key: partition after partition, each in RECID order.

Pages are asked by key, never by OFFSET, and one partition at a time: AX's index is on (PARTITION, RECID), so each page
is one seek. A table has as many partitions as the installation, which is one nearly always.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from connectors.ax.row_key import RowKey
from connectors.ax.source_tables import SourceTable, TableShape
from connectors.ax.sql import Row, SqlConnection, quoted
from connectors.ax.table_schema import KEY_COLUMN, PARTITION_COLUMN
from schemas.failures import FatalError

PAGE_SQL = """
SELECT TOP ({limit}) {columns} FROM {table} WHERE {partition} = ? AND {key} > ? AND {key} <= ? ORDER BY {key}
"""
NEXT_PARTITION_SQL = "SELECT MIN({partition}) AS partition_id FROM {table} WHERE {partition} > ?"
# SQL Server's own count of a table's rows, kept with its heap or clustered index: no row is read for it.
ROW_COUNT_SQL = """
SELECT SUM(rows) AS row_count FROM sys.partitions WHERE object_id = OBJECT_ID(?) AND index_id IN (0, 1)
"""

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class KeyRange:
    """RECIDs from `start` up to, not including, `end`; None: no limit on that side."""

    start: int | None = None
    end: int | None = None

    def __contains__(self, rec_id: int) -> bool:
        return (self.start is None or rec_id >= self.start) and (self.end is None or rec_id < self.end)

    @property
    def whole(self) -> bool:
        """True for the whole table."""
        return self.start is None and self.end is None


EVERYTHING = KeyRange()


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one partition, which is the `number`-th of the table."""

    number: int
    rows: list[Row]


def partitions_of(connection: SqlConnection, table: SourceTable) -> list[int]:
    """The partitions that the table has rows of, in order."""
    sql = NEXT_PARTITION_SQL.format(partition=quoted(PARTITION_COLUMN), table=_name(table))
    found: list[int] = []
    while True:
        row = connection.row(
            sql, found[-1] if found else _LOWEST, action=f"listing the partitions of {table.full_name}"
        )
        if row is None or row["partition_id"] is None:
            return found
        found.append(row["partition_id"])


def read_page(
    connection: SqlConnection,
    shape: TableShape,
    partitions: Sequence[int],
    after: RowKey | None,
    keys: KeyRange,
    limit: int,
) -> Page | None:
    """The next page behind `after` with RECIDs in `keys`; None when there is none. Never empty."""
    table = shape.table
    sql = PAGE_SQL.format(
        limit=int(limit),
        columns=shape.select_list(),
        table=_name(table),
        partition=quoted(PARTITION_COLUMN),
        key=quoted(KEY_COLUMN),
    )
    first = _LOWEST if keys.start is None else keys.start - 1
    last = _HIGHEST if keys.end is None else keys.end - 1
    for number, partition in enumerate(partitions):
        if after is not None and partition < after.partition:
            continue
        behind = max(first, after.rec_id) if after is not None and partition == after.partition else first
        rows = connection.rows(sql, partition, behind, last, action=f"reading a page of {table.full_name}")
        if rows:
            return Page(number, rows)
    return None


def pages(
    connection: SqlConnection, shape: TableShape, after: RowKey | None, limit: int, *, one_moment: bool
) -> Iterator[Page]:
    """All pages behind `after`; with `one_moment` in one SNAPSHOT transaction."""
    with connection.snapshot() if one_moment else nullcontext():
        partitions = partitions_of(connection, shape.table)
        while page := read_page(connection, shape, partitions, after, EVERYTHING, limit):
            yield page
            after = RowKey.of(page.rows[-1])


def estimated_rows(connection: SqlConnection, table: SourceTable) -> int | None:
    """How many rows the table has by SQL Server's count; None when the login may not see it."""
    try:
        row = connection.row(ROW_COUNT_SQL, table.full_name, action=f"counting the rows of {table.full_name}")
    except FatalError:
        # It only serves the progress line.
        return None
    return None if row is None or row["row_count"] is None else int(row["row_count"])


def _name(table: SourceTable) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}"
