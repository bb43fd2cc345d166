"""A kind of accounting entity, declared: a module of `kinds/` builds one `Kind`, `accounting.py` serves them all.

To add a kind (expense, payment, …): write its keys with converters, its read-only keys, clocks, filters, sorts and
includes, and the functions where it differs; add it to `kinds/__init__.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sandbox.freshbooks import clock
from sandbox.freshbooks.config import BusinessConfig
from sandbox.freshbooks.values import Converter

Json = dict[str, Any]
ClockName = Literal["eastern", "utc", "version", "iso"]


@dataclass(slots=True)
class Record:
    """One stored entity. `fields` are wire keys; `parts`, what replies show on request (lines) or never (e-mails)."""

    id: int
    fields: Json
    parts: Json = field(default_factory=dict)

    @property
    def vis_state(self) -> int:
        """Return 0 active, 1 deleted, 2 archived; 0 for kinds that have none."""
        return int(self.fields.get("vis_state", 0))


class Account:
    """The accounting data of one business: all records by kind, and the counters that number them."""

    def __init__(self, account_id: str, business: BusinessConfig) -> None:
        self.account_id = account_id
        self.business = business
        self.last_invoice_number = 0
        self.last_credit_number = 0
        self._records: dict[str, dict[int, Record]] = {}
        self._ids: dict[str, Iterator[int]] = {}

    def records(self, single: str) -> dict[int, Record]:
        """Return all records of a kind by id, deleted ones included, oldest first. The caller may write to it."""
        return self._records.setdefault(single, {})

    def next_id(self, kind: Kind) -> int:
        """Return a new id of this kind."""
        return next(self._ids.setdefault(kind.single, itertools.count(kind.first_id)))


@dataclass(frozen=True, slots=True)
class Touch:
    """A record that another record's write bumps, makes or deletes (reference §7): `verb` is what webhooks say."""

    single: str
    id: int
    verb: Literal["create", "update", "delete"] = "update"


Predicate = Callable[[Record], bool]
# A filter gets the account, the values sent for its key and the present, and returns the test of one record.
Filter = Callable[[Account, list[str], datetime], Predicate]
Include = Callable[[Account, Record, datetime], object]
# An action gets the sent body and returns the webhook verbs it causes.
Action = Callable[[Account, Record, Json, datetime], list[str]]


def no_touch(_account: Account, _record: Record, _now: datetime) -> list[Touch]:
    """Return no side effects."""
    return []


def plain_view(_account: Account, record: Record, _now: datetime) -> Json:
    """Return the stored fields as they are."""
    return record.fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Everything the generic endpoints need to know of one entity kind.

    `refused`: read-only keys proven to answer 403/1038; `computed`: read-only keys where that is inferred (switch).
    `blank(account)` returns the fields of a new record before the sent ones; `settle(account, record, sent, former,
    now)` applies the kind's rules after the sent keys are in place (`former` is None on create) and may raise Refused.
    `touches` runs after create, and after every later write if `touches_on_change`. `bare_filters` work without
    search[...] too. `writable`: POST and PUT exist. `payable`: the account needs Accounts Payable.
    `deletes_for_good`: DELETE leaves nothing behind.
    """

    path: str
    single: str
    plural: str
    title: str
    id_keys: tuple[str, ...]
    first_id: int
    noun: str
    scope: str
    keys: Mapping[str, Converter]
    required: tuple[str, ...]
    refused: frozenset[str]
    computed: frozenset[str]
    created_clocks: Mapping[str, ClockName]
    changed_clocks: Mapping[str, ClockName]
    filters: Mapping[str, Filter]
    sorts: Mapping[str, Callable[[Record], str]]
    includes: Mapping[str, Include]
    deletes_by_verb: bool
    blank: Callable[[Account], Json]
    settle: Callable[[Account, Record, frozenset[str], Record | None, datetime], None]
    part_keys: tuple[str, ...] = ()
    bare_filters: frozenset[str] = frozenset()
    view: Callable[[Account, Record, datetime], Json] = plain_view
    actions: Mapping[str, Action] = field(default_factory=dict)
    touches: Callable[[Account, Record, datetime], list[Touch]] = no_touch
    touches_on_change: bool = False
    writable: bool = True
    payable: bool = False
    deletes_for_good: bool = False


_WRITTEN = {"eastern": clock.eastern, "utc": clock.utc_plain, "iso": clock.utc_iso}


def stamp(record: Record, clocks: Mapping[str, ClockName], now: datetime) -> None:
    """Write the present to the record's clock keys, each in its own zone and form."""
    for key, name in clocks.items():
        if name == "version":
            record.fields[key] = clock.eastern_version(now, record.fields.get(key))
        else:
            record.fields[key] = _WRITTEN[name](now)
