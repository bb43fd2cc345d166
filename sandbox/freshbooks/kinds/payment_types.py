"""How somebody paid: the same list for payments of invoices and of bills (reference §6.4, §6.5)."""

from __future__ import annotations

from typing import Final

from sandbox.freshbooks.values import invalid_value, mapping_error

TYPES: Final = (
    "Check",
    "Credit",
    "Cash",
    "Bank Transfer",
    "Credit Card",
    "Debit",
    "PayPal",
    "2Checkout",
    "VISA",
    "MASTERCARD",
    "DISCOVER",
    "AMEX",
    "DINERS",
    "JCB",
    "ACH",
    "Other",
)


def payment_type(key: str, value: object) -> object:
    """Return the type; another word, also one in lower case, is 422/1004."""
    if not isinstance(value, str):
        raise mapping_error(key, value)
    if value not in TYPES:
        raise invalid_value(key, value, "not a payment type")
    return value
