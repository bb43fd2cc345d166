"""The check that a document's lines add up: debits to credits, or lines to the total."""

from __future__ import annotations

from decimal import Decimal

from schemas.failures import PoisonError
from schemas.records import LedgerJournal, LedgerJournalLine, VendorInvoice
from streams.transforms.run import Run


def balanced(run: Run) -> None:
    """Raises PoisonError `not_balanced` naming both sums."""
    document = run.document
    if isinstance(document, LedgerJournal):
        debits = sum((line.debit for line in document.lines if not _balances_itself(line)), Decimal(0))
        credits_ = sum((line.credit for line in document.lines if not _balances_itself(line)), Decimal(0))
        _check("debits", debits, "credits", credits_)
        for index, line in enumerate(document.lines):
            if (line.debit > 0) is (line.credit > 0) or line.debit < 0 or line.credit < 0:
                raise PoisonError(
                    "not_balanced",
                    f"checking line {index}: exactly one of debit and credit is above zero; correct the mapping",
                    field=f"lines.{index}",
                )
    if isinstance(document, VendorInvoice):
        _check("lines", sum((line.amount for line in document.lines), Decimal(0)), "total", document.total)


def _balances_itself(line: LedgerJournalLine) -> bool:
    return line.offset_account_type is not None


def _check(one: str, first: Decimal, other: str, second: Decimal) -> None:
    if first != second:
        raise PoisonError(
            "not_balanced",
            f"checking the document: {one} are {first:f}, {other} {second:f}; check the amounts in FreshBooks, or the "
            "mapping of the lines",
            field="lines",
        )
