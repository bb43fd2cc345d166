"""What people do in AX and the documents cannot: acts of a scenario."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.ax.config import Strict
from sandbox.ax.contract import entities, ledger_entities
from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model import exchange_rates, invoices, journals
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.ledger import PERIOD_STATUS, Books, ledger_of
from sandbox.ax.model.node import Account, Node

_TABLES = {"customers": "CUSTTABLE", "vendors": "VENDTABLE"}


class LineAct(Strict, frozen=True):
    """A line of an invoice: one piece at `amount`, on a main account."""

    account: str
    amount: str
    description: str = ""
    tax_amount: str = "0"


class InvoiceAct(Strict, frozen=True):
    """A free-text invoice that is made in AX; `day` is ISO, today when empty."""

    company: str
    account: str
    currency: str
    lines: tuple[LineAct, ...]
    day: str = ""


class PaymentAct(Strict, frozen=True):
    """A customer's payment that is entered in AX; `invoice` is the number that it settles, empty: on account."""

    company: str
    account: str
    amount: str
    currency: str
    bank: str
    invoice: str = ""
    day: str = ""
    journal_name: str = "CustPay"


class RateAct(Strict, frozen=True):
    """What one unit of `from_currency` is worth from a day on."""

    from_currency: str
    to_currency: str
    rate: str
    valid_from: str
    type: str = "Default"


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


def create_invoice(transaction: Transaction, act: InvoiceAct) -> int:
    """Make a free-text invoice as a clerk does, without a reference of anybody's, and return its RecId.

    Raises: AifError as the service does.
    """
    node = Node("CustInvoiceTable", entities.CUST_INVOICE_TABLE.type)
    node.values = {"OrderAccount": act.account, "CurrencyCode": act.currency}
    if act.day:
        node.values["InvoiceDate"] = datetime.fromisoformat(act.day)
    for line in act.lines:
        item = Node("CustInvoiceLine", entities.CUST_INVOICE_LINE.type)
        item.values = {"Description": line.description, "LedgerDimension": line.account}
        item.values |= {
            "Quantity": Decimal(1),
            "UnitPrice": Decimal(line.amount),
            "TaxAmount": Decimal(line.tax_amount),
        }
        node.children.append(item)
    return int(invoices.create(transaction, node)["RECID"])


def create_payment(transaction: Transaction, act: PaymentAct, books: Books) -> int:
    """Make a customer payment journal as a clerk does and return its RecId. Raises: AifError as the service does."""
    line = Node("LedgerJournalTrans", ledger_entities.LEDGER_JOURNAL_TRANS.type)
    line.values = {
        "AccountType": journals.CUSTOMER,
        "AmountCurCredit": Decimal(act.amount),
        "CurrencyCode": act.currency,
        "LedgerDimension": Account(act.account),
        "MarkedInvoice": act.invoice,
        "OffsetAccountType": journals.BANK,
        "OffsetLedgerDimension": Account(act.bank),
    }
    if act.day:
        line.values["TransDate"] = datetime.fromisoformat(act.day)
    node = Node("LedgerJournalTable", ledger_entities.LEDGER_JOURNAL_TABLE.type)
    node.values = {"JournalName": act.journal_name}
    node.children = [line]
    return int(journals.create(transaction, journals.CUSTOMER_PAYMENT, node, books, validate=False)["RECID"])


def set_rate(transaction: Transaction, act: RateAct) -> None:
    """Enter an exchange rate as a controller does. Raises: AifError as the service does."""
    rate = Node("ExchangeRate", ledger_entities.EXCHANGE_RATE.type)
    rate.values = {"ExchangeRate": Decimal(act.rate), "ValidFrom": datetime.fromisoformat(act.valid_from)}
    node = Node("CurrencyPair", ledger_entities.CURRENCY_PAIR.type)
    node.values = {"ExchangeRateType": act.type, "FromCurrencyCode": act.from_currency}
    node.values["ToCurrencyCode"] = act.to_currency
    node.children = [rate]
    exchange_rates.create(transaction, node)


def _account(transaction: Transaction, kind: str, account: str) -> Row | None:
    table = _TABLES.get(kind)
    return transaction.row(table, ACCOUNTNUM=account) if table else None
