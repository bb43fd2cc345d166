"""One transaction of many rows: what `freshax capture` and the stand-in need in memory for it, and how long it takes.

The transaction changes the same rows again and again, in one commit, so that nothing grows but the transaction: the
projector in the capture's process keeps the customers that there are. The capture streams already when it commits.
"""
# ruff: noqa: S608 - the statements are made of constants of ours

import time
from pathlib import Path

from benchmarks.capture.rounds import AX_TABLES, TABLE, fill, usage
from tests.differential.rig import FEEDS, Rig
from tests.differential.tables import KEY

_LIMIT_SECONDS = 900.0
# Many enough that few statements make a large transaction: PostgreSQL keeps every version of a row until it commits.
_TABLE_ROWS = 10_000


def measure_large(state: Path, changes: int) -> dict[str, float]:
    """What a transaction of `changes` changes costs: memory before and at most (MB), seconds, changes per second."""
    state.mkdir(exist_ok=True)
    with Rig(state, capture_interval_seconds=60, tables=AX_TABLES) as rig:
        rows = fill(rig, _TABLE_ROWS)
        topic = FEEDS[TABLE].name
        capture = rig.capture()
        capture.start()
        try:
            rig.wait_end(topic, rows, _LIMIT_SECONDS, capture.require_running)
            before, standin_before = usage(capture.pid)[0], usage(rig.sql_pid)[0]
            change_in_one_transaction(rig, rows, changes)
            committed = time.monotonic()
            rig.execute("EXEC sys.sp_cdc_scan")
            scanned = time.monotonic()
            rig.wait_end(topic, rows + changes, _LIMIT_SECONDS, capture.require_running)
            ended = time.monotonic()
            return {
                "changes": changes,
                "scan_seconds": scanned - committed,
                "scan_rows_per_second": 2 * changes / (scanned - committed),
                "capture_seconds": ended - scanned,
                "capture_changes_per_second": changes / (ended - scanned),
                "memory_before_mb": before,
                "memory_mb": usage(capture.pid)[0],
                "standin_memory_before_mb": standin_before,
                "standin_memory_mb": usage(rig.sql_pid)[0],
            }
        finally:
            capture.stop()


def change_in_one_transaction(rig: Rig, rows: int, changes: int) -> None:
    """Make `changes` updates, each a change row pair; returns behind the commit."""
    connection = rig.connect()
    cursor = connection.cursor()
    keys = [row[0] for row in cursor.execute(f"SELECT {KEY} FROM dbo.{TABLE} ORDER BY {KEY}").fetchall()]
    done = 0
    while done < changes:
        count = min(rows, changes - done)
        sql = f"UPDATE dbo.{TABLE} SET VATNUM = ? WHERE {KEY} >= ? AND {KEY} <= ?"
        cursor.execute(sql, f"change {done}", keys[0], keys[count - 1])
        done += count
    connection.commit()
    connection.close()
