"""Operators on values. Null goes through arithmetic and ordering, is nothing in `&`, and equals only null."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from streams.transforms.expressions.errors import EvaluationError
from streams.transforms.expressions.values import ARITHMETIC, Value, as_number, as_text, bounded, kind, number

Binary = Callable[[Value, Value], Value]


def _arithmetic(compute: Callable[[Decimal, Decimal], Decimal]) -> Binary:
    def apply(left: Value, right: Value) -> Value:
        if left is None or right is None:
            return None
        return number(compute(as_number(left), as_number(right)))

    return apply


def _divide(left: Decimal, right: Decimal) -> Decimal:
    return ARITHMETIC.divide(left, right)


def divide(left: Value, right: Value) -> Value:
    """Quotient of 40 digits; null when the divisor is 0, so that `??` can name the answer."""
    if isinstance(right, Decimal) and not right:
        return None
    return _QUOTIENT(left, right)


def join(left: Value, right: Value) -> Value:
    """Text of `left` followed by text of `right`."""
    return bounded(as_text(left) + as_text(right))


def equals(left: Value, right: Value) -> bool:
    """True when both are of one kind and equal. `1 == "1"` is false, never an error."""
    return kind(left) == kind(right) and left == right


def differs(left: Value, right: Value) -> bool:
    """The contrary of `equals`."""
    return not equals(left, right)


def _ordering(compare: Callable[[Any, Any], bool]) -> Binary:
    def apply(left: Value, right: Value) -> Value:
        if left is None or right is None:
            return None
        if kind(left) != kind(right) or not isinstance(left, (str, Decimal, date)):
            raise EvaluationError(f"a {kind(left)} and a {kind(right)} have no order")
        return compare(left, right)

    return apply


_QUOTIENT = _arithmetic(_divide)

ARITHMETIC_OPERATORS: dict[str, Binary] = {
    "+": _arithmetic(ARITHMETIC.add),
    "-": _arithmetic(ARITHMETIC.subtract),
    "*": _arithmetic(ARITHMETIC.multiply),
    "/": divide,
    "&": join,
}
COMPARISONS: dict[str, Binary] = {
    "==": equals,
    "!=": differs,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
}
