"""Amounts of an invoice as AX shall hold them: lines, discount lines and taxes that add up to FreshBooks' total.

Everything is counted in whole minor units of the invoice's currency.

1. Line amounts as FreshBooks states them. Any that has digits below the minor unit is rounded, all together, so that
   their sum is their rounded sum.
2. The discount becomes one negative line per tax item group: the discount's percentage of the group's lines where that
   explains the discount, else in proportion to them. (Where groups of opposite signs nearly cancel, a proportion would
   blow the cent by which FreshBooks rounded the discount up to large amounts.)
3. The tax is what is left of FreshBooks' total. It must agree with the tax computed from the rates, up to a tolerance
   per line (FreshBooks rounds each tax by itself), and is shared over the taxed lines by largest remainder.

So the sum over lines of amount and tax is FreshBooks' total, or the invoice is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from msgspec.structs import replace

from schemas.failures import PoisonError
from schemas.records import CreditNote, Invoice, InvoiceLine
from streams.transforms.decisions import Loss
from streams.transforms.money import EXACT, allocate, distribute, exponent_of, from_units, round_half_up, scaled
from streams.transforms.taxes import LineTax, TaxTable

# InvoiceUnitPrice in AX (reference ax-aif, section 7).
_PRICE_STEP = Decimal("0.001")
# Avro's decimal(19,4): beyond it the command could not be written.
_LARGEST_AMOUNT = Decimal(10) ** 15
_ONE = Decimal(1)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Pricing:
    """How amounts are computed: the flow's settings."""

    taxes: TaxTable
    keep_quantity: Literal["rounded", "exact"]
    zero_lines: Literal["keep", "drop"]
    tolerance_units_per_line: int


@dataclass(frozen=True, slots=True)
class PricedLine:
    """Amounts of one AX line. `index` is FreshBooks' line, None for a discount line."""

    index: int | None
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    tax_amount: Decimal
    tax_item_group: str | None


@dataclass(frozen=True, slots=True)
class Priceable:
    """What pricing reads of an invoice or a credit note."""

    currency_code: str
    amount: Decimal
    discount_percent: Decimal
    discount_total: Decimal
    lines: Sequence[InvoiceLine]


def priceable(record: Invoice | CreditNote, *, negative: bool = False) -> Priceable:
    """`record` to be priced; a credit note (it has no discount) is priced with its amounts negated."""
    if negative:
        lines = [replace(line, quantity=-line.quantity, amount=-line.amount) for line in record.lines]
        return Priceable(record.currency_code, -record.amount, Decimal(0), Decimal(0), lines)
    if isinstance(record, Invoice):
        return Priceable(
            record.currency_code, record.amount, record.discount_percent, record.discount_total, record.lines
        )
    return Priceable(record.currency_code, record.amount, Decimal(0), Decimal(0), record.lines)


def price(invoice: Priceable, pricing: Pricing, losses: list[Loss]) -> list[PricedLine]:
    """Lines of `invoice` for AX; empty when all are zero lines that the settings drop.

    Raises PoisonError: `unknown_tax`, `amount_out_of_range`, `amount_precision`, `totals_do_not_add_up`.
    """
    _check_range(invoice)
    exponent = exponent_of(invoice.currency_code)
    total = _total_units(invoice.amount, exponent)
    taxes = [pricing.taxes.of(line) for line in invoice.lines]
    units = _line_units(invoice.lines, exponent, losses)
    kept = [index for index, amount in enumerate(units) if amount or pricing.zero_lines == "keep"]
    if not kept:
        if total:
            raise _disagreement(total, 0)
        return []
    discounts = _discounts(
        _discount_units(invoice.discount_total, exponent, losses),
        EXACT.divide(invoice.discount_percent, _HUNDRED),
        [units[index] for index in kept],
        [taxes[index] for index in kept],
    )
    net = [(units[index], taxes[index]) for index in kept] + discounts
    tax_units = _share_tax(total, net, pricing.tolerance_units_per_line * len(net))
    largest = round_half_up(scaled(_LARGEST_AMOUNT, exponent))
    if any(abs(units) >= largest for units in (*(amount for amount, _ in net), *tax_units)):
        raise _out_of_range()
    lines = []
    for place, (amount, tax) in enumerate(net):
        index = kept[place] if place < len(kept) else None
        value = from_units(amount, exponent)
        quantity, unit_price = (_ONE, value)
        if index is not None:
            quantity, unit_price = _quantity(
                invoice.lines[index], index, amount, exponent, pricing.keep_quantity, losses
            )
        lines.append(
            PricedLine(index, quantity, unit_price, value, from_units(tax_units[place], exponent), tax.item_group)
        )
    return lines


