"""The judge of what a capture told under kills: the change table itself, read past the stand-in's TDS side.

Behind the snapshot's LSN every change row is in the topic once, in order; a delete has its tombstone; the newest record
per key is the table.
"""

import time
from itertools import pairwise

import psycopg

from schemas.positions import Lsn, Position
from tests.differential.killing import Killer
from tests.differential.rig import FEEDS, Rig
from tests.differential.tables import KEY, canonical


def change_rows(rig: Rig, table: str) -> list[tuple[Position, int]]:
    """(position, key) of every change row but old images, straight from the change table."""
    with psycopg.connect(rig.dsn) as connection:
        rows = connection.execute(
            f'SELECT "__$start_lsn"::bytea, "__$command_id", "__$seqval"::bytea, "__$operation", "{KEY}" '
            f'FROM cdc."dbo_{table}_CT" WHERE "__$operation" <> 3 ORDER BY 1, 2, 3, 4'
        ).fetchall()
    return [
        (Position(Lsn(bytes(start)), command, Lsn(bytes(seqval)), operation), key)
        for start, command, seqval, operation, key in rows
    ]


def deviations(rig: Rig, table: str, told: list, final_rows: dict[int, dict]) -> list[str]:
    """What `told` says that the history does not, and the reverse; empty when they are equal."""
    wrong = []
    changes = [(position, key, value) for position, key, value in told if value is not None]
    for (before, _, _), (after, key, _) in pairwise(changes):
        if after == before:
            wrong.append(f"twice: {after} (key {key})")
        elif after < before:
            wrong.append(f"out of order: {after} behind {before} (key {key})")
    for index, (position, key, value) in enumerate(told):
        if value is not None and value["op"] == "d" and told[index + 1 : index + 2] != [(position, key, None)]:
            wrong.append(f"a delete without its tombstone: {position}")
        if value is None and (index == 0 or told[index - 1][2] is None or told[index - 1][2]["op"] != "d"):
            wrong.append(f"a tombstone without its delete: {position}")
    snapshot = [position for position, _, value in changes if value["op"] == "r"]
    lsn = snapshot[0].commit_lsn
    expected = [(position, key) for position, key in change_rows(rig, table) if position.commit_lsn > lsn]
    found = [(p, int(k.decode().partition(":")[2])) for p, k, value in changes if value["op"] != "r"]
    wrong += [f"missing: {entry}" for entry in sorted(set(expected) - set(found))]
    wrong += [f"invented: {entry}" for entry in sorted(set(found) - set(expected))]
    last: dict[int, dict | None] = {}
    for _, key, value in told:
        last[int(key.decode().partition(":")[2])] = None if value is None else canonical(table, value["after"])
    if {key: row for key, row in last.items() if row is not None} != final_rows:
        wrong.append("the newest record per key is not the table")
    return wrong


def finish(rig: Rig, killer: Killer, name: str = "first") -> None:
    """Let a capture read what is left, under the name of one that was killed.

    Done when every table's checkpoint is behind its newest change.
    """
    newest = {FEEDS[table].name: change_rows(rig, table)[-1][0].commit_lsn for table in FEEDS}
    child = killer.start(name)
    give_up = time.monotonic() + 40
    try:
        while True:
            done = rig.checkpoints()
            if all(name in done and Position.parse(done[name]).commit_lsn >= newest[name] for name in newest):
                break
            assert child.is_alive(), "the capture ended: " + (rig.state / "kills.log").read_text()[-1500:]
            assert time.monotonic() < give_up, "the capture does not finish"
            time.sleep(0.2)
    finally:
        child.kill()
        child.join()


def settle(rig: Rig) -> None:
    """Wait until the capture job has read the whole log."""
    rig.execute("EXEC sys.sp_cdc_scan")
