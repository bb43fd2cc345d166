"""Decision tables: rows of condition and answer, the first row that holds gives the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.failures import PoisonError
from streams.transforms.compiling import Problems
from streams.transforms.declarations import DecisionRow
from streams.transforms.expressions import Expression, Scope

Environment = Mapping[str, Any]
Answer = str | Mapping[str, str] | None
# A decision table, or one expression.
Declared = Sequence[DecisionRow] | str
# The one table whose answers are dimension → value, both texts of AX.
DIMENSIONS = "dimensions"
_DIMENSION_VALUE_LENGTH = 30


@dataclass(frozen=True, slots=True)
class Row:
    """One compiled row: a condition or none, an answer known or computed."""

    when: Expression | None
    value: Answer
    source: Expression | None


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """A compiled decision table."""

    name: str
    rows: tuple[Row, ...]

    def answer(self, env: Environment) -> Answer:
        """Answer of the first row that holds, None when none does.

        Raises PoisonError `expression_failed`, also when an answer is computed and is no text.
        """
        for row in self.rows:
            if row.when is None or row.when.condition(env):
                return row.value if row.source is None else self._computed(row.source, env)
        return None

    def _computed(self, source: Expression, env: Environment) -> str | None:
        value = source(env)
        if value is None or isinstance(value, str):
            return value
        raise PoisonError(
            "expression_failed", f"evaluating {source.place}: a text is needed; correct it", field=source.place
        )


@dataclass(frozen=True, slots=True)
class Derivation:
    """All derived values of one step; a later one can read an earlier one of the same step."""

    tables: tuple[DecisionTable | tuple[str, Expression], ...]

    def derive(self, env: Environment) -> dict[str, Any]:
        """Answer per name, those of `env` not included. Raises PoisonError as `DecisionTable.answer`."""
        answers: dict[str, Any] = {}
        before = env.get("derived", {})
        for table in self.tables:
            seen = {**env, "derived": {**before, **answers}}
            if isinstance(table, DecisionTable):
                answers[table.name] = table.answer(seen)
            else:
                answers[table[0]] = table[1](seen)
        return answers


def compile_derivation(key: str, declared: Mapping[str, Declared], scope: Scope, problems: Problems) -> Derivation:
    """Compile the decision tables under `key` of a flow file; what is wrong goes to `problems`."""
    tables: list[DecisionTable | tuple[str, Expression]] = []
    known = scope.fields.get("derived") or frozenset()
    for name, rows in declared.items():
        place = f"{key}.{name}"
        fields = {**scope.fields, "derived": known} if known else scope.fields
        seen = Scope(fields, scope.constants, scope.tables)
        if isinstance(rows, str):
            tables.append((name, problems.expression(place, rows, seen)))
        else:
            tables.append(_table(place, name, rows, seen, problems))
        known = known | {name} - {DIMENSIONS}
    return Derivation(tuple(tables))


def _table(key: str, name: str, rows: Sequence[DecisionRow], scope: Scope, problems: Problems) -> DecisionTable:
    compiled = []
    for index, row in enumerate(rows):
        place = f"{key}.{index}"
        if row.when is None and index < len(rows) - 1:
            problems.add(place, "a row without condition hides the rows below it", "move it to the end")
        _check_answer(place, name, row, problems)
        when = None if row.when is None else problems.expression(f"{place}.when", row.when, scope)
        source = None if row.source is None else problems.expression(f"{place}.from", row.source, scope)
        compiled.append(Row(when, row.value, source))
    return DecisionTable(name, tuple(compiled))


def _check_answer(place: str, name: str, row: DecisionRow, problems: Problems) -> None:
    wanted = "dimension: value pairs" if name == DIMENSIONS else "a text"
    if isinstance(row.value, dict) is not (name == DIMENSIONS):
        problems.add(f"{place}.value", f"{wanted} expected", f"write {wanted}")
    elif isinstance(row.value, dict):
        for dimension, value in row.value.items():
            if len(value) > _DIMENSION_VALUE_LENGTH:
                problems.add(f"{place}.value.{dimension}", "a dimension value over 30 characters", "shorten it")
