"""Posting of a journal: general journal entries, customer and vendor transactions, settlements.

A journal has one voucher or several; each balances by itself. Tax is computed where a line has both tax groups: on its
ledger side, inside the amount (LedgerJournalInclTax) or on top of it. Tax, exchange differences and the accounts of
customers and vendors go to the company's posting accounts.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model import faults, subledger
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.ledger import Books, Voucher, ledger_of, main_account, open_period
from sandbox.ax.model.subledger import SubLedger
from sandbox.ax.model.tax import tax_amount, tax_rate

_KINDS = ENUMS["LedgerJournalACType"]
LEDGER, CUSTOMER, VENDOR, BANK = (_KINDS.index(name) for name in ("Ledger", "Cust", "Vend", "Bank"))
_TRANSACTION_TYPES = ENUMS["LedgerTransType"]
_SUBLEDGERS = {CUSTOMER: subledger.CUSTOMERS, VENDOR: subledger.VENDORS}
_NULL_YEAR = 1900


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a line: its account, and what is posted on it (positive is debit)."""

    kind: int
    account: Row
    amount: Decimal


@dataclass
class Plan:
    """A voucher, and the customer and vendor transactions that come with it."""

    voucher: Voucher
    transactions: list[tuple[SubLedger, dict[str, Any], str]] = field(default_factory=list)
    """Sub-ledger, columns, and the invoice that it settles."""


def check(transaction: Transaction, header: Row, books: Books) -> None:
    """Raise AifError for what would stop the posting: period, balance, rates, used invoice numbers."""
    for plan in _plans(transaction, header, books):
        open_period(transaction, plan.voucher.ledger, plan.voucher.day)
        plan.voucher.balance(transaction, books)


def post(transaction: Transaction, header: Row, books: Books) -> None:
    """Post the journal. Raises: AifError; nothing of it may then be committed."""
    for plan in _plans(transaction, header, books):
        for ledger, values, marked in plan.transactions:
            amount = values["AMOUNTCUR"]
            invoice = subledger.is_invoice(ledger, amount)
            subledger.check_blocked(transaction, ledger, values["ACCOUNTNUM"], invoice=invoice)
            row = subledger.add(transaction, ledger, values)
            if marked:
                subledger.settle(transaction, ledger, row, marked, plan.voucher, books)
        plan.voucher.write(transaction, books)
    change = {"POSTED": 1, "POSTEDDATETIME": transaction.now, "LOG": "", "MODIFIEDDATETIME": transaction.now}
    transaction.update("LEDGERJOURNALTABLE", header["RECID"], change)


def _plans(transaction: Transaction, header: Row, books: Books) -> list[Plan]:
    by_voucher: dict[tuple[str, datetime], list[Row]] = defaultdict(list)
    for line in transaction.rows("LEDGERJOURNALTRANS", JOURNALNUM=header["JOURNALNUM"]):
        by_voucher[(line["VOUCHER"], line["TRANSDATE"])].append(line)
    if not by_voucher:
        raise faults.refused(f"Journal {header['JOURNALNUM']} has no lines.")
    ledger = ledger_of(transaction)
    plans = []
    for (number, day), lines in by_voucher.items():
        document_day = None if lines[0]["DOCUMENTDATE"].year == _NULL_YEAR else lines[0]["DOCUMENTDATE"]
        voucher = Voucher(number, day, ledger, lines[0]["DOCUMENTNUM"], document_day, header["JOURNALNUM"])
        plan = Plan(voucher)
        for line in lines:
            _plan_line(transaction, plan, header, line, books)
        plans.append(plan)
    return plans


def _plan_line(transaction: Transaction, plan: Plan, header: Row, line: Row, books: Books) -> None:
    amount = line["AMOUNTCURDEBIT"] - line["AMOUNTCURCREDIT"]
    sides = [Side(line["ACCOUNTTYPE"], _combination(transaction, line["LEDGERDIMENSION"]), amount)]
    if line["OFFSETLEDGERDIMENSION"]:
        offset = _combination(transaction, line["OFFSETLEDGERDIMENSION"])
        sides.append(Side(line["OFFSETACCOUNTTYPE"], offset, -amount))
    sides, tax = _taxed(transaction, sides, header, line)
    for side in sides:
        _plan_side(transaction, plan, line, side, books)
    if tax:
        account = main_account(transaction, books.accounts.sales_tax)
        _plan_side(transaction, plan, line, Side(LEDGER, account, tax), books)


