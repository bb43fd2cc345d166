"""Dates and decimals as the control API writes them."""

from datetime import datetime
from decimal import Decimal


def date_text(value: datetime) -> str | None:
    """Return the ISO date, None for AX's null date."""
    return None if value.year == 1900 else value.date().isoformat()


def decimal_text(value: Decimal) -> str:
    """Return a decimal without trailing zeros and without exponent."""
    return f"{value.normalize():f}" if value else "0"
