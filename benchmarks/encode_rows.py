"""Cost of a change of CUSTTABLE from row to record, without SQL Server and Kafka.

Run: `python -m benchmarks.encode_rows`.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.ax.changes import Change
from connectors.ax.envelope import Envelopes, Origin
from connectors.ax.source_tables import TableShape, shape_of, source_tables
from connectors.ax.sql_types import SqlType, kind_of
from connectors.ax.table_schema import CapturedColumn, row_fields
from schemas import avro
from schemas.positions import Lsn, Position

_CHANGES = 20_000
_ROUNDS = 5
_SQL = {"long": "bigint", "int": "int", "string": "nvarchar", "decimal": "numeric", "timestamp-millis": "datetime"}
_AT = datetime(2026, 3, 1, 12, 0, 0, 123_000)  # noqa: DTZ001 - SQL Server's instants are naive
_VALUES = {"long": 0, "int": 0, "string": "text", "decimal": Decimal("12345.6789012345678901"), "timestamp-millis": _AT}


def main() -> None:
    """Print µs per update with both images of 20 columns: the best of five rounds."""
    shape = _shape()
    envelopes = Envelopes(shape, Origin("ax", "AX", "0.1.0", lambda: datetime.now(UTC)))
    changes = [_change(shape, number) for number in range(_CHANGES)]
    offset = timedelta(hours=1)
    best = min(_seconds(envelopes, changes, offset) for _ in range(_ROUNDS))
    sys.stdout.write(f"{best / _CHANGES * 1e6:.1f} µs of processor time per update\n")


def _seconds(envelopes: Envelopes, changes: list[Change], offset: timedelta) -> float:
    started = time.process_time()
    for change in changes:
        envelopes.of_change(change, offset)
    return time.process_time() - started


def _shape() -> TableShape:
    table = source_tables()[0]
    schema = avro.load("cdc_custtable")
    columns = []
    for ordinal, part in enumerate(row_fields(schema), 1):
        sql = SqlType(_SQL[kind_of(part["type"])])
        columns.append(CapturedColumn(part["name"], ordinal, sql, sql, nullable=False))
    return shape_of(table, schema, 7, columns)


def _change(shape: TableShape, number: int) -> Change:
    lsn = Lsn((5_000_000 + number).to_bytes(10, "big"))
    before: dict[str, Any] = {column.name: _VALUES[kind_of(column.declared)] for column in shape.columns}
    account = f"C-{number:06d}"
    before |= {"RECID": 5637144576 + number, "PARTITION": 5637144576, "ACCOUNTNUM": account, "INVOICEACCOUNT": account}
    before |= {"VATNUM": f"DE{number:09d}", "PARTY": 5637150000 + number, "RECVERSION": number * 7919}
    before |= {"CREDITMAX": Decimal(f"{number}.6789012345678901"), "MODIFIEDDATETIME": _AT + timedelta(seconds=number)}
    changed = {"BLOCKED": 1, "RECVERSION": number * 7907, "MODIFIEDDATETIME": _AT + timedelta(days=1, seconds=number)}
    return Change(Position(lsn, 1, lsn, 4), before, before | changed, _AT + timedelta(days=1, seconds=number), 2)


if __name__ == "__main__":
    main()
