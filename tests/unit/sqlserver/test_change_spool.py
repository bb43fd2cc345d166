"""Changes kept in memory or in a file: the same, in order, as often as they are asked for."""

import struct

import pytest

from sandbox.sqlserver import change_spool
from sandbox.sqlserver.change_spool import Change, ChangeSpool, Relation

OLD_SHAPE, NEW_SHAPE = Relation(7, "dbo", "T", ("ID", "TXT")), Relation(7, "dbo", "T", ("ID", "TXT", "MORE"))


def values(*found):
    parts = [struct.pack(">H", len(found))]
    for value in found:
        if value is None:
            parts.append(b"n")
        elif value == "unchanged":
            parts.append(b"u")
        else:
            parts.append(b"b" + struct.pack(">I", len(value)) + value)
    return b"".join(parts)


def insert(*new):
    return b"I" + bytes(4) + b"N" + values(*new)


def update(old, new):
    return b"U" + bytes(4) + b"O" + values(*old) + b"N" + values(*new)


def delete(*old):
    return b"D" + bytes(4) + b"O" + values(*old)


@pytest.mark.parametrize("in_memory", [0, 1, 3, 100])
def test_changes_come_back_as_they_came_wherever_they_were_kept(monkeypatch, in_memory):
    monkeypatch.setattr(change_spool, "IN_MEMORY", in_memory)
    spool = ChangeSpool()
    spool.append(OLD_SHAPE, 1, 10, insert(b"1", None))
    spool.append(OLD_SHAPE, 2, 20, update((b"1", b"long"), (b"2", "unchanged")))
    spool.append(NEW_SHAPE, 3, 30, insert(b"3", b"", b"more"))
    spool.append(NEW_SHAPE, 4, 40, delete(b"2", b"long", None))
    expected = [
        Change(OLD_SHAPE, None, (b"1", None), 1, 10),
        Change(OLD_SHAPE, (b"1", b"long"), (b"2", b"long"), 2, 20),
        Change(NEW_SHAPE, None, (b"3", b"", b"more"), 3, 30),
        Change(NEW_SHAPE, (b"2", b"long", None), None, 4, 40),
    ]
    assert list(spool) == expected
    assert list(spool) == expected
    assert (len(spool), spool.in_memory) == (4, min(4, in_memory))
    spool.close()
