"""Access to the AX tables: pooled connections, one transaction per service call, record identity as AX keeps it.

RECID comes from one sequence per table, from 5637144576 on. RECVERSION is 1 after the insert and a random
number after each update, never a counter (ax-aif.md sections 8 and 13), so it can be compared for equality
only.

What AX needs and the reference names no table for (sequences, numbers, processed messages) lies in the schema
`ax`, out of sight of the SQL Server stand-in.
"""

import queue
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Composed, Identifier, Placeholder
from psycopg.types.datetime import TimestampLoader

from sandbox.ax.model.faults import AifError
from sandbox.ax.model.table import FIRST_RECID
from sandbox.ax.model.tables import TABLES

Row = dict[str, Any]

SETUP = """
CREATE SCHEMA IF NOT EXISTS ax;
CREATE TABLE IF NOT EXISTS ax.number_sequence (
    company text, reference text, format text NOT NULL, next bigint NOT NULL, last bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (company, reference));
CREATE TABLE IF NOT EXISTS ax.message (
    operation text, message_id text, response bytea, processed_at timestamp NOT NULL,
    PRIMARY KEY (operation, message_id));
"""

INDEXES = (
    ("CUSTTABLE", "ACCOUNTNUM"),
    ("CUSTTABLE", "OURACCOUNTNUM"),
    ("CUSTTABLE", "RECID"),
    ("DIRPARTYLOCATION", "PARTY"),
    ("LOGISTICSPOSTALADDRESS", "LOCATION"),
    ("LOGISTICSELECTRONICADDRESS", "LOCATION"),
    ("DIRPARTYLOCATIONROLE", "PARTYLOCATION"),
    ("CUSTINVOICETABLE", "CUSTOMERREF"),
    ("CUSTINVOICETABLE", "POSTED"),
    ("CUSTINVOICELINE", "PARENTRECID"),
    ("VENDTABLE", "YOURACCOUNTNUM"),
    ("VENDTABLE", "RECID"),
    ("LEDGERJOURNALTABLE", "NAME"),
    ("LEDGERJOURNALTABLE", "POSTED"),
    ("LEDGERJOURNALTRANS", "JOURNALNUM"),
    ("CUSTTRANS", "ACCOUNTNUM"),
    ("CUSTTRANSOPEN", "ACCOUNTNUM"),
    ("CUSTTRANSOPEN", "REFRECID"),
    ("VENDTRANS", "ACCOUNTNUM"),
    ("VENDTRANSOPEN", "ACCOUNTNUM"),
    ("VENDTRANSOPEN", "REFRECID"),
    ("DIMENSIONATTRIBUTEVALUECOMBINATION", "DISPLAYVALUE"),
    ("DIMENSIONATTRIBUTEVALUECOMBINATION", "MAINACCOUNT"),
    ("EXCHANGERATE", "EXCHANGERATECURRENCYPAIR"),
)
"""Indexes beside the primary keys that the look-ups of a call need."""

POOL_TIMEOUT_SECONDS = 30.0
"""Longest wait for a free connection: twice the longest call that the tests provoke."""


class AxDatabase:
    """The database of one simulator. Methods may be called from many threads; a `Transaction` belongs to one."""

    def __init__(self, dsn: str, *, connections: int, seed: int) -> None:
        self._dsn = dsn
        self._limit = connections
        self._idle: queue.LifoQueue[psycopg.Connection[Row] | None] = queue.LifoQueue()
        for _ in range(connections):
            self._idle.put(None)  # opened when first needed
        self._random = random.Random(seed)  # noqa: S311 - record versions, not secrets
        self._random_lock = threading.Lock()

    def prepare(self) -> None:
        """Create what lies in the schema `ax`, and the indexes of the look-ups. The tables of `TABLES` must exist."""
        with self._connection() as connection:
            connection.execute(SETUP)
            for name in TABLES:
                create = SQL("CREATE SEQUENCE IF NOT EXISTS ax.{} START WITH {}")
                connection.execute(create.format(Identifier(_sequence(name)), SQL(str(FIRST_RECID))))
            for table, column in INDEXES:
                create = SQL("CREATE INDEX IF NOT EXISTS {} ON dbo.{} ({})")
                index = Identifier(f"ax_{table}_{column}".lower())
                connection.execute(create.format(index, Identifier(table), Identifier(column)))

    @contextmanager
    def transaction(self, company: str, now: datetime) -> Iterator["Transaction"]:
        """Run one transaction in `company`: committed when the block ends, rolled back when it raises."""
        with self._connection() as connection, connection.transaction():
            yield Transaction(connection, company, now, self.record_version)

    def record_version(self) -> int:
        """Return a random RECVERSION; never 1, which only an insert gives."""
        with self._random_lock:
            return self._random.randint(2, 2**31 - 1)

    def close(self) -> None:
        """Close all connections; calls that still run lose theirs when they end."""
        for _ in range(self._limit):
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return
            if connection is not None:
                connection.close()

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Row]]:
        connection = self._idle.get(timeout=POOL_TIMEOUT_SECONDS)
        try:
            if connection is None or connection.closed:
                connection = psycopg.connect(self._dsn, autocommit=True, row_factory=dict_row)
                _read_datetimes(connection)
            yield connection
        finally:
            self._idle.put(connection if connection is not None and not connection.closed else None)


