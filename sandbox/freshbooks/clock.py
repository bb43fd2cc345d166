"""The simulator's clock and the five ways FreshBooks writes an instant.

Accounting date-times are US/Eastern wall clock without a zone, except a few keys that are UTC without a zone;
`version` has microseconds; projects are ISO and UTC without a Z; callbacks carry a Z (reference §5.5). Days of filters,
due dates and 'overdue' are Eastern days (inferred).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("US/Eastern")
Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the machine's time, aware, UTC."""
    return datetime.now(UTC)


class MovableClock:
    """A clock that control calls can shift or stop; `base` is what it shifts."""

    def __init__(self, base: Clock = system_clock) -> None:
        self._base = base
        self._offset = timedelta()
        self._frozen_at: datetime | None = None

    def __call__(self) -> datetime:
        """Return the simulator's present, aware, UTC."""
        return self._frozen_at if self._frozen_at is not None else self._base() + self._offset

    def epoch(self) -> float:
        """Return the present as unix seconds."""
        return self().timestamp()

    def shift(self, seconds: float) -> None:
        """Set the distance from the base clock (not added to the former distance) and let time run."""
        self._frozen_at = None
        self._offset = timedelta(seconds=seconds)

    def freeze(self, at: datetime) -> None:
        """Stop at `at` (aware) until the next `shift` or `freeze`."""
        self._frozen_at = at.astimezone(UTC)

    def describe(self) -> dict[str, object]:
        """Return the present setting, for GET /_control/clock."""
        return {
            "now": utc_z(self()),
            "offset_seconds": self._offset.total_seconds(),
            "frozen": self._frozen_at is not None,
        }


def eastern(moment: datetime) -> str:
    """Return "YYYY-MM-DD HH:MM:SS", Eastern wall clock."""
    return moment.astimezone(EASTERN).strftime("%Y-%m-%d %H:%M:%S")


def utc_plain(moment: datetime) -> str:
    """Return "YYYY-MM-DD HH:MM:SS", UTC (client.signup_date)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def utc_iso(moment: datetime) -> str:
    """Return "YYYY-MM-DDTHH:MM:SS", UTC without a Z (projects)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def utc_z(moment: datetime) -> str:
    """Return "YYYY-MM-DDTHH:MM:SSZ" (callbacks, identity)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def eastern_version(moment: datetime, former: str | None = None) -> str:
    """Return the Eastern time with microseconds, later than `former`.

    Two writes in one microsecond (or under a stopped clock) still get different versions: the finest change marker must
    change with every write.
    """
    version = moment.astimezone(EASTERN).strftime("%Y-%m-%d %H:%M:%S.%f")
    if former is not None and version <= former:
        last = datetime.strptime(former, "%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ007 - wall clock text, only stepped by 1 µs
        version = (last + timedelta(microseconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    return version


def eastern_day(moment: datetime) -> date:
    """Return the calendar day in US/Eastern."""
    return moment.astimezone(EASTERN).date()
