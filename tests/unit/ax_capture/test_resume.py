"""Where a capture goes on after any crash: from the last row in the topic and the checkpoint."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.envelope import is_snapshot, snapshot_position
from connectors.ax.resume import ContinueSnapshot, NewSnapshot, Stream, Tail, backfill_of, start_of
from connectors.ax.row_key import RowKey
from schemas.failures import FatalError
from schemas.positions import Lsn, Position
from schemas.records import CapturePosition, Phase


def lsn(number: int) -> Lsn:
    return Lsn(number.to_bytes(10, "big"))


S = lsn(100)
ROW = Position(lsn(120), 1, lsn(3), 2)
FIVE, NINE = RowKey(1, 5), RowKey(1, 9)


def checkpoint(**given) -> CapturePosition:
    return CapturePosition.from_avro(
        {
            "capture_instance": "dbo_CUSTTABLE",
            "topic": "ax.cdc.custtable",
            "phase": "streaming",
            "at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        | given
    )


def snapshotting(key: RowKey | None) -> CapturePosition:
    partition, rec_id = key or (None, None)
    return checkpoint(phase="snapshot", snapshot_lsn=str(S), snapshot_partition=partition, snapshot_key=rec_id)


def streaming(position: Position) -> CapturePosition:
    return checkpoint(position=str(position))


@pytest.mark.parametrize(
    ("stored", "last", "start"),
    [
        (None, None, NewSnapshot()),
        (snapshotting(None), None, ContinueSnapshot(S, None)),
        (snapshotting(FIVE), None, ContinueSnapshot(S, FIVE)),
        # Rows were delivered, their checkpoint was not.
        (snapshotting(FIVE), snapshot_position(S, 9), ContinueSnapshot(S, NINE)),
        # A new snapshot over a topic that holds older rows.
        (snapshotting(None), Position(lsn(50), 1, lsn(1), 2), ContinueSnapshot(S, None)),
        # The snapshot's end was not stored, yet its stream began.
        (snapshotting(NINE), ROW, Stream(ROW)),
        (streaming(Position.end_of(S)), snapshot_position(S, 9), Stream(Position.end_of(S))),
        (streaming(Position.end_of(S)), ROW, Stream(ROW)),
        (streaming(Position.end_of(lsn(200))), ROW, Stream(Position.end_of(lsn(200)))),
        # The checkpoints were lost: the topic knows enough.
        (None, ROW, Stream(ROW)),
        (None, snapshot_position(S, 9), ContinueSnapshot(S, NINE)),
        # An operator asked for a snapshot.
        (checkpoint(phase="snapshot"), ROW, NewSnapshot()),
    ],
)
def test_the_start_is_right_behind_what_is_in_the_topic(stored, last, start):
    assert start_of(stored, Tail(last, 10, key=None if last is None else NINE)) == start


def test_a_streaming_checkpoint_without_a_position_is_not_guessed_at():
    with pytest.raises(FatalError, match="no position"):
        start_of(checkpoint(phase=Phase.STREAMING.value), Tail(None, 0))


rec_ids = st.integers(-(1 << 63), (1 << 63) - 1)


@given(rec_ids, rec_ids)
def test_positions_of_rows_read_are_in_the_order_of_partition_and_recid(one, other):
    first, second = snapshot_position(S, one), snapshot_position(S, other)
    assert (first < second) == (one < other)
    assert first < snapshot_position(S, other, 1)
    assert is_snapshot(Position.parse(str(first)))
    assert not is_snapshot(ROW)


@given(rec_ids)
def test_a_first_snapshot_s_rows_stand_before_the_changes_behind_its_lsn_and_an_incremental_one_s_behind_them(rec_id):
    change = Position(S, 2**20, lsn(7), 4)
    assert lsn(99) < S
    assert snapshot_position(S, rec_id) < change
    assert change < snapshot_position(S, rec_id, incremental=True) < Position.end_of(S) < ROW
    assert not is_snapshot(snapshot_position(S, rec_id, incremental=True))


def running(after: RowKey | None) -> CapturePosition:
    partition, rec_id = after or (None, None)
    backfill = {
        "signal_id": "one",
        "from_key": None,
        "to_key": None,
        "begun_at_lsn": str(S),
        "after_partition": partition,
        "after_key": rec_id,
    }
    return checkpoint(position=str(Position.end_of(S)), backfill=backfill)


@pytest.mark.parametrize(
    ("last", "snapshot_id", "after"),
    [
        (ROW, None, FIVE),
        # Rows of the chunk behind it were delivered, their checkpoint was not.
        (snapshot_position(S, 9, incremental=True), "one", NINE),
        # Rows of an earlier request: this one has not written any.
        (snapshot_position(S, 9, incremental=True), "another", FIVE),
    ],
)
def test_an_incremental_snapshot_goes_on_behind_its_last_row(last, snapshot_id, after):
    found = backfill_of(running(FIVE), Tail(last, 10, key=NINE, snapshot_id=snapshot_id))
    assert (found.after_partition, found.after_key) == after


def test_without_a_checkpoint_no_incremental_snapshot_runs():
    assert backfill_of(None, Tail(ROW, 10, key=NINE, snapshot_id="one")) is None