class Transaction:
    """Reads and writes of one service call, in one company. `checked` remembers references that were found to exist."""

    def __init__(self, connection: psycopg.Connection[Row], company: str, now: datetime, record_version: Any) -> None:
        self._connection = connection
        self._record_version = record_version
        self.company = company
        self.checked: set[Any] = set()
        self.now = now.replace(microsecond=0)  # AX stores its time stamps in whole seconds

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Insert a record and return its RECID: the next one, or the one that `values` bring from `next_recid`.

        Raises: psycopg.errors.UniqueViolation when the primary key exists.
        """
        recid = values["RECID"] if "RECID" in values else self.next_recid(table)
        row = dict(values) | {"RECID": recid}
        if TABLES[table].per_company:
            row["DATAAREAID"] = self.company
        statement = SQL("INSERT INTO dbo.{} ({}) VALUES ({})").format(
            Identifier(table),
            SQL(", ").join(Identifier(name) for name in row),
            SQL(", ").join(Placeholder() for _ in row),
        )
        self._connection.execute(statement, list(row.values()))
        return recid

    def next_recid(self, table: str) -> int:
        """Draw the next RECID of `table`."""
        statement = SQL("SELECT nextval({}) AS recid").format(SQL(f"'ax.{_sequence(table)}'"))
        return int(self._one(statement, [])["recid"])

    def update(self, table: str, recid: int, values: Mapping[str, Any]) -> None:
        """Change a record and give it a new random RECVERSION."""
        row = dict(values) | {"RECVERSION": self._record_version()}
        statement = SQL('UPDATE dbo.{} SET {} WHERE "RECID" = %s').format(
            Identifier(table),
            SQL(", ").join(SQL("{} = %s").format(Identifier(name)) for name in row),
        )
        self._connection.execute(statement, [*row.values(), recid])

    def delete(self, table: str, recid: int) -> None:
        """Delete a record (AX deletes physically)."""
        self._connection.execute(SQL('DELETE FROM dbo.{} WHERE "RECID" = %s').format(Identifier(table)), [recid])

    def rows(self, table: str, *, lock: bool = False, **equal: Any) -> list[Row]:
        """Return the records whose columns have these values, by RECID.

        Text compares by the database's collation, which ignores case. Tables per company see the transaction's company
        only. With `lock` the records are locked for update.
        """
        conditions = [SQL("{} = %s").format(Identifier(column)) for column in equal]
        parameters = list(equal.values())
        return self.select(table, conditions, parameters, lock=lock)

    def select(
        self, table: str, conditions: Sequence[Composable], parameters: Sequence[Any], *, lock: bool = False
    ) -> list[Row]:
        """Return the records of `table` that meet all `conditions`, by RECID."""
        tests = list(conditions)
        values = list(parameters)
        if TABLES[table].per_company:
            tests.append(SQL('"DATAAREAID" = %s'))
            values.append(self.company)
        where = SQL(" WHERE ") + SQL(" AND ").join(tests) if tests else SQL("")
        statement = SQL('SELECT * FROM dbo.{}{} ORDER BY "RECID"{}').format(
            Identifier(table), where, SQL(" FOR UPDATE" if lock else "")
        )
        return self._connection.execute(statement, values).fetchall()

    def valid_on(self, table: str, validity: tuple[str, str], day: datetime, **equal: Any) -> list[Row]:
        """Return the records with these values that are valid on `day`; `validity`: columns of first and last day."""
        first, last = (Identifier(column) for column in validity)
        conditions = [SQL("{} <= %s").format(first), SQL("{} >= %s").format(last)]
        conditions += [SQL("{} = %s").format(Identifier(column)) for column in equal]
        return self.select(table, conditions, [day, day, *equal.values()])

    def row(self, table: str, *, lock: bool = False, **equal: Any) -> Row | None:
        """Return the first record that `rows` would return, or None."""
        found = self.rows(table, lock=lock, **equal)
        return found[0] if found else None

    def number(self, reference: str) -> str:
        """Draw the next number of the company's sequence `reference`; the sequence is locked until the commit.

        A rollback gives the number back: the sequences are continuous. Raises: AifError when the company has no
        such sequence, or its last number is used (texts unverified).
        """
        statement = SQL(
            "UPDATE ax.number_sequence SET next = next + 1 WHERE company = %s AND reference = %s"
            " RETURNING format, next - 1 AS number, last"
        )
        row = self._connection.execute(statement, [self.company, reference]).fetchone()
        if row is None:
            raise AifError(f"The number sequence for '{reference}' has not been set up.", code="NumberSequence")
        if row["last"] and row["number"] > row["last"]:
            raise AifError(f"The number sequence for '{reference}' has been exceeded.", code="NumberSequence")
        return str(row["format"]).format(row["number"])

    def serialize(self, subject: str) -> None:
        """Wait until no other transaction holds `subject`, and hold it until this one ends."""
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [subject])

    def execute(self, statement: str | Composed, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a statement of the schema `ax` and return its rows, if it has any."""
        cursor = self._connection.execute(statement, list(parameters))
        return cursor.fetchall() if cursor.description else []

    def _one(self, statement: Composed, parameters: Sequence[Any]) -> Row:
        row = self._connection.execute(statement, list(parameters)).fetchone()
        if row is None:
            raise LookupError("the statement gave no row")
        return row


def _read_datetimes(connection: psycopg.Connection[Row]) -> None:
    """Let the stand-in's type `datetime` arrive as datetime: it has the wire format of a timestamp."""
    row = connection.execute("SELECT to_regtype('sys.datetime')::oid AS oid").fetchone()
    if row is not None and row["oid"]:
        connection.adapters.register_loader(row["oid"], TimestampLoader)


def _sequence(table: str) -> str:
    return f"recid_{table.lower()}"
