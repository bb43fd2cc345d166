"""Change rows become changes: order, pairs, windows and gaps."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.catalog import CaptureInstance, choose, covers, first_lsn_behind, instances_of, utc_offset
from connectors.ax.changes import Pairing, behind, next_window, position_of, require_no_gap
from connectors.ax.source_tables import source_tables
from schemas.failures import FatalError
from schemas.positions import Lsn, Position

CUSTTABLE = source_tables()[0]
AT = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - the server's local time


def lsn(number: int) -> Lsn:
    return Lsn(number.to_bytes(10, "big"))


def row(commit: int, command: int, seqval: int, operation: int, **columns) -> dict:
    return {
        "__$start_lsn": lsn(commit).value,
        "__$command_id": command,
        "__$seqval": lsn(seqval).value,
        "__$operation": operation,
        "__$commit_time": AT,
    } | columns


def instance(name: str, min_lsn: int, table: str = "CUSTTABLE", day: int = 1) -> CaptureInstance:
    return CaptureInstance(name, min_lsn, f"{name}_CT", "dbo", table, lsn(min_lsn), datetime(2026, 1, day))  # noqa: DTZ001


@st.composite
def change_rows(draw) -> list[dict]:
    """A change table's rows in its order: updates as pairs, everything else alone."""
    rows: list[dict] = []
    seqval = 0
    for commit in range(1, draw(st.integers(1, 4)) + 1):
        for command in range(1, draw(st.integers(1, 3)) + 1):
            for operations in draw(st.lists(st.sampled_from([(1,), (2,), (3, 4), (1, 2)]), min_size=1, max_size=4)):
                seqval += 1
                rows += [row(commit, command, seqval, operation, RECID=seqval) for operation in operations]
    return rows


