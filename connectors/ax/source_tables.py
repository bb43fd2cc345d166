"""The tables that are captured, and the shape of one: which columns are read and how a row is written."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import fastavro

from connectors.ax.row_encoding import RowColumn, row_encoder
from connectors.ax.sql import Row, quoted
from connectors.ax.table_schema import (
    COMPANY_COLUMN,
    KEY_COLUMN,
    PARTITION_COLUMN,
    CapturedColumn,
    Schema,
    row_fields,
    row_record,
)
from schemas import topics
from schemas.failures import FatalError
from schemas.topics import Topic

# Debezium's mark for a value that the source does not tell.
UNAVAILABLE = "__debezium_unavailable_value"
MASK_COLUMN = "__$update_mask"

# No driver reads datetimeoffset through pyodbc; as text it keeps all seven digits and its offset.
_AS_TEXT = "CONVERT(nvarchar(34), {column}, 121) AS {name}"


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One captured table with its topic."""

    schema: str
    name: str
    topic: Topic

    @property
    def full_name(self) -> str:
        """`dbo.CUSTTABLE`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class TableShape:
    """How the rows of a table are read from one capture instance and written under one registered schema.

    `avro` is the schema of the envelope, `schema_id` its id in the registry.
    """

    table: SourceTable
    columns: tuple[RowColumn, ...]
    avro: Schema
    schema_id: int
    large: tuple[RowColumn, ...] = field(init=False)
    encode_row: Callable[[Row], bytes] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        large = tuple(column for column in self.columns if column.type.is_large)
        object.__setattr__(self, "large", large)
        object.__setattr__(self, "encode_row", row_encoder(self.columns, self.table.full_name))

    @cached_property
    def _row_schema(self) -> Any:
        return fastavro.parse_schema(row_record(self.avro))

    def encode_image(self, image: dict[str, Any]) -> bytes:
        """A decoded row of this or an earlier version, written again: not the driver's values, so fastavro does it."""
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self._row_schema, image)
        return body.getvalue()

    @property
    def has_company(self) -> bool:
        """True for a table that is kept per company."""
        return any(column.name == COMPANY_COLUMN for column in self.columns)

    def select_list(self, prefix: str = "") -> str:
        """The columns for a SELECT; `prefix` is a table alias with its dot."""
        return ", ".join(_selected(column, prefix) for column in self.columns)

    def change_list(self, prefix: str) -> str:
        """The columns for a SELECT from the change table, with the update mask where old images need it."""
        return self.select_list(prefix) + (f", {prefix}{quoted(MASK_COLUMN)}" if self.large else "")

    def old_image(self, before: Row, after: Row | None) -> Row:
        """`before` of an update, or of a delete (`after` is None), with what the change feed leaves out.

        A large value is NULL in row 3 where it did not change: then the new image has it. text, ntext and image are
        NULL in rows 1 and 3 always: where they changed nobody knows the old value, and it is marked UNAVAILABLE.
        Source: Microsoft Learn, "cdc.<capture_instance>_CT".
        """
        if not self.large:
            return before
        filled = {}
        for column in self.large:
            if before[column.name] is not None:
                continue
            if after is not None and not _is_set(after[MASK_COLUMN], column.ordinal):
                filled[column.name] = after[column.name]
            elif column.type.is_never_old:
                filled[column.name] = UNAVAILABLE.encode() if column.type.name == "image" else UNAVAILABLE
        return before | filled


def shape_of(table: SourceTable, avro: Schema, schema_id: int, captured: Sequence[CapturedColumn]) -> TableShape:
    """The shape of `table` under the envelope schema `avro`; `captured` has at least the columns that it declares."""
    by_name = {column.name: column for column in captured}
    columns = [
        RowColumn(part["name"], part["type"], by_name[part["name"]].type, by_name[part["name"]].ordinal)
        for part in row_fields(avro)
    ]
    return TableShape(table, tuple(columns), avro, schema_id)


def key_of(row: dict[str, Any]) -> bytes:
    """Kafka key of a row: `partition:recid`."""
    return f"{row[PARTITION_COLUMN]}:{row[KEY_COLUMN]}".encode()


def source_tables(names: Collection[str] = ()) -> tuple[SourceTable, ...]:
    """The tables to capture: `names` (`dbo.VENDTABLE`), with those that the projector reads in any case.

    Raises: FatalError (setting_invalid) when two would share a topic.
    """
    chosen: dict[str, SourceTable] = {}
    for name in [*REQUIRED, *names]:
        schema, _, table = name.rpartition(".")
        found = SourceTable(schema or "dbo", table.upper(), topics.cdc_topic(table))
        other = chosen.setdefault(found.topic.name, found)
        if other.schema.lower() != found.schema.lower():
            raise FatalError(
                "setting_invalid",
                f"reading capture.tables: {other.full_name} and {found.full_name} would share {found.topic.name}",
            )
    return tuple(chosen.values())


# Master data is made of these two: they are captured whatever the setting says.
REQUIRED = ("dbo.CUSTTABLE", "dbo.DIRPARTYTABLE")


def _selected(column: RowColumn, prefix: str) -> str:
    name = quoted(column.name)
    if column.type.name == "datetimeoffset":
        return _AS_TEXT.format(column=prefix + name, name=name)
    return prefix + name


def _is_set(mask: bytes, ordinal: int) -> bool:
    """Whether the column changed: ordinal 1 is the lowest bit of the last byte."""
    byte, bit = divmod(ordinal - 1, 8)
    return byte < len(mask) and bool(mask[-1 - byte] >> bit & 1)
