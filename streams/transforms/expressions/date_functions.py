"""Dates in expressions: from texts and instants, moved, counted, written."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from streams.transforms.expressions.errors import EvaluationError
from streams.transforms.expressions.values import Value, as_date, as_integer, as_text, bounded, to_date

# Far more than a payment term, and still inside the calendar from any date of this millennium.
_MAX_DAYS = 100_000


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    if name not in _zones():
        raise EvaluationError("a time zone that is not known; write one as Europe/Berlin")
    return ZoneInfo(name)


def parse(value: Value, zone: Value = None) -> Value:
    """The date of an instant in a zone (UTC without one), of a date, of an ISO text; null when it is none."""
    if isinstance(value, datetime) and zone is not None:
        try:
            return value.astimezone(_zone(as_text(zone))).date()
        except OverflowError:
            raise EvaluationError("a date outside the years 1 to 9999") from None
    if isinstance(value, date):
        return to_date(value)
    try:
        return date.fromisoformat(as_text(value).strip())
    except ValueError:
        return None


def add_days(start: Value, days: Value) -> Value:
    """The date so many days later."""
    if start is None or days is None:
        return None
    try:
        return as_date(start) + timedelta(days=as_integer(days, -_MAX_DAYS, _MAX_DAYS))
    except OverflowError:
        raise EvaluationError("a date outside the years 1 to 9999") from None


def days_between(first: Value, second: Value) -> Value:
    """Days from the first date to the second, negative when it is earlier."""
    if first is None or second is None:
        return None
    return Decimal((as_date(second) - as_date(first)).days)


def month_end(day: Value) -> Value:
    """The last day of a date's month."""
    if day is None:
        return None
    start = as_date(day)
    if (start.year, start.month) == (date.max.year, date.max.month):
        return date.max
    return (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def format_date(day: date, pattern: str) -> str:
    """A date by a pattern of YYYY, MM, DD."""
    text = bounded(pattern)
    for token, part in (("YYYY", f"{day.year:04d}"), ("MM", f"{day.month:02d}"), ("DD", f"{day.day:02d}")):
        text = text.replace(token, part)
    return text
