"""A seeded random history of the tables, with what a true feed says of it.

Two lanes (bands of keys, each with its connection) let transactions overlap without waiting for each other: one begins,
the other commits in between. A shorter history of a seed is a prefix of a longer one, so a failure is made smaller by
asking for fewer transactions.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyodbc

from tests.differential.columns import Column
from tests.differential.tables import KEY, PARTITION, TABLES, Row, always_changes

LANES = 2
_BAND = 10**12
# A large transaction inserts so many rows (and some), changes all and deletes half.
_LARGE_ROWS = 600
_LARGE_EVERY = 150
_SOME = 6


@dataclass(frozen=True)
class Told:
    """One change as a feed tells it: `before` and `after` in the canonical form."""

    op: str
    key: int
    before: Row | None
    after: Row | None


@dataclass
class Statement:
    """T-SQL with parameters, and its changes; their order among themselves is the server's choice."""

    table: str
    sql: str
    parameters: list[Any]
    changes: list[Told] = field(default_factory=list)


@dataclass
class Lane:
    """One connection's rows, by table and key: what its transactions see."""

    number: int
    rows: dict[str, dict[int, Row]]
    next_key: int = 0


class History:
    """Generates and plays. `committed` holds the statements of committed transactions, in commit order."""

    def __init__(
        self, seed: int, connect: Callable[[], pyodbc.Connection], tables: Sequence[str] = tuple(TABLES)
    ) -> None:
        self._chance = random.Random(seed)
        self._tables = tuple(tables)
        self._lanes = [
            Lane(number, {table: {} for table in tables}, next_key=number * _BAND + 1) for number in range(LANES)
        ]
        self._connections = [connect() for _ in self._lanes]
        self.committed: list[list[Statement]] = []

    def fill(self, rows: int) -> None:
        """Insert `rows` rows per table and lane, in transactions of fifty."""
        for lane in self._lanes:
            for table in self._tables:
                for start in range(0, rows, 50):
                    statements = [
                        self._insert(lane, table, min(5, rows - at)) for at in range(start, min(start + 50, rows), 5)
                    ]
                    self._run(lane, statements)
                    self._commit(lane, statements)

    def rows(self, table: str) -> dict[int, Row]:
        """The table's rows now."""
        return {key: row for lane in self._lanes for key, row in lane.rows[table].items()}

    def play(self, transactions: int, first: int = 0) -> None:
        """Play transactions `first` to `first + transactions`, some of them rolled back."""
        for number in range(first, first + transactions):
            if number % _LARGE_EVERY == _LARGE_EVERY // 2:
                self._large(self._lanes[number // _LARGE_EVERY % LANES])
                continue
            one, other = self._chance.sample(self._lanes, 2)
            if self._chance.random() < 0.3:
                self._overlapping(one, other)
            else:
                self._transaction(one)

    def close(self) -> None:
        """Close both connections."""
        for connection in self._connections:
            connection.close()

    def _transaction(self, lane: Lane) -> None:
        before = _copy(lane)
        statements = [self._statement(lane) for _ in range(self._chance.randint(1, 5))]
        self._run(lane, statements)
        self._end(lane, before, statements)

    def _overlapping(self, lane: Lane, other: Lane) -> None:
        """`lane` begins first and ends last; `other` ends in between."""
        before = _copy(lane)
        early = [self._statement(lane) for _ in range(self._chance.randint(1, 3))]
        self._run(lane, early)
        self._transaction(other)
        late = [self._statement(lane) for _ in range(self._chance.randint(1, 3))]
        self._run(lane, late)
        self._end(lane, before, early + late)

    def _large(self, lane: Lane) -> None:
        table = self._chance.choice(self._tables)
        first = lane.next_key
        statements = [self._insert(lane, table, 5)]
        while lane.next_key - first < _LARGE_ROWS:
            statements.append(self._double(lane, table, first))
        keys = [key for key in lane.rows[table] if key >= first]
        statements.append(self._update_range(lane, table, min(keys), max(keys)))
        statements.append(self._delete_range(lane, table, min(keys), keys[len(keys) // 2]))
        self._run(lane, statements)
        self._commit(lane, statements)

    def _end(self, lane: Lane, before: dict[str, dict[int, Row]], statements: list[Statement]) -> None:
        if self._chance.random() < 0.15:
            self._connections[lane.number].rollback()
            lane.rows = before
        else:
            self._commit(lane, statements)

    def _run(self, lane: Lane, statements: list[Statement]) -> None:
        cursor = self._connections[lane.number].cursor()
        for statement in statements:
            cursor.execute(statement.sql, *statement.parameters)
        cursor.close()

    def _commit(self, lane: Lane, statements: list[Statement]) -> None:
        self._connections[lane.number].commit()
        self.committed.append(statements)

    def _statement(self, lane: Lane) -> Statement:
        table = self._chance.choice(self._tables)
        if len(lane.rows[table]) < _SOME:
            return self._insert(lane, table, 3)
        key = self._chance.choice(list(lane.rows[table]))
        keys = sorted(lane.rows[table])
        last = keys[min(keys.index(key) + self._chance.randrange(1, _SOME), len(keys) - 1)]
        match self._chance.choices(range(9), (22, 24, 14, 5, 6, 3, 8, 4, 4))[0]:
            case 0:
                return self._insert(lane, table, self._chance.randint(1, 3))
            case 1:
                return self._update(lane, table, key)
            case 2:
                return self._update_range(lane, table, key, last)
            case 3:
                return self._memo(lane, table, key)
            case 4:
                return self._move(lane, table, key, key)
            case 5:
                # A wide gap would use up keys: the band must last.
                return self._move(lane, table, key, last if last - key < 1000 else key)
            case 6:
                return self._delete_range(lane, table, key, key)
            case 7:
                return self._delete_range(lane, table, key, last)
        return self._nothing(lane, table, key)

    def _insert(self, lane: Lane, table: str, count: int) -> Statement:
        columns = _written(table)
        row_markers = f"({', '.join(column.marker for column in columns)})"
        names = ", ".join(column.name for column in columns)
        sql = f"INSERT INTO dbo.{table} ({names}) VALUES {', '.join([row_markers] * count)}"
        statement = Statement(table, sql, [])
        for _ in range(count):
            row = {column.name: column.value(self._chance) for column in columns}
            row |= {KEY: self._new_keys(lane, 1), "PARTITION": PARTITION}
            statement.parameters += [column.parameter(row[column.name]) for column in columns]
            statement.changes.append(Told("c", row[KEY], None, row))
            lane.rows[table][row[KEY]] = row
        return statement

    def _double(self, lane: Lane, table: str, first: int) -> Statement:
        """INSERT ... SELECT of the rows from `first` on, under new keys; their keys have no gaps."""
        keys = _between(lane, table, first, lane.next_key)
        shift = self._new_keys(lane, len(keys)) - first
        others = ", ".join(column.name for column in _written(table) if column.name != KEY)
        sql = (
            f"INSERT INTO dbo.{table} ({others}, {KEY}) SELECT {others}, {KEY} + ? FROM dbo.{table} "
            f"WHERE {KEY} >= ? AND {KEY} <= ?"
        )
        statement = Statement(table, sql, [shift, keys[0], keys[-1]])
        for key in keys:
            row = lane.rows[table][key] | {KEY: key + shift}
            statement.changes.append(Told("c", row[KEY], None, row))
            lane.rows[table][row[KEY]] = row
        return statement

    def _update(self, lane: Lane, table: str, key: int) -> Statement:
        columns = self._chance.sample([c for c in _written(table) if c.name not in (KEY, "PARTITION")], 3)
        values = {column.name: column.value(self._chance) for column in columns}
        sets = ", ".join(f"{column.name} = {column.marker}" for column in columns)
        parameters = [column.parameter(values[column.name]) for column in columns]
        statement = Statement(table, f"UPDATE dbo.{table} SET {sets} WHERE {KEY} = ?", [*parameters, key])
        self._changed(lane, statement, [key], lambda row: row | values)
        return statement

    def _update_range(self, lane: Lane, table: str, first: int, last: int) -> Statement:
        column = self._chance.choice([c for c in _written(table) if c.kind == "nvarchar"])
        value = column.value(self._chance)
        sql = f"UPDATE dbo.{table} SET {column.name} = ? WHERE {KEY} >= ? AND {KEY} <= ?"
        statement = Statement(table, sql, [value, first, last])
        self._changed(lane, statement, _between(lane, table, first, last), lambda row: row | {column.name: value})
        return statement

    def _changed(self, lane: Lane, statement: Statement, keys: list[int], change: Callable[[Row], Row]) -> None:
        """Note updates; a row that stays as it is leaves no trace in the log, unless it has a rowversion."""
        rows = lane.rows[statement.table]
        for key in keys:
            before, rows[key] = rows[key], change(rows[key])
            if before != rows[key] or always_changes(statement.table):
                statement.changes.append(Told("u", key, before, rows[key]))

    def _memo(self, lane: Lane, table: str, key: int) -> Statement:
        """A change of a captured column that the feed does not declare: an update that shows nothing."""
        row = lane.rows[table][key]
        text = f"{self._chance.random()} 🪲"
        sql = f"UPDATE dbo.{table} SET MEMO = ? WHERE {KEY} = ?"
        return Statement(table, sql, [text, key], [Told("u", key, row, row)])

    def _move(self, lane: Lane, table: str, first: int, last: int) -> Statement:
        """A key change: a delete and a create per row."""
        shift = self._new_keys(lane, last - first + 1) - first
        sql = f"UPDATE dbo.{table} SET {KEY} = {KEY} + ? WHERE {KEY} >= ? AND {KEY} <= ?"
        statement = Statement(table, sql, [shift, first, last])
        for key in _between(lane, table, first, last):
            before = lane.rows[table].pop(key)
            after = before | {KEY: key + shift}
            lane.rows[table][after[KEY]] = after
            statement.changes += [Told("d", key, before, None), Told("c", after[KEY], None, after)]
        return statement

    def _delete_range(self, lane: Lane, table: str, first: int, last: int) -> Statement:
        statement = Statement(table, f"DELETE FROM dbo.{table} WHERE {KEY} >= ? AND {KEY} <= ?", [first, last])
        for key in _between(lane, table, first, last):
            statement.changes.append(Told("d", key, lane.rows[table].pop(key), None))
        return statement

    def _nothing(self, lane: Lane, table: str, key: int) -> Statement:
        column: Column = self._chance.choice(_written(table))
        if column.name == KEY:
            column = TABLES[table][0]
        sql = f"UPDATE dbo.{table} SET {column.name} = {column.name} WHERE {KEY} = ?"
        statement = Statement(table, sql, [key])
        self._changed(lane, statement, [key], lambda row: row)
        return statement

    def _new_keys(self, lane: Lane, count: int) -> int:
        first = lane.next_key
        lane.next_key += count
        return first


def _written(table: str) -> list[Column]:
    return [column for column in TABLES[table] if column.is_written]


def _between(lane: Lane, table: str, first: int, last: int) -> list[int]:
    return sorted(key for key in lane.rows[table] if first <= key <= last)


def _copy(lane: Lane) -> dict[str, dict[int, Row]]:
    return {table: dict(rows) for table, rows in lane.rows.items()}
