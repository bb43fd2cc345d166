"""Forms in which customers are compared, for the flow that asks and for the index that answers."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

_VAT_SEPARATORS = str.maketrans(dict.fromkeys(" .-\t\u00a0"))


def normalise_vat(text: str) -> str:
    """VAT number in capitals, without blanks, dots and dashes."""
    return text.translate(_VAT_SEPARATORS).upper()


def normalise_name(text: str) -> str:
    """Name without case, with single blanks, trimmed, in one Unicode form."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def normalise_account(text: str) -> str:
    """Account number as AX compares it: without case and outer blanks."""
    return text.strip().upper()


def normalise_email(text: str) -> str:
    """E-mail address without case and blanks; mailboxes that differ in case alone are one in practice."""
    return text.strip().casefold()


NORMALISERS: Mapping[str, Callable[[str], str]] = {
    "our_account_number": normalise_account,
    "vat_number": normalise_vat,
    "name": normalise_name,
    "email": normalise_email,
}


def normalise(field_name: str, value: str) -> str:
    """`value` of customer field `field_name` in the form in which it is compared; empty means: matches nothing."""
    return NORMALISERS[field_name](value)
