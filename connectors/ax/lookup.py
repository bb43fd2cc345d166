"""Which documents AX holds: by SQL, since the services that create them cannot find.

Needs SELECT on CUSTINVOICETABLE, LEDGERJOURNALTABLE and VENDTRANS (and on PARTITIONS where a partition key is set). AX
has no index on CUSTOMERREF, nor on the name of a journal; ask for them (DATAAREAID, CUSTOMERREF; DATAAREAID, NAME) in
the AOT when the tables are large.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from connectors.ax.sql import SqlConnection
from schemas.failures import Failure, FatalError
from streams.runtime.settings import AxSqlSettings

T = TypeVar("T")

# READCOMMITTEDLOCK: wait for an uncommitted insert instead of reading past it, which row versioning would do. A create
# that we lost sight of may still be in its transaction.
INVOICES = """
SELECT CUSTOMERREF AS REFERENCE, RECID AS AXID, INVOICEID AS NUMBER
FROM dbo.CUSTINVOICETABLE WITH (READCOMMITTEDLOCK)
WHERE [PARTITION] = ? AND DATAAREAID = ? AND CUSTOMERREF LIKE ? ESCAPE '!'
"""
JOURNALS = """
SELECT NAME AS REFERENCE, JOURNALNUM AS AXID, '' AS NUMBER
FROM dbo.LEDGERJOURNALTABLE WITH (READCOMMITTEDLOCK)
WHERE [PARTITION] = ? AND DATAAREAID = ? AND NAME LIKE ? ESCAPE '!'
"""
VENDOR_INVOICE = """
SELECT RECID FROM dbo.VENDTRANS WITH (READCOMMITTEDLOCK)
WHERE [PARTITION] = ? AND DATAAREAID = ? AND ACCOUNTNUM = ? AND INVOICE = ?
"""
PARTITION_OF_KEY = "SELECT RECID FROM dbo.PARTITIONS WHERE PARTITIONKEY = ?"

# RecId of the partition `initial`, the only one of most installations (reference ax-aif, section 13).
INITIAL_PARTITION = 5637144576
# Look-ups take milliseconds beside AIF calls of 150: few connections serve many calls.
_CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document in AX, posted or not. `ax_id` is a RecId (invoice) or a JournalNum.

    `number` is the invoice's number, '' before AX has posted it, and for a journal.
    """

    reference: str
    ax_id: str
    number: str = ""


class DocumentLookup:
    """Reads AX's tables. Safe for many tasks of one event loop. Raises RetryableError, FatalError (sql_failures.py)."""

    def __init__(self, settings: AxSqlSettings, *, partition_key: str | None = None) -> None:
        """No connection is made before the first look-up."""
        # Never a readable secondary: it lags, and a document that is there but not seen would be created twice.
        self._settings = settings.model_copy(update={"application_intent": "ReadWrite"})
        self._partition_key = partition_key
        self._partition: int | None = None if partition_key else INITIAL_PARTITION
        self._local = threading.local()
        self._connections: list[SqlConnection] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="ax-lookup")

    async def invoices(self, company: str, prefix: str) -> list[FoundDocument]:
        """Free-text invoices whose CustomerRef begins with `prefix`, reversals too, in no order."""
        return await self._documents(INVOICES, company, prefix, "invoices")

    async def journals(self, company: str, prefix: str) -> list[FoundDocument]:
        """Journals whose name begins with `prefix`, reversals too, in no order."""
        return await self._documents(JOURNALS, company, prefix, "journals")

    async def vendor_invoice_posted(self, company: str, account: str, invoice_number: str) -> bool:
        """True when AX has posted a vendor's invoice with that number: only then can a payment mark it."""

        def read(connection: SqlConnection) -> bool:
            action = f"looking up invoice {invoice_number} of vendor {account} in {company}"
            partition = self._partition_of(connection)
            row = connection.row(VENDOR_INVOICE, partition, company.lower(), account, invoice_number, action=action)
            return row is not None

        return await self._run(read)

    async def close(self) -> None:
        """Close the connections after the look-ups under way."""
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    async def _documents(self, sql: str, company: str, prefix: str, what: str) -> list[FoundDocument]:
        def read(connection: SqlConnection) -> list[FoundDocument]:
            rows = connection.rows(
                sql,
                self._partition_of(connection),
                company.lower(),
                like_prefix(prefix),
                action=f"looking up {what} {prefix}* in {company}",
            )
            return [FoundDocument(row["REFERENCE"], str(row["AXID"]), row["NUMBER"]) for row in rows]

        return await self._run(read)

    async def _run(self, read: Callable[[SqlConnection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, read)

    def _read(self, read: Callable[[SqlConnection], T]) -> T:
        connection = self._connection()
        try:
            return read(connection)
        except Failure:
            # Whatever it was, the next look-up begins with a fresh connection.
            self._drop(connection)
            raise

    def _partition_of(self, connection: SqlConnection) -> int:
        if self._partition is None:
            action = f"looking up partition {self._partition_key}"
            row = connection.row(PARTITION_OF_KEY, self._partition_key, action=action)
            if row is None:
                raise FatalError("setting_invalid", f"{action}: there is none; check FRESHAX_AIF__PARTITION_KEY")
            self._partition = int(row["RECID"])
        return self._partition

    def _connection(self) -> SqlConnection:
        connection: SqlConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = SqlConnection(self._settings)
            with self._lock:
                self._connections.append(connection)
        return connection

    def _drop(self, connection: SqlConnection) -> None:
        self._local.connection = None
        with self._lock:
            self._connections.remove(connection)
        connection.close()


def like_prefix(prefix: str) -> str:
    """LIKE pattern for texts that begin with `prefix`; `!` escapes, and `[` is a wildcard of T-SQL too."""
    escaped = "".join(f"!{char}" if char in "!%_[" else char for char in prefix)
    return f"{escaped}%"
