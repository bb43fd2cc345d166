"""What exists in the database, for resolving names the way SQL Server does: without regard to case.

PostgreSQL compares quoted names byte by byte, so every name in a statement is replaced by its true spelling. Columns
are looked up in the tables that the statement mentions: `NAME` of a table and `name` of a catalog view differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

# One row per column; a relation without columns does not occur. Composite types ('c') are the rows of change functions.
_RELATIONS = """
SELECT n.nspname, c.relname, c.oid, a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod), a.attnum,
       col_description(a.attrelid, a.attnum)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'v', 'c') AND n.nspname !~ '^(pg_|information_schema)'
 UNION ALL
SELECT n.nspname, c.relname, c.oid, a.attname, false, 'text', a.attnum, NULL
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'information_schema'
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relname IN ('tables', 'columns', 'table_constraints', 'key_column_usage')
"""
_FUNCTIONS = """
SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname IN ('sys', 'cdc', 'dbo')
"""


@dataclass(frozen=True)
class Column:
    """A column's true name, whether it may be NULL, and PostgreSQL's name of its type."""

    name: str
    not_null: bool
    type: str


@dataclass
class Relation:
    """A table, view or row type with its columns by lower-case name."""

    schema: str
    name: str
    oid: int
    columns: dict[str, Column] = field(default_factory=dict)


class Catalog:
    """Names known to the server. `version` grows with every load: cached translations hold for one version.

    `declared` is SQL Server's type of a table's column, by table and number.
    """

    def __init__(self) -> None:
        self.version = 0
        self.declared: dict[tuple[int, int], str] = {}
        self._relations: dict[tuple[str, str], Relation] = {}
        self._functions: dict[tuple[str, str], str] = {}

    async def load(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Read everything again through `connection` (which may hold uncommitted DDL of its own)."""
        relations: dict[tuple[str, str], Relation] = {}
        declared: dict[tuple[int, int], str] = {}
        async with connection.cursor() as cursor:
            await cursor.execute(_RELATIONS)
            for schema, name, oid, column, not_null, type_name, number, kind in await cursor.fetchall():
                if kind is not None:
                    declared[oid, number] = kind
                key = (schema.lower(), name.lower())
                relation = relations.setdefault(key, Relation(schema, name, oid))
                relation.columns[column.lower()] = Column(column, not_null, type_name)
            await cursor.execute(_FUNCTIONS)
            functions = {(schema, name.lower()): name for schema, name in await cursor.fetchall()}
        self._relations, self._functions, self.declared = relations, functions, declared
        self.version += 1

    def relation(self, schema: str, name: str) -> Relation | None:
        """Return the table, view or row type, whatever the case of its name."""
        return self._relations.get((schema.lower(), name.lower()))

    def function(self, schema: str, name: str) -> str | None:
        """Return the true name of a function."""
        return self._functions.get((schema.lower(), name.lower()))

    def knows(self, names: Iterable[tuple[str, str]]) -> bool:
        """Return whether all of (schema, name) are relations or functions."""
        return all((s.lower(), n.lower()) in self._relations or self.function(s, n) is not None for s, n in names)
