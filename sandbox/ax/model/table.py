"""How a table of AX is declared, and the T-SQL that makes it.

A column is written `NAME type`, types shortened: n20 = nvarchar(20), max = nvarchar(max), int, big, num, date.
"""

from dataclasses import dataclass
from functools import cached_property

PARTITION = 5637144576
"""RECID of the partition `initial`, and the value of every PARTITION column."""

FIRST_RECID = 5637144576

_NULL_DATE = "'1900-01-01'"
_TYPES = {
    "int": ("int", "0"),
    "big": ("bigint", "0"),
    "num": ("numeric(32,16)", "0"),
    "date": ("datetime", _NULL_DATE),
    "max": ("nvarchar(max)", "''"),
}


@dataclass(frozen=True)
class Table:
    """One table. `key` are the columns of its primary key without PARTITION and DATAAREAID."""

    name: str
    columns: str
    key: tuple[str, ...] = ("RECID",)
    per_company: bool = True

    @cached_property
    def types(self) -> dict[str, str]:
        """The business columns: name to shortened type."""
        return dict(column.split() for column in self.columns.replace("\n", ",").split(",") if column.strip())

    def length(self, column: str) -> int | None:
        """Return the maximum length of a text column; None for nvarchar(max) and for other types."""
        short = self.types.get(column, "")
        return int(short[1:]) if short[:1] == "n" and short[1:].isdigit() else None

    def create_statement(self) -> str:
        """Return the CREATE TABLE statement in T-SQL."""
        columns = [_column(name, short) for name, short in self.types.items()]
        if self.per_company:
            columns.append("DATAAREAID nvarchar(4) NOT NULL DEFAULT 'dat'")
        columns += [
            "RECVERSION int NOT NULL DEFAULT 1",
            f"PARTITION bigint NOT NULL DEFAULT {PARTITION}",
            "RECID bigint NOT NULL",
        ]
        key = ("RECID",) if self.key == ("RECID",) else ("PARTITION", *self._company, *self.key)
        columns.append(f"CONSTRAINT PK_{self.name} PRIMARY KEY ({', '.join(key)})")
        return f"CREATE TABLE dbo.{self.name} ({', '.join(columns)})"

    @property
    def _company(self) -> tuple[str, ...]:
        return ("DATAAREAID",) if self.per_company else ()


def _column(name: str, short: str) -> str:
    if short in _TYPES:
        sql_type, default = _TYPES[short]
    else:
        sql_type, default = f"nvarchar({int(short[1:])})", "''"
    return f"{name} {sql_type} NOT NULL DEFAULT {default}"
