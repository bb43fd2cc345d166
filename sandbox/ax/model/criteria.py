"""QueryCriteria of find and findKeys: conditions on the document's top table.

Several criteria are OR-ed by the documentation; whether live ports AND those on different fields is unverified,
so it is a switch (ax-aif.md sections 3 and 8). Only the top data source may be named; there is no Like, no
wildcard, no In.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from psycopg.sql import SQL, Composed, Identifier

from sandbox.ax.contract.entities import Field
from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model.faults import AifError
from sandbox.ax.model.table import Table

_OPERATORS = {
    "Equal": SQL("="),
    "NotEqual": SQL("<>"),
    "Greater": SQL(">"),
    "GreaterOrEqual": SQL(">="),
    "Less": SQL("<"),
    "LessOrEqual": SQL("<="),
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """One CriteriaElement; `value2` is None when it was omitted."""

    data_source: str
    field: str
    operator: str
    value1: str
    value2: str | None = None


def condition(
    criteria: Sequence[Criterion], table: Table, data_source: str, fields: Sequence[Field], *, semantics: str
) -> tuple[Composed, list[Any]]:
    """Return one SQL condition and its parameters for `criteria` (`semantics` is `or` or `and`).

    Raises: AifError for another data source, a field that is unknown or not stored, a value that does not read
    as the field's type, a Range without Value2, and for no criterion at all (texts unverified).
    """
    if not criteria:
        raise AifError("The query criteria is empty.", code="InvalidQueryCriteria")
    tests: list[Composed] = []
    parameters: list[Any] = []
    for criterion in criteria:
        test, values = _test(criterion, table, data_source, fields)
        tests.append(test)
        parameters += values
    joined = SQL(" OR " if semantics == "or" else " AND ").join(tests)
    return SQL("({})").format(joined), parameters


def _test(criterion: Criterion, table: Table, data_source: str, fields: Sequence[Field]) -> tuple[Composed, list[Any]]:
    if criterion.data_source.lower() != data_source.lower():
        raise AifError(f"The data source '{criterion.data_source}' is not valid.", code="InvalidQueryCriteria")
    field = next((item for item in fields if item.name.lower() == criterion.field.lower()), None)
    column = field.name.upper() if field else ""
    if field is None or (column not in table.types and column not in ("RECID", "RECVERSION")):
        raise AifError(
            f"The field '{criterion.field}' is not valid.", code="InvalidQueryCriteria", field=criterion.field
        )
    name = Identifier(column)
    first = _converted(criterion.value1, field, table.types.get(column, "big"))
    if criterion.operator == "Range":
        if criterion.value2 is None:
            raise AifError("Value2 must be specified for the operator Range.", code="InvalidQueryCriteria")
        second = _converted(criterion.value2, field, table.types.get(column, "big"))
        return SQL("{} BETWEEN %s AND %s").format(name), [first, second]
    return SQL("{} {} %s").format(name, _OPERATORS[criterion.operator]), [first]


def _converted(value: str, field: Field, column_type: str) -> Any:
    try:
        if field.type in ENUMS:
            return ENUMS[field.type].index(value)
        if column_type == "num":
            return Decimal(value)
        if column_type == "date":
            return datetime.fromisoformat(value.removesuffix("Z"))
        if column_type in ("int", "big"):
            return int(value)
    except (ValueError, InvalidOperation) as error:
        raise AifError(f"The value '{value}' is not valid for the field '{field.name}'.", field=field.name) from error
    return value
