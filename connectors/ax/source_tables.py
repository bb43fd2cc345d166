"""The tables that are captured: name in SQL Server, topic, and the shape that its Avro schema declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from connectors.ax.sql import Row
from schemas import avro, topics
from schemas.failures import FatalError
from schemas.topics import Topic

# Row id and data partition: every AX table has both, and RECID is unique in its table.
KEY_COLUMN = "RECID"
PARTITION_COLUMN = "PARTITION"
COMPANY_COLUMN = "DATAAREAID"

# Avro type → SQL Server types (as cdc.captured_columns names them) that fit it without loss.
_FITTING = {
    "long": {"bigint", "int", "smallint", "tinyint"},
    "int": {"int", "smallint", "tinyint"},
    "boolean": {"bit"},
    "string": {"nvarchar", "varchar", "nchar", "char", "ntext", "text", "uniqueidentifier"},
    "bytes": {"varbinary", "binary", "image", "timestamp", "rowversion"},
    "decimal": {"numeric", "decimal", "money", "smallmoney"},
    "timestamp-millis": {"datetime", "datetime2", "smalldatetime"},
}


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A captured column. `kind` is its Avro type, the logical one where there is one."""

    name: str
    kind: str

    def fits(self, sql_type: str) -> bool:
        """True when values of SQL Server's `sql_type` can be carried without loss."""
        return sql_type.lower() in _FITTING[self.kind]


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One captured table with its topic."""

    schema: str
    name: str
    topic: Topic
    columns: tuple[SourceColumn, ...] = field(default=())

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the order of the schema."""
        return tuple(column.name for column in self.columns)

    @property
    def full_name(self) -> str:
        """`dbo.CUSTTABLE`."""
        return f"{self.schema}.{self.name}"

    def image(self, row: Row) -> dict[str, Any]:
        """The row as the Avro schema wants it; the same for a snapshot's row and a change's.

        Raises: FatalError (cdc_shape) when a column is NULL: AX declares all NOT NULL, so the column was dropped from
        the table, and what we would publish were wrong.
        """
        result: dict[str, Any] = {}
        for column in self.columns:
            value = row[column.name]
            if value is None:
                raise FatalError(
                    "cdc_shape",
                    f"reading {self.full_name}: {column.name} is NULL; was the column dropped? "
                    "Make a capture instance of the present shape and a release that knows it",
                )
            convert = _CONVERTERS.get(column.kind)
            result[column.name] = value if convert is None else convert(value)
        return result


def key_of(image: dict[str, Any]) -> bytes:
    """Kafka key of a row: `partition:recid`."""
    return f"{image[PARTITION_COLUMN]}:{image[KEY_COLUMN]}".encode()


def _instant(value: datetime) -> datetime:
    """AX's utcdatetime columns hold UTC without saying so; cut to ms, Avro's and `datetime`'s precision."""
    return value.replace(tzinfo=UTC, microsecond=value.microsecond // 1000 * 1000)


def _text(value: str | UUID) -> str:
    return str(value)


def _decimal(value: Decimal | int) -> Decimal:
    return Decimal(value)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "timestamp-millis": _instant,
    "string": _text,
    "decimal": _decimal,
}


def source_table(schema: str, name: str, topic: Topic) -> SourceTable:
    """A table with the columns that the Avro schema of `topic` declares for a row."""
    if topic.schema is None:
        raise ValueError(f"{topic.name} declares no schema")
    envelope = avro.load(topic.schema)
    after = next(part for part in envelope["fields"] if part["name"] == "before")["type"]
    row = next(part for part in after if isinstance(part, dict))
    columns = tuple(SourceColumn(part["name"], _kind(part["type"])) for part in row["fields"])
    return SourceTable(schema, name, topic, columns)


def _kind(declared: Any) -> str:
    kind = declared.get("logicalType", declared["type"]) if isinstance(declared, dict) else declared
    if kind not in _FITTING:
        raise ValueError(f"no SQL Server type is known for Avro's {kind!r}")
    return str(kind)


def source_tables() -> tuple[SourceTable, ...]:
    """All captured tables."""
    return (
        source_table("dbo", "CUSTTABLE", topics.CDC_CUSTTABLE),
        source_table("dbo", "DIRPARTYTABLE", topics.CDC_DIRPARTYTABLE),
    )
