"""AX's batch job: posts free-text invoices and journals that are not posted yet, each in a transaction of its own.

What cannot be posted stays as it is; the reason goes into its LOG, and it is tried again at the next run.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sandbox.ax.config import AxConfig, Switches
from sandbox.ax.model import invoice_posting, journal_posting
from sandbox.ax.model.database import AxDatabase, Row, Transaction
from sandbox.ax.model.faults import AifError
from sandbox.ax.model.ledger import Books

_LOG_LENGTH = 255
_TABLES = ("CUSTINVOICETABLE", "LEDGERJOURNALTABLE")


class Batch:
    """The job of one AX system. One run at a time: the ledger is posted in the order of creation."""

    def __init__(
        self, database: AxDatabase, config: AxConfig, switches: Switches, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._config = config
        self._switches = switches
        self._clock = clock
        self._running = threading.Lock()

    def books(self, company: str) -> Books:
        """Return what posting in `company` goes by. Raises: ValueError when there is no such company."""
        if company not in self._config.companies:
            raise ValueError(f"there is no company {company!r}")
        return Books.of(self._config, self._switches, company)

    def run(
        self,
        companies: Iterable[str] = (),
        rec_ids: Sequence[int] | None = None,
        *,
        tables: Sequence[str] = _TABLES,
        older_than_seconds: float = 0.0,
        stopping: threading.Event | None = None,
    ) -> dict[str, list[dict[str, Any]]]:
        """Post in `companies` (all when empty), only `rec_ids` when given. Returns what was posted and what was not.

        `stopping` ends the run behind the document that is being posted.
        """
        result: dict[str, list[dict[str, Any]]] = {"posted": [], "failed": []}
        with self._running:
            for company in tuple(companies) or tuple(self._config.companies):
                for table, recid in self._waiting(company, rec_ids, tables, older_than_seconds):
                    if stopping is not None and stopping.is_set():
                        return result
                    self._post(company, table, recid, result)
        return result

    def _waiting(
        self, company: str, rec_ids: Sequence[int] | None, tables: Sequence[str], older_than_seconds: float
    ) -> list[tuple[str, int]]:
        limit = self._clock() - timedelta(seconds=older_than_seconds)
        with self._database.transaction(company, self._clock()) as transaction:
            rows = [(table, row) for table in tables for row in transaction.rows(table, POSTED=0)]
        chosen = [
            (table, row)
            for table, row in rows
            if row["CREATEDDATETIME"] <= limit and (rec_ids is None or row["RECID"] in rec_ids)
        ]
        chosen.sort(key=lambda item: item[1]["CREATEDDATETIME"])  # stable: invoices before the payments of a second
        return [(table, int(row["RECID"])) for table, row in chosen]

    def _post(self, company: str, table: str, recid: int, result: dict[str, list[dict[str, Any]]]) -> None:
        told: dict[str, Any] = {"company": company, "table": table, "rec_id": recid}
        books = self.books(company)
        try:
            with self._database.transaction(company, self._clock()) as transaction:
                row = transaction.row(table, lock=True, RECID=recid)
                if row is None or row["POSTED"]:
                    return
                result["posted"].append(told | _post_one(transaction, table, row, books))
        except AifError as error:
            self._log(company, table, recid, str(error))
            result["failed"].append(told | {"error": str(error)})

    def _log(self, company: str, table: str, recid: int, message: str) -> None:
        with self._database.transaction(company, self._clock()) as transaction:
            row = transaction.row(table, lock=True, RECID=recid)
            if row is not None and row["LOG"] != message[:_LOG_LENGTH]:
                transaction.update(table, recid, {"LOG": message[:_LOG_LENGTH]})


def _post_one(transaction: Transaction, table: str, row: Row, books: Books) -> dict[str, str]:
    if table == "CUSTINVOICETABLE":
        return {"invoice_id": invoice_posting.post(transaction, row, books)}
    journal_posting.post(transaction, row, books)
    return {"journal_num": str(row["JOURNALNUM"])}
