"""What a writable key accepts: converters from a sent JSON value to the stored one.

A converter takes (key, value) and returns the stored value, or raises `Refused`. The errno per type follows the table
of reference §8 by its names (1015 mapping, 1004 invalid value, 1018 percent, 1017 length): the pairing is inferred,
except that a string `status` gives 422/1015.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.money import price

Converter = Callable[[str, object], object]

MAX_TEXT: Final = (
    255  # Undocumented (reference §10.1): a bound that real lengths surely exceed in notes, so those use MAX_NOTE.
)
MAX_NOTE: Final = 65_535


def mapping_error(key: str, value: object) -> Refused:
    """Return the 422/1015 for a value of the wrong JSON type."""
    return Refused(422, 1015, f"'{key}' has a value of the wrong type.", key, value=str(value))


def invalid_value(key: str, value: object, reason: str) -> Refused:
    """Return the 422/1004 for a value out of its range or form."""
    return Refused(422, 1004, f"'{key}': {reason}", key, value=str(value))


def text_of(max_length: int) -> Converter:
    """Return a converter for text or null; numbers become text; longer than `max_length` is 422/1017."""

    def convert(key: str, value: object) -> object:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            raise mapping_error(key, value)
        text = str(value)
        if len(text) > max_length:
            raise Refused(422, 1017, f"'{key}' is longer than {max_length} characters.", key, value=text[:50])
        return text

    return convert


text = text_of(MAX_TEXT)
note = text_of(MAX_NOTE)


def integer(key: str, value: object) -> object:
    """Return an int or null; a string of digits counts."""
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,15}", value):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise mapping_error(key, value)
    if abs(value) >= 10**15:
        raise invalid_value(key, value, "out of range")
    return value


def id_or_none(key: str, value: object) -> object:
    """Return an id; none is 0, however it was sent (reference §5.5)."""
    return integer(key, value) or 0


def boolean(key: str, value: object) -> object:
    """Return a bool; nothing else is accepted."""
    if isinstance(value, bool):
        return value
    raise mapping_error(key, value)


def day(key: str, value: object) -> object:
    """Return "YYYY-MM-DD"; null is refused (a date key that may be empty uses `optional_day`)."""
    if not isinstance(value, str):
        raise mapping_error(key, value)
    try:
        return date.fromisoformat(value).isoformat() if len(value) == 10 else _bad_day(key, value)
    except ValueError as error:
        raise invalid_value(key, value, "not a date (YYYY-MM-DD)") from error


def _bad_day(key: str, value: str) -> str:
    raise invalid_value(key, value, "not a date (YYYY-MM-DD)")


def optional_day(key: str, value: object) -> object:
    """Return "YYYY-MM-DD" or null."""
    return None if value is None else day(key, value)


def decimal(key: str, value: object) -> Decimal:
    """Return the finite number in a string or JSON number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise mapping_error(key, value)
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise invalid_value(key, value, "not a number") from error
    # Bounds of our own: beyond them arithmetic and plain notation would blow up.
    if not number.is_finite() or number.adjusted() > 15 or int(number.as_tuple().exponent) < -12:
        raise invalid_value(key, value, "not a number")
    return number


def percent(key: str, value: object) -> object:
    """Return a percentage 0 to 100 as a string ("13", "0"); outside it is 422/1018."""
    number = decimal(key, value)
    if not 0 <= number <= 100:
        raise Refused(422, 1018, f"'{key}' is not a percentage.", key, value=str(value))
    return format(number, "f")


def money_value(key: str, value: object) -> object:
    """Return {"amount", "code"} with a string decimal; `code` may be missing (None), the kind then fills it."""
    if value is None:
        return None
    if not isinstance(value, dict) or "amount" not in value:
        raise mapping_error(key, value)
    code = value.get("code")
    if code is not None and (not isinstance(code, str) or len(code) != 3):
        raise invalid_value(key, code, "not a currency code")
    return {"amount": price(decimal(key, value["amount"]), code or "USD")["amount"], "code": code}


def currency(key: str, value: object) -> object:
    """Return a three-letter upper-case currency code."""
    if isinstance(value, str) and len(value) == 3 and value.isalpha() and value.isupper():
        return value
    raise invalid_value(key, value, "not a currency code")


def whole_between(low: int, high: int, reason: str) -> Converter:
    """Return a converter for a JSON int in low..high; a string is 422/1015, another number 422/1004 with `reason`."""

    def convert(key: str, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int):
            raise mapping_error(key, value)
        if not low <= value <= high:
            raise invalid_value(key, value, reason)
        return value

    return convert
