"""Join of CUSTTABLE and DIRPARTYTABLE to customers: in AX a customer's name lives with its party.

Pure: changes go in, the accounts that they touch come out, and for each account what the table of customers shall
hold now. Level-triggered: the answer depends on the newest row of each side only, not on the way there, so rows may be
given again, and the two tables in any relative order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

import msgspec

from schemas import keys
from schemas.positions import Position
from schemas.records import Customer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A row's place: (PARTITION, RECID). RECID alone is unique in its table, but a party is looked up in its own partition.
RowId = tuple[int, int]


class Outcome(Enum):
    """What became of one record of a change feed."""

    TAKEN = "taken"
    REPEATED = "repeated"


class Waiting(Enum):
    """A customer whose party has not arrived: leave whatever the table of customers holds."""

    FOR_PARTY = "for_party"


@dataclass(frozen=True, slots=True)
class _Customer:
    account_key: str
    party: RowId
    position: Position
    changed_at: datetime
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Party:
    name: str
    name_alias: str
    language: str
    position: Position
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class _Removal:
    """The change that removed an account, and its last row."""

    last: _Customer
    row_id: RowId
    position: Position
    changed_at: datetime


@dataclass(slots=True)
class JoinState:
    """Newest rows of both tables. One thread at a time."""

    customers: dict[RowId, _Customer] = field(default_factory=dict)
    parties: dict[RowId, _Party] = field(default_factory=dict)
    accounts: dict[str, set[RowId]] = field(default_factory=dict)
    customers_of: dict[RowId, set[RowId]] = field(default_factory=dict)
    removals: dict[str, _Removal] = field(default_factory=dict)
    passed_customers: dict[RowId, Position] = field(default_factory=dict)
    passed_parties: dict[RowId, Position] = field(default_factory=dict)


# The columns of CUSTTABLE that a customer carries; the others are dropped, so that memory holds no more.
_CUSTOMER_COLUMNS: Final = (
    "DATAAREAID",
    "ACCOUNTNUM",
    "CUSTGROUP",
    "CURRENCY",
    "PAYMTERMID",
    "TAXGROUP",
    "VATNUM",
    "OURACCOUNTNUM",
    "BLOCKED",
)


def take_customer(
    state: JoinState, row_id: RowId, position: Position, envelope: Mapping[str, Any] | None, touched: set[str]
) -> Outcome:
    """Take one record of CUSTTABLE's feed (None: a tombstone) and add the accounts it touches to `touched`."""
    if _passed(state.passed_customers, row_id, position, envelope):
        return Outcome.REPEATED
    before, after = (None, None) if envelope is None else (envelope["before"], envelope["after"])
    changed_at = _changed_at(envelope)
    old = state.customers.pop(row_id, None)
    if old is not None:
        _discard(state.accounts, old.account_key, row_id)
        _discard(state.customers_of, old.party, row_id)
    elif after is None and before is not None and changed_at is not None:
        # Compaction kept the delete and not the row before it: the old image tells which account it was.
        old = _customer(before, position, changed_at)
    if old is not None:
        touched.add(old.account_key)
        state.removals[old.account_key] = _Removal(old, row_id, position, changed_at or old.changed_at)
    if after is None or changed_at is None:
        return Outcome.TAKEN
    new = _customer(after, position, changed_at)
    state.customers[row_id] = new
    state.accounts.setdefault(new.account_key, set()).add(row_id)
    state.customers_of.setdefault(new.party, set()).add(row_id)
    state.removals.pop(new.account_key, None)
    touched.add(new.account_key)
    return Outcome.TAKEN


def take_party(
    state: JoinState, row_id: RowId, position: Position, envelope: Mapping[str, Any] | None, touched: set[str]
) -> Outcome:
    """Take one record of DIRPARTYTABLE's feed and add the accounts of its customers to `touched`."""
    if _passed(state.passed_parties, row_id, position, envelope):
        return Outcome.REPEATED
    state.parties.pop(row_id, None)
    after = envelope["after"] if envelope is not None else None
    changed_at = _changed_at(envelope)
    if after is not None and changed_at is not None:
        state.parties[row_id] = _Party(after["NAME"], after["NAMEALIAS"], after["LANGUAGEID"], position, changed_at)
    touched |= accounts_of_party(state, row_id)
    return Outcome.TAKEN


