"""Money in minor units: parts always add up to their whole, and each is as near to its share as can be."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.transforms.money import allocate, distribute, exponent_of, from_units, round_half_up, scaled

UNITS = st.integers(-(10**17), 10**17)


@pytest.mark.parametrize(
    ("currency", "exponent"), [("EUR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("BHD", 3), ("KWD", 3), ("TND", 3)]
)
def test_a_currency_has_the_exponent_of_iso_4217(currency: str, exponent: int) -> None:
    assert exponent_of(currency) == exponent


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-33, -33, -34]),
        (1000, [100_00, 40_00, 15_00], [645, 258, 97]),
        (10, [3, -1], [15, -5]),
        (5, [0, 0], [3, 2]),
        (5, [1, -1], [3, 2]),
        (0, [7, 0], [0, 0]),
    ],
)
def test_a_total_is_shared_by_largest_remainder(total: int, weights: list[int], parts: list[int]) -> None:
    assert allocate(total, weights) == parts


@given(total=UNITS, weights=st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20))
def test_shares_always_add_up_to_the_total(total: int, weights: list[int]) -> None:
    assert sum(allocate(total, weights)) == total


@given(total=UNITS, weights=st.lists(st.integers(0, 10**15), min_size=1, max_size=20).filter(any))
def test_each_share_is_within_one_unit_of_its_exact_part(total: int, weights: list[int]) -> None:
    for share, weight in zip(allocate(total, weights), weights, strict=True):
        assert abs(Decimal(share) - Decimal(total) * weight / sum(weights)) <= 1


@given(total=UNITS, ideal=st.lists(st.decimals(-(10**15), 10**15, places=6), min_size=1, max_size=20))
def test_whole_numbers_near_any_ideal_add_up_to_any_total(total: int, ideal: list[Decimal]) -> None:
    assert sum(distribute(total, ideal)) == total


@pytest.mark.parametrize(("amount", "units"), [("2.5", 3), ("-2.5", -3), ("2.49", 2), ("0", 0)])
def test_ties_are_rounded_away_from_zero(amount: str, units: int) -> None:
    assert round_half_up(Decimal(amount)) == units


@given(units=UNITS, exponent=st.integers(0, 4))
def test_units_and_amounts_are_two_notations_of_one_value(units: int, exponent: int) -> None:
    amount = from_units(units, exponent)

    assert scaled(amount, exponent) == units
    assert -int(amount.as_tuple().exponent) == exponent
