"""Functions of the expression language. Each is total: null in, null out, unless its line says otherwise.

`if`, `coalesce` and `lookup` are compiled in `syntax.py`: the first two evaluate only what they need, the third binds
its table when compiling. docs/expressions.md is made from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from streams.transforms import cleaning
from streams.transforms.expressions.date_functions import add_days, days_between, format_date, month_end, parse
from streams.transforms.expressions.errors import EvaluationError
from streams.transforms.expressions.operators import equals, join
from streams.transforms.expressions.values import (
    ARITHMETIC,
    MAX_TEXT_LENGTH,
    Value,
    as_date,
    as_integer,
    as_number,
    as_text,
    bounded,
)
from streams.transforms.money import exponent_of

MANY = 32
_ROUNDINGS = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP}
_MAX_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how many arguments it takes, what it does, how it is written and explained.

    `call` is None for the three that the compiler builds itself.
    """

    fewest: int
    most: int
    call: Callable[..., Value] | None
    usage: str
    doc: str


def _textual(change: Callable[[str], str]) -> Callable[[Value], Value]:
    def call(text: Value) -> Value:
        return None if text is None else bounded(change(as_text(text)))

    return call


def _concat(*parts: Value) -> Value:
    text: Value = ""
    for part in parts:
        text = join(text, part)
    return text


def _substring(text: Value, start: Value, length: Value) -> Value:
    if text is None:
        return None
    begin = as_integer(start, 1, MAX_TEXT_LENGTH) - 1
    return as_text(text)[begin : begin + as_integer(length, 0, MAX_TEXT_LENGTH)]


def _replace(text: Value, old: Value, new: Value) -> Value:
    if text is None:
        return None
    whole, search, substitute = as_text(text), as_text(old), as_text(new)
    if not search:
        return whole
    # Counted first, so that the longest answer is never built.
    if len(whole) + whole.count(search) * (len(substitute) - len(search)) > MAX_TEXT_LENGTH:
        raise EvaluationError(f"a text longer than {MAX_TEXT_LENGTH} characters")
    return whole.replace(search, substitute)


def _starts_with(text: Value, start: Value) -> Value:
    return as_text(text).startswith(as_text(start))


def _contains(text: Value, part: Value) -> Value:
    return as_text(part) in as_text(text)


def _length(value: Value) -> Value:
    return Decimal(len(value) if isinstance(value, tuple) else len(as_text(value)))


def _is_empty(value: Value) -> Value:
    if isinstance(value, tuple):
        return not value
    return value is None or (isinstance(value, str) and not value.strip())


def _one_of(value: Value, *choices: Value) -> Value:
    return any(equals(value, choice) for choice in choices)


def _format(value: Value, pattern: Value) -> Value:
    if value is None:
        return None
    if isinstance(value, Decimal):
        places = as_integer(pattern, 0, _MAX_DECIMALS)
        return format(_rounded(value, places, "half_up"), "f")
    return format_date(as_date(value), as_text(pattern))


def _ends_with(text: Value, end: Value) -> Value:
    return as_text(text).endswith(as_text(end))


def _before(text: Value, mark: Value) -> Value:
    return None if text is None else _parted(text, mark)[0]


def _after(text: Value, mark: Value) -> Value:
    if text is None:
        return None
    _, found, rest = _parted(text, mark)
    return rest if found else None


def _parted(text: Value, mark: Value) -> tuple[str, str, str]:
    separator = as_text(mark)
    if not separator:
        raise EvaluationError("the mark is empty")
    return as_text(text).partition(separator)


def _pad_left(text: Value, length: Value, fill: Value) -> Value:
    if text is None:
        return None
    character = as_text(fill)
    if len(character) != 1:
        raise EvaluationError("one character to fill with is needed")
    return as_text(text).rjust(as_integer(length, 0, MAX_TEXT_LENGTH), character)


def _digits(text: Value) -> Value:
    return None if text is None else "".join(char for char in as_text(text) if char in "0123456789")


def _least(*values: Value) -> Value:
    return _extreme(values, greatest=False)


def _greatest(*values: Value) -> Value:
    return _extreme(values, greatest=True)


