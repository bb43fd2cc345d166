"""Where a capture goes on after any crash: from the last row in the topic and the checkpoint."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.envelope import snapshot_position, snapshot_rec_id
from connectors.ax.resume import ContinueSnapshot, NewSnapshot, Stream, start_of
from schemas.failures import FatalError
from schemas.positions import Lsn, Position
from schemas.records import CapturePosition, Phase


def lsn(number: int) -> Lsn:
    return Lsn(number.to_bytes(10, "big"))


S = lsn(100)
ROW = Position(lsn(120), 1, lsn(3), 2)


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


def snapshotting(key: int | None) -> CapturePosition:
    return checkpoint(phase="snapshot", snapshot_lsn=str(S), snapshot_key=key)


def streaming(position: Position) -> CapturePosition:
    return checkpoint(position=str(position))


@pytest.mark.parametrize(
    ("stored", "last", "start"),
    [
        (None, None, NewSnapshot()),
        (snapshotting(None), None, ContinueSnapshot(S, None)),
        (snapshotting(5), None, ContinueSnapshot(S, 5)),
        # Rows were delivered, their checkpoint was not.
        (snapshotting(5), snapshot_position(S, 9), ContinueSnapshot(S, 9)),
        # A new snapshot over a topic that holds older rows.
        (snapshotting(None), Position(lsn(50), 1, lsn(1), 2), ContinueSnapshot(S, None)),
        # The snapshot's end was not stored, yet its stream began.
        (snapshotting(9), ROW, Stream(ROW)),
        (streaming(Position.end_of(S)), snapshot_position(S, 9), Stream(Position.end_of(S))),
        (streaming(Position.end_of(S)), ROW, Stream(ROW)),
        (streaming(Position.end_of(lsn(200))), ROW, Stream(Position.end_of(lsn(200)))),
        # The checkpoints were lost: the topic knows enough.
        (None, ROW, Stream(ROW)),
        (None, snapshot_position(S, 9), ContinueSnapshot(S, 9)),
        # An operator asked for a snapshot.
        (checkpoint(phase="snapshot"), ROW, NewSnapshot()),
    ],
)
def test_the_start_is_right_behind_what_is_in_the_topic(stored, last, start):
    assert start_of(stored, last) == start


def test_a_streaming_checkpoint_without_a_position_is_not_guessed_at():
    with pytest.raises(FatalError, match="no position"):
        start_of(checkpoint(phase=Phase.STREAMING.value), None)


rec_ids = st.integers(-(1 << 63), (1 << 63) - 1)


@given(rec_ids, rec_ids)
def test_snapshot_positions_are_in_recid_order_and_tell_their_recid(one, other):
    first, second = snapshot_position(S, one), snapshot_position(S, other)
    assert (first < second) == (one < other)
    assert snapshot_rec_id(Position.parse(str(first))) == one
    assert lsn(99) < first.commit_lsn
    assert first < Position.end_of(S) < ROW
    assert snapshot_rec_id(ROW) is None
