"""Which documents of an invoice AX holds: by SQL, since the free-text invoice service can only create.

Needs SELECT on CUSTINVOICETABLE (and on PARTITIONS where a partition key is set). AX has no index on CUSTOMERREF; ask
for one (DATAAREAID, CUSTOMERREF) in the AOT when the table is large.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from connectors.ax.invoice_state import reference_prefix
from connectors.ax.sql import SqlConnection
from schemas.failures import Failure, FatalError
from streams.runtime.settings import AxSqlSettings

# READCOMMITTEDLOCK: wait for an uncommitted insert instead of reading past it, which row versioning would do. A create
# that we lost sight of may still be in its transaction.
DOCUMENTS = """
SELECT CUSTOMERREF, RECID
FROM dbo.CUSTINVOICETABLE WITH (READCOMMITTEDLOCK)
WHERE [PARTITION] = ? AND DATAAREAID = ? AND CUSTOMERREF LIKE ? ESCAPE '!'
"""
PARTITION_OF_KEY = "SELECT RECID FROM dbo.PARTITIONS WHERE PARTITIONKEY = ?"

# RecId of the partition `initial`, the only one of most installations (reference ax-aif, section 13).
INITIAL_PARTITION = 5637144576
# Look-ups take milliseconds beside AIF calls of 150: few connections serve many calls.
_CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A free-text invoice in AX, posted or not."""

    reference: str
    rec_id: int


class InvoiceLookup:
    """Reads CUSTINVOICETABLE. Safe for many tasks of one event loop."""

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

    async def documents(self, company: str, account_id: str, invoice_id: int) -> list[FoundDocument]:
        """All documents of one FreshBooks invoice, reversals too, in no order.

        Raises: RetryableError, FatalError (see sql_failures.py).
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._read, company, reference_prefix(account_id, invoice_id))

    async def close(self) -> None:
        """Close the connections after the look-ups under way."""
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _read(self, company: str, prefix: str) -> list[FoundDocument]:
        connection = self._connection()
        try:
            rows = connection.rows(
                DOCUMENTS,
                self._partition_of(connection),
                company.lower(),
                like_prefix(prefix),
                action=f"looking up invoices {prefix}* in {company}",
            )
        except Failure:
            # Whatever it was, the next look-up begins with a fresh connection.
            self._drop(connection)
            raise
        return [FoundDocument(row["CUSTOMERREF"], row["RECID"]) for row in rows]

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