def _extreme(values: Sequence[Value], *, greatest: bool) -> Value:
    """The least or greatest number or date; nulls do not count, as there is nothing to compare."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    if all(isinstance(value, Decimal) for value in present):
        numbers = [as_number(value) for value in present]
        return max(numbers) if greatest else min(numbers)
    dates = [as_date(value) for value in present]
    return max(dates) if greatest else min(dates)


def _decimals(currency: Value) -> Value:
    return None if currency is None else Decimal(exponent_of(as_text(currency)))


def _round(amount: Value, places: Value, rounding: Value = "half_even") -> Value:
    if amount is None:
        return None
    return _rounded(as_number(amount), as_integer(places, 0, _MAX_DECIMALS), as_text(rounding))


def _rounded(amount: Decimal, places: int, rounding: str) -> Decimal:
    if rounding not in _ROUNDINGS:
        raise EvaluationError("the rounding is half_even or half_up")
    step = Decimal(1).scaleb(-places)
    rounded = amount.quantize(step, rounding=_ROUNDINGS[rounding], context=ARITHMETIC)
    if not rounded.is_finite():
        raise EvaluationError(f"a number too large for {places} decimals")
    return rounded


def _abs(amount: Value) -> Value:
    return None if amount is None else as_number(amount).copy_abs()


FUNCTIONS: dict[str, Function] = {
    "if": Function(3, 3, None, "if(condition, a, b)", "a when the condition is true, else b; null counts as false"),
    "coalesce": Function(1, MANY, None, "coalesce(a, b, …)", "the first that is not null; a ?? b is the same"),
    "lookup": Function(
        2, 3, None, 'lookup("table", key[, default])', "the table's value for the key, else the default, else null"
    ),
    "trim": Function(1, 1, _textual(str.strip), "trim(text)", "without white space at the ends"),
    "collapse": Function(1, 1, _textual(cleaning.collapse), "collapse(text)", "every run of white space as one blank"),
    "upper": Function(1, 1, _textual(str.upper), "upper(text)", "in capitals"),
    "lower": Function(1, 1, _textual(str.lower), "lower(text)", "in small letters"),
    "strip_control": Function(
        1, 1, _textual(cleaning.strip_control), "strip_control(text)", "on one line, without control characters"
    ),
    "concat": Function(1, MANY, _concat, "concat(a, b, …)", "joined as text, null as nothing; a & b is the same"),
    "substring": Function(3, 3, _substring, "substring(text, start, length)", "part of the text; start counts from 1"),
    "replace": Function(3, 3, _replace, "replace(text, old, new)", "with every old replaced by new"),
    "starts_with": Function(2, 2, _starts_with, "starts_with(text, start)", "true when it begins so; null as nothing"),
    "ends_with": Function(2, 2, _ends_with, "ends_with(text, end)", "true when it ends so; null as nothing"),
    "before": Function(2, 2, _before, "before(text, mark)", "what stands before the first mark; all if none"),
    "after": Function(2, 2, _after, "after(text, mark)", "what stands after the first mark; null when there is none"),
    "pad_left": Function(3, 3, _pad_left, "pad_left(text, length, fill)", "filled on the left to that length"),
    "digits": Function(1, 1, _digits, "digits(text)", "its digits 0 to 9 alone"),
    "contains": Function(2, 2, _contains, "contains(text, part)", "true when the part occurs; null as nothing"),
    "length": Function(1, 1, _length, "length(value)", "characters of a text, elements of a list; 0 for null"),
    "is_empty": Function(1, 1, _is_empty, "is_empty(value)", "true for null, blank text and an empty list"),
    "one_of": Function(2, MANY, _one_of, "one_of(value, a, b, …)", "true when the value equals one of them"),
    "date": Function(
        1,
        2,
        parse,
        'date(value[, "Europe/Berlin"])',
        "the date of an instant (in that zone, else UTC), of an ISO text",
    ),
    "add_days": Function(2, 2, add_days, "add_days(date, days)", "the date so many days later; days may be negative"),
    "days_between": Function(
        2, 2, days_between, "days_between(from, to)", "days from one date to another; negative when it is earlier"
    ),
    "month_end": Function(1, 1, month_end, "month_end(date)", "the last day of its month"),
    "format": Function(
        2, 2, _format, "format(value, pattern)", "a date by YYYY, MM, DD; a number with so many decimals (half up)"
    ),
    "round": Function(
        2, 3, _round, 'round(number, decimals[, "half_up"])', "rounded half to even, or half up when said"
    ),
    "abs": Function(1, 1, _abs, "abs(number)", "without its sign"),
    "min": Function(1, MANY, _least, "min(a, b, …)", "the least number or the earliest date; nulls do not count"),
    "max": Function(1, MANY, _greatest, "max(a, b, …)", "the greatest number or the latest date; nulls do not count"),
    "decimals": Function(1, 1, _decimals, "decimals(currency)", "decimals of a currency's minor unit (ISO 4217)"),
}
