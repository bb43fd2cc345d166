"""Customer and vendor transactions, and their settlement against each other.

A transaction's amount is positive for what the account owes us and negative for what we owe it. It is open until
settled; CLOSED is the null date until then. A payment that marks an invoice settles it as far as both reach, in the
same currency only; what is left stays open. Where the accounting amounts of the two differ, the difference is a
realised exchange gain or loss and goes into the payment's voucher.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.ax.config import PostingAccounts
from sandbox.ax.model import faults
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.ledger import Books, Voucher, main_account
from sandbox.ax.model.money import rounded

INVOICE, ALL, PAYMENT = 1, 2, 3
"""Ordinals of CustVendorBlocked."""


@dataclass(frozen=True)
class SubLedger:
    """Tables of customers or vendors."""

    label: str
    accounts: str
    transactions: str
    open: str
    settlements: str
    summary: str

    def summary_account(self, accounts: PostingAccounts) -> str:
        """Return the main account that all transactions are posted on."""
        return str(getattr(accounts, self.summary))


CUSTOMERS = SubLedger("Customer", "CUSTTABLE", "CUSTTRANS", "CUSTTRANSOPEN", "CUSTSETTLEMENT", "receivables")
VENDORS = SubLedger("Vendor", "VENDTABLE", "VENDTRANS", "VENDTRANSOPEN", "VENDSETTLEMENT", "payables")


def check_blocked(transaction: Transaction, ledger: SubLedger, account: str, *, invoice: bool) -> Row:
    """Return the account's row. Raises: AifError when it is on hold for invoices, payments or all (text unverified)."""
    row = transaction.rows(ledger.accounts, ACCOUNTNUM=account)[0]
    if row["BLOCKED"] == ALL or row["BLOCKED"] == (INVOICE if invoice else PAYMENT):
        raise faults.refused(f"{ledger.label} account {row['ACCOUNTNUM']} is on hold.", f"{ledger.label} account")
    return row


def is_invoice(ledger: SubLedger, amount: Decimal) -> bool:
    """Whether a transaction of this sign is an invoice of the account, not a payment."""
    return amount > 0 if ledger is CUSTOMERS else amount < 0


def add(transaction: Transaction, ledger: SubLedger, values: Mapping[str, Any]) -> Row:
    """Write a transaction, open; `values` are its columns."""
    row = dict(values) | {"APPROVED": 1}
    row["RECID"] = transaction.insert(ledger.transactions, row)
    names = ("ACCOUNTNUM", "TRANSDATE", "DUEDATE", "AMOUNTCUR", "AMOUNTMST")
    transaction.insert(ledger.open, {"REFRECID": row["RECID"]} | {name: row[name] for name in names if name in row})
    return row


def settle(
    transaction: Transaction, ledger: SubLedger, payment: Row, invoice: str, voucher: Voucher, books: Books
) -> None:
    """Settle `payment` against the account's open transactions with this invoice number, oldest first."""
    transaction.serialize(f"{ledger.transactions} {payment['ACCOUNTNUM']}")
    for other in transaction.rows(ledger.transactions, ACCOUNTNUM=payment["ACCOUNTNUM"], INVOICE=invoice):
        mine = transaction.row(ledger.open, REFRECID=payment["RECID"])
        theirs = transaction.row(ledger.open, REFRECID=other["RECID"])
        if mine is None:
            return
        same = other["CURRENCYCODE"].upper() == payment["CURRENCYCODE"].upper()
        if theirs is not None and same and (mine["AMOUNTCUR"] > 0) != (theirs["AMOUNTCUR"] > 0):
            _settle_pair(transaction, ledger, (payment, mine), (other, theirs), voucher, books)


def _settle_pair(
    transaction: Transaction,
    ledger: SubLedger,
    payment: tuple[Row, Row],
    invoice: tuple[Row, Row],
    voucher: Voucher,
    books: Books,
) -> None:
    amount = min(abs(payment[1]["AMOUNTCUR"]), abs(invoice[1]["AMOUNTCUR"]))
    home = voucher.ledger["ACCOUNTINGCURRENCY"]
    shares = [_share(row, amount, home) for _, row in (payment, invoice)]
    difference = shares[0][1] + shares[1][1]
    for (row, open_row), (cur, mst), other in zip((payment, invoice), shares, (invoice[0], payment[0]), strict=True):
        adjustment = -difference if row is payment[0] else Decimal(0)
        _settle_one(transaction, ledger, row, open_row, cur, mst, adjustment, voucher)
        transaction.insert(
            ledger.settlements,
            {
                "ACCOUNTNUM": row["ACCOUNTNUM"],
                "TRANSRECID": row["RECID"],
                "OFFSETRECID": other["RECID"],
                "TRANSDATE": voucher.day,
                "DUEDATE": row.get("DUEDATE", voucher.day),
                "SETTLEAMOUNTCUR": cur,
                "SETTLEAMOUNTMST": mst,
                "SETTLEMENTVOUCHER": voucher.number,
                "OFFSETTRANSVOUCHER": other["VOUCHER"],
            },
        )
    if difference:
        gain = books.accounts.exchange_gain if difference < 0 else books.accounts.exchange_loss
        summary = main_account(transaction, ledger.summary_account(books.accounts))
        voucher.add(summary, home, Decimal(0), -difference, "Exchange adjustment")
        voucher.add(main_account(transaction, gain), home, Decimal(0), difference, "Exchange adjustment")


def _share(open_row: Row, amount: Decimal, home: str) -> tuple[Decimal, Decimal]:
    """Return what is settled of an open transaction, signed: in its currency and in the accounting currency."""
    whole = abs(open_row["AMOUNTCUR"])
    if amount == whole:
        return open_row["AMOUNTCUR"], open_row["AMOUNTMST"]
    sign = 1 if open_row["AMOUNTCUR"] > 0 else -1
    return sign * amount, rounded(open_row["AMOUNTMST"] * amount / whole, home)


def _settle_one(
    transaction: Transaction,
    ledger: SubLedger,
    row: Row,
    open_row: Row,
    cur: Decimal,
    mst: Decimal,
    adjustment: Decimal,
    voucher: Voucher,
) -> None:
    stored = transaction.rows(ledger.transactions, RECID=row["RECID"])[0]
    left = open_row["AMOUNTCUR"] - cur
    change = {
        "SETTLEAMOUNTCUR": stored["SETTLEAMOUNTCUR"] + cur,
        "SETTLEAMOUNTMST": stored["SETTLEAMOUNTMST"] + mst,
        "EXCHADJUSTMENT": stored["EXCHADJUSTMENT"] + adjustment,
        "LASTSETTLEDATE": voucher.day,
        "LASTSETTLEVOUCHER": voucher.number,
    }
    if left:
        rest = {"AMOUNTCUR": left, "AMOUNTMST": open_row["AMOUNTMST"] - mst}
        transaction.update(ledger.open, open_row["RECID"], rest)
    else:
        transaction.delete(ledger.open, open_row["RECID"])
        change["CLOSED"] = voucher.day
    transaction.update(ledger.transactions, row["RECID"], change)
