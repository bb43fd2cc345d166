"""A position is totally ordered as the change table's clustered index is, and survives print and parse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.positions import Lsn, Position

lsns = st.binary(min_size=10, max_size=10).map(Lsn)
positions = st.builds(
    Position, commit_lsn=lsns, command_id=st.integers(0, 2**31 - 1), seqval=lsns, operation=st.integers(1, 4)
)


@given(lsns)
def test_an_lsn_survives_its_text_form(lsn: Lsn) -> None:
    assert Lsn.parse(str(lsn)) == lsn


@given(positions)
def test_a_position_survives_its_text_form(position: Position) -> None:
    assert Position.parse(str(position)) == position


@given(positions, positions)
def test_the_order_is_total(left: Position, right: Position) -> None:
    assert (left < right) + (right < left) + (left == right) == 1


@given(positions)
def test_the_end_of_a_transaction_is_behind_all_its_rows(position: Position) -> None:
    assert position < Position.end_of(position.commit_lsn)
    assert Position.end_of(position.commit_lsn).commit_lsn == position.commit_lsn


def test_statements_order_rows_before_seqval_does() -> None:
    commit = Lsn.parse("00000027:00000ac0:0007")
    delete = Position(commit, 1, Lsn.parse("00000027:00000ac0:0009"), 1)
    insert = Position(commit, 2, Lsn.parse("00000027:00000ac0:0002"), 2)

    assert delete < insert


def test_the_next_lsn_carries_over() -> None:
    assert str(Lsn.parse("00000027:00000ac0:ffff").next()) == "00000027:00000ac1:0000"


@pytest.mark.parametrize("text", ["", "27:ac0:7", "00000027:00000ac0:00070", "0000002g:00000ac0:0007", None])
def test_what_is_not_an_lsn_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Lsn.parse(text)


def test_an_lsn_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        Lsn(b"\x00" * 9)


def test_a_bare_lsn_is_no_position() -> None:
    with pytest.raises(ValueError, match="not a position"):
        Position.parse("00000027:00000ac0:0007")
