"""The Avro schema of a captured table: what was declared before, and what the catalog has more. Pure.

A schema only grows: a new column is appended as an optional field, so that a reader of the newest version reads every
version ever written (BACKWARD_TRANSITIVE). A declared column that is not captured any more, or whose type its field
cannot carry, is refused: what would be published were wrong. The envelope is that of the shipped tables (Debezium's).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.ax.sql_types import SqlType, avro_type, carries, kind_of, without_null
from schemas import avro

Schema = dict[str, Any]

# Row id and data partition: every AX table has both, and RECID is unique in its table.
KEY_COLUMN = "RECID"
PARTITION_COLUMN = "PARTITION"
COMPANY_COLUMN = "DATAAREAID"

_TEMPLATE = "cdc_custtable"
_AVRO_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_LEAVE_OUT = "make a capture instance without it (@captured_column_list)"


@dataclass(frozen=True, slots=True)
class CapturedColumn:
    """A column of a capture instance. `type` is that of the change table, `source` that of the table itself.

    `source` is None when the table has no such column any more. `ordinal` is its bit in the update mask, from 1.
    """

    name: str
    ordinal: int
    type: SqlType
    source: SqlType | None
    nullable: bool
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Evolved:
    """The schema to write with. `added`: columns that the base had not; none when it is the base itself."""

    schema: Schema
    added: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the columns cannot be published under the base schema, one reason per column."""

    reasons: tuple[str, ...]


def evolve(base: Schema | None, table: str, captured: Sequence[CapturedColumn]) -> Evolved | Refused:
    """The schema for a capture instance of `table` (its plain name) with the columns `captured`.

    `base` is the newest declared schema, None for a table that has none yet. A new column is optional; in a fresh table
    a NOT NULL column is not.
    """
    fields = [] if base is None else row_fields(base)
    declared = {part["name"] for part in fields}
    new = [column for column in captured if column.name not in declared]
    reasons = [
        *_without_key(captured),
        *_misfits(fields, {column.name: column for column in captured}),
        *(reason for column in new if (reason := _unfit(column))),
    ]
    if reasons:
        return Refused(tuple(reasons))
    if base is not None and not new:
        return Evolved(base, ())
    added = [_field(column, optional=base is not None or _may_be_null(column)) for column in new]
    return Evolved(_envelope(table, base, [*fields, *added]), tuple(column.name for column in new))


def fits(schema: Schema, captured: Sequence[CapturedColumn]) -> bool:
    """True when `captured` has every column of `schema`, with types that its fields carry."""
    return not _misfits(row_fields(schema), {column.name: column for column in captured})


def row_fields(schema: Schema) -> list[dict[str, Any]]:
    """The fields of the row in an envelope's schema, in order."""
    fields: list[dict[str, Any]] = row_record(schema)["fields"]
    return fields


def row_record(schema: Schema) -> Schema:
    """The record of a row in an envelope's schema. Raises ValueError when it is no envelope of ours."""
    template = avro.load(_TEMPLATE)
    declared = {part["name"]: part["type"] for part in schema.get("fields", ())}
    expected = {part["name"]: part["type"] for part in template["fields"]}
    if list(declared) != list(expected) or not isinstance(declared["before"], list):
        raise ValueError("not an envelope: its fields differ")
    # Source, op and ts_ms are written in one fixed form (envelope.py).
    for name in ("source", "op", "ts_ms"):
        if _bare(declared[name]) != _bare(expected[name]):
            raise ValueError(f"not an envelope: {name} differs")
    row: Schema = without_null(declared["before"])
    return row


def _without_key(captured: Sequence[CapturedColumn]) -> list[str]:
    integers = {column.name for column in captured if avro_type(column.type) in ("long", "int")}
    return [
        f"{name} is not captured as a number, but a record's key is made of it; every table of AX has it"
        for name in (KEY_COLUMN, PARTITION_COLUMN)
        if name not in integers
    ]


def _misfits(fields: Sequence[dict[str, Any]], captured: dict[str, CapturedColumn]) -> list[str]:
    """What keeps the declared fields from being filled."""
    reasons = []
    for part in fields:
        name, declared = part["name"], part["type"]
        column = captured.get(name)
        if column is None:
            reasons.append(f"{name} is not captured")
        elif column.computed:
            reasons.append(f"{name} is computed, and the change feed has NULL for it")
        elif column.source is None:
            reasons.append(f"{name} is not in the table any more (or not for the login to see)")
        else:
            wrong = next((sql for sql in (column.type, column.source) if not carries(declared, sql)), None)
            if wrong is not None:
                reasons.append(f"{name} is {wrong}, declared {_spoken(declared)}")
    return reasons


def _unfit(column: CapturedColumn) -> str | None:
    """Why a column cannot become a field, None when it can."""
    if column.computed:
        return f"{column.name} is computed, and the change feed has NULL for it: {_LEAVE_OUT}"
    if column.source is None:
        return f"{column.name} is captured but not in the table any more (or not for the login to see): {_LEAVE_OUT}"
    declared = avro_type(column.type)
    if declared is None:
        return f"{column.name} is {column.type}, which Avro has no type for: {_LEAVE_OUT}"
    if not carries(declared, column.source):
        return f"{column.name} is {column.source} in the table and {column.type} in its change table"
    if not _AVRO_NAME.match(column.name):
        return f"{column.name!r} is no name in Avro (letters, digits, underscore): {_LEAVE_OUT}"
    return None


def _may_be_null(column: CapturedColumn) -> bool:
    return column.nullable and column.name not in (KEY_COLUMN, PARTITION_COLUMN)


def _field(column: CapturedColumn, *, optional: bool) -> dict[str, Any]:
    declared = avro_type(column.type)
    doc = f"{column.type}{' NULL' if column.nullable else ''}, as captured first."
    if optional:
        return {"name": column.name, "type": ["null", declared], "doc": doc, "default": None}
    return {"name": column.name, "type": declared, "doc": doc}


def _envelope(table: str, base: Schema | None, fields: list[dict[str, Any]]) -> Schema:
    """`base`, or for None the shipped envelope under the table's name, with `fields` as its row. Changes neither."""
    if base is None:
        head = {
            "namespace": f"com.freshax.ax.cdc.{table.lower()}",
            "doc": f"One change of {table}: Debezium's envelope.",
        }
        schema = avro.load(_TEMPLATE) | head
        row = row_record(schema) | {"doc": f"Captured columns of {table}, named and typed as in SQL Server."}
    else:
        schema, row = base, row_record(base)
    row_type = {"type": ["null", row | {"fields": fields}]}
    return schema | {"fields": [part | row_type if part["name"] == "before" else part for part in schema["fields"]]}


def _bare(schema: Any) -> Any:
    """A type without its documentation."""
    if isinstance(schema, list):
        return [_bare(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    bare = {key: value for key, value in schema.items() if key != "doc"}
    if "fields" in bare:
        bare["fields"] = [{"name": part["name"], "type": _bare(part["type"])} for part in bare["fields"]]
    return bare


def _spoken(declared: Any) -> str:
    inner = without_null(declared)
    kind = kind_of(declared)
    return f"decimal({inner['precision']},{inner.get('scale', 0)})" if kind == "decimal" else kind
