"""The unmodified Debezium connector and `freshax capture` read one random history: the same changes in the same order.

Three witnesses: what was played, what Debezium tells (reading the change tables directly, and through the functions),
what `freshax capture` tells. A failure names the seed and the transaction; ask for fewer transactions to make it small:

    make differential ARGS="-k debezium" DIFFERENTIAL_SEED=7 DIFFERENTIAL_TRANSACTIONS=130
"""

import contextlib
import os

import pytest

from tests.differential.debezium import Debezium
from tests.differential.history import History
from tests.differential.rig import FEEDS, PASSWORD, Rig, enable_statement
from tests.differential.told import (
    Event,
    against_history,
    as_debezium,
    as_freshax,
    comparable,
    differing,
    expected_records,
    first_difference,
    of_debezium,
    of_freshax,
    split,
    without_marks,
)

SEED = int(os.environ.get("DIFFERENTIAL_SEED", "20261124"))
TRANSACTIONS = int(os.environ.get("DIFFERENTIAL_TRANSACTIONS", "1100"))
ROWS = 150
LEAST_CHANGES = 10_000
DRAIN_SECONDS = 60.0
# Connector by topic prefix: the change tables read directly (the default), or through fn_cdc_get_all_changes.
READERS = {"direct": {}, "function": {"data.query.mode": "function"}}


