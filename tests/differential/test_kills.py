"""kill -9 at every durable step and at random points of snapshot and stream: the topic equals the history.

Nothing missing, nothing twice, order kept. Rows come all the while, in overlapping transactions, some rolled back; in
the middle of it the DBA makes a second capture instance. The judge is the change table itself (judging.py).
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from tests.differential.history import History
from tests.differential.judging import deviations, finish, settle
from tests.differential.killing import Killer
from tests.differential.rig import FEEDS, Rig, enable_statement
from tests.kit.poll import poll_until

SEED = int(os.environ.get("DIFFERENTIAL_SEED", "20261124"))
KILLS = int(os.environ.get("DIFFERENTIAL_KILLS", "200"))
ROWS = 500
# Some 100 s on two free cores.
LIMIT_SECONDS = 900.0
TRANSACTIONS_PER_KILL = 3


# The durable steps of a table, each between two records that reach Kafka, in an order in which each can be reached.
SNAPSHOT_STEPS = (
    "start > checkpoint",  # the snapshot's LSN is chosen, and written nowhere
    "checkpoint > r",  # it is written; no row is
    "r > r",
    "r > checkpoint",  # a page is written, its checkpoint is not
    "checkpoint > r",  # between two pages
)
STREAM_STEPS = (
    "checkpoint > row",
    "row > row",
    "row > checkpoint",  # a window is written, its checkpoint is not
    "start > checkpoint",  # a start says first where it goes on
    "row > tombstone",  # between a delete and its tombstone
    "start > tombstone",  # which is the first thing that the next one writes
    "tombstone > row",  # between the halves of a key change
)


@pytest.fixture
def rig(tmp_path):
    with Rig(tmp_path, capture_interval_seconds=0.05) as made:
        yield made


class Played:
    """A history that goes on as far as it is told to, in a thread of its own, while captures live and die."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self._rig = rig
        self.history = History(seed, rig.connect)
        self._allowed = threading.Semaphore(0)
        self._done = 0
        self._ending = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._play)

    def _play(self) -> None:
        try:
            while self._allowed.acquire() and not self._ending:
                self.history.play(1, self._done)
                self._done += 1
        except BaseException as error:  # noqa: BLE001 - raised again at the end
            self._failure = error

    def go_on(self, transactions: int) -> None:
        """Play so many more, beside what the caller does."""
        if not self._thread.is_alive():
            self._thread.start()
        for _ in range(transactions):
            self._allowed.release()

    def widen(self) -> None:
        """A second capture instance of CUSTTABLE begins, in the middle of the changes."""
        self._rig.execute(enable_statement("CUSTTABLE", "dbo_CUSTTABLE_v2"))

    def end(self) -> None:
        """Return when nothing is played any more and all of it is captured by the job."""
        if self._thread.is_alive():
            self._ending = True
            self._allowed.release()
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        settle(self._rig)


@contextlib.contextmanager
def playing(rig: Rig, rows: int) -> Iterator[Played]:
    """Tables of `rows` rows per lane, captured by the job, and what is played on them."""
    played = Played(rig, SEED)
    with contextlib.closing(played.history):
        played.history.fill(rows)
        settle(rig)
        try:
            yield played
        finally:
            played.end()


def found_wrong(rig: Rig, history: History) -> dict[str, tuple[int, list[str]]]:
    found = {table: deviations(rig, table, rig.positioned(table), history.rows(table)) for table in FEEDS}
    return {table: (len(wrong), wrong[:5]) for table, wrong in found.items() if wrong}


def crash(rig: Rig, kills: int, captures: int) -> tuple[Killer, list[int | None], History]:
    """Kill captures at random points: half of them during the snapshots, half while changes flow; let one finish."""
    killer = Killer(rig, SEED)
    ended: list[int | None] = []
    began = time.monotonic()
    with playing(rig, ROWS) as played:
        for number in range(kills):
            in_snapshot = number < kills // 2
            if not in_snapshot:
                played.go_on(TRANSACTIONS_PER_KILL)
            if number == 3 * kills // 4:
                played.widen()
            # So that the snapshots last as long as their half of the kills.
            most = max(2, 4 * ROWS * 3 // kills) if in_snapshot else 40
            ended += killer.at_random(captures, most)
            assert time.monotonic() - began < LIMIT_SECONDS, f"{number} kills take too long"
        played.end()
        finish(rig, killer)
    return killer, ended, played.history


@pytest.mark.parametrize("captures", [1, 2], ids=["one capture", "two captures at once"])
def test_the_topic_equals_the_history_whatever_is_killed(rig, captures):
    """Of two captures one stands by until the lease is free: nothing is written twice, whoever is killed when."""
    kills = KILLS // captures**3
    killer, ended, history = crash(rig, kills, captures)
    assert set(ended) == {None}, "a capture ended by itself: " + killer.log.read_text()[-1500:]
    assert found_wrong(rig, history) == {}
    assert killer.kills >= kills
    assert killer.kills_with_progress >= kills // 3


def test_the_topic_equals_the_history_whatever_durable_step_it_dies_at(rig):
    killer = Killer(rig, SEED, page_rows=4)
    with playing(rig, 5) as played:
        for step in SNAPSHOT_STEPS:
            killer.at_step(step)
        for round_number in range(2):
            for step in STREAM_STEPS:
                played.go_on(8)
                killer.at_step(step)
            if round_number == 0:
                played.widen()
        played.end()
        finish(rig, killer)
    assert found_wrong(rig, played.history) == {}


def test_a_capture_that_stands_by_takes_over_from_a_killed_one(rig):
    killer = Killer(rig, SEED)
    with playing(rig, ROWS) as played:
        holder = killer.start("capture-0")
        for number in range(3):
            stands_by = killer.start(f"capture-{number + 1}")
            begun = killer.written()
            played.go_on(5)
            poll_until(lambda begun=begun: killer.written() > begun + 10, 20, "the holder writes")
            holder.kill()
            holder.join()
            assert stands_by.exitcode is None, killer.log.read_text()[-1500:]
            holder = stands_by
        begun = killer.written()
        played.go_on(5)
        poll_until(lambda: killer.written() > begun, 20, "the last one writes")
        holder.kill()
        holder.join()
        played.end()
        finish(rig, killer, "capture-3")
    assert found_wrong(rig, played.history) == {}
