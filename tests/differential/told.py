"""What each reader told, in one form, and the first difference between two of them."""

import json
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tests.differential.columns import EPOCH, LARGE, NEVER_OLD, Column
from tests.differential.history import Statement, Told
from tests.differential.rig import FEEDS, Rig
from tests.differential.tables import TABLES, Row, canonical

# Debezium's mark for a value that the source does not tell.
UNAVAILABLE = "__debezium_unavailable_value"


@dataclass(frozen=True)
class Event:
    """One record. `place` is (commit LSN, change LSN, serial number), None for a tombstone or a snapshot row.

    `committed_ms` is no part of a comparison for equality. Debezium's direct mode tells when the transaction began
    (its query reads `tran_begin_time`), and its function mode cuts the 1/300 s that `freshax capture` rounds.
    """

    told: Told
    place: tuple[str, str, int] | None
    committed_ms: int | None = field(default=None, compare=False)


def of_freshax(rig: Rig, table: str) -> list[Event]:
    """The topic of `freshax capture`."""
    events = []
    for _, key, value in rig.positioned(table):
        events.append(_event(table, int(key.decode().partition(":")[2]), value))
    return events


def of_debezium(rig: Rig, topic: str, table: str) -> list[Event]:
    """A topic of Debezium's connector, written as JSON."""
    events = []
    for message in rig.records(topic):
        value = json.loads(message.value()) if message.value() else None
        events.append(_event(table, json.loads(message.key())["RECID"], value))
    return events


def _event(table: str, key: int, value: dict[str, Any] | None) -> Event:
    if value is None:
        return Event(Told("tombstone", key, None, None), None)
    images = [canonical(table, value[side]) for side in ("before", "after")]
    source = value["source"]
    committed = source["ts_ms"]
    if isinstance(committed, datetime):
        committed = round((committed - EPOCH).total_seconds() * 1000)
    place = (source["commit_lsn"], source["change_lsn"], source["event_serial_no"]) if value["op"] != "r" else None
    return Event(Told(value["op"], key, *images), place, committed)


def as_debezium(table: str, told: Told) -> Told:
    """What Debezium makes of a change: what the feed leaves out of an old image is null."""
    if told.before is None:
        return told
    gone = {
        column.name
        for column in TABLES[table]
        if column.kind in NEVER_OLD or (column.kind in LARGE and _is_same(told, column.name))
    }
    return replace(told, before={name: None if name in gone else value for name, value in told.before.items()})


def _mark(column: Column) -> Any:
    return column.canonical(UNAVAILABLE.encode() if column.kind == "image" else UNAVAILABLE)


def as_freshax(table: str, told: Told) -> Told:
    """What `freshax capture` makes of it: the value where it is known from the new image, else a mark."""
    if told.before is None:
        return told
    marks = {
        column.name: _mark(column)
        for column in TABLES[table]
        if column.kind in NEVER_OLD and not _is_same(told, column.name)
    }
    return replace(told, before=told.before | marks)


def _is_same(told: Told, column: str) -> bool:
    """True for an update that left the column alone. The old row of a delete is no old image: (max) is in it."""
    if told.after is None or told.before is None:
        return False
    return bool(told.before[column] == told.after[column])


def without_marks(table: str, events: Sequence[Event]) -> list[Event]:
    """`events` with null where Debezium has its mark.

    Read directly, it marks a null of text, ntext, image and xml whose column did not change, in both images. It takes
    the bytes of the update mask from the left; they count from the right (0x01FF: nine columns). So in a table of more
    than eight columns it marks others than it means, and its marks tell nothing that could be compared.
    """
    marks = {column.name: _mark(column) for column in TABLES[table] if column.kind in NEVER_OLD | {"xml"}}

    def plain(image: Row | None) -> Row | None:
        return image and {name: None if value == marks.get(name, ()) else value for name, value in image.items()}

    return [
        replace(event, told=replace(event.told, before=plain(event.told.before), after=plain(event.told.after)))
        for event in events
    ]


def comparable(table: str, events: Sequence[Event]) -> list[Event]:
    """`events` without marks, and without large values in old images: there the two readers differ by intent."""
    large = {column.name for column in TABLES[table] if column.kind in LARGE | NEVER_OLD}
    return [
        replace(event, told=replace(event.told, before=_without(event.told.before, large)))
        for event in without_marks(table, events)
    ]


