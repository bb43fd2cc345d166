"""How instants are written: Eastern wall clock, UTC without zone, Z, microsecond versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.freshbooks.clock import MovableClock, eastern, eastern_day, eastern_version, utc_plain, utc_z

NOON = datetime(2026, 6, 29, 16, 52, 44, 256995, UTC)


def test_accounting_times_are_eastern_and_follow_daylight_saving() -> None:
    assert eastern(NOON) == "2026-06-29 12:52:44"
    assert eastern(datetime(2026, 1, 15, 16, 0, tzinfo=UTC)) == "2026-01-15 11:00:00"


def test_utc_forms() -> None:
    assert utc_plain(NOON) == "2026-06-29 16:52:44"
    assert utc_z(NOON) == "2026-06-29T16:52:44Z"


def test_the_eastern_day_ends_in_the_utc_morning() -> None:
    assert eastern_day(datetime(2026, 6, 30, 3, 59, tzinfo=UTC)).isoformat() == "2026-06-29"


def test_a_version_is_always_later_than_the_former() -> None:
    first = eastern_version(NOON)
    assert first == "2026-06-29 12:52:44.256995"
    assert eastern_version(NOON, first) == "2026-06-29 12:52:44.256996"
    assert eastern_version(NOON + timedelta(seconds=1), first) == "2026-06-29 12:52:45.256995"


def test_the_clock_shifts_and_freezes() -> None:
    clock = MovableClock(lambda: NOON)
    clock.shift(3600)
    assert clock() == NOON + timedelta(hours=1)
    clock.freeze(NOON - timedelta(days=1))
    assert clock() == NOON - timedelta(days=1)
    clock.shift(0)
    assert clock() == NOON
