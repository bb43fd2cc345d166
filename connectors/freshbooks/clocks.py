"""FreshBooks' clocks: accounting times are US/Eastern wall clock without a zone.

The wire form is `YYYY-MM-DD HH:MM:SS`, with microseconds in `version`. Which clock a field runs on is a fact of the
field and not of its form: a few are UTC in the same form (a client's `signup_date`, all times of bills and, though the
official SDKs disagree, of bill vendors), and projects are UTC in ISO form without a zone.
Source: reference of the API, types and clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

# The present, as an aware UTC datetime. Passed in wherever time matters.
Clock = Callable[[], datetime]
EASTERN = ZoneInfo("America/New_York")
# FreshBooks' clock may run this far ahead of ours before a reading counts as lying in the future.
_CLOCK_SKEW = timedelta(minutes=5)


def utc_now() -> datetime:
    """The present, UTC, cut to milliseconds: what an Avro timestamp-millis gives back."""
    return to_millis(datetime.now(UTC))


def to_millis(moment: datetime) -> datetime:
    """`moment` without what an Avro timestamp-millis cannot hold."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def eastern_day(moment: datetime) -> date:
    """The Eastern calendar day of an aware `moment`: the day that `updated_min` counts in."""
    return moment.astimezone(EASTERN).date()


def parse_utc(text: str) -> datetime:
    """The instant of a time that is UTC; one with its own zone is taken at its word. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_eastern(text: str, *, not_after: datetime) -> datetime:
    """The UTC instant of an Eastern wall-clock time.

    In November the hour from 01:00 to 02:00 comes twice. Of the two readings the later one that does not lie after
    `not_after` (when the text was read) is taken: an entity fetched within the hour of its change, the usual case, is
    right, and none appears to come from the future. A time with its own zone is taken at its word.

    Raises: ValueError when `text` is no date and time.
    """
    wall = datetime.fromisoformat(text)
    if wall.tzinfo is not None:
        return wall.astimezone(UTC)
    first, second = (wall.replace(tzinfo=EASTERN, fold=fold).astimezone(UTC) for fold in (0, 1))
    # In the hour that March skips the "second" reading is the earlier one and means nothing: take the first.
    return second if first < second <= not_after + _CLOCK_SKEW else first
