"""Values of the expression language, their conversions and their limits.

Kinds: null, boolean, text, number (Decimal), date, instant (aware datetime), list (only to ask for its length).
Integers of a record become numbers. A float, a naive datetime or a nested mapping is refused: records hold none, so
one in the input is a fault of the producer, not a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from streams.transforms.expressions.errors import EvaluationError

Value = None | bool | str | Decimal | date | tuple[Any, ...]
Environment = Mapping[str, Any]

# Limits: what one expression may cost at worst. The text limit is far above AX's longest field (1000).
MAX_EXPRESSION_LENGTH = 1000
MAX_DEPTH = 24
MAX_TEXT_LENGTH = 10_000
MAX_EXPONENT = 40

# 40 digits hold the product of two Avro amounts (19 digits each) exactly. Nothing traps: a result that is no number
# is found by `number`.
ARITHMETIC = Context(prec=MAX_EXPONENT, rounding=ROUND_HALF_EVEN, traps=[])
ZERO = Decimal(0)


def number(value: Decimal) -> Decimal:
    """`value` inside the limits. Raises EvaluationError when it is not finite or needs over 40 digits."""
    if not value:
        return ZERO
    if not value.is_finite() or not -MAX_EXPONENT <= value.adjusted() < MAX_EXPONENT:
        raise EvaluationError("a number outside 1e-40 to 1e40")
    return ARITHMETIC.plus(value)


def bounded(text: str) -> str:
    """`text` unless it is too long."""
    if len(text) > MAX_TEXT_LENGTH:
        raise EvaluationError(f"a text longer than {MAX_TEXT_LENGTH} characters")
    return text


def from_record(value: object) -> Value:
    """A record's value as a value of the language."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, int):
        return number(Decimal(value))
    if isinstance(value, datetime) and value.tzinfo is None:
        raise EvaluationError("an instant without a time zone")
    if isinstance(value, date):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(value)
    raise EvaluationError(f"a {type(value).__name__}, which is no value")


def kind(value: Value) -> str:
    """Name of a value's kind, for messages and for comparing."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Decimal):
        return "number"
    if isinstance(value, datetime):
        return "instant"
    return "date" if isinstance(value, date) else "list"


def as_text(value: Value) -> str:
    """Text form: numbers plain without trailing zeros, dates in ISO 8601, null as the empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        plain = format(value, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    if isinstance(value, date):
        return value.isoformat()
    raise EvaluationError("a text is needed, this is a list")


def as_number(value: Value) -> Decimal:
    """The number that `value` is."""
    if isinstance(value, Decimal):
        return value
    raise EvaluationError(f"a number is needed, this is a {kind(value)}")


def as_integer(value: Value, low: int, high: int) -> int:
    """A whole number between `low` and `high`, both included."""
    amount = as_number(value)
    if amount != amount.to_integral_value() or not low <= amount <= high:
        raise EvaluationError(f"a whole number from {low} to {high} is needed")
    return int(amount)


def as_date(value: Value) -> date:
    """The date that `value` is, or the UTC date of an instant."""
    if isinstance(value, date):
        return to_date(value)
    raise EvaluationError(f"a date is needed, this is a {kind(value)}")


def to_date(value: date) -> date:
    """A date as it is, an instant as its date in its own zone (records are UTC)."""
    return value.date() if isinstance(value, datetime) else value


def as_condition(value: Value) -> bool:
    """Truth of a condition: null counts as false, anything but a boolean is refused."""
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise EvaluationError(f"a condition is needed, this is a {kind(value)}")
