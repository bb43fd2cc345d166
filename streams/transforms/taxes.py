"""Taxes of a line: the rate FreshBooks charges and the tax item group AX knows for it.

A table key names a tax with its percentage, `VAT 19`; two taxes are joined, `GST 5 + PST 7` in either order; a second
tax that is charged on the first too is marked, `GST 5 + QST 9.5 compounded`, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from schemas.failures import PoisonError
from schemas.records import InvoiceLine
from streams.transforms.expressions import LookupTable
from streams.transforms.money import EXACT

NO_RATE = Decimal(0)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class LineTax:
    """Tax item group in AX (None: no tax) and the rate as a fraction of the net amount, 0.19 for 19 percent."""

    item_group: str | None
    rate: Decimal


@dataclass(frozen=True, slots=True)
class TaxTable:
    """Taxes to tax item groups."""

    groups: LookupTable
    untaxed: str | None

    def of(self, line: InvoiceLine) -> LineTax:
        """Tax of `line`. Raises PoisonError `unknown_tax` naming the key to add."""
        first = _named(line.tax_name1, line.tax_percent1)
        second = _named(line.tax_name2, line.tax_percent2)
        if first is None and second is None:
            return LineTax(self.untaxed, NO_RATE)
        if first is None or second is None:
            name, rate = first or second or ("", NO_RATE)
            return LineTax(self._group(name), rate)
        rate = EXACT.add(first[1], second[1])
        if line.compounded_tax:
            key = f"{first[0]} + {second[0]} compounded"
            return LineTax(self._group(key), EXACT.add(rate, EXACT.multiply(first[1], second[1])))
        return LineTax(self._group(f"{first[0]} + {second[0]}", f"{second[0]} + {first[0]}"), rate)

    def _group(self, *keys: str) -> str:
        for key in keys:
            group = self.groups.get(key)
            if group is not None:
                return group
        raise PoisonError(
            "unknown_tax",
            f"finding the tax item group: {keys[0]!r} is not in table {self.groups.name}; add it and redrive",
            field="lines.tax_name",
        )


def _named(name: str | None, percent: Decimal | None) -> tuple[str, Decimal] | None:
    """Key part and rate of one tax, None when there is none."""
    label = (name or "").strip()
    if not label and not percent:
        return None
    share = percent or NO_RATE
    plain = format(share, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return f"{label or 'unnamed'} {plain}", EXACT.divide(share, _HUNDRED)
