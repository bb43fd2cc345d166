"""From the replication stream to change rows, without a database."""

import struct
from collections import Counter

import pytest

from sandbox.sqlserver.change_spool import Change, Relation
from sandbox.sqlserver.changes import COPY_HEADER, Instance, RowBuilder, lsn
from sandbox.sqlserver.replication import Transaction

RELATION = Relation(7, "dbo", "T", ("ID", "TXT", "NOTE"))


def instance(name="i", *, columns=("ID", "TXT", "NOTE"), start=bytes(10)):
    return Instance(name, f"{name}_CT", 7, start, columns, frozenset({"ID"}), frozenset({"NOTE"}))


def rows(builder, table="i_CT"):
    """Decode the COPY BINARY rows back into (operation, mask, values, command id, seqval)."""
    data, place, found = bytes(builder.rows[table].data), 0, []
    while place < len(data):
        (count,) = struct.unpack_from(">H", data, place)
        place += 2
        fields = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", data, place)
            place += 4
            fields.append(None if length < 0 else data[place : place + length])
            place += max(length, 0)
        found.append(
            (
                int.from_bytes(fields[3], "big"),
                fields[4],
                tuple(fields[5:-1]),
                int.from_bytes(fields[-1], "big"),
                fields[2],
            )
        )
    return found


def build(*changes, instances=None, position=0x1_0000_0010):
    builder = RowBuilder(instances or [instance()])
    made = [Change(RELATION, *change) for change in changes]
    updates = Counter(change.statement for change in made if change.old and change.new)
    several = {statement for statement, count in updates.items() if count > 1}
    transaction = Transaction(1, commit_position=position, changes=made, several_updates=several)
    return builder, builder.add(transaction)


def test_an_lsn_is_file_block_slot():
    assert lsn(0x1_0000_0010, 3).hex() == "00000021" + "00000010" + "0003"


def test_insert_and_delete():
    builder, touched = build((None, (b"1", b"a", None), 1, 10), ((b"1", b"a", None), None, 2, 20))
    assert touched
    assert [row[:4] for row in rows(builder)] == [
        (2, b"\x07", (b"1", b"a", None), 1),
        (1, b"\x07", (b"1", b"a", None), 2),
    ]


def test_text_ntext_and_image_are_never_in_an_old_row():
    old_type = Instance(
        "i", "i_CT", 7, bytes(10), RELATION.columns, frozenset({"ID"}), frozenset(), frozenset({"NOTE"})
    )
    row, changed, moved = (b"1", b"a", b"x"), (b"1", b"a", b"y"), (b"2", b"a", b"y")
    builder, _ = build((row, changed, 1, 10), (changed, moved, 2, 20), (moved, None, 3, 30), instances=[old_type])
    assert [(row[0], row[2][2]) for row in rows(builder)] == [(3, None), (4, b"y"), (1, None), (2, b"y"), (1, None)]


def test_update_hides_the_unchanged_large_value_in_the_old_row():
    builder, _ = build(((b"1", b"a", b"long"), (b"1", b"b", b"long"), 1, 10))
    old, new = rows(builder)
    assert old[:3] == (3, b"\x02", (b"1", b"a", None))
    assert new[:3] == (4, b"\x02", (b"1", b"b", b"long"))
    assert old[4] == new[4]


def test_a_key_update_is_a_delete_and_an_insert_with_one_seqval():
    builder, _ = build(((b"1", b"a", b"x"), (b"2", b"a", b"x"), 1, 10))
    gone, come = rows(builder)
    assert (gone[0], gone[2][0], come[0], come[2][0]) == (1, b"1", 2, b"2")
    assert gone[4] == come[4]


def test_several_key_updates_in_one_statement_have_seqvals_of_their_own():
    builder, _ = build(((b"1", b"a", None), (b"2", b"a", None), 1, 10), ((b"3", b"a", None), (b"4", b"a", None), 1, 10))
    assert [row[0] for row in rows(builder)] == [1, 2, 1, 2]
    assert len({row[4] for row in rows(builder)}) == 4


def test_rows_of_one_log_record_have_different_seqvals_in_order():
    builder, _ = build(*((None, (b"%d" % n, None, None), 1, 10) for n in range(5)))
    seqvals = [row[4] for row in rows(builder)]
    assert seqvals == sorted(set(seqvals))


def test_an_update_that_changes_no_captured_column_is_no_change():
    builder, touched = build(
        ((b"1", b"a", b"x"), (b"1", b"b", b"x"), 1, 10), instances=[instance(columns=("ID", "NOTE"))]
    )
    assert not touched
    assert builder.rows["i_CT"].count == 0


def test_a_dropped_column_is_null():
    builder, _ = build((None, (b"1", b"a", None), 1, 10), instances=[instance(columns=("ID", "GONE", "TXT"))])
    assert rows(builder)[0][2] == (b"1", None, b"a")


def test_two_instances_get_their_own_rows_and_a_later_one_starts_later():
    later = instance("later", start=lsn(0x1_0000_0010, 2))
    builder, _ = build((None, (b"1", b"a", None), 1, 10), instances=[instance(), instance("second"), later])
    assert builder.rows["i_CT"].count == builder.rows["second_CT"].count == 1
    assert "later_CT" not in builder.rows


@pytest.mark.parametrize("columns", [8, 9, 17])
def test_the_mask_has_as_many_bytes_as_it_needs(columns):
    relation = Relation(7, "dbo", "T", tuple(f"C{n}" for n in range(columns)))
    wide = Instance("i", "i_CT", 7, bytes(10), relation.columns, frozenset(), frozenset())
    builder = RowBuilder([wide])
    builder.add(Transaction(1, commit_position=99, changes=[Change(relation, None, (b"1",) * columns, 1, 10)]))
    assert rows(builder)[0][1] == (2**columns - 1).to_bytes((columns + 7) // 8, "big")


def test_copy_binary_starts_with_its_signature():
    assert COPY_HEADER.startswith(b"PGCOPY\n\xff\r\n\0")
    assert len(COPY_HEADER) == 19
