"""A change as a Kafka record: Debezium's envelope, key `partition:recid`, the position in a header.

`source.ts_ms` is the commit time in UTC, `ts_ms` the time of reading. A delete is followed by a tombstone under the
same key and position, so that compaction forgets the row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from connectors.ax.changes import Change
from connectors.ax.source_tables import COMPANY_COLUMN, KEY_COLUMN, PARTITION_COLUMN, SourceTable, key_of
from connectors.ax.sql import Row
from schemas import headers
from schemas.positions import Lsn, Position
from schemas.topics import Topic
from streams.runtime.producer import OutRecord

# Operation of a snapshot row in its position: before every change of the same commit.
READ = 0
# RECID is a bigint; shifted so that its order is the order of unsigned bytes.
_SIGN = 1 << 63


class Encoder(Protocol):
    """The part of the codec that is needed here."""

    def encode_dict(self, topic: Topic, value: dict[str, Any]) -> bytes:
        """Framed bytes of a value of `topic`."""


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Makes the records of one table. `clock` gives aware UTC times; `utc_offset` is the server's."""

    table: SourceTable
    source_name: str
    database: str
    release: str
    encoder: Encoder
    clock: Callable[[], datetime]

    def of_change(self, change: Change, utc_offset: timedelta) -> list[OutRecord]:
        """The record of `change`, for a delete with its tombstone."""
        before = None if change.before is None else self.table.image(change.before)
        after = None if change.after is None else self.table.image(change.after)
        image = after if after is not None else before
        if image is None:
            raise ValueError("a change has at least one image")
        position = change.position
        committed_at = (change.committed_at - utc_offset).replace(tzinfo=UTC)
        source = self._source(image, committed_at) | {
            "snapshot": "false",
            "change_lsn": str(position.seqval),
            "commit_lsn": str(position.commit_lsn),
            "event_serial_no": change.serial,
            "command_id": position.command_id,
        }
        record = self._record(change.op, before, after, source, position, committed_at)
        return [record] if change.op != "d" else [record, tombstone(record)]

    def of_snapshot(self, row: Row, lsn: Lsn, as_of: datetime) -> OutRecord:
        """The record of a row read by a snapshot taken at `lsn` (aware UTC time `as_of`)."""
        image = self.table.image(row)
        source = self._source(image, as_of) | {
            "snapshot": "true",
            "change_lsn": None,
            "commit_lsn": str(lsn),
            "event_serial_no": None,
            "command_id": None,
        }
        return self._record("r", None, image, source, snapshot_position(lsn, image[KEY_COLUMN]), as_of)

    def of_vanished(self, image: dict[str, Any], position: Position, as_of: datetime) -> list[OutRecord]:
        """The records that say that a row, last seen as `image`, was not there any more at a new snapshot."""
        source = self._source(image, as_of) | {
            "snapshot": "true",
            "change_lsn": None,
            "commit_lsn": str(position.commit_lsn),
            "event_serial_no": None,
            "command_id": None,
        }
        record = self._record("d", image, None, source, position, as_of)
        return [record, tombstone(record)]

    def _source(self, image: dict[str, Any], committed_at: datetime) -> dict[str, Any]:
        return {
            "version": self.release,
            "connector": "sqlserver",
            "name": self.source_name,
            "ts_ms": _milliseconds(committed_at),
            "db": self.database,
            "schema": self.table.schema,
            "table": self.table.name,
            "company": image.get(COMPANY_COLUMN),
            "partition": image[PARTITION_COLUMN],
        }

    def _record(
        self,
        op: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        source: dict[str, Any],
        position: Position,
        committed_at: datetime,
    ) -> OutRecord:
        topic = self.table.topic
        value = {"before": before, "after": after, "source": source, "op": op, "ts_ms": _milliseconds(self.clock())}
        event_id = f"{self.table.full_name}/{position}"
        # A trace begins here; its id follows from the position, so that a row that is sent again has the same.
        trace = hashlib.sha256(event_id.encode()).hexdigest()
        key = key_of((after if after is not None else before) or {})
        return OutRecord(
            topic.name,
            key,
            self.encoder.encode_dict(topic, value),
            [
                (headers.POSITION, str(position).encode()),
                (headers.CE_ID, event_id.encode()),
                (headers.CE_SOURCE, f"sqlserver/{self.source_name}/{self.database}".encode()),
                (headers.CE_TYPE, f"{topic.name}.{op}".encode()),
                (headers.CE_SUBJECT, key),
                (headers.CE_TIME, committed_at.isoformat(timespec="milliseconds").encode()),
                (headers.TRACEPARENT, f"00-{trace[:32]}-{trace[32:48]}-01".encode()),
            ],
            partition=0,
        )


def tombstone(record: OutRecord) -> OutRecord:
    """The tombstone behind a delete: same key and position."""
    return OutRecord(record.topic, record.key, None, record.headers, record.partition)


def snapshot_position(lsn: Lsn, rec_id: int) -> Position:
    """Position of a snapshot row: before every change behind `lsn`, and in RECID order among its like."""
    return Position(lsn, 0, Lsn((rec_id + _SIGN).to_bytes(10, "big")), READ)


def snapshot_rec_id(position: Position) -> int | None:
    """The RECID in a snapshot row's position, None for a change's."""
    if position.operation != READ:
        return None
    return int.from_bytes(position.seqval.value, "big") - _SIGN


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
