"""The key of a row of AX: its data partition and its RECID, in the order in which snapshots read."""

from __future__ import annotations

from typing import NamedTuple, Self

from connectors.ax.sql import Row
from connectors.ax.table_schema import KEY_COLUMN, PARTITION_COLUMN


class RowKey(NamedTuple):
    """`rec_id` is unique in its table; AX's own index on it begins with the partition, hence this order."""

    partition: int
    rec_id: int

    @classmethod
    def of(cls, row: Row) -> Self:
        """The key of a row as read."""
        return cls(row[PARTITION_COLUMN], row[KEY_COLUMN])

    @classmethod
    def parse(cls, kafka_key: bytes) -> Self:
        """Read a Kafka key, `partition:recid`. Raises ValueError when it is not one."""
        partition, _, rec_id = kafka_key.decode("ascii").partition(":")
        return cls(int(partition), int(rec_id))