def _check_range(invoice: Priceable) -> None:
    amounts = [invoice.amount, invoice.discount_total, invoice.discount_percent]
    for line in invoice.lines:
        amounts += (line.quantity, line.unit_cost, line.amount, line.tax_percent1 or _ONE, line.tax_percent2 or _ONE)
    for amount in amounts:
        if not amount.is_finite() or not -_LARGEST_AMOUNT < amount < _LARGEST_AMOUNT:
            raise _out_of_range()


def _out_of_range() -> PoisonError:
    return PoisonError(
        "amount_out_of_range", "pricing the invoice: a number has over 15 digits; correct it", field="lines"
    )


def _total_units(amount: Decimal, exponent: int) -> int:
    units = scaled(amount, exponent)
    if units != units.to_integral_value():
        raise PoisonError(
            "amount_precision",
            f"pricing the invoice: its total has more than the currency's {exponent} decimals; correct it",
            field="amount",
        )
    return int(units)


def _line_units(lines: Sequence[InvoiceLine], exponent: int, losses: list[Loss]) -> list[int]:
    exact = [scaled(line.amount, exponent) for line in lines]
    whole = [int(units) for units in exact]
    if all(units == amount for units, amount in zip(whole, exact, strict=True)):
        return whole
    rounded = distribute(round_half_up(sum(exact, Decimal(0))), exact)
    for index, (units, amount) in enumerate(zip(rounded, exact, strict=True)):
        if units != amount:
            losses.append(Loss(f"lines.{index}.amount", "rounded", f"to {exponent} decimals"))
    return rounded


def _discount_units(discount: Decimal, exponent: int, losses: list[Loss]) -> int:
    exact = scaled(discount, exponent)
    units = round_half_up(exact)
    if units != exact:
        losses.append(Loss("discount_total", "rounded", f"to {exponent} decimals"))
    return units


def _discounts(
    discount: int, rate: Decimal, units: Sequence[int], taxes: Sequence[LineTax]
) -> list[tuple[int, LineTax]]:
    # A percentage of lines that cancel each other can be nothing in all and something in each group.
    if not discount and not rate:
        return []
    groups: dict[LineTax, int] = {}
    for amount, tax in zip(units, taxes, strict=True):
        groups[tax] = groups.get(tax, 0) + amount
    ideal = [EXACT.multiply(Decimal(amount), rate) for amount in groups.values()]
    explained = abs(sum(ideal, Decimal(0)) - discount) <= 1
    shares = distribute(discount, ideal) if explained else allocate(discount, list(groups.values()))
    return [(-share, tax) for tax, share in zip(groups, shares, strict=True) if share]


def _share_tax(total: int, net: Sequence[tuple[int, LineTax]], tolerance: int) -> list[int]:
    stated = total - sum(amount for amount, _ in net)
    ideal = [EXACT.multiply(Decimal(amount), tax.rate) for amount, tax in net]
    taxed = [place for place, share in enumerate(ideal) if share]
    computed = sum(ideal, Decimal(0))
    if abs(computed - stated) > tolerance or (stated and not taxed):
        raise _disagreement(stated, round_half_up(computed))
    shares = [0] * len(net)
    if taxed:
        for place, share in zip(taxed, distribute(stated, [ideal[place] for place in taxed]), strict=True):
            shares[place] = share
    return shares


def _disagreement(stated: int, computed: int) -> PoisonError:
    return PoisonError(
        "totals_do_not_add_up",
        f"pricing the invoice: its total leaves {stated} minor units of tax, the rates give {computed}; "
        "check lines, discount and taxes in FreshBooks",
        field="amount",
    )


def _quantity(
    line: InvoiceLine, index: int, units: int, exponent: int, keep: str, losses: list[Loss]
) -> tuple[Decimal, Decimal]:
    """Quantity and unit price whose product AX recomputes as the amount; 1 and the amount where they do not give it."""
    unit_price = line.unit_cost.quantize(_PRICE_STEP, ROUND_HALF_EVEN, EXACT)
    product = scaled(EXACT.multiply(line.quantity, unit_price), exponent)
    if product == units or (keep == "rounded" and round_half_up(product) == units):
        if unit_price != line.unit_cost:
            losses.append(Loss(f"lines.{index}.unit_price", "rounded", "to 3 decimals"))
        return line.quantity, unit_price
    losses.append(Loss(f"lines.{index}.quantity", "rounded", "quantity times price does not give the amount"))
    return _ONE, from_units(units, exponent)
