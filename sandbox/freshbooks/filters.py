"""Builders of list filters (reference §5.7). Values arrive as strings; several values of one key mean "any of".

A value that a filter cannot read is 422/1024 (inferred); keys that no kind declares never get here: they are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.kind import Account, Filter, Predicate, Record

_TRUE = {"1", "true", "t", "yes", ""}


def _unreadable(key: str, value: str) -> Refused:
    return Refused(422, 1024, f"search key '{key}' has an invalid value.", key, value=value)


def equals(key: str) -> Filter:
    """Keep records whose text `key` is one of the values, exactly."""

    def build(_account: Account, values: list[str], _now: datetime) -> Predicate:
        wanted = set(values)
        return lambda record: str(record.fields.get(key)) in wanted

    return build


def like(*keys: str) -> Filter:
    """Keep records where one of `keys` contains the (last) value, ignoring case."""

    def build(_account: Account, values: list[str], _now: datetime) -> Predicate:
        part = values[-1].casefold()
        return lambda record: any(part in str(record.fields.get(key) or "").casefold() for key in keys)

    return build


def vis_state(_account: Account, values: list[str], _now: datetime) -> Predicate:
    """Keep records in one of the given visibility states: the only way to list deleted ones."""
    if any(value not in {"0", "1", "2"} for value in values):
        raise _unreadable("vis_state", values[-1])
    wanted = {int(value) for value in values}
    return lambda record: record.vis_state in wanted


def _day(key: str, value: str) -> str:
    """Return the day of a filter value: a time behind it is cut off, since the filters work by the day."""
    try:
        return date.fromisoformat(value[:10]).isoformat()
    except ValueError as error:
        raise _unreadable(key, value) from error


def day_from(key: str) -> Filter:
    """Keep records whose day in `key` is the given day or later. `key` may hold a date or an Eastern date-time."""

    def build(_account: Account, values: list[str], _now: datetime) -> Predicate:
        first = _day(key, values[-1])
        return lambda record: str(record.fields[key])[:10] >= first

    return build


def day_before(key: str) -> Filter:
    """Keep records whose day in `key` is before the given day (updated_max is exclusive)."""

    def build(_account: Account, values: list[str], _now: datetime) -> Predicate:
        end = _day(key, values[-1])
        return lambda record: str(record.fields[key])[:10] < end

    return build


def day_to(key: str) -> Filter:
    """Keep records whose day in `key` is the given day or earlier (date_max; inclusive is inferred)."""

    def build(_account: Account, values: list[str], _now: datetime) -> Predicate:
        last = _day(key, values[-1])
        return lambda record: str(record.fields[key])[:10] <= last

    return build


def truth(test: Callable[[Account, datetime], Predicate]) -> Filter:
    """Keep records for which `test` gives the sent truth value."""

    def build(account: Account, values: list[str], now: datetime) -> Predicate:
        wanted = values[-1].lower() in _TRUE
        predicate = test(account, now)
        return lambda record: predicate(record) is wanted

    return build


def amount(key: str, *, at_least: bool) -> Filter:
    """Keep records whose money `key` is at least (or at most) the value."""

    def build(_account: Account, values: list[str], _now: datetime) -> Predicate:
        try:
            bound = Decimal(values[-1])
        except InvalidOperation as error:
            raise _unreadable(key, values[-1]) from error
        if not bound.is_finite():
            raise _unreadable(key, values[-1])

        def keep(record: Record) -> bool:
            value = Decimal(record.fields[key]["amount"])
            return value >= bound if at_least else value <= bound

        return keep

    return build
