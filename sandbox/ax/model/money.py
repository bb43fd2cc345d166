"""Rounding to the decimals of a currency."""

from decimal import ROUND_HALF_UP, Decimal

NO_DECIMALS = frozenset({"JPY", "KRW", "ISK", "CLP"})


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round half up to the currency's decimals."""
    return amount.quantize(Decimal(1) if currency in NO_DECIMALS else Decimal("0.01"), ROUND_HALF_UP)
