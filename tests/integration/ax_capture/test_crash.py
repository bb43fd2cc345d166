"""Killed at any durable step: the topic equals the history, nothing missing, nothing twice, order kept.

The same random history of inserts, updates, key changes and deletes is captured by a writer that dies at its n-th
write: before it, with half of it delivered, or right behind it. The next capture starts from what is in Kafka.
"""

import random
import subprocess
import sys
import time

import pytest

from connectors.ax import streaming
from connectors.ax.feed_writer import FeedWriter
from tests.kit.poll import poll_until


class Crash(BaseException):
    """The process ends here."""


def dying_writer(at: int, how: str):
    """A writer that dies at its write number `at`: "before", "half" or "after"."""

    class DyingWriter(FeedWriter):
        writes = 0

        def write(self, records):
            self.writes += 1
            if self.writes != at:
                super().write(records)
                return
            if how == "half":
                super().write(list(records)[: len(records) // 2])
            elif how == "after":
                super().write(records)
            super().flush()
            raise Crash

    return DyingWriter


class History:
    """Random transactions on CUSTTABLE, and what the topic must tell of them."""

    def __init__(self, bench, seed: int) -> None:
        self._bench = bench
        self._random = random.Random(seed)
        self._alive: list[int] = []
        self._next = 1
        self.told: list[tuple[str, int]] = []

    def run(self, transactions: int) -> None:
        for _ in range(transactions):
            self._bench.plain(*[self._statement() for _ in range(self._random.randint(1, 4))])

    def _statement(self) -> str:
        kind = self._random.choice(["insert", "insert", "update", "delete", "rekey"])
        if kind == "insert" or not self._alive:
            number, self._next = self._next, self._next + 1
            self._alive.append(number)
            self.told.append(("c", number))
            return f'INSERT INTO {{C}} ("RECID") VALUES ({number})'
        number = self._random.choice(self._alive)
        if kind == "update":
            self.told.append(("u", number))
            return f'UPDATE {{C}} SET "BLOCKED" = "BLOCKED" + 1 WHERE "RECID" = {number}'
        self._alive.remove(number)
        self.told += [("d", number), ("t", number)]
        if kind == "delete":
            return f'DELETE FROM {{C}} WHERE "RECID" = {number}'
        new, self._next = self._next, self._next + 1
        self._alive.append(new)
        self.told.append(("c", new))
        return f'UPDATE {{C}} SET "RECID" = {new} WHERE "RECID" = {number}'


def crash_until_done(bench, ended, crash_at: int, how: str) -> int:
    """Run captures that die at every `crash_at`-th write until `ended()`; returns how many died."""
    crashes = 0
    deadline = time.monotonic() + 60
    while True:
        running = bench.capture(writer=dying_writer(crash_at, how))
        poll_until(lambda running=running: running.failure is not None or ended(), 20, "it dies or is done")
        died = running.end()
        assert died is None or isinstance(died, Crash), died
        if died is None:
            return crashes
        crashes += 1
        if ended():
            return crashes
        assert time.monotonic() < deadline, f"no end after {crashes} crashes: {bench.ops(bench.customers)}"


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
@pytest.mark.parametrize(
    ("crash_at", "how"), [(2, "before"), (2, "half"), (2, "after"), (3, "half"), (3, "after"), (5, "before")]
)
def test_the_topic_equals_the_history_whatever_write_it_dies_at(bench, monkeypatch, crash_at, how, positions):
    # A first write that never succeeds makes no progress; from the second on each life does some work.
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 4)
    bench.capture_settings = bench.capture_settings.model_copy(update={"max_transactions": 3})
    bench.capture().wait_streaming().stop()
    history = History(bench, seed=crash_at)
    history.run(9)
    bench.scan()
    crashes = crash_until_done(bench, lambda: len(bench.ops(bench.customers)) >= len(history.told), crash_at, how)
    assert bench.ops(bench.customers) == history.told
    told = positions(bench.records(bench.customers.topic))
    assert told == sorted(told)
    assert crashes > 0


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_a_snapshot_that_dies_goes_on_behind_its_last_row(bench, how):
    bench.plain('INSERT INTO {C} ("RECID") SELECT * FROM generate_series(1, 14)')
    crashes = crash_until_done(bench, lambda: len(bench.ops(bench.customers)) >= 14, 4, how)
    bench.capture().wait_streaming()
    assert bench.ops(bench.customers) == [("r", number) for number in range(1, 15)]
    assert crashes > 0


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_delete_without_its_tombstone_gets_it_first(bench):
    bench.execute("INSERT INTO {C} (RECID) VALUES (1)")
    bench.scan()
    bench.capture().wait_streaming().stop()
    bench.execute("DELETE FROM {C} WHERE RECID = 1")
    bench.scan()
    # The delete is delivered, its tombstone is not.
    dying = bench.capture(writer=dying_writer(1, "half"))
    poll_until(lambda: dying.failure is not None, 10, "it dies")
    dying.failure = None
    assert bench.ops(bench.customers) == [("r", 1), ("d", 1)]
    bench.capture().wait_streaming()
    bench.wait_ops(bench.customers, [("r", 1), ("d", 1), ("t", 1)])


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_killed_process_loses_and_doubles_nothing(bench, tmp_path):
    history = History(bench, seed=7)
    bench.capture().wait_streaming().stop()
    file = tmp_path / "bench.json"
    file.write_text(bench.process_settings())
    chance = random.Random(3)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-m", "tests.integration.ax_capture.capture_process", str(file)])
        try:
            history.run(10)
            bench.scan()
            before = len(bench.ops(bench.customers))
            poll_until(lambda before=before: len(bench.ops(bench.customers)) > before, 20, "it captures something")
            history.run(10)
            bench.scan()
            time.sleep(chance.random() * 0.1)  # the moment of the kill is to be anywhere
        finally:
            process.kill()
            process.wait(10)
    bench.capture()
    bench.wait_ops(bench.customers, history.told)
