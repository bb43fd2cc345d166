"""The ledger of a company: fiscal periods, amounts in accounting currency, vouchers.

A voucher's entries balance in the accounting currency, and in the transaction currency when it has one only. A few
cents that rounding leaves go to the account for penny differences.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sandbox.ax.config import AccountStructure, AxConfig, PostingAccounts, Switches
from sandbox.ax.model import dimensions, exchange_rates, faults
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.money import rounded

PERIOD_STATUS = ("Open", "OnHold", "Closed")
"""Names in the order of LEDGERFISCALCALENDARPERIOD.STATUS (ordinals unverified)."""

PENNY = Decimal("0.01")


@dataclass(frozen=True)
class Books:
    """What posting in one company needs of its set-up, and of the switches."""

    accounts: PostingAccounts
    structures: tuple[AccountStructure, ...]
    dimensions: tuple[str, ...]
    check_credit_limit: bool
    reject_used_invoice_numbers: bool

    @classmethod
    def of(cls, config: AxConfig, switches: Switches, company: str) -> "Books":
        """Return the books of `company`."""
        return cls(
            config.companies[company].posting,
            config.account_structures,
            tuple(config.dimensions),
            switches.check_credit_limit,
            switches.vendor_invoice_numbers == "reject",
        )


def ledger_of(transaction: Transaction) -> Row:
    """Return the ledger of the transaction's company."""
    return transaction.rows("LEDGER", NAME=transaction.company)[0]


def open_period(transaction: Transaction, ledger: Row, day: datetime) -> int:
    """Return the fiscal period of a day.

    Raises: AifError F12 (texts unverified) when there is none, or it is not open.
    """
    for period in transaction.valid_on("FISCALCALENDARPERIOD", ("STARTDATE", "ENDDATE"), day):
        key = {"LEDGER": ledger["RECID"], "FISCALCALENDARPERIOD": period["RECID"]}
        for own in transaction.rows("LEDGERFISCALCALENDARPERIOD", **key):
            if own["STATUS"]:
                status = {1: "on hold", 2: "closed"}[own["STATUS"]]
                raise faults.refused(f"The fiscal period for {day:%Y-%m-%d} is {status}.", "TransDate")
            return int(period["RECID"])
    raise faults.refused(f"No fiscal period exists for {day:%Y-%m-%d}.", "TransDate")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a voucher: positive is debit. `account` is a value combination with its main account."""

    account: Row
    currency: str
    amount: Decimal
    accounting_amount: Decimal
    text: str = ""


@dataclass
class Voucher:
    """A voucher that is being made."""

    number: str
    day: datetime
    ledger: Row
    document_number: str = ""
    document_day: datetime | None = None
    journal: str = ""
    entries: list[Entry] = field(default_factory=list)

    def convert(self, transaction: Transaction, amount: Decimal, currency: str, rate: Decimal | None) -> Decimal:
        """Return `amount` in the accounting currency; `rate` None or 0 takes AX's own rate of the voucher's day."""
        home = self.ledger["ACCOUNTINGCURRENCY"]
        if not rate or currency.upper() == home.upper():
            rate = exchange_rates.rate_of(transaction, self.ledger, currency, self.day)
        return rounded(amount * rate / exchange_rates.HUNDRED, home)

    def add(self, account: Row, currency: str, amount: Decimal, accounting_amount: Decimal, text: str = "") -> None:
        """Add an entry; one of nothing is left out."""
        if amount or accounting_amount:
            self.entries.append(Entry(account, currency, amount, accounting_amount, text))

    def balance(self, transaction: Transaction, books: Books) -> None:
        """Close a penny difference. Raises: AifError when debits and credits differ (text unverified)."""
        total = sum((entry.accounting_amount for entry in self.entries), Decimal(0))
        currencies = {entry.currency.upper() for entry in self.entries if entry.amount}
        amounts = sum((entry.amount for entry in self.entries), Decimal(0)) if len(currencies) == 1 else Decimal(0)
        if amounts or abs(total) > PENNY * len(self.entries):
            raise faults.refused(
                f"The transactions on voucher {self.number} do not balance as per {self.day:%Y-%m-%d}. "
                f"(accounting currency: {total or amounts:f})",
                "AmountCurDebit",
            )
        account = main_account(transaction, books.accounts.penny_difference)
        self.add(account, self.ledger["ACCOUNTINGCURRENCY"], Decimal(0), -total, "Penny difference")

    def write(self, transaction: Transaction, books: Books) -> None:
        """Balance, and write the general journal entry. Raises: AifError (period, balance)."""
        period = open_period(transaction, self.ledger, self.day)
        self.balance(transaction, books)
        header = transaction.insert(
            "GENERALJOURNALENTRY",
            {
                "JOURNALNUMBER": self.journal,
                "ACCOUNTINGDATE": self.day,
                "DOCUMENTDATE": self.document_day or self.day,
                "DOCUMENTNUMBER": self.document_number,
                "SUBLEDGERVOUCHER": self.number,
                "SUBLEDGERVOUCHERDATAAREAID": transaction.company,
                "LEDGER": self.ledger["RECID"],
                "FISCALCALENDARPERIOD": period,
                "CREATEDDATETIME": transaction.now,
            },
        )
        for entry in self.entries:
            negative = (entry.accounting_amount or entry.amount) < 0
            transaction.insert(
                "GENERALJOURNALACCOUNTENTRY",
                {
                    "GENERALJOURNALENTRY": header,
                    "LEDGERDIMENSION": entry.account["RECID"],
                    "LEDGERACCOUNT": entry.account["DISPLAYVALUE"],
                    "MAINACCOUNT": entry.account["MAINACCOUNT"],
                    "TRANSACTIONCURRENCYCODE": entry.currency,
                    "TRANSACTIONCURRENCYAMOUNT": entry.amount,
                    "ACCOUNTINGCURRENCYAMOUNT": entry.accounting_amount,
                    "ISCREDIT": int(negative),
                    "TEXT": entry.text[:60],
                },
            )


def main_account(transaction: Transaction, account: str) -> Row:
    """Return the combination of a main account without dimensions: what posting's own accounts have."""
    return dimensions.ledger_account(transaction, account, {}, (), ())
