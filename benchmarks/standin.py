"""`python -m benchmarks.standin`: change rows per second that the stand-in's capture job writes, and that it serves.

What a benchmark of a reader shows is worth nothing where the stand-in is the bottleneck: so its own rates are known.

The processor's seconds are told beside the wall's: on a shared machine they are what can be compared.
"""
# ruff: noqa: S608 - the statements are made of constants of ours

import argparse
import json
import sys
import time

import psycopg
import pyodbc

from sandbox.sqlserver.background import BackgroundSqlServer
from tests.differential.rig import PASSWORD, enable_statement
from tests.differential.tables import KEY, TABLES, create_statement

_TABLE = "CUSTTABLE"


def main() -> int:
    """Measure; a line per case to stderr, JSON to stdout."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.standin", description=__doc__)
    parser.add_argument("--changes", type=int, default=20_000, help="updates per case: twice as many change rows")
    changes = parser.parse_args().changes
    found: dict[str, float] = {}
    with BackgroundSqlServer(capture_interval_seconds=3600) as sql:
        sql.execute("EXEC sys.sp_cdc_enable_db")
        sql.execute(create_statement(_TABLE))
        sql.execute(enable_statement(_TABLE))
        with psycopg.connect(sql.server.dsn, autocommit=True) as plain:
            _fill(plain, 1000)
            sql.scan()
            for per_transaction in (changes, 400, 20, 1):
                _change(plain, changes, per_transaction)
                started, used = time.monotonic(), time.process_time()
                sql.scan()
                case = f"{per_transaction}_changes_per_transaction"
                found[f"captured_rows_per_second_{case}"] = 2 * changes / (time.monotonic() - started)
                # Of this process; PostgreSQL, which decodes the log and takes the rows, works beside it.
                found[f"captured_rows_per_cpu_second_{case}"] = 2 * changes / (time.process_time() - used)
        found["read_rows_per_second"] = _read(sql.server.port)
    for name, value in found.items():
        sys.stderr.write(f"{name:62} {value:12,.0f}\n")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


def _fill(plain: psycopg.Connection, rows: int) -> None:
    columns = TABLES[_TABLE]
    names = ", ".join(f'"{column.name}"' for column in columns)
    values = ", ".join("n" if column.name == KEY else _SAMPLE[column.kind] for column in columns)
    plain.execute(f'INSERT INTO dbo."{_TABLE}" ({names}) SELECT {values} FROM generate_series(1, {rows}) n')


_SAMPLE = {"nvarchar": "'X1'", "int": "1", "bigint": "5637144576", "numeric": "12.5", "datetime": "'2026-03-01 12:00'"}


def _change(plain: psycopg.Connection, changes: int, per_transaction: int) -> None:
    """`changes` updates of rows, `per_transaction` of them in a statement and transaction of their own."""
    at_most = min(per_transaction, 1000)
    plain.execute(
        f"""DO $$ BEGIN FOR t IN 1..{changes // per_transaction} LOOP
        FOR s IN 1..{per_transaction // at_most} LOOP
        UPDATE dbo."{_TABLE}" SET "VATNUM" = 'changed ' || t || ' ' || s WHERE "{KEY}" <= {at_most};
        END LOOP; COMMIT; END LOOP; END $$"""
    )


def _read(port: int) -> float:
    """Rows of the change table per second, at a client."""
    connection = pyodbc.connect(
        f"DRIVER=FreeTDS;SERVER=127.0.0.1;PORT={port};DATABASE=AX;UID=sa;PWD={PASSWORD};TDS_Version=7.4;Encryption=off"
    )
    started = time.monotonic()
    cursor = connection.execute(f"SELECT * FROM cdc.dbo_{_TABLE}_CT ORDER BY __$start_lsn, __$command_id, __$seqval")
    rows = 0
    while block := cursor.fetchmany(2000):
        rows += len(block)
    connection.close()
    return rows / (time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