class Readers:
    """Both readers over one rig."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        # Small windows: a position must survive many of them.
        self._capture = rig.capture(capture__max_transactions="7", capture__snapshot_chunk_rows="64")
        rig.create_topics(*(f"{p}.AX.dbo.{t}" for p in READERS for t in FEEDS), *(f"{p}.history" for p in READERS))
        self._debezium = Debezium(
            rig.state / "debezium", rig.kafka.bootstrap, rig.sql_port, PASSWORD, list(FEEDS), READERS
        )

    def __enter__(self) -> "Readers":
        self._capture.start()
        self._debezium.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._debezium.stop()
        self._capture.stop()

    def check(self) -> None:
        """Raise when one of them has failed."""
        self._capture.require_running()
        self._debezium.check()

    def wait_snapshots(self, rows: int) -> None:
        """Return when all have read the filled tables and stream."""
        self._debezium.wait_streaming()
        for topic in self._topics():
            self._rig.wait_end(topic, rows, DRAIN_SECONDS, self.check)

    def drain(self, snapshot_rows: int, history: History, filled: int) -> None:
        """Return when all have told everything that was played."""
        counts = expected_records(history.committed[filled:])
        for topic in self._topics():
            self._rig.wait_end(topic, snapshot_rows + counts[_table(topic)], DRAIN_SECONDS, self.check)

    def _topics(self) -> list[str]:
        return [topic.name for topic in FEEDS.values()] + [f"{p}.AX.dbo.{t}" for p in READERS for t in FEEDS]


def _table(topic: str) -> str:
    return next(table for table, feed in FEEDS.items() if topic == feed.name or topic.endswith(f".{table}"))


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """(rig, committed transactions behind the snapshot), after all readers have told everything."""
    with Rig(tmp_path_factory.mktemp("differential")) as rig, contextlib.ExitStack() as closing:
        history = closing.enter_context(contextlib.closing(History(SEED, rig.connect)))
        history.fill(ROWS)
        filled = len(history.committed)
        snapshot = {table: dict(history.rows(table)) for table in FEEDS}
        rows = 2 * ROWS
        # All of it is captured before a snapshot begins: else a reader may tell a row twice, as r and as c.
        poll_captured(rig, filled)
        with Readers(rig) as readers:
            readers.wait_snapshots(rows)
            part = TRANSACTIONS // 3
            history.play(part)
            readers.drain(rows, history, filled)
            clean_up(rig)
            history.play(part, part)
            # The old instance stays: Debezium goes on reading it until a restart, and fails when it is dropped before.
            # The second one begins somewhere in the middle of the changes.
            rig.execute("ALTER TABLE dbo.CUSTTABLE ADD CREDITRATING nvarchar(10) NULL")
            history.play(20, 2 * part)
            rig.execute(enable_statement("CUSTTABLE", "dbo_CUSTTABLE_v2"))
            history.play(TRANSACTIONS - 2 * part - 20, 2 * part + 20)
            readers.drain(rows, history, filled)
        yield rig, history.committed[filled:], snapshot


def poll_captured(rig: Rig, transactions: int) -> None:
    """Return when the capture job has read `transactions` transactions."""
    while rig.execute("SELECT COUNT(*) FROM cdc.lsn_time_mapping WHERE tran_id <> 0x00")[0][0] < transactions:
        pass


def clean_up(rig: Rig) -> None:
    """Cleanup up to the newest commit: everybody has read it."""
    for table in FEEDS:
        rig.execute(
            "DECLARE @mark binary(10) = sys.fn_cdc_get_max_lsn(); "
            f"EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_{table}', @low_water_mark = @mark, "
            "@threshold = 5000"
        )


def told_by(rig: Rig, reader: str, table: str) -> list[Event]:
    return of_freshax(rig, table) if reader == "freshax" else of_debezium(rig, f"{reader}.AX.dbo.{table}", table)


def explain(seed: int, table: str, what: str) -> str:
    return f"{table}, seed {seed}, {TRANSACTIONS} transactions: {what}"


def test_the_history_is_long_enough(played):
    _, committed, _ = played
    changes = sum(len(statement.changes) for statements in committed for statement in statements)
    assert changes >= LEAST_CHANGES or "DIFFERENTIAL_TRANSACTIONS" in os.environ


@pytest.mark.parametrize("table", FEEDS)
@pytest.mark.parametrize("reader", ["freshax", *READERS])
def test_a_reader_tells_the_history_that_was_played(played, reader, table):
    rig, committed, rows = played
    snapshot, stream = split(told_by(rig, reader, table))
    assert {key: event.told.after for key, event in snapshot.items()} == rows[table]
    if reader == "freshax":
        wrong = against_history(committed, table, stream, as_freshax)
    else:
        wrong = against_history(committed, table, without_marks(table, stream), as_debezium)
    assert wrong is None, explain(SEED, table, f"{reader} / played: {wrong}")


@pytest.mark.parametrize("table", FEEDS)
@pytest.mark.parametrize("reader", READERS)
def test_freshax_tells_the_same_changes_in_the_same_order_as_debezium(played, reader, table):
    rig, _, _ = played
    ours, theirs = (comparable(table, told_by(rig, name, table)) for name in ("freshax", reader))
    assert split(ours)[0] == split(theirs)[0]
    one, other = split(ours)[1], split(theirs)[1]
    index = first_difference(one, other)
    if index is not None:
        pair = [stream[index] if index < len(stream) else None for stream in (one, other)]
        pytest.fail(explain(SEED, table, f"freshax / Debezium ({reader}) differ at record {index}: {differing(*pair)}"))


@pytest.mark.parametrize("table", FEEDS)
def test_freshax_tells_the_commit_time_that_debezium_tells(played, table):
    rig, _, _ = played
    ours, theirs = (split(told_by(rig, reader, table))[1] for reader in ("freshax", "function"))
    pairs = [(one.committed_ms, other.committed_ms) for one, other in zip(ours, theirs, strict=True) if one.place]
    assert pairs
    assert [(one, other) for one, other in pairs if abs(one - other) > 1] == []


@pytest.mark.parametrize("fault", ["lost", "doubled", "swapped"])
def test_the_comparison_sees_a_planted_fault(played, fault):
    rig, committed, _ = played
    stream = split(told_by(rig, "freshax", "CUSTTABLE"))[1]
    at = len(stream) // 2
    while stream[at].told.op == "tombstone" or stream[at + 1].told.op in ("tombstone", "d"):
        at += 1
    one, other = stream[at : at + 2]
    planted = {"lost": [other], "doubled": [one, one, other], "swapped": [other, one]}[fault]
    broken = stream[:at] + planted + stream[at + 2 :]
    assert one != other
    assert first_difference(stream, broken) == at + (fault == "doubled")
    if fault != "swapped":  # two changes of one statement may be told either way
        assert against_history(committed, "CUSTTABLE", broken) is not None
