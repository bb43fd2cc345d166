"""Captured columns as the catalog would tell them, and shapes made of them: what a capture knows of a table."""

from typing import Any

from connectors.ax.source_tables import SourceTable, TableShape, shape_of
from connectors.ax.sql_types import SqlType, kind_of
from connectors.ax.table_schema import CapturedColumn, Evolved, Schema, evolve, row_fields
from schemas import avro

_SQL = {
    "long": SqlType("bigint", 19, 0, 8),
    "int": SqlType("int", 10, 0, 4),
    "string": SqlType("nvarchar", 0, 0, 40),
    "decimal": SqlType("numeric", 32, 16, 17),
    "timestamp-millis": SqlType("datetime", 23, 3, 8),
}


def column(name: str, sql: SqlType, *, ordinal: int = 0, nullable: bool = False, **changed: Any) -> CapturedColumn:
    """A column that is in the table as it is in the change table."""
    given: dict[str, Any] = {"source": sql, "nullable": nullable} | changed
    return CapturedColumn(name, ordinal, sql, **given)


def key_columns() -> list[CapturedColumn]:
    """What every table of AX has."""
    return [column(name, SqlType("bigint", 19, 0, 8), ordinal=n) for n, name in enumerate(("RECID", "PARTITION"), 1)]


def declared_columns(schema: Schema) -> list[CapturedColumn]:
    """An instance with just the columns that `schema` declares."""
    fields = enumerate(row_fields(schema), 1)
    return [column(part["name"], _SQL[kind_of(part["type"])], ordinal=number) for number, part in fields]


def shipped_shape(table: SourceTable, schema_id: int = 7) -> TableShape:
    """A table captured with just the columns of its shipped schema."""
    schema = avro.load(table.topic.schema or "")
    return shape_of(table, schema, schema_id, declared_columns(schema))


def fresh_shape(table: SourceTable, columns: list[CapturedColumn], schema_id: int = 7) -> TableShape:
    """A table that no schema was declared for."""
    found = evolve(None, table.name, columns)
    assert isinstance(found, Evolved), found
    return shape_of(table, found.schema, schema_id, columns)
