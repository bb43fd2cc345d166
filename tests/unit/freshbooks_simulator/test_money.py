"""Invoice arithmetic: the rounding rule that sandbox/freshbooks/money.py states."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.freshbooks.money import PricedLine, money, price, totals


def line(qty: str, cost: str, *taxes: tuple[str, str], compounded: bool = False) -> PricedLine:
    return PricedLine(Decimal(qty), Decimal(cost), tuple((name, Decimal(rate)) for name, rate in taxes), compounded)


@pytest.mark.parametrize(
    ("code", "qty", "cost", "amount"),
    [
        ("USD", "1", "0.005", "0.01"),
        ("USD", "3", "33.335", "100.01"),
        ("USD", "-1", "0.005", "-0.01"),
        ("JPY", "1", "99.5", "100"),
        ("KWD", "1", "0.0005", "0.001"),
    ],
)
def test_line_amount_is_rounded_half_up_to_the_currency(code: str, qty: str, cost: str, amount: str) -> None:
    assert money(line(qty, cost).amount(code), code) == {"amount": amount, "code": code}


def test_tax_is_taken_on_the_discounted_line_and_rounded_once_per_tax() -> None:
    sums = totals([line("1", "10.05", ("HST", "13")), line("1", "10.05", ("HST", "13"))], Decimal(10), "USD")
    assert (sums.subtotal, sums.discount) == (Decimal("20.10"), Decimal("2.01"))
    # 2 x 10.05 x 0.9 x 13 % = 2.3517: rounding per line would give 2.36.
    assert [(tax.name, tax.amount) for tax in sums.taxes] == [("HST", Decimal("2.35"))]
    assert sums.amount == Decimal("20.44")


def test_different_rates_of_one_name_are_different_taxes() -> None:
    sums = totals([line("1", "100", ("VAT", "7")), line("1", "100", ("VAT", "19"))], Decimal(0), "EUR")
    assert [(tax.rate, tax.amount) for tax in sums.taxes] == [
        (Decimal(7), Decimal("7.00")),
        (Decimal(19), Decimal("19.00")),
    ]


def test_a_compounded_tax_is_taken_on_the_first_one_too() -> None:
    sums = totals([line("1", "100", ("GST", "5"), ("QST", "10"), compounded=True)], Decimal(0), "CAD")
    assert [tax.amount for tax in sums.taxes] == [Decimal("5.00"), Decimal("10.50")]


def test_nothing_invoiced_is_zero() -> None:
    assert totals([], Decimal(0), "USD").amount == 0


def test_unit_prices_keep_finer_decimals() -> None:
    assert price(Decimal("0.12345"), "USD")["amount"] == "0.12345"
    assert price(Decimal("7"), "USD")["amount"] == "7.00"
    assert price(Decimal("1E+2"), "JPY")["amount"] == "100"
