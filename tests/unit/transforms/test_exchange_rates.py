"""Exchange rates as AX finds and applies them, and amounts that still add up after they were converted."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.transforms.exchange_rates import NO_END, Quotation, RateTable, convert
from streams.transforms.money import exponent_of

DAY = date(2026, 6, 29)


def quoted(pair: str, rate: str, **fields: Any) -> Quotation:
    given_fields = {"rate_type": "Default", "valid_from": date(2026, 1, 1), "rate": Decimal(rate), **fields}
    return Quotation(from_currency=pair[:3], to_currency=pair[3:], **given_fields)


def rate_of(pair: str, *rows: Quotation, on: date = DAY, rate_type: str = "Default", base: str | None = "USD") -> Any:
    return RateTable(rows, base).find(rate_type, pair[:3], pair[3:], on)


@pytest.mark.parametrize(
    ("pair", "rows", "per_unit", "rule"),
    [
        # AX stores the rate of a hundred units: 100 EUR are 108.25 USD.
        ("EURUSD", [("EURUSD", "108.25")], "1.082500000000", "direct"),
        ("USDEUR", [("EURUSD", "108.25")], "0.923787528868", "reverse"),
        ("EURUSD", [("EURUSD", "108.25"), ("USDEUR", "90")], "1.082500000000", "direct"),
        ("EURGBP", [("EURUSD", "108"), ("GBPUSD", "135")], "0.800000000000", "via USD"),
        ("EURJPY", [("EURUSD", "110"), ("USDJPY", "15000")], "165.000000000000", "via USD"),
        ("EUREUR", [], "1.000000000000", "same"),
    ],
)
def test_a_rate_is_found_direct_reverse_or_through_the_base_currency(
    pair: str, rows: list[tuple[str, str]], per_unit: str, rule: str
) -> None:
    rate = rate_of(pair, *(quoted(*row) for row in rows))

    assert (format(rate.per_unit, "f"), rate.rule) == (per_unit, rule)


@pytest.mark.parametrize(
    ("pair", "rows"),
    [
        ("EURUSD", []),
        ("EURGBP", [("EURUSD", "108")]),
        ("EURUSD", [("EURUSD", "0")]),
        ("EURUSD", [("EURUSD", "-1")]),
        ("EURUSD", [("EURUSD", "NaN")]),
        ("EURGBP", [("EURCHF", "95"), ("GBPCHF", "110")]),
    ],
)
def test_a_rate_that_ax_does_not_have_is_none(pair: str, rows: list[tuple[str, str]]) -> None:
    assert rate_of(pair, *(quoted(*row) for row in rows)) is None


def test_a_quotation_counts_from_its_first_to_its_last_day_and_the_latest_first() -> None:
    rows = [
        quoted("EURUSD", "100", valid_to=date(2026, 3, 31)),
        quoted("EURUSD", "110", valid_from=date(2026, 4, 1), valid_to=date(2026, 4, 30)),
        quoted("EURUSD", "120", valid_from=date(2026, 4, 15)),
    ]

    def on(day: date) -> Any:
        rate = rate_of("EURUSD", *rows, on=day)
        return rate and (rate.numerator, rate.valid_from)

    assert on(date(2025, 12, 31)) is None
    assert on(date(2026, 1, 1)) == on(date(2026, 3, 31)) == (100, date(2026, 1, 1))
    assert on(date(2026, 4, 14)) == (110, date(2026, 4, 1))
    assert on(date(2026, 4, 15)) == on(NO_END) == (120, date(2026, 4, 15))
    assert on(NO_END + timedelta(days=1)) is None


def test_types_are_kept_apart_and_compared_without_case() -> None:
    rows = [quoted("EURUSD", "100"), quoted("EURUSD", "130", rate_type="Budget")]

    assert rate_of("EURUSD", *rows, rate_type="BUDGET").numerator == 130
    assert rate_of("EURUSD", *rows, rate_type="Average") is None


def test_units_are_those_of_the_quotation() -> None:
    assert rate_of("EURUSD", quoted("EURUSD", "1.08", units=1)).per_unit == Decimal("1.08")
    assert rate_of("JPYUSD", quoted("JPYUSD", "67", units=10_000)).as_stored == Decimal("0.67")


def test_rate_date_and_rule_travel_in_one_line() -> None:
    assert rate_of("EURUSD", quoted("EURUSD", "108.25")).told() == "1.082500000000 of 2026-01-01, direct"
    assert rate_of("EUREUR").told() == "1.000000000000, same"


@pytest.mark.parametrize(
    ("currency", "parts", "total", "converted"),
    [
        ("USD", ["10.00", "10.00", "10.00"], "10.00", ["3.34", "3.33", "3.33"]),
        ("JPY", ["10.00", "10.00", "10.00"], "10", ["4", "3", "3"]),
        ("KWD", ["10.00", "10.00", "10.00"], "10.000", ["3.334", "3.333", "3.333"]),
        ("USD", ["-10.00", "10.00"], "0.00", ["-3.33", "3.33"]),
        ("USD", [], "0.00", []),
    ],
)
def test_the_header_is_rounded_and_the_lines_share_it_by_largest_remainder(
    currency: str, parts: list[str], total: str, converted: list[str]
) -> None:
    rate = rate_of(f"EUR{currency}", quoted(f"EUR{currency}", "1", units=3))

    result = convert([Decimal(part) for part in parts], rate, currency)

    assert (str(result.total), [str(part) for part in result.parts]) == (total, converted)


AMOUNT = st.decimals(-(10**12), 10**12, places=2)
RATE = st.decimals("0.000001", "100000", places=6)


@given(
    parts=st.lists(AMOUNT, max_size=8), rate=RATE, cross=RATE, currency=st.sampled_from(["EUR", "JPY", "KWD", "CLF"])
)
def test_converted_parts_always_add_up_to_the_converted_total(
    parts: list[Decimal], rate: Decimal, cross: Decimal, currency: str
) -> None:
    table = RateTable([Quotation(**_row("GBP", rate)), Quotation(**_row(currency, cross))], "USD")
    found = table.find("Default", "GBP", currency, DAY)
    assert found is not None

    result = convert(parts, found, currency)

    assert sum(result.parts, Decimal(0)) == result.total
    step = Decimal(1).scaleb(-exponent_of(currency))
    exact = sum(parts, Decimal(0)) * found.numerator / found.denominator
    assert abs(result.total - exact) <= step
    for part, converted in zip(parts, result.parts, strict=True):
        assert abs(converted - part * found.numerator / found.denominator) <= step


def _row(currency: str, rate: Decimal) -> dict[str, Any]:
    return {
        "rate_type": "Default",
        "from_currency": currency,
        "to_currency": "USD",
        "rate": rate,
        "valid_from": date(2026, 1, 1),
    }


@given(rate=RATE, first=AMOUNT)
def test_there_and_back_is_the_same_amount_where_the_rate_leaves_digits(rate: Decimal, first: Decimal) -> None:
    table = RateTable([Quotation(**_row("EUR", rate * 100))])
    there, back = table.find("Default", "EUR", "USD", DAY), table.find("Default", "USD", "EUR", DAY)
    assert there is not None
    assert back is not None

    assert there.numerator * back.numerator == there.denominator * back.denominator
    # One minor unit of the other currency is 1/rate of ours.
    returned = convert(convert([first], there, "USD").parts, back, "EUR").total
    assert abs(returned - first) <= Decimal("0.005") / rate + Decimal("0.005")
