"""A change as a Kafka record: Debezium's envelope, key `partition:recid`, the position in a header.

`source.ts_ms` is the commit time in UTC, `ts_ms` the time of reading. A delete is followed by a tombstone under the
same key and position, so that compaction forgets the row.

Every row of every table passes here, so what is the same for all rows of a table is written once: the parts of
`source`, the framing, whole headers. The fixed fields are in the order that table_schema.py holds every schema to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.ax.changes import Change
from connectors.ax.row_encoding import (
    encode_long,
    encode_optional_long,
    encode_optional_string,
    encode_string,
    present,
)
from connectors.ax.source_tables import TableShape, key_of
from connectors.ax.sql import Row
from connectors.ax.table_schema import COMPANY_COLUMN, PARTITION_COLUMN
from schemas import headers
from schemas.positions import Lsn, Position
from streams.runtime.codec import framing
from streams.runtime.producer import OutRecord

# Operation of a snapshot row in its position: before every change of the same commit.
READ = 0
# Added to the command id of rows of an incremental snapshot: no transaction has so many statements.
_INCREMENTAL = 1 << 30
# RECID is a bigint; shifted so that its order is the order of unsigned bytes.
_SIGN = 1 << 63
_NULL = b"\x00"
_ABSENT = encode_optional_string(None)
_STREAMED, _SNAPSHOT = encode_string("false"), encode_string("true")
_INCREMENTAL_SNAPSHOT = encode_string("incremental")
_OPS = ("c", "u", "d", "r")


@dataclass(frozen=True, slots=True)
class Origin:
    """What all records of one capture have in common. `clock` gives aware UTC times."""

    source_name: str
    database: str
    release: str
    clock: Callable[[], datetime]


class Envelopes:
    """Makes the records of one table in one shape."""

    def __init__(self, shape: TableShape, origin: Origin) -> None:
        self.shape = shape
        self.clock = origin.clock
        table = shape.table
        self._topic = table.topic.name
        self._name = table.full_name
        self._framing = framing(shape.schema_id)
        self._source_head = b"".join(map(encode_string, (origin.release, "sqlserver", origin.source_name)))
        self._source_table = b"".join(map(encode_string, (origin.database, table.schema, table.name)))
        self._ops = {letter: encode_string(letter) for letter in _OPS}
        self._types = {letter: (headers.CE_TYPE, f"{self._topic}.{letter}".encode()) for letter in _OPS}
        self._ce_source = (headers.CE_SOURCE, f"sqlserver/{origin.source_name}/{origin.database}".encode())
        self._has_company = shape.has_company

    def of_change(self, change: Change, utc_offset: timedelta) -> list[OutRecord]:
        """The record of `change`, for a delete with its tombstone. `utc_offset` is the server's."""
        shape, position = self.shape, change.position
        before, after = change.before, change.after
        row = after if after is not None else before
        if row is None:
            raise ValueError("a change has at least one image")
        old = _NULL if before is None else present(shape.encode_row(shape.old_image(before, after)))
        new = _NULL if after is None else present(shape.encode_row(after))
        placed = (
            encode_optional_string(str(position.seqval))
            + encode_string(str(position.commit_lsn))
            + encode_optional_long(change.serial)
            + encode_optional_long(position.command_id)
        )
        committed_at = (change.committed_at - utc_offset).replace(tzinfo=UTC)
        record = self._record(change.op, row, old + new, _STREAMED, placed, position, committed_at)
        return [record] if after is not None else [record, tombstone(record)]

    def of_snapshot(self, row: Row, position: Position, as_of: datetime, snapshot_id: str | None = None) -> OutRecord:
        """The record of a row read from the table at aware UTC time `as_of`.

        `snapshot_id` is the request that an incremental snapshot answers.
        """
        images = _NULL + present(self.shape.encode_row(row))
        placed = _read_at(position.commit_lsn)
        if snapshot_id is None:
            return self._record("r", row, images, _SNAPSHOT, placed, position, as_of)
        record = self._record("r", row, images, _INCREMENTAL_SNAPSHOT, placed, position, as_of)
        marked = [*record.headers, (headers.SNAPSHOT_ID, snapshot_id.encode())]
        return OutRecord(record.topic, record.key, record.value, marked, record.partition)

    def of_vanished(self, image: dict[str, Any], position: Position, as_of: datetime) -> list[OutRecord]:
        """The records that say that a row, last seen as `image`, was not there any more at a new snapshot.

        `image` is a decoded row of the topic, of any version of its schema.
        """
        images = present(self.shape.encode_image(image)) + _NULL
        snapshot = _SNAPSHOT if is_snapshot(position) else _INCREMENTAL_SNAPSHOT
        record = self._record("d", image, images, snapshot, _read_at(position.commit_lsn), position, as_of)
        return [record, tombstone(record)]

    def _record(
        self,
        op: str,
        row: dict[str, Any],
        images: bytes,
        snapshot: bytes,
        placed: bytes,
        position: Position,
        committed_at: datetime,
    ) -> OutRecord:
        """`images` are before and after, `placed` the fields of `source` from change_lsn to command_id."""
        value = (
            self._framing
            + images
            + self._source_head
            + encode_long(_milliseconds(committed_at))
            + snapshot
            + self._source_table
            + placed
            + encode_optional_string(row[COMPANY_COLUMN] if self._has_company else None)
            + encode_optional_long(row[PARTITION_COLUMN])
            + self._ops[op]
            + encode_long(_milliseconds(self.clock()))
        )
        place = str(position)
        event_id = f"{self._name}/{place}".encode()
        # A trace begins here; its id follows from the position, so that a row that is sent again has the same.
        trace = hashlib.sha256(event_id).hexdigest()
        key = key_of(row)
        return OutRecord(
            self._topic,
            key,
            value,
            [
                (headers.POSITION, place.encode()),
                (headers.CE_ID, event_id),
                self._ce_source,
                self._types[op],
                (headers.CE_SUBJECT, key),
                (headers.CE_TIME, committed_at.isoformat(timespec="milliseconds").encode()),
                (headers.TRACEPARENT, f"00-{trace[:32]}-{trace[32:48]}-01".encode()),
            ],
            partition=0,
        )


def tombstone(record: OutRecord) -> OutRecord:
    """The tombstone behind a delete: same key and position."""
    return OutRecord(record.topic, record.key, None, record.headers, record.partition)


def snapshot_position(lsn: Lsn, rec_id: int, number: int = 0, *, incremental: bool = False) -> Position:
    """Position of a row read from the table, of its `number`-th partition; in (partition, RECID) order among its like.

    A first snapshot's rows stand before every change behind `lsn`; an incremental one's behind every change of `lsn`.
    """
    command_id = number + (_INCREMENTAL if incremental else 0)
    return Position(lsn, command_id, Lsn((rec_id + _SIGN).to_bytes(10, "big")), READ)


def is_snapshot(position: Position) -> bool:
    """True for the position of a first snapshot's row."""
    return position.operation == READ and position.command_id < _INCREMENTAL


def _read_at(lsn: Lsn) -> bytes:
    """The fields of `source` from change_lsn to command_id for a row that no change tells of."""
    return _ABSENT + encode_string(str(lsn)) + _ABSENT + _ABSENT


def _milliseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
