"""The capture instances as the capture job needs them, read from the tables of schema cdc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.sqlserver.changes import Instance

if TYPE_CHECKING:
    import psycopg

# Change tables begin with five columns of their own; large are the (max) types.
_INSTANCES = """
SELECT t.capture_instance, c.relname, t.source_object_id, t.start_lsn::bytea,
       (SELECT array_agg(k.column_name::text ORDER BY k.column_ordinal)
          FROM cdc.captured_columns k WHERE k.object_id = t.object_id),
       (SELECT array_agg(k.column_name::text) FROM cdc.index_columns k WHERE k.object_id = t.object_id),
       (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = t.object_id::oid AND a.attnum > 5
           AND a.atttypid IN ('text'::regtype, 'bytea'::regtype)),
       (SELECT array_agg(k.column_name::text) FROM cdc.captured_columns k WHERE k.object_id = t.object_id
           AND k.column_type IN ('text', 'ntext', 'image'))
  FROM cdc.change_tables t JOIN pg_class c ON c.oid::int = t.object_id
"""


async def read_instances(connection: psycopg.AsyncConnection[Any]) -> list[Instance]:
    """Return all capture instances of the database."""
    cursor = await connection.execute(_INSTANCES)
    return [
        Instance(name, table, source, bytes(start), tuple(columns), *(frozenset(names or ()) for names in sets))
        for name, table, source, start, columns, *sets in await cursor.fetchall()
    ]