def _taxed(transaction: Transaction, sides: list[Side], header: Row, line: Row) -> tuple[list[Side], Decimal]:
    """Return the sides with what is left of them, and the tax: all together still balance."""
    rate = tax_rate(transaction, line["TAXGROUP"], line["TAXITEMGROUP"])
    ledger = next((side for side in sides if side.kind == LEDGER), None)
    if not rate or ledger is None:
        return sides, Decimal(0)
    included = bool(header.get("LEDGERJOURNALINCLTAX"))
    tax = tax_amount(ledger.amount, rate, line["CURRENCYCODE"], included=included)
    changed = []
    for side in sides:
        if side is ledger:
            changed.append(Side(side.kind, side.account, side.amount - tax if included else side.amount))
        else:
            changed.append(side if included else Side(side.kind, side.account, side.amount - tax))
    return changed, tax


def _plan_side(transaction: Transaction, plan: Plan, line: Row, side: Side, books: Books) -> None:
    voucher = plan.voucher
    currency = line["CURRENCYCODE"]
    accounting = voucher.convert(transaction, side.amount, currency, line["EXCHRATE"])
    if side.kind == LEDGER:
        voucher.add(side.account, currency, side.amount, accounting, line["TXT"])
    elif side.kind == BANK:
        bank = transaction.rows("BANKACCOUNTTABLE", ACCOUNTID=side.account["DISPLAYVALUE"])[0]
        voucher.add(_combination(transaction, bank["LEDGERDIMENSION"]), currency, side.amount, accounting, line["TXT"])
    else:
        ledger = _SUBLEDGERS[side.kind]
        account = main_account(transaction, ledger.summary_account(books.accounts))
        voucher.add(account, currency, side.amount, accounting, line["TXT"])
        values = _transaction(ledger, line, side, accounting, voucher)
        _check_number(transaction, ledger, values, books)
        plan.transactions.append((ledger, values, line["MARKEDINVOICE"]))


def _transaction(ledger: SubLedger, line: Row, side: Side, accounting: Decimal, voucher: Voucher) -> dict[str, Any]:
    own = "Cust" if ledger is subledger.CUSTOMERS else "Vend"
    kind = own if subledger.is_invoice(ledger, side.amount) else "Payment"
    copied = ("TXT", "CURRENCYCODE", "DOCUMENTNUM", "DOCUMENTDATE", "INVOICE", "PAYMMODE", "PAYMREFERENCE", "PAYMID")
    return {name: line[name] for name in (*copied, "POSTINGPROFILE")} | {
        "ACCOUNTNUM": side.account["DISPLAYVALUE"],
        "TRANSDATE": voucher.day,
        "DUEDATE": voucher.day if line["DUE"].year == _NULL_YEAR else line["DUE"],
        "VOUCHER": voucher.number,
        "AMOUNTCUR": side.amount,
        "AMOUNTMST": accounting,
        "TRANSTYPE": _TRANSACTION_TYPES.index(kind),
    }


def _check_number(transaction: Transaction, ledger: SubLedger, values: dict[str, Any], books: Books) -> None:
    """Refuse a vendor's invoice number that was used: a parameter of accounts payable (unverified)."""
    if not books.reject_used_invoice_numbers or ledger is not subledger.VENDORS or not values["INVOICE"]:
        return
    used = transaction.row("VENDTRANS", ACCOUNTNUM=values["ACCOUNTNUM"], INVOICE=values["INVOICE"])
    if used is not None:
        raise faults.refused(
            f"Invoice number {values['INVOICE']} is already used by vendor account {values['ACCOUNTNUM']}.", "Invoice"
        )


def _combination(transaction: Transaction, recid: int) -> Row:
    return transaction.rows("DIMENSIONATTRIBUTEVALUECOMBINATION", RECID=recid)[0]
