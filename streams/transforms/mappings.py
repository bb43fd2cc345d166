"""Compiles a mapping file to a function: environment in, values of the target's fields and a list of losses out.

Per field: source → table → type → default → length. Each step that loses something says so; each that cannot go on
raises PoisonError with the field's name. Texts are put into Unicode form NFC and trimmed; an empty text is no value.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from schemas.failures import PoisonError
from streams.transforms import cleaning
from streams.transforms.compiling import Problems
from streams.transforms.decisions import Loss
from streams.transforms.declarations import FieldRule, MappingFile
from streams.transforms.exchange_rates import NO_END
from streams.transforms.expressions import LookupTable, Scope, Value
from streams.transforms.expressions.errors import EvaluationError, suggestion
from streams.transforms.expressions.values import ARITHMETIC, as_text, kind, number, to_date
from streams.transforms.targets import TARGETS, TargetField

Environment = Mapping[str, Any]
_ROUNDINGS = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP}
# AX's null date is 1900-01-01: it would stand for no date at all (reference ax-aif, section 5).
_FIRST_DAY = date(1900, 1, 2)
# So much of an unknown key is shown: enough to add the row.
_SHOWN = 40
_ENCODINGS = {"windows-1252": "cp1252"}
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class FieldProgram:
    """One compiled field."""

    name: str
    value: Callable[[Environment, str, list[Loss]], Any]


@dataclass(frozen=True, slots=True)
class MappingProgram:
    """A compiled mapping."""

    name: str
    fields: tuple[FieldProgram, ...]

    def apply(self, env: Environment, losses: list[Loss], prefix: str = "") -> dict[str, Any]:
        """Value per target field, None where there is none. Losses are appended with `prefix` before their field.

        Raises PoisonError: `expression_failed`, `field_missing`, `field_too_long`, `field_type`, `field_unknown`,
        `date_out_of_range`.
        """
        return {field.name: field.value(env, prefix, losses) for field in self.fields}


def compile_mapping(declared: MappingFile, scope: Scope, problems: Problems) -> MappingProgram:
    """Compile `declared` for the names of `scope`; what is wrong goes to `problems`."""
    target = TARGETS[declared.target]
    fields = []
    for name, rule in declared.fields.items():
        known = target.get(name)
        if known is None:
            problems.add(f"fields.{name}", f"{declared.target} has no such field", suggestion(name, target))
            continue
        _check_rule(name, rule, known, problems)
        fields.append(FieldProgram(name, _compile_field(name, rule, known, scope, problems)))
    for name in sorted({name for name, known in target.items() if known.required} - declared.fields.keys()):
        problems.add("fields", f"{declared.target} needs {name}", "add it")
    return MappingProgram(declared.mapping, tuple(fields))


def _check_rule(name: str, rule: FieldRule, known: TargetField, problems: Problems) -> None:
    key = f"fields.{name}"
    if rule.type != known.kind:
        problems.add(key, f"type {rule.type}, the target's is {known.kind}", f"write type: {known.kind}")
    if (rule.scale is None) is (rule.type == "decimal"):
        problems.add(key, "scale belongs to type decimal, which needs it", "add or remove scale")
    if rule.length is not None and known.length is not None and rule.length > known.length:
        problems.add(key, f"length {rule.length} is more than the target's {known.length}", "write a smaller length")
    if rule.on_overflow == "truncate_hash" and (rule.length or known.length or 0) <= 2 * cleaning.HASH_SUFFIX_LENGTH:
        problems.add(key, "too short for a hash suffix, or without length", "use truncate, or write a longer length")
    if known.required and not rule.required:
        problems.add(key, "the target needs this field", "write required: true")


def _compile_field(
    name: str, rule: FieldRule, known: TargetField, scope: Scope, problems: Problems
) -> Callable[[Environment, str, list[Loss]], Any]:
    source = problems.expression(f"fields.{name}.from", rule.source, scope)
    translate = _translator(name, rule, scope, problems)
    coerce = _coercion(rule, rule.length or known.length)
    literal = _default(name, rule, coerce, problems)
    fallback = (
        None
        if rule.default_from is None
        else problems.expression(f"fields.{name}.default_from", rule.default_from, scope)
    )
    required = rule.required

    def value(env: Environment, prefix: str, losses: list[Loss]) -> Any:
        found = source(env)
        place = prefix + name
        if translate is not None:
            found = translate(found, place, losses)
        result = None if found is None else coerce(found, place, losses)
        if result is None:
            result = literal
            if fallback is not None:
                computed = fallback(env)
                result = None if computed is None else coerce(computed, place, losses)
            if result is None and required:
                raise PoisonError("field_missing", f"mapping {place}: no value; fill it at the source", field=place)
        return result

    return value


Translate = Callable[[Value, str, list[Loss]], Value]
Coerce = Callable[[Value, str, list[Loss]], Any]


def _translator(name: str, rule: FieldRule, scope: Scope, problems: Problems) -> Translate | None:
    if rule.table is None:
        return None
    table = scope.tables.get(rule.table)
    if table is None:
        problems.add(f"fields.{name}.table", f"unknown table {rule.table}", suggestion(rule.table, scope.tables))
        return None
    return _translate_by(table, rule.on_unknown)


def _translate_by(table: LookupTable, on_unknown: str) -> Translate:
    def translate(value: Value, place: str, losses: list[Loss]) -> Value:
        text = _plain_text(value, place).strip()
        if not text:
            return None
        found = table.get(text)
        if found is not None:
            return found
        if on_unknown == "keep":
            return value
        if on_unknown == "reject":
            raise PoisonError(
                "field_unknown",
                f"mapping {place}: {text[:_SHOWN]!r} is not in table {table.name}; add a row for it and redrive",
                field=place,
            )
        losses.append(Loss(place, "dropped", f"not in table {table.name}"))
        return None

    return translate


def _default(name: str, rule: FieldRule, coerce: Coerce, problems: Problems) -> Any:
    if rule.default is None:
        return None
    literal = rule.default
    given: Value = Decimal(literal) if isinstance(literal, int) and not isinstance(literal, bool) else literal
    losses: list[Loss] = []
    try:
        value = coerce(given, name, losses)
    except PoisonError as reason:
        problems.add(f"fields.{name}.default", reason.message, "write another default")
        return None
    if losses:
        problems.add(f"fields.{name}.default", f"would be {losses[0].kind}", "write a default that fits")
    return value


def _coercion(rule: FieldRule, length: int | None) -> Coerce:
    if rule.type == "text":
        return _text_coercion(rule, length)
    if rule.type == "decimal":
        return _decimal_coercion(rule.scale or 0, _ROUNDINGS[rule.rounding])
    return {"integer": _integer, "date": _date, "boolean": _boolean}[rule.type]


def _text_coercion(rule: FieldRule, length: int | None) -> Coerce:
    strip, on_overflow, keep_empty = rule.strip_control, rule.on_overflow, rule.on_empty == "keep"
    characters = None if rule.characters == "any" else _ENCODINGS.get(rule.characters, rule.characters)
    cut = cleaning.truncate_hash if on_overflow == "truncate_hash" else cleaning.truncate

    def coerce(value: Value, place: str, losses: list[Loss]) -> str | None:
        text = value if isinstance(value, str) else _plain_text(value, place)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if strip and not text.isprintable():
            cleaned = cleaning.strip_control(text)
            if len(cleaned) != len(text):
                losses.append(Loss(place, "stripped", "control characters"))
            text = cleaned
        text = text.strip()
        if characters is not None:
            text, replaced = cleaning.fit_characters(text, characters)
            if replaced:
                losses.append(Loss(place, "replaced", f"{replaced} characters that {characters} lacks"))
        if length is not None and cleaning.utf16_length(text) > length:
            if on_overflow == "reject":
                raise PoisonError(
                    "field_too_long", f"mapping {place}: over {length} characters; shorten it", field=place
                )
            losses.append(Loss(place, "truncated", f"to {length} characters"))
            text = cut(text, length)
        return text if text or keep_empty else None

    return coerce


def _plain_text(value: Value, place: str) -> str:
    try:
        return as_text(value)
    except EvaluationError as reason:
        raise _wrong_type(place, "text", value) from reason


def _decimal_coercion(scale: int, rounding: str) -> Coerce:
    step = Decimal(1).scaleb(-scale)

    def coerce(value: Value, place: str, losses: list[Loss]) -> Decimal:
        exact = _number(value, place, "decimal")
        rounded = exact.quantize(step, rounding=rounding, context=ARITHMETIC)
        if not rounded.is_finite():
            raise _wrong_type(place, f"decimal with {scale} decimals", value)
        if rounded != exact:
            losses.append(Loss(place, "rounded", f"to {scale} decimals"))
        return rounded

    return coerce


def _integer(value: Value, place: str, losses: list[Loss]) -> int:  # noqa: ARG001 - same form for all types
    exact = _number(value, place, "integer")
    if exact != exact.to_integral_value():
        raise _wrong_type(place, "integer", value)
    return int(exact)


def _number(value: Value, place: str, wanted: str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str):
        try:
            return number(Decimal(value.strip()))
        except (InvalidOperation, EvaluationError) as reason:
            raise _wrong_type(place, wanted, value) from reason
    raise _wrong_type(place, wanted, value)


def _date(value: Value, place: str, losses: list[Loss]) -> date:
    day = _as_date(value, place, losses)
    if not _FIRST_DAY <= day <= NO_END:
        raise PoisonError(
            "date_out_of_range",
            f"mapping {place}: {day.isoformat()} is not between {_FIRST_DAY.isoformat()} and {NO_END.isoformat()}, "
            "the dates that AX knows; correct it at the source",
            field=place,
        )
    return day


def _as_date(value: Value, place: str, losses: list[Loss]) -> date:
    if isinstance(value, datetime):
        losses.append(Loss(place, "truncated", "time of day"))
        return to_date(value)
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError as reason:
            raise _wrong_type(place, "date", value) from reason
    raise _wrong_type(place, "date", value)


def _boolean(value: Value, place: str, losses: list[Loss]) -> bool:  # noqa: ARG001 - same form for all types
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    raise _wrong_type(place, "boolean", value)


def _wrong_type(place: str, wanted: str, value: Value) -> PoisonError:
    return PoisonError(
        "field_type", f"mapping {place}: a {wanted} is needed, this is a {kind(value)}; correct the source", field=place
    )
