"""Forms in which customers are compared, for the flow that asks and for the index that answers."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rapidfuzz import fuzz

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


def comparable_name(text: str) -> str:
    """Name for scoring: without case, accents and punctuation, so that only words count."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join("".join(char if char.isalnum() else " " for char in plain.casefold()).split())


def alike(name: str, rows: Iterable[Any], score_from: float) -> list[tuple[float, Any]]:
    """Rows whose `name` scores at least `score_from` against `name`, the best first, then by account number.

    The score is that of rapidfuzz's token_sort_ratio over comparable names: the share of characters that agree once
    the words are sorted. A name without letters and digits is like nothing.
    """
    wanted = comparable_name(name)
    if not wanted:
        return []
    found = []
    for row in rows:
        score = fuzz.token_sort_ratio(wanted, comparable_name(row.name), score_cutoff=score_from)
        if score:
            found.append((score, row))
    return sorted(found, key=lambda pair: (-pair[0], pair[1].account_number))


NORMALISERS: Mapping[str, Callable[[str], str]] = {
    "our_account_number": normalise_account,
    "vat_number": normalise_vat,
    "name": normalise_name,
    "email": normalise_email,
}


def normalise(field_name: str, value: str) -> str:
    """`value` of customer field `field_name` in the form in which it is compared; empty means: matches nothing."""
    return NORMALISERS[field_name](value)
