"""A table, or a range of it, read again while it streams: as often as asked, whatever changes or dies meanwhile."""

import itertools
import threading

import pytest

from connectors.ax import backfill, streaming
from connectors.ax.backfill_chunk import Chunk
from connectors.ax.feed_writer import FeedWriter
from connectors.ax.resume import read_checkpoints
from schemas import headers
from schemas.failures import FatalError
from schemas.positions import Lsn
from tests.integration.ax_capture.test_crash import Crash
from tests.integration.ax_capture.test_silent_failures import clean_up
from tests.kit.poll import poll_until

pytestmark = pytest.mark.parametrize("driver", ["freetds"], indirect=True)


_parties = itertools.count(1000)


def with_rows(bench, count: int) -> None:
    bench.plain(f'INSERT INTO {{C}} ("RECID") SELECT * FROM generate_series(1, {count})')
    bench.scan()


def until(bench, done) -> None:
    """Scan after a commit of another table, again and again: what proves a high mark on a busy database."""

    def sound_and_done() -> bool:
        bench.check()
        return done()

    prove_until(bench, sound_and_done)


def prove_until(bench, done) -> None:
    def proven_and_done() -> bool:
        bench.execute(f"INSERT INTO {{P}} (RECID) VALUES ({next(_parties)})")
        bench.scan()
        return done()

    poll_until(proven_and_done, 20, "the incremental snapshot is as far as that")


def read_again(bench) -> list[int]:
    """RECIDs of the rows that answer a request."""
    return [
        int(message.key().decode().partition(":")[2])
        for message in bench.records(bench.customers.topic)
        if headers.SNAPSHOT_ID in dict(message.headers())
    ]


def is_through(bench) -> bool:
    found = read_checkpoints(bench.kafka, bench.codec)[bench.customers.topic.name]
    return found.backfill is None and found.signals_taken >= 0


@pytest.mark.parametrize(
    ("first", "end", "rows"),
    [(None, None, [1, 2, 3, 4, 5, 6, 7]), (3, 6, [3, 4, 5]), (6, None, [6, 7]), (100, 200, [])],
)
def test_a_range_is_read_again_in_key_order(bench, positions, first, end, rows):
    with_rows(bench, 7)
    bench.capture().wait_streaming()
    asked = bench.ask(first=first, end=end)
    until(bench, lambda: is_through(bench))
    assert read_again(bench) == rows
    told = bench.records(bench.customers.topic)
    assert positions(told) == sorted(positions(told))
    for message, value in zip(told[7:], bench.decoded(bench.customers)[7:], strict=True):
        assert dict(message.headers())[headers.SNAPSHOT_ID].decode() == asked
        assert (value["op"], value["source"]["snapshot"]) == ("r", "incremental")


def test_a_row_that_changes_behind_the_read_is_told_by_the_stream_alone(bench, monkeypatch):
    with_rows(bench, 3)
    bench.capture().wait_streaming()
    real = backfill._chunk

    def changed_right_behind(*args) -> Chunk | None:
        chunk = real(*args)
        if chunk is not None:
            bench.execute("UPDATE {C} SET BLOCKED = 1 WHERE RECID = 2")
            bench.execute("DELETE FROM {C} WHERE RECID = 3")
        return chunk

    monkeypatch.setattr(backfill, "_chunk", changed_right_behind)
    bench.ask()
    until(bench, lambda: is_through(bench))
    assert bench.ops(bench.customers)[3:] == [("u", 2), ("d", 3), ("t", 3), ("r", 1)]


def test_nothing_is_written_before_the_log_was_read_beyond_the_chunk(bench):
    with_rows(bench, 3)
    running = bench.capture().wait_streaming()
    feed = running.part.capture._feeds[0]
    bench.ask()
    poll_until(lambda: feed.chunk is not None, 10, "the chunk is read")
    polls = running.part.capture.last_progress
    poll_until(lambda: running.part.capture.last_progress > polls + 0.5, 10, "it goes on polling")
    assert read_again(bench) == []
    until(bench, lambda: is_through(bench))
    assert read_again(bench) == [1, 2, 3]


def test_a_request_is_answered_once_though_it_is_read_at_every_start(bench):
    with_rows(bench, 2)
    running = bench.capture().wait_streaming()
    bench.ask()
    until(bench, lambda: is_through(bench))
    running.stop()
    bench.capture().wait_streaming()
    bench.execute("UPDATE {C} SET BLOCKED = 1 WHERE RECID = 2")
    bench.scan()
    bench.wait_ops(bench.customers, [("r", 1), ("r", 2), ("r", 1), ("r", 2), ("u", 2)])


