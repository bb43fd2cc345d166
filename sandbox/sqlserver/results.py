"""A statement's answer, and the description of its columns in SQL Server's types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import postgres as pg
from psycopg.types.datetime import TimestampBinaryLoader, TimestampLoader
from psycopg.types.string import ByteaBinaryLoader, ByteaLoader

from sandbox.sqlserver.tds.types import Column

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import psycopg
    from psycopg.adapt import AdaptersMap

_VOID = 2278
_OID = {name: pg.types[name].oid for name in (
    "bool", "int2", "int4", "int8", "float4", "float8", "numeric", "timestamp", "timestamptz", "date", "time", "uuid",
    "bytea", "varchar", "text", "bpchar", "name", "oid",
)}  # fmt: skip
_FIXED = {
    _OID["bool"]: "bit",
    _OID["int2"]: "smallint",
    _OID["int4"]: "int",
    _OID["oid"]: "bigint",
    _OID["int8"]: "bigint",
    _OID["float4"]: "real",
    _OID["float8"]: "float",
    _OID["uuid"]: "uniqueidentifier",
    _OID["date"]: "date",
}
_SCALED = {_OID["timestamp"]: "datetime2", _OID["timestamptz"]: "datetimeoffset", _OID["time"]: "time"}
# A computed numeric has no declared size in PostgreSQL; SQL Server would derive one.
_COMPUTED_PRECISION, _COMPUTED_SCALE = 38, 16
_LONGEST_NVARCHAR = 4000
_LONGEST_BINARY = 8000
_LSN_BYTES = 10


@dataclass
class Result:
    """`columns` is None for a statement without a result set; `count` is -1 when there is nothing to count.

    A long result has only its first rows in `rows`; `following` gives the others in blocks, and must be read to its end
    before the session does anything else. `count` is right then.
    """

    verb: str = "set"
    columns: list[Column] | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    count: int = -1
    following: AsyncGenerator[list[tuple[Any, ...]]] | None = None


@dataclass(frozen=True)
class OwnTypes:
    """OIDs of the stand-in's own PostgreSQL types (fixed when the template database was made)."""

    datetime: int
    binary: int
    varbinary: int

    @classmethod
    async def read(cls, connection: psycopg.AsyncConnection[Any]) -> OwnTypes:
        """Read them from the catalog."""
        cursor = await connection.execute(
            "SELECT 'sys.datetime'::regtype::oid, 'sys.\"binary\"'::regtype::oid, 'sys.varbinary'::regtype::oid"
        )
        row = await cursor.fetchone()
        if row is None:
            raise RuntimeError("reading the stand-in's types: no row")
        return cls(*row)

    def register(self, adapters: AdaptersMap) -> None:
        """Let psycopg read them as what they are the twins of."""
        for oid in (self.binary, self.varbinary):
            adapters.register_loader(oid, ByteaLoader)
            adapters.register_loader(oid, ByteaBinaryLoader)
        adapters.register_loader(self.datetime, TimestampLoader)
        adapters.register_loader(self.datetime, TimestampBinaryLoader)


def describe(
    cursor: psycopg.AsyncCursor[Any], own: OwnTypes, declared: Mapping[tuple[int, int], str]
) -> list[Column] | None:
    """Return the columns of `cursor`'s result; None for no result set (or a procedure that returns nothing).

    A plain column of a table has the type that it was declared with, everything else that of PostgreSQL's type.
    """
    description, result = cursor.description, cursor.pgresult
    if description is None or result is None:
        return None
    if len(description) == 1 and description[0].type_code == _VOID:
        return None
    columns = []
    for index, item in enumerate(description):
        told = declared.get((result.ftable(index), result.ftablecol(index)))
        if told is None:
            columns.append(_column(item.name, item.type_code, result.fmod(index), own))
        else:
            columns.append(_declared_column(item.name, told))
    return columns


def _declared_column(name: str, declared: str) -> Column:
    """The column of a type such as `nvarchar(20)`."""
    kind, _, rest = declared.rstrip(")").partition("(")
    sizes = [0 if size == "max" else int(size) for size in rest.split(",") if size]
    match kind:
        case "numeric":
            return Column(name, kind, sizes[0], sizes[1])
        case "datetime2" | "time" | "datetimeoffset":
            return Column(name, kind, scale=sizes[0])
        case "timestamp":
            return Column(name, "binary", 8)
        case "hierarchyid":
            return Column(name, "nvarchar")
    return Column(name, kind, sizes[0] if sizes else 0)


def _column(written: str, oid: int, modifier: int, own: OwnTypes) -> Column:
    name = "" if written == "?column?" else written
    if oid in _FIXED:
        return Column(name, _FIXED[oid])
    if oid == own.datetime:
        return Column(name, "datetime")
    if oid == _OID["numeric"]:
        if modifier < 4:
            return Column(name, "numeric", _COMPUTED_PRECISION, _COMPUTED_SCALE)
        return Column(name, "numeric", (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0xFFFF)
    if oid in _SCALED:
        return Column(name, _SCALED[oid], scale=modifier if modifier >= 0 else 7)
    if oid == own.binary:
        return Column(name, "binary", modifier - 4 if modifier > 4 else _LSN_BYTES)
    if oid == own.varbinary:
        return Column(name, "varbinary", modifier - 4 if modifier > 4 else _LONGEST_BINARY)
    if oid == _OID["bytea"]:
        return Column(name, "varbinary")
    if oid == _OID["varchar"]:
        length = modifier - 4 if modifier > 4 else _LONGEST_NVARCHAR
        return Column(name, "nvarchar", length if length <= _LONGEST_NVARCHAR else 0)
    if oid == _OID["name"]:
        return Column(name, "nvarchar", 128)
    return Column(name, "nvarchar")
