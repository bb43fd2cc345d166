"""Exchange rates as AX 2012 finds and applies them: by type and date, direct, reverse, or through the base currency.

A quotation says how much of `to_currency` is paid for `units` units of `from_currency`. AX stores the rate of a
hundred units whatever its form displays (EXCHANGERATE.EXCHANGERATE; reference ax-aif, section 13: "commonly", not
verified per site), so a quotation read from the table has 100 units; one of the AIF document has its display factor.

Search, first hit decides (`Rate.rule` names it):

1. `same`: one currency, rate 1;
2. `direct`: a quotation from → to that is valid on the date;
3. `reverse`: one of to → from, divided by;
4. `via XXX`: from → base and base → to, each direct or reverse.

Of several quotations valid on a date the one that begins last counts. A rate that is not positive is no rate.
Nothing is rounded before the result: a rate is kept as a fraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from streams.transforms.money import EXACT, distribute, exponent_of, from_units, round_half_up, scaled

STORED_UNITS = 100
# AX's "no end" (reference ax-aif, section 5).
NO_END = date(2154, 12, 31)
# CurrencyExchangeRate in AX: 12 decimals (reference ax-aif, section 7).
_RATE_STEP = Decimal("1e-12")
_ONE = Decimal(1)
_MOST_EXPONENT = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    """One row of AX: valid from `valid_from` to `valid_to`, both included."""

    rate_type: str
    from_currency: str
    to_currency: str
    rate: Decimal
    units: int = STORED_UNITS
    valid_from: date
    valid_to: date = NO_END


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of a currency is in another: `numerator / denominator`, from the quotation of `valid_from`."""

    numerator: Decimal
    denominator: Decimal
    rate_type: str
    valid_from: date | None
    rule: str

    @property
    def per_unit(self) -> Decimal:
        """The rate of one unit, in AX's 12 decimals."""
        return EXACT.divide(self.numerator, self.denominator).quantize(_RATE_STEP, ROUND_HALF_UP, EXACT)

    @property
    def as_stored(self) -> Decimal:
        """The rate as AX's field ExchRate holds it: of a hundred units."""
        per_hundred = EXACT.divide(EXACT.multiply(self.numerator, Decimal(STORED_UNITS)), self.denominator)
        return per_hundred.quantize(_RATE_STEP, ROUND_HALF_UP, EXACT)

    def told(self) -> str:
        """Rate, date and rule in one line, to travel with the record."""
        since = "" if self.valid_from is None else f" of {self.valid_from.isoformat()}"
        return f"{self.per_unit:f}{since}, {self.rule}"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A total and its parts in another currency, in its minor units; the parts add up to the total."""

    total: Decimal
    parts: tuple[Decimal, ...]
    rate: Rate


class RateTable:
    """Quotations of one AX, by type and pair. `base` is the currency through which AX triangulates."""

    def __init__(self, quotations: Iterable[Quotation], base: str | None = None) -> None:
        self._base = base
        self._by_pair: dict[tuple[str, str, str], list[Quotation]] = {}
        for quotation in quotations:
            if quotation.units > 0 and _is_rate(quotation.rate):
                key = (quotation.rate_type.casefold(), quotation.from_currency, quotation.to_currency)
                self._by_pair.setdefault(key, []).append(quotation)
        for rows in self._by_pair.values():
            rows.sort(key=lambda row: row.valid_from, reverse=True)

    def find(self, rate_type: str, from_currency: str, to_currency: str, on: date) -> Rate | None:
        """The rate that AX would use on a date, None when it has none."""
        if from_currency == to_currency:
            return Rate(_ONE, _ONE, rate_type, None, "same")
        pair = self._of_pair(rate_type, from_currency, to_currency, on)
        if pair is not None or self._base in (None, from_currency, to_currency):
            return pair
        base = str(self._base)
        first = self._of_pair(rate_type, from_currency, base, on)
        second = self._of_pair(rate_type, base, to_currency, on)
        if first is None or second is None:
            return None
        return Rate(
            EXACT.multiply(first.numerator, second.numerator),
            EXACT.multiply(first.denominator, second.denominator),
            rate_type,
            # The date from which this combination holds.
            max(first.valid_from or date.min, second.valid_from or date.min),
            f"via {base}",
        )

    def _of_pair(self, rate_type: str, from_currency: str, to_currency: str, on: date) -> Rate | None:
        direct = self._valid(rate_type, from_currency, to_currency, on)
        if direct is not None:
            return Rate(direct.rate, Decimal(direct.units), rate_type, direct.valid_from, "direct")
        reverse = self._valid(rate_type, to_currency, from_currency, on)
        if reverse is not None:
            return Rate(Decimal(reverse.units), reverse.rate, rate_type, reverse.valid_from, "reverse")
        return None

    def _valid(self, rate_type: str, from_currency: str, to_currency: str, on: date) -> Quotation | None:
        rows: Sequence[Quotation] = self._by_pair.get((rate_type.casefold(), from_currency, to_currency), ())
        return next((row for row in rows if row.valid_from <= on <= row.valid_to), None)


def convert(parts: Sequence[Decimal], rate: Rate, to_currency: str) -> Conversion:
    """Convert amounts that belong together: the total is rounded (half up), its parts by largest remainder.

    So the parts add up to the total, each within one minor unit of its own exact amount.
    """
    exponent = exponent_of(to_currency)
    exact = [scaled(_times(part, rate), exponent) for part in parts]
    total = round_half_up(sum(exact, Decimal(0)))
    shares = distribute(total, exact) if exact else []
    return Conversion(from_units(total, exponent), tuple(from_units(share, exponent) for share in shares), rate)


def _times(amount: Decimal, rate: Rate) -> Decimal:
    return EXACT.divide(EXACT.multiply(amount, rate.numerator), rate.denominator)


def _is_rate(rate: Decimal) -> bool:
    return rate.is_finite() and rate > 0 and abs(rate.adjusted()) < _MOST_EXPONENT
