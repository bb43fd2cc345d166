"""FreshBooks' Eastern wall clock, and the two days a year when the wall clock lies."""

from datetime import UTC, date, datetime

import pytest

from connectors.freshbooks.clocks import eastern_day, parse_eastern, to_millis

LATER = datetime(2030, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_summer_time_is_four_hours_behind_utc() -> None:
    assert parse_eastern("2026-06-29 12:52:44", not_after=LATER) == at("2026-06-29T16:52:44Z")


def test_winter_time_is_five_hours_behind_utc() -> None:
    assert parse_eastern("2026-01-15 12:00:00", not_after=LATER) == at("2026-01-15T17:00:00Z")


def test_microseconds_of_a_version_are_kept() -> None:
    assert parse_eastern("2026-06-29 12:52:44.256995", not_after=LATER).microsecond == 256995


def test_a_time_with_its_own_zone_is_taken_at_its_word() -> None:
    assert parse_eastern("2026-06-29T16:52:44Z", not_after=LATER) == at("2026-06-29T16:52:44Z")


@pytest.mark.parametrize(
    ("read_at", "meant"),
    [
        # 1 November 2026: 01:30 EDT is 05:30Z, 01:30 EST is 06:30Z.
        ("2026-11-01T05:30:10Z", "2026-11-01T05:30:00Z"),
        ("2026-11-01T06:30:10Z", "2026-11-01T06:30:00Z"),
        ("2026-11-01T06:27:00Z", "2026-11-01T06:30:00Z"),  # FreshBooks' clock may run ahead a little
    ],
)
def test_the_doubled_november_hour_is_read_as_the_newest_time_that_has_come(read_at: str, meant: str) -> None:
    assert parse_eastern("2026-11-01 01:30:00", not_after=at(read_at)) == at(meant)


def test_a_time_in_the_skipped_march_hour_is_read_and_not_refused() -> None:
    assert parse_eastern("2026-03-08 02:30:00", not_after=LATER) == at("2026-03-08T07:30:00Z")


def test_the_day_of_a_filter_is_the_eastern_day() -> None:
    assert eastern_day(at("2026-06-30T03:59:59Z")) == date(2026, 6, 29)


def test_times_are_cut_to_what_kafka_keeps() -> None:
    assert to_millis(datetime(2026, 1, 1, 0, 0, 0, 123987, tzinfo=UTC)).microsecond == 123000
