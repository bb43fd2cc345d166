"""What people do in AX and the documents cannot: acts of a scenario."""

from decimal import Decimal
from typing import Any

from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.ledger import PERIOD_STATUS, ledger_of

_TABLES = {"customers": "CUSTTABLE", "vendors": "VENDTABLE"}


def rename(transaction: Transaction, kind: str, account: str, name: str) -> bool:
    """Change the name of a customer's or vendor's party; its own table is not touched. False: there is none."""
    row = _account(transaction, kind, account)
    if row is None:
        return False
    transaction.update("DIRPARTYTABLE", row["PARTY"], {"NAME": name[:100], "MODIFIEDDATETIME": transaction.now})
    return True


def change_account(
    transaction: Transaction, kind: str, account: str, blocked: str | None, credit_max: str | None
) -> bool:
    """Put a customer or vendor on hold, set its credit limit; None leaves it. False: there is none."""
    row = _account(transaction, kind, account)
    if row is None:
        return False
    change: dict[str, Any] = {"MODIFIEDDATETIME": transaction.now}
    if blocked is not None:
        change["BLOCKED"] = ENUMS["CustBlocked"].index(blocked)
    if credit_max is not None:
        change["CREDITMAX"] = Decimal(credit_max)
    transaction.update(_TABLES[kind], row["RECID"], change)
    return True


def set_period(transaction: Transaction, month: str, status: str) -> bool:
    """Open, hold or close the period of a month. False: there is none."""
    period = transaction.row("FISCALCALENDARPERIOD", NAME=month)
    if period is None:
        return False
    key = {"LEDGER": ledger_of(transaction)["RECID"], "FISCALCALENDARPERIOD": period["RECID"]}
    row = transaction.rows("LEDGERFISCALCALENDARPERIOD", **key)[0]
    transaction.update("LEDGERFISCALCALENDARPERIOD", row["RECID"], {"STATUS": PERIOD_STATUS.index(status)})
    return True


def _account(transaction: Transaction, kind: str, account: str) -> Row | None:
    table = _TABLES.get(kind)
    return transaction.row(table, ACCOUNTNUM=account) if table else None
