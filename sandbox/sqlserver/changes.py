"""From a committed transaction to the rows of change tables, in the form that COPY BINARY takes. Pure.

The rules (Microsoft Learn, "cdc.<capture_instance>_CT", and observations of users):
- insert -> 2, delete -> 1, update -> 3 (old) and 4 (new); an update of a key column -> 1 and 2;
- rows of one change share __$seqval, except when a statement moved several keys: then each row has its own;
- the mask has all bits for 1 and 2, the changed columns for 3 and 4; column 1 is the lowest bit of the last byte;
- a (max) column is NULL in row 3 unless it changed; text, ntext and image are NULL in rows 1 and 3;
- an update that changed no captured column leaves no row (inferred: nothing is logged for those columns).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sandbox.sqlserver.change_spool import Change, Relation, Values
    from sandbox.sqlserver.replication import Transaction

DELETE, INSERT, UPDATE_OLD, UPDATE_NEW = 1, 2, 3, 4
_COMMIT_SLOT = 1
_FIRST_CHANGE_SLOT = 2
# LSNs begin with the number of the log file. Starting above zero keeps every one apart from the zero LSN.
_FIRST_LOG_FILE = 32
# Changes per slice of a long transaction: some 30 ms of work.
SLICE = 1000
_NULL = struct.pack(">i", -1)
_TEN = struct.pack(">i", 10)
_FOUR = struct.pack(">i", 4)

# COPY BINARY: signature, flags, no header extension; and the trailer.
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"


def lsn(position: int, slot: int) -> bytes:
    """Return the ten bytes of an LSN for a log position of PostgreSQL."""
    return struct.pack(">IIH", (position >> 32) + _FIRST_LOG_FILE, position & 0xFFFFFFFF, slot)


@dataclass(frozen=True)
class Instance:
    """A capture instance: what of its source table goes into which change table.

    `columns` in order of their ordinals; `keys`, `large` and `never_old` (text, ntext, image) are sets of those names.
    """

    name: str
    change_table: str
    source_oid: int
    start_lsn: bytes
    columns: tuple[str, ...]
    keys: frozenset[str]
    large: frozenset[str]
    never_old: frozenset[str] = frozenset()


@dataclass
class _Plan:
    """Where an instance's columns are in the stream's rows; -1 for a column that was dropped."""

    places: list[int]
    keys: list[int]
    large: list[int]
    never_old: list[int]
    all_bits: bytes
    field_count: bytes


@dataclass
class ChangeRows:
    """The rows for one change table, ready for COPY, and their number."""

    data: bytearray = field(default_factory=bytearray)
    count: int = 0


class RowBuilder:
    """Builds change rows for a fixed set of capture instances. Make a new one when the instances change."""

    def __init__(self, instances: Iterable[Instance]) -> None:
        self._by_source: dict[int, list[Instance]] = {}
        for instance in instances:
            self._by_source.setdefault(instance.source_oid, []).append(instance)
        self._plans: dict[tuple[str, Relation], _Plan] = {}
        self.rows: dict[str, ChangeRows] = {}

    def add(self, transaction: Transaction) -> bool:
        """Append the rows of `transaction`; returns whether it touched a capture instance."""
        *_, touched = self.slices(transaction)
        return touched

    def slices(self, transaction: Transaction) -> Iterator[bool]:
        """As `add`, in slices: a long transaction need not be built at once. Yields whether it touched an instance."""
        commit = lsn(transaction.commit_position, _COMMIT_SLOT)
        sequence = _Sequence()
        # Only for those the key rule can need two sequence values.
        moved = transaction.several_updates
        touched = False
        for count, change in enumerate(transaction.changes, 1):
            place = sequence.next(change.position)
            second = place
            if change.statement in moved and change.old and change.new:
                second = sequence.next(change.position)
            for instance in self._by_source.get(change.relation.oid, ()):
                if instance.start_lsn <= commit:
                    touched = self._add(instance, change, commit, place, second) or touched
            if count % SLICE == 0:
                yield touched
        yield touched

    def take(self) -> dict[str, ChangeRows]:
        """The rows built so far, by change table; they are the caller's then."""
        rows, self.rows = self.rows, {}
        return rows

    @property
    def waiting_bytes(self) -> int:
        """How much has been built and not taken."""
        return sum(len(rows.data) for rows in self.rows.values())

    def _add(self, instance: Instance, change: Change, commit: bytes, seqval: bytes, second: bytes) -> bool:
        plan = self._plan(instance, change.relation)
        out = self.rows.setdefault(instance.change_table, ChangeRows())
        old, new = change.old, change.new
        command = change.statement
        if old is None or new is None:
            operation, values = (INSERT, new) if old is None else (DELETE, _without(old, plan.never_old))
            _append(out, plan, commit, seqval, operation, plan.all_bits, values or (), command)
            return True
        changed = [i for i, place in enumerate(plan.places) if place >= 0 and old[place] != new[place]]
        if not changed:
            return False
        if any(old[place] != new[place] for place in plan.keys):
            _append(out, plan, commit, seqval, DELETE, plan.all_bits, _without(old, plan.never_old), command)
            _append(out, plan, commit, second, INSERT, plan.all_bits, new, command)
            return True
        mask = _mask(changed, len(plan.places))
        before = _without(old, [*plan.never_old, *(place for place in plan.large if old[place] == new[place])])
        _append(out, plan, commit, seqval, UPDATE_OLD, mask, before, command)
        _append(out, plan, commit, seqval, UPDATE_NEW, mask, new, command)
        return True

    def _plan(self, instance: Instance, relation: Relation) -> _Plan:
        plan = self._plans.get((instance.name, relation))
        if plan is None:
            at = {name: place for place, name in enumerate(relation.columns)}
            places = [at.get(name, -1) for name in instance.columns]
            plan = _Plan(
                places=places,
                keys=[at[name] for name in instance.keys if name in at],
                large=[at[name] for name in instance.large if name in at],
                never_old=[at[name] for name in instance.never_old if name in at],
                all_bits=_mask(range(len(places)), len(places)),
                # The five leading columns, the captured ones, __$command_id.
                field_count=struct.pack(">H", len(places) + 6),
            )
            self._plans[instance.name, relation] = plan
        return plan


def _without(values: Values, hidden: Sequence[int]) -> Values:
    return tuple(None if place in hidden else value for place, value in enumerate(values)) if hidden else values


class _Sequence:
    """Unique, growing sequence values: rows written by one log record share its position."""

    def __init__(self) -> None:
        self._position, self._slot = -1, _FIRST_CHANGE_SLOT

    def next(self, position: int) -> bytes:
        self._slot = self._slot + 1 if position == self._position else _FIRST_CHANGE_SLOT
        self._position = position
        return lsn(position, self._slot)


def _mask(changed: Iterable[int], count: int) -> bytes:
    bits = 0
    for index in changed:
        bits |= 1 << index
    return bits.to_bytes((count + 7) // 8, "big")


def _append(
    out: ChangeRows,
    plan: _Plan,
    commit: bytes,
    seqval: bytes,
    operation: int,
    mask: bytes,
    values: Values,
    command: int,
) -> None:
    parts = [
        plan.field_count,
        _TEN, commit,
        _NULL,
        _TEN, seqval,
        _FOUR, operation.to_bytes(4, "big"),
        len(mask).to_bytes(4, "big"), mask,
    ]  # fmt: skip
    for place in plan.places:
        value = values[place] if place >= 0 else None
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(len(value).to_bytes(4, "big"))
            parts.append(value)
    parts += (_FOUR, command.to_bytes(4, "big"))
    out.data += b"".join(parts)
    out.count += 1
