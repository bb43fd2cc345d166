"""SQL Server's types in Avro's: which carries which without loss.

    bigint                                   long
    int, smallint, tinyint                   int
    bit                                      boolean
    real, float                              double
    numeric, decimal, money, smallmoney      bytes/decimal, with the catalog's precision and scale
    datetime, smalldatetime                  long/timestamp-millis
    datetime2                                long/timestamp-micros: the seventh digit (100 ns) is cut off
    date                                     int/date
    time                                     long/time-micros: the seventh digit is cut off
    datetimeoffset                           string, ISO 8601 with all seven digits and its offset
    char, varchar, nchar, nvarchar, text, ntext, xml    string
    binary, varbinary, image, rowversion     bytes
    uniqueidentifier                         string/uuid, lower case

Both drivers cut the seventh digit, by snapshot and by stream alike. AX 2012 itself uses bigint, int, nvarchar, numeric,
datetime, uniqueidentifier, varbinary(max) and nvarchar(max) only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_INT = {"int", "smallint", "tinyint"}
_TEXT = {"char", "varchar", "nchar", "nvarchar", "text", "ntext", "xml"}
_BYTES = {"binary", "varbinary", "image", "timestamp", "rowversion"}
_DECIMAL = {"numeric", "decimal", "money", "smallmoney"}
_FLOAT = {"real", "float"}
_MILLIS = {"datetime", "smalldatetime"}

# Without a value in the old image of an update (row 3) when the column did not change …
_LARGE = {"xml"}
# … and these never have one there, nor in a deleted row (row 1). Source: Microsoft Learn, "cdc.<capture_instance>_CT".
_NEVER_OLD = {"text", "ntext", "image"}
_MAX_LENGTH = -1
_MILLIS_DIGITS = 3

# Avro type (the logical one where there is one) → SQL Server's types that it carries whatever their size.
_CARRIES: dict[str, set[str]] = {
    "long": _INT | {"bigint"},
    "int": _INT,
    "boolean": {"bit"},
    "double": _FLOAT,
    "string": _TEXT | {"uniqueidentifier", "datetimeoffset"},
    "uuid": {"uniqueidentifier"},
    "bytes": _BYTES,
    "date": {"date"},
    "timestamp-millis": _MILLIS,
    "timestamp-micros": _MILLIS | {"datetime2"},
    "time-micros": {"time"},
}


@dataclass(frozen=True, slots=True)
class SqlType:
    """A column's type as sys.columns has it. `length` is in bytes, -1 for (max)."""

    name: str
    precision: int = 0
    scale: int = 0
    length: int = 0

    @property
    def is_large(self) -> bool:
        """True when the change feed leaves the value out of an old image where it did not change."""
        return self.length == _MAX_LENGTH or self.name in _LARGE or self.is_never_old

    @property
    def is_never_old(self) -> bool:
        """True when the change feed has no value in any old image."""
        return self.name in _NEVER_OLD

    def __str__(self) -> str:
        """As it is declared: `numeric(32,16)`, `nvarchar(max)`."""
        if self.name in ("numeric", "decimal"):
            return f"{self.name}({self.precision},{self.scale})"
        if self.name in ("datetime2", "time", "datetimeoffset"):
            return f"{self.name}({self.scale})"
        if self.name in ("nvarchar", "nchar", "varchar", "char", "varbinary", "binary"):
            units = self.length // 2 if self.name.startswith("n") else self.length
            return f"{self.name}({'max' if self.length == _MAX_LENGTH else units})"
        return self.name


def avro_type(sql: SqlType) -> Any:
    """The Avro type of a new column, None for a type that has none (sql_variant, hierarchyid, geography …)."""
    name = sql.name
    if name == "bigint":
        return "long"
    if name in _DECIMAL:
        return {"type": "bytes", "logicalType": "decimal", "precision": sql.precision, "scale": sql.scale}
    for names, made in _NEW:
        if name in names:
            return dict(made) if isinstance(made, dict) else made
    return None


_NEW: tuple[tuple[set[str], Any], ...] = (
    (_INT, "int"),
    ({"bit"}, "boolean"),
    (_FLOAT, "double"),
    (_TEXT | {"datetimeoffset"}, "string"),
    (_BYTES, "bytes"),
    ({"uniqueidentifier"}, {"type": "string", "logicalType": "uuid"}),
    ({"date"}, {"type": "int", "logicalType": "date"}),
    (_MILLIS, {"type": "long", "logicalType": "timestamp-millis"}),
    ({"datetime2"}, {"type": "long", "logicalType": "timestamp-micros"}),
    ({"time"}, {"type": "long", "logicalType": "time-micros"}),
)


def kind_of(declared: Any) -> str:
    """The kind of a declared type: the logical type where there is one; a null-union counts as what it may hold."""
    inner = without_null(declared)
    return str(inner.get("logicalType", inner["type"])) if isinstance(inner, dict) else str(inner)


def without_null(declared: Any) -> Any:
    """`["null", T]` as T, everything else as it is."""
    if not isinstance(declared, list):
        return declared
    (inner,) = (branch for branch in declared if branch != "null")
    return inner


def carries(declared: Any, sql: SqlType) -> bool:
    """True when every value of `sql` fits the declared Avro type without loss (the seventh digit apart)."""
    kind = kind_of(declared)
    if kind == "decimal":
        inner = without_null(declared)
        whole = inner["precision"] - inner.get("scale", 0)
        scale_fits = sql.scale <= inner.get("scale", 0)
        return sql.name in _DECIMAL and scale_fits and sql.precision - sql.scale <= whole
    if kind == "timestamp-millis" and sql.name == "datetime2":
        return sql.scale <= _MILLIS_DIGITS
    return sql.name in _CARRIES.get(kind, ())
