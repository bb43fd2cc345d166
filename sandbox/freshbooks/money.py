"""Money as FreshBooks writes it, and the arithmetic of an invoice.

The rounding rule is not documented anywhere we could read; this one is *inferred*:

1. line amount = qty x unit_cost, rounded half-up to the currency's exponent;
2. subtotal = sum of the line amounts;
3. discount = subtotal x discount_value %, rounded half-up;
4. each line is taxed on its discounted amount (line amount x (1 - discount %), not rounded); with `compounded_tax` the
   second tax is taken on the amount including the first;
5. taxes of the same name and rate are summed over the lines and then rounded half-up: one total per tax;
6. amount = subtotal - discount + tax totals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

ZERO: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)
# ISO 4217 minor units other than 2, for the currencies FreshBooks offers that differ.
_EXPONENTS: Final = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF"), 0
    ),
    **dict.fromkeys(("XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def exponent(code: str) -> int:
    """Return the number of decimals of the currency."""
    return _EXPONENTS.get(code, 2)


def rounded(amount: Decimal, code: str) -> Decimal:
    """Return `amount` rounded half-up (away from zero) to the currency's exponent."""
    return amount.quantize(Decimal(1).scaleb(-exponent(code)), ROUND_HALF_UP)


def money(amount: Decimal, code: str) -> dict[str, str]:
    """Return the wire form, rounded."""
    return {"amount": format(rounded(amount, code), "f"), "code": code}


def price(amount: Decimal, code: str) -> dict[str, str]:
    """Return the wire form of a unit price: at least the currency's decimals, finer ones kept."""
    given = -int(amount.as_tuple().exponent)
    return money(amount, code) if given <= exponent(code) else {"amount": format(amount, "f"), "code": code}


@dataclass(frozen=True, slots=True)
class PricedLine:
    """What pricing needs of a line; `taxes` are (name, percent), none with rate 0."""

    qty: Decimal
    unit_cost: Decimal
    taxes: tuple[tuple[str, Decimal], ...] = ()
    compounded: bool = False

    def amount(self, code: str) -> Decimal:
        """Return qty x unit cost, rounded: before discount and tax."""
        return rounded(self.qty * self.unit_cost, code)


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """One tax of an invoice, summed over its lines."""

    name: str
    rate: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """The computed sums of an invoice, all rounded."""

    subtotal: Decimal
    discount: Decimal
    taxes: tuple[TaxTotal, ...]

    @property
    def amount(self) -> Decimal:
        """Return what the client owes: subtotal - discount + taxes."""
        return self.subtotal - self.discount + sum((tax.amount for tax in self.taxes), ZERO)


def totals(lines: Sequence[PricedLine], discount_percent: Decimal, code: str) -> Totals:
    """Return the sums of `lines` by the rule in the module docstring."""
    amounts = [line.amount(code) for line in lines]
    subtotal = sum(amounts, ZERO)
    kept = 1 - discount_percent / _HUNDRED
    sums: dict[tuple[str, Decimal], Decimal] = {}
    for line, amount in zip(lines, amounts, strict=True):
        base = amount * kept
        for name, rate in line.taxes:
            tax = base * rate / _HUNDRED
            sums[name, rate] = sums.get((name, rate), ZERO) + tax
            if line.compounded:
                base += tax
    taxes = tuple(TaxTotal(name, rate, rounded(tax, code)) for (name, rate), tax in sums.items())
    return Totals(rounded(subtotal, code), rounded(subtotal * discount_percent / _HUNDRED, code), taxes)
