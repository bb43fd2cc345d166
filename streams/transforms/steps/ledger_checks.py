"""Checks of a document against AX's ledger: accounts, dimensions, fiscal period."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from schemas.records import LedgerAccountType
from streams.transforms.ledger import Ledger
from streams.transforms.run import Run

# Place in the document, account (None: the header), dimensions.
Posting = tuple[str, str | None, Mapping[str, str]]
_NOT_CAPTURED = "AX's ledger is not captured: AX checks this when it posts"
_DATES = ("transaction_date", "invoice_date", "payment_date")


def accounts(run: Run) -> None:
    """Every main account of the document exists and is active."""
    for place, account, _ in _each(run):
        if account is not None:
            _ledger(run).check_account(account, f"{place}.account")


def dimensions(run: Run) -> None:
    """Every dimension exists with its value, and fits the account's structure."""
    for place, account, given in _each(run):
        _ledger(run).check_dimensions(account, given, f"{place}.dimensions")


def period(run: Run) -> None:
    """The fiscal period of the document's date is open."""
    if _known(run):
        for name, day in _days(run.document):
            _ledger(run).check_period(day, name)


CHECKS: Mapping[str, Callable[[Run], None]] = {"accounts": accounts, "dimensions": dimensions, "period": period}


def _known(run: Run) -> bool:
    if run.lookups.ledger(run.in_company()) is None:
        run.note = _NOT_CAPTURED
        return False
    return True


def _ledger(run: Run) -> Ledger:
    ledger = run.lookups.ledger(run.in_company())
    if ledger is None:
        raise AssertionError("asked after _known")
    return ledger


def _each(run: Run) -> Iterator[Posting]:
    """What the document posts on; nothing when the ledger is not known."""
    if not _known(run):
        return
    document: Any = run.document
    header = dict(getattr(document, "dimensions", {}))
    lines = getattr(document, "lines", None)
    if lines is None:
        account = document.offset_account if _is_ledger(document, "offset_account_type") else None
        yield "document", account, header
        return
    for index, line in enumerate(lines):
        place = f"lines.{index}"
        yield place, _account(line), {**header, **line.dimensions}
        if _is_ledger(line, "offset_account_type"):
            yield f"{place}.offset", line.offset_account, {**header, **line.offset_dimensions}


def _account(line: Any) -> str | None:
    if hasattr(line, "main_account"):
        return str(line.main_account)
    return line.account if line.account_type is LedgerAccountType.LEDGER else None


def _is_ledger(holder: Any, name: str) -> bool:
    return getattr(holder, name, None) is LedgerAccountType.LEDGER


def _days(document: Any) -> Iterator[tuple[str, date]]:
    for name in _DATES:
        day = getattr(document, name, None)
        if day is not None:
            yield name, day
    for index, line in enumerate(getattr(document, "lines", ())):
        day = getattr(line, "transaction_date", None)
        if day is not None:
            yield f"lines.{index}.transaction_date", day
