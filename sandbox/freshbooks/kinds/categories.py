"""Expense category: expenses/categories (reference §6.3). Read-only; an account starts with FreshBooks' own.

Whether one can be made over the API is contradictory (reference §5.1), so POST and PUT are 405; `add` serves the
control interface: a person adds his own in the browser. Names and ids of the first ones are ours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.kind import Account, Json, Kind, Record, stamp

_OWN: Final = {
    "Advertising": (),
    "Car & Truck Expenses": ("Gas", "Mileage", "Parking & Tolls"),
    "Contractors": (),
    "Office Expenses & Postage": ("Hardware", "Office Supplies", "Software"),
    "Professional Services": ("Accounting", "Legal Fees"),
    "Rent or Lease": (),
    "Travel": ("Airfare", "Hotel/Lodging/Accommodation"),
    "Utilities": (),
}


def _blank(_account: Account) -> Json:
    return {
        "category": "",
        "parentid": None,
        "is_editable": False,
        "is_cogs": False,
        "transaction_posted": False,
        "vis_state": 0,
    }


def _settle(_account: Account, _record: Record, _sent: frozenset[str], _former: Record | None, _now: datetime) -> None:
    """Nothing to settle: categories are not written over the API."""


def add(account: Account, name: str, parent_id: int | None, now: datetime, *, own: bool) -> Record:
    """Store a category; `own` is one of FreshBooks' own, which nobody can edit."""
    number = account.next_id(CATEGORY)
    fields = {"id": number, "categoryid": number, **_blank(account)}
    record = Record(number, {**fields, "category": name, "parentid": parent_id, "is_editable": not own})
    stamp(record, CATEGORY.created_clocks, now)
    account.records(CATEGORY.single)[number] = record
    return record


def seed(account: Account, now: datetime) -> None:
    """Give a new account FreshBooks' own categories."""
    for name, children in _OWN.items():
        parent = add(account, name, None, now, own=True)
        for child in children:
            add(account, child, parent.id, now, own=True)


CATEGORY: Final = Kind(
    path="expenses/categories",
    single="category",
    plural="categories",
    title="Category",
    id_keys=("id", "categoryid"),
    first_id=4_400,
    noun="category",
    scope="expenses",
    keys={},
    required=(),
    refused=frozenset(),
    computed=frozenset(),
    created_clocks={"created_at": "eastern", "updated_at": "eastern"},
    changed_clocks={"updated_at": "eastern"},
    filters={
        "categoryids": filters.equals("categoryid"),
        "name": filters.equals("category"),
        "is_cogs": filters.truth(lambda _account, _now: lambda record: bool(record.fields["is_cogs"])),
        "is_editable": filters.truth(lambda _account, _now: lambda record: bool(record.fields["is_editable"])),
        "parentid": filters.equals("parentid"),
    },
    sorts={},
    includes={},
    writable=False,
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
)
