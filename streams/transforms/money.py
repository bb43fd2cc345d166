"""Money in whole minor units: exponents of currencies, explicit rounding, division that loses no unit.

Sums are made and shared out in whole minor units (int), so that parts always add up to their whole. The rule of
sharing is the largest remainder: each part gets its exact share rounded down, the units left over go one by one to the
parts that lost most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

# ISO 4217, the currencies whose exponent is not 2.
EXPONENTS: Mapping[str, int] = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV"), 0
    ),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
DEFAULT_EXPONENT = 2

# Exact for every product of two amounts of 19 digits and a rate of 9; a result that would need more is rounded half
# even, far below a minor unit.
EXACT = Context(prec=60, traps=[])


def exponent_of(currency: str) -> int:
    """Decimals of a currency's minor unit."""
    return EXPONENTS.get(currency, DEFAULT_EXPONENT)


def scaled(amount: Decimal, exponent: int) -> Decimal:
    """`amount` counted in minor units, with what is left behind the point."""
    return amount.scaleb(exponent, EXACT)


def round_half_up(units: Decimal) -> int:
    """Nearest whole number, ties away from zero: how AX and FreshBooks round amounts."""
    return int(units.to_integral_value(ROUND_HALF_UP))


def from_units(units: int, exponent: int) -> Decimal:
    """Amount of `units` minor units, with exactly the currency's decimals."""
    return Decimal(units).scaleb(-exponent, EXACT)


def distribute(total: int, ideal: Sequence[Decimal]) -> list[int]:
    """Whole numbers near `ideal` whose sum is `total`; of equal remainders the earlier part is served first.

    `ideal` is not empty. A total away from the sum of `ideal` is met all the same: the difference is spread evenly.
    """
    floors = [int(share.to_integral_value(ROUND_FLOOR)) for share in ideal]
    each, units_left = divmod(total - sum(floors), len(floors))
    by_remainder = sorted(range(len(ideal)), key=lambda index: floors[index] - ideal[index])
    parts = [floor + each for floor in floors]
    for index in by_remainder[:units_left]:
        parts[index] += 1
    return parts


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in parts proportional to `weights` (not empty), largest remainder; even parts when they sum to 0."""
    weight_sum = sum(weights)
    if not weight_sum:
        return distribute(total, [EXACT.divide(Decimal(total), Decimal(len(weights)))] * len(weights))
    return distribute(total, [EXACT.divide(Decimal(total * weight), Decimal(weight_sum)) for weight in weights])