def accounts_of_party(state: JoinState, row_id: RowId) -> set[str]:
    """Accounts of the customers that point to a party now."""
    return {state.customers[customer].account_key for customer in state.customers_of.get(row_id, ())}


def customer_of(state: JoinState, account_key: str) -> Customer | Waiting | None:
    """What the table of customers shall hold for an account: a row, nothing (None), or what it holds (Waiting)."""
    row_ids = state.accounts.get(account_key)
    if not row_ids:
        return None
    # An account that was deleted and made again has two rows for a moment when its records cross: the newest counts.
    row_id = max(row_ids, key=lambda candidate: state.customers[candidate].position)
    customer = state.customers[row_id]
    party = state.parties.get(customer.party)
    if party is None:
        return Waiting.FOR_PARTY
    return _joined(row_id, customer, party)


def deletion_of(state: JoinState, account_key: str, held: Customer | None, now: datetime) -> Customer | None:
    """The change that says that an account is gone, in its last known shape; None when nobody ever knew it.

    `held` is what the table of customers has; `now` dates a deletion whose own record was compacted away.
    """
    removal = state.removals.get(account_key)
    if removal is None:
        return None if held is None else msgspec.structs.replace(held, changed_at=now, deleted=True)
    party = state.parties.get(removal.last.party)
    last = held
    if last is None:
        last = _joined(removal.row_id, removal.last, party or _Party("", "", "", removal.position, removal.changed_at))
    return msgspec.structs.replace(last, version=str(removal.position), changed_at=removal.changed_at, deleted=True)


def _customer(row: Mapping[str, Any], position: Position, changed_at: datetime) -> _Customer:
    return _Customer(
        account_key=keys.ax_key(row["DATAAREAID"], "customer", row["ACCOUNTNUM"]),
        party=(row["PARTITION"], row["PARTY"]),
        position=position,
        changed_at=changed_at,
        row={column: row[column] for column in _CUSTOMER_COLUMNS},
    )


def _joined(row_id: RowId, customer: _Customer, party: _Party) -> Customer:
    position, changed_at = max((customer.position, customer.changed_at), (party.position, party.changed_at))
    row = customer.row
    return Customer(
        company=row["DATAAREAID"].lower(),
        account_number=row["ACCOUNTNUM"],
        name=party.name,
        name_alias=party.name_alias,
        customer_group=row["CUSTGROUP"],
        currency_code=row["CURRENCY"],
        payment_terms=row["PAYMTERMID"],
        tax_group=row["TAXGROUP"],
        vat_number=row["VATNUM"],
        our_account_number=row["OURACCOUNTNUM"],
        language=party.language,
        blocked=row["BLOCKED"],
        rec_id=row_id[1],
        party_rec_id=customer.party[1],
        version=str(position),
        changed_at=changed_at,
    )


def same_content(one: Customer | None, other: Customer | None) -> bool:
    """True when two rows differ in nothing but the change that led to them."""
    if one is None or other is None:
        return one is other
    return _content(one) == _content(other)


def row_id_of(key: bytes) -> RowId:
    """Row id from a record's key, `partition:recid`. Raises ValueError when it is not one."""
    partition, _, rec_id = key.decode("ascii").partition(":")
    return int(partition), int(rec_id)


def _content(customer: Customer) -> tuple[Any, ...]:
    return tuple(getattr(customer, name) for name in _CONTENT_FIELDS)


_CONTENT_FIELDS: Final = tuple(
    name for name in Customer.__struct_fields__ if name not in ("version", "changed_at", "deleted")
)


def _passed(
    passed: dict[RowId, Position], row_id: RowId, position: Position, envelope: Mapping[str, Any] | None
) -> bool:
    """True when the key is past `position` already: a repeated row, or a late one of a second writer.

    A tombstone has the position of its delete and is no repetition.
    """
    last = passed.get(row_id)
    if last is not None and (position < last or (position == last and envelope is not None)):
        return True
    passed[row_id] = position
    return False


def _changed_at(envelope: Mapping[str, Any] | None) -> datetime | None:
    return None if envelope is None else _EPOCH + timedelta(milliseconds=envelope["source"]["ts_ms"])


def _discard(index: dict[Any, set[RowId]], key: Any, row_id: RowId) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(row_id)
        if not members:
            del index[key]