def dying_in_chunk(how: str):
    """A writer that dies at its second chunk: "before" it, with half of it delivered, or right "after" it."""

    class DyingInChunk(FeedWriter):
        chunks = 0

        def write(self, records):
            self.chunks += any(name == headers.SNAPSHOT_ID for record in records for name, _ in record.headers)
            if self.chunks < 2:
                super().write(records)
                return
            super().write(list(records)[: {"before": 0, "half": len(records) // 2, "after": len(records)}[how]])
            super().flush()
            raise Crash

    return DyingInChunk


@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_one_that_dies_in_a_chunk_goes_on_behind_its_last_row(bench, how):
    with_rows(bench, 9)
    bench.capture().wait_streaming().stop()
    bench.ask()
    deaths = 0
    while not is_through(bench):
        running = bench.capture(writer=dying_in_chunk(how))
        prove_until(bench, lambda running=running: running.failure is not None or is_through(bench))
        died = running.end()
        assert died is None or isinstance(died, Crash), died
        deaths += died is not None
        assert deaths < 30
    assert deaths > 0
    assert read_again(bench) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_it_is_paused_resumed_and_stopped(bench):
    with_rows(bench, 9)
    running = bench.capture().wait_streaming()
    bench.ask("pause")
    bench.ask()
    until(bench, lambda: running.part.capture._feeds[0].paused)
    bench.execute("UPDATE {C} SET BLOCKED = 1 WHERE RECID = 2")
    until(bench, lambda: ("u", 2) in bench.ops(bench.customers))
    assert read_again(bench) == []
    bench.ask("resume")
    until(bench, lambda: len(read_again(bench)) >= 3)
    bench.ask("stop")
    until(bench, lambda: is_through(bench))
    told = read_again(bench)
    bench.execute("UPDATE {C} SET BLOCKED = 2 WHERE RECID = 2")
    until(bench, lambda: bench.ops(bench.customers).count(("u", 2)) == 2)
    assert read_again(bench) == told


def test_a_gap_heals_by_a_request_for_the_whole_table_and_by_nothing_less(bench, positions):
    with_rows(bench, 3)
    bench.capture().wait_streaming().stop()
    bench.execute("DELETE FROM {C} WHERE RECID = 2")
    bench.execute("INSERT INTO {C} (RECID) VALUES (4)")
    bench.scan()
    clean_up(bench, bench.customers)
    assert bench.capture().wait_failure(FatalError).code == "cdc_gap"
    bench.ask(first=1, end=3)
    assert bench.capture().wait_failure(FatalError).code == "cdc_gap"
    bench.ask()
    bench.capture().wait_streaming()
    bench.wait_ops(
        bench.customers,
        [("r", 1), ("r", 2), ("r", 3), ("r", 1), ("r", 3), ("r", 4), ("d", 2), ("t", 2)],
    )


def test_a_table_that_is_slow_to_read_does_not_hold_up_the_others(bench, monkeypatch):
    with_rows(bench, 1)
    bench.capture().wait_streaming()
    free = threading.Event()
    real = streaming.read_changes

    def held_for_customers(connection, shape, *args, **options):
        if shape.table.name == bench.customers.name:
            assert free.wait(20)
        yield from real(connection, shape, *args, **options)

    monkeypatch.setattr(streaming, "read_changes", held_for_customers)
    bench.execute("UPDATE {C} SET BLOCKED = 1")
    bench.scan()
    bench.execute("INSERT INTO {P} (RECID) VALUES (1)")
    bench.scan()
    bench.wait_ops(bench.parties, [("c", 1)])
    assert bench.ops(bench.customers) == [("r", 1)]
    free.set()
    bench.wait_ops(bench.customers, [("r", 1), ("u", 1)])


def test_a_table_without_a_change_is_passed_without_being_read(bench, monkeypatch):
    with_rows(bench, 1)
    bench.capture().wait_streaming()
    read = []
    real = streaming.read_changes

    def noted(connection, shape, *args, **options):
        read.append(shape.table.name)
        yield from real(connection, shape, *args, **options)

    monkeypatch.setattr(streaming, "read_changes", noted)
    for number in (1, 2):
        bench.execute(f"INSERT INTO {{P}} (RECID) VALUES ({number})")
        bench.scan()
        bench.wait_ops(bench.parties, [("c", 1), ("c", 2)][:number])
    newest = bench.server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0][0]

    def stored():
        found = read_checkpoints(bench.kafka, bench.codec)[bench.customers.topic.name]
        return found.position.startswith(str(Lsn(bytes(newest))))

    poll_until(stored, 10, "the quiet table's position has moved, too")
    assert set(read) == {bench.parties.name}