def blocks(rows: list[dict], size: int) -> list[list[dict]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@given(change_rows(), st.integers(1, 7))
def test_pairs_are_found_wherever_the_blocks_are_cut(rows, size):
    pairing = Pairing("dbo_CUSTTABLE")
    changes = [change for block in blocks(rows, size) for change in pairing.take(block)]
    pairing.finish()
    operations = [found["__$operation"] for found in rows]
    assert [change.op for change in changes] == [{1: "d", 2: "c", 4: "u"}[n] for n in operations if n != 3]
    told = [change.position for change in changes]
    assert told == sorted(set(told))
    assert all(change.position == position_of(change.after or change.before) for change in changes)


@given(change_rows(), st.data())
def test_behind_a_position_nothing_is_repeated_and_nothing_missing(rows, data):
    changes = list(Pairing("x").take(rows))
    reached = data.draw(st.integers(0, len(changes) - 1))
    position = changes[reached].position
    assert list(behind(position, changes)) == changes[reached + 1 :]


def test_serial_numbers_count_the_rows_of_one_log_record_as_debezium_does():
    rows = [row(1, 1, 1, 2), row(1, 2, 2, 3), row(1, 2, 2, 4), row(1, 3, 3, 1), row(1, 3, 3, 2)]
    # A statement that moves several keys gives each half its own seqval; another transaction counts anew.
    rows += [row(1, 4, 4, 1), row(1, 4, 5, 2), row(2, 1, 5, 2)]
    assert [change.serial for change in Pairing("x").take(rows)] == [1, 2, 1, 2, 1, 1, 1]


def test_the_serial_number_of_a_half_does_not_depend_on_where_the_capture_died():
    moved = [row(1, 1, 1, 1), row(1, 1, 1, 2)]
    whole = list(Pairing("x").take(moved))
    assert list(behind(whole[0].position, Pairing("x").take(moved))) == whole[1:]


def test_an_old_image_without_its_new_one_is_a_broken_read():
    pairing = Pairing("dbo_CUSTTABLE")
    assert list(pairing.take([row(1, 1, 1, 3)])) == []
    with pytest.raises(FatalError, match="without its new one"):
        pairing.finish()
    with pytest.raises(FatalError, match="without its new one"):
        list(pairing.take([row(1, 1, 2, 2)]))


def test_a_new_image_without_its_old_one_is_a_broken_read():
    with pytest.raises(FatalError, match="without its old one"):
        list(Pairing("x").take([row(1, 1, 1, 4)]))
    with pytest.raises(FatalError, match="without its old one"):
        list(Pairing("x").take([row(1, 1, 1, 3), row(1, 1, 2, 4)]))


def test_an_operation_that_is_not_known_stops():
    with pytest.raises(FatalError, match="operation 5"):
        list(Pairing("x").take([row(1, 1, 1, 5)]))


class FakeConnection:
    """Answers the window query as a server with these captured transactions does."""

    def __init__(self, *commits: int) -> None:
        self._commits = commits

    def row(self, sql: str, *parameters, action: str) -> dict:
        assert "tran_id <> 0x00" in sql
        low, high = (int.from_bytes(value, "big") for value in parameters)
        limit = int(sql.split("TOP (")[1].split(")")[0])
        inside = [commit for commit in self._commits if low <= commit <= high][:limit]
        return {"to_lsn": lsn(inside[-1]).value if inside else None, "transactions": len(inside)}


def test_a_window_ends_at_the_nth_transaction_and_says_that_more_waits():
    window = next_window(FakeConnection(5, 6, 7, 8), Position.end_of(lsn(4)), lsn(9), 2)
    assert (window.from_lsn, window.to_lsn, window.transactions, window.full) == (lsn(5), lsn(6), 2, True)


def test_the_last_window_reaches_the_newest_commit_even_if_that_is_a_dummy():
    window = next_window(FakeConnection(5), Position.end_of(lsn(4)), lsn(9), 2)
    assert (window.to_lsn, window.transactions, window.full) == (lsn(9), 1, False)


def test_an_idle_window_is_empty_and_moves_on():
    window = next_window(FakeConnection(), Position.end_of(lsn(4)), lsn(9), 2)
    assert (window.to_lsn, window.transactions, window.full) == (lsn(9), 0, False)


def test_inside_a_transaction_the_window_begins_with_that_transaction():
    inside = Position(lsn(5), 1, lsn(1), 2)
    assert first_lsn_behind(inside) == lsn(5)
    assert first_lsn_behind(Position.end_of(lsn(5))) == lsn(6)


def test_the_gap_rule():
    at_five = Position.end_of(lsn(5))
    assert covers(lsn(6), at_five)
    assert not covers(lsn(7), at_five)
    assert not covers(lsn(6), Position(lsn(5), 1, lsn(1), 2))
    with pytest.raises(FatalError) as stopped:
        require_no_gap(CUSTTABLE, instance("dbo_CUSTTABLE", 7), at_five, lsn(7))
    assert stopped.value.code == "cdc_gap"
    assert "freshax capture snapshot CUSTTABLE" in stopped.value.message


def test_the_newest_instance_that_covers_is_read_and_the_older_one_only_up_to_the_newer():
    old, new = instance("v1", 3), instance("v2", 10, day=2)
    before = choose([old, new], Position.end_of(lsn(5)))
    assert (before.instance, before.until) == (old, lsn(9))
    after = choose([old, new], Position.end_of(lsn(9)))
    assert (after.instance, after.until) == (new, None)
    assert choose([old, new], Position.end_of(lsn(1))) is None


def test_of_two_instances_that_cleanup_raised_to_one_mark_the_newer_is_read():
    old, new = instance("v1", 10), instance("v2", 10, day=2)
    ordered = instances_of(CUSTTABLE, [new, old])
    assert ordered == [old, new]
    assert choose(ordered, Position.end_of(lsn(12))).instance == new


def test_an_instance_is_found_by_the_table_in_the_catalog_never_by_its_name():
    found = instances_of(CUSTTABLE, [instance("dbo_CUSTTABLE", 3, table="OTHER"), instance("finance", 4)])
    assert [item.name for item in found] == ["finance"]


def test_no_instance_and_an_invisible_one_are_told_apart_from_no_limit():
    with pytest.raises(FatalError, match="sp_cdc_enable_table"):
        instances_of(CUSTTABLE, [])
    with pytest.raises(FatalError, match="all zeros"):
        instances_of(CUSTTABLE, [instance("dbo_CUSTTABLE", 0)])


@pytest.mark.parametrize(("minutes", "drift_seconds"), [(0, 0.1), (120, -0.2), (-210, 0.4), (345, 0)])
def test_the_servers_offset_survives_the_moment_between_two_clocks(minutes, drift_seconds):
    utc = AT
    local = utc + timedelta(minutes=minutes, seconds=drift_seconds)
    assert utc_offset(local, utc) == timedelta(minutes=minutes)
