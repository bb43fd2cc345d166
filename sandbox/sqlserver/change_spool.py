"""The changes of one transaction in their order, in memory as long as they are few: the rest waits in a file.

A transaction of a million rows is nothing special for a transaction log, and must not be for the stand-in's memory.
Changes are kept as PostgreSQL sent them and read when they are asked for.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Some megabytes.
IN_MEMORY = 5000
_BUFFER_BYTES = 1 << 20
# Number of the relation, statement, log position, length of the message.
_HEAD = struct.Struct(">IIQI")

Values = tuple["bytes | None", ...]


@dataclass(frozen=True)
class Relation:
    """A table as of the following changes: its OID and its column names in the order of the values."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One changed row. `old` is None for an insert, `new` for a delete; values are in PostgreSQL's binary form.

    `statement` counts the statements of the transaction from 1. `position` is the log position of the change.
    """

    relation: Relation
    old: Values | None
    new: Values | None
    statement: int
    position: int


class ChangeSpool:
    """Changes in order; may be read again and again. Close it: it may hold a file."""

    def __init__(self) -> None:
        self._first: list[tuple[int, int, int, bytes]] = []
        self._relations: list[Relation] = []
        self._file: IO[bytes] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def in_memory(self) -> int:
        """How many changes are kept in memory."""
        return len(self._first)

    def append(self, relation: Relation, statement: int, position: int, message: bytes) -> None:
        """Note an Insert, Update or Delete message of the replication protocol."""
        if not self._relations or self._relations[-1] is not relation:
            self._relations.append(relation)
        number = len(self._relations) - 1
        self._count += 1
        if self._count <= IN_MEMORY:
            self._first.append((number, statement, position, message))
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="sqlserver-changes-", buffering=_BUFFER_BYTES)  # noqa: SIM115
        self._file.write(_HEAD.pack(number, statement, position, len(message)))
        self._file.write(message)

    def __iter__(self) -> Iterator[Change]:
        for number, statement, position, message in self._first:
            yield _change(self._relations[number], statement, position, message)
        if self._file is None:
            return
        self._file.seek(0)
        while head := self._file.read(_HEAD.size):
            number, statement, position, length = _HEAD.unpack(head)
            yield _change(self._relations[number], statement, position, self._file.read(length))

    def close(self) -> None:
        """Forget everything."""
        self._first.clear()
        if self._file is not None:
            self._file.close()
            self._file = None


# Stands for a large value that the update left alone; the old row holds it.
_UNCHANGED = b"unchanged"


def _change(relation: Relation, statement: int, position: int, message: bytes) -> Change:
    old = new = None
    place = 5
    while place < len(message):
        kind = message[place]
        values, place = _values(message, place + 1)
        if kind == 0x4E:  # N: the new row
            new = values
        else:
            old = values
    if new is not None and old is not None and any(value is _UNCHANGED for value in new):
        new = tuple(o if n is _UNCHANGED else n for o, n in zip(old, new, strict=True))
    return Change(relation, old, new, statement, position)


def _values(message: bytes, place: int) -> tuple[Values, int]:
    count = (message[place] << 8) + message[place + 1]
    place += 2
    found: list[bytes | None] = []
    for _ in range(count):
        kind = message[place]
        place += 1
        if kind == 0x6E:  # n: NULL
            found.append(None)
        elif kind == 0x75:  # u: unchanged
            found.append(_UNCHANGED)
        else:
            length = int.from_bytes(message[place : place + 4], "big")
            place += 4
            found.append(message[place : place + length])
            place += length
    return tuple(found), place