def _without(image: Row | None, names: Container[str]) -> Row | None:
    return image and {name: value for name, value in image.items() if name not in names}


def split(events: Sequence[Event]) -> tuple[dict[int, Event], list[Event]]:
    """The snapshot by key (readers may order it as they like), and the stream."""
    snapshot = [event for event in events if event.told.op == "r"]
    stream = [event for event in events if event.told.op != "r"]
    assert list(events[: len(snapshot)]) == snapshot, "snapshot rows come before the stream"
    by_key = {event.told.key: event for event in snapshot}
    assert len(by_key) == len(snapshot), "a row comes once in a snapshot"
    return by_key, stream


def first_difference(one: Sequence[Any], other: Sequence[Any]) -> int | None:
    """Index of the first item that differs, None when both are equal."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return None if len(one) == len(other) else min(len(one), len(other))


def differing(one: Event | None, other: Event | None) -> str:
    """What differs between two events, field by field."""
    if one is None or other is None:
        return f"one ended; the other has {one or other}"
    parts = []
    for name in ("op", "key", "before", "after"):
        left, right = getattr(one.told, name), getattr(other.told, name)
        if left != right and isinstance(left, dict) and isinstance(right, dict):
            parts += [f"{name}.{c}: {left[c]!r} / {right.get(c)!r}" for c in left if left[c] != right.get(c)]
        elif left != right:
            parts.append(f"{name}: {left!r} / {right!r}")
    if one.place != other.place:
        parts.append(f"(commit LSN, change LSN, serial): {one.place} / {other.place}")
    return f"key {one.told.key}: " + "; ".join(parts)


def against_history(
    committed: Sequence[Sequence[Statement]],
    table: str,
    stream: Sequence[Event],
    tells: Callable[[str, Told], Told] = as_freshax,
) -> str | None:
    """Compare a stream with what was played: None, or the first difference, with its transaction's number.

    `tells` is what the reader makes of a change.

    Statements in order, changes inside one in any order; a delete is followed by its tombstone; one commit LSN per
    transaction, growing.
    """
    at, last_lsn = 0, ""
    for number, statements in enumerate(committed):
        lsns = set()
        for statement in statements:
            if statement.table != table:
                continue
            expected = sorted((tells(table, told) for told in statement.changes), key=_order)
            count = len(expected) + sum(told.op == "d" for told in expected)
            part = list(stream[at : at + count])
            at += count
            found = sorted((event.told for event in part if event.told.op != "tombstone"), key=_order)
            if found != expected:
                index = first_difference(found, expected)
                pair = [Event(told[index], None) if index < len(told) else None for told in (found, expected)]
                return f"transaction {number}, {statement.sql[:60]} …: {differing(*pair)}"
            if any(_badly_buried(part, index) for index in range(len(part))):
                return f"transaction {number}: a delete without its tombstone right behind it"
            lsns |= {event.place[0] for event in part if event.place}
        if len(lsns) > 1 or (lsns and min(lsns) <= last_lsn):
            return f"transaction {number}: commit LSNs {sorted(lsns)} behind {last_lsn}"
        last_lsn = max(lsns, default=last_lsn)
    return None if at == len(stream) else f"{len(stream) - at} records more than were played: {stream[at]}"


def _badly_buried(part: Sequence[Event], index: int) -> bool:
    if part[index].told.op == "d":
        following = part[index + 1].told if index + 1 < len(part) else None
        return following != Told("tombstone", part[index].told.key, None, None)
    return part[index].told.op == "tombstone" and (index == 0 or part[index - 1].told.op != "d")


def _order(told: Told) -> tuple[str, int]:
    return told.op, told.key


def expected_records(committed: Sequence[Sequence[Statement]]) -> dict[str, int]:
    """Records that the transactions must give, by table, tombstones included."""
    counts = dict.fromkeys(FEEDS, 0)
    for statements in committed:
        for statement in statements:
            deletes = sum(told.op == "d" for told in statement.changes)
            counts[statement.table] += len(statement.changes) + deletes
    return counts
