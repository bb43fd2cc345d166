"""The functions that an expression is compiled to: each takes the environment and gives a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streams.transforms.expressions import operators
from streams.transforms.expressions.errors import EvaluationError
from streams.transforms.expressions.values import Environment, Value, as_condition, as_number, as_text, from_record

Evaluate = Callable[[Environment], Value]


def reader(root: str, names: Sequence[str]) -> Evaluate:
    """The field `names` of the record `root`."""
    if len(names) == 1:
        name = names[0]

        def read_field(env: Environment) -> Value:
            record = env.get(root)
            # A dict is by far the most frequent, and the exact type test is the cheapest.
            if type(record) is dict:
                value = record.get(name)
                return value if value is None or type(value) is str else from_record(value)
            return _read(record, names)

        return read_field
    return lambda env: _read(env.get(root), names)


def _read(record: object, names: Sequence[str]) -> Value:
    value = record
    for name in names:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise EvaluationError(f"a field {name} of something that has no fields")
        value = value.get(name)
    return from_record(value)


def any_of(parts: Sequence[Evaluate]) -> Evaluate:
    """`or`: stops at the first that is true."""
    return lambda env: any(as_condition(part(env)) for part in parts)


def all_of(parts: Sequence[Evaluate]) -> Evaluate:
    """`and`: stops at the first that is not true."""
    return lambda env: all(as_condition(part(env)) for part in parts)


def negated(part: Evaluate, negate: bool) -> Evaluate:
    """`not`, or the truth itself for an even number of them."""
    return lambda env: as_condition(part(env)) is not negate


def binary(apply: operators.Binary, left: Evaluate, right: Evaluate) -> Evaluate:
    """One operator between two parts."""
    return lambda env: apply(left(env), right(env))


def folded(first: Evaluate, rest: Sequence[tuple[operators.Binary, Evaluate]]) -> Evaluate:
    """A chain of operators of one level, from left to right."""

    def fold(env: Environment) -> Value:
        value = first(env)
        for apply, part in rest:
            value = apply(value, part(env))
        return value

    return fold


def coalesced(parts: Sequence[Evaluate]) -> Evaluate:
    """The first part that is not null; later ones are not evaluated."""

    def first_present(env: Environment) -> Value:
        for part in parts:
            value = part(env)
            if value is not None:
                return value
        return None

    return first_present


def signed(part: Evaluate, negative: bool) -> Evaluate:
    """`part` as a number, negated or not."""

    def signed(env: Environment) -> Value:
        value = part(env)
        if value is None:
            return None
        amount = as_number(value)
        return amount.copy_negate() if negative and amount else amount

    return signed


def chosen(condition: Evaluate, yes: Evaluate, no: Evaluate) -> Evaluate:
    """`if`: evaluates only the part it gives."""
    return lambda env: yes(env) if as_condition(condition(env)) else no(env)


def called(call: Callable[..., Value], arguments: Sequence[Evaluate]) -> Evaluate:
    """A function of evaluated arguments."""
    if len(arguments) == 1:
        (only,) = arguments
        return lambda env: call(only(env))
    return lambda env: call(*[argument(env) for argument in arguments])


def looked_up(get: Callable[[str], str | None], key: Evaluate, default: Evaluate | None = None) -> Evaluate:
    """Value of a key in a table whose look-up is `get`; the default is evaluated only when needed."""

    def look_up(env: Environment) -> Value:
        value = get(as_text(key(env)))
        return default(env) if value is None and default is not None else value

    return look_up
