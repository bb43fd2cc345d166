"""PostgreSQL's logical replication stream, read directly: the transaction log as the capture job sees it.

A replication connection is pushed every committed transaction once, in commit order. (The SQL function
`pg_logical_slot_get_changes` would read the log again from its last restart point at every poll.) psycopg does not
speak this sub-protocol, so the few messages that are needed are written here. Sources: PostgreSQL 15 manual, "Streaming
Replication Protocol" and "Logical Replication Message Formats".
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field

# Microseconds from 1970 to 2000, PostgreSQL's epoch.
POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000
_LARGEST_MESSAGE = 1 << 30

Values = tuple["bytes | None", ...]


@dataclass(frozen=True)
class Relation:
    """A table as of the following changes: its OID and its column names in the order of the values."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One changed row. `old` is None for an insert, `new` for a delete; values are in PostgreSQL's binary form.

    `statement` counts the statements of the transaction from 1. `position` is the log position of the change.
    """

    relation: Relation
    old: Values | None
    new: Values | None
    statement: int
    position: int


@dataclass
class Transaction:
    """A committed transaction. Times are microseconds since 1970, UTC; `began` is 0 when no statement told it."""

    xid: int
    began: int = 0
    committed: int = 0
    begin_position: int = 0
    commit_position: int = 0
    end_position: int = 0
    changes: list[Change] = field(default_factory=list)
    markers: list[str] = field(default_factory=list)


class StreamError(RuntimeError):
    """The replication connection failed; the capture job connects again."""


class ReplicationStream:
    """One replication connection on slot and publication `cdc`."""

    def __init__(self, host: str, port: int, database: str, user: str) -> None:
        self._host, self._port, self._database, self._user = host, port, database, user
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._relations: dict[int, Relation] = {}

    async def connect(self) -> None:
        """Connect and ask for everything after the last confirmed position. Raises StreamError."""
        if self._host.startswith("/"):
            path = f"{self._host}/.s.PGSQL.{self._port}"
            self._reader, self._writer = await asyncio.open_unix_connection(path, limit=1 << 20)
        else:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        words = ("user", self._user, "database", self._database, "replication", "database", "client_encoding", "UTF8")
        body = struct.pack(">I", 196_608) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
        self._writer.write(struct.pack(">I", len(body) + 4) + body)
        await self._until(b"Z")
        command = (
            "START_REPLICATION SLOT cdc LOGICAL 0/0 "
            "(proto_version '1', publication_names 'cdc', binary 'true', messages 'true')"
        )
        self._send(b"Q", command.encode() + b"\0")
        await self._until(b"W")

    async def close(self) -> None:
        """Drop the connection; what is not confirmed comes again."""
        if self._writer:
            self._writer.close()
            self._writer = self._reader = None

    async def transaction(self) -> Transaction:
        """Wait for the next committed transaction."""
        current = Transaction(0)
        statement = 0
        while True:
            position, message = await self._log_message()
            match message[:1]:
                case b"B":
                    current = Transaction(struct.unpack_from(">I", message, 17)[0])
                    statement = 0
                case b"R":
                    self._relation(message)
                case b"M":
                    prefix, content = _logical_message(message)
                    if prefix == "cdc.statement":
                        statement += 1
                        current.began = current.began or int(content)
                        current.begin_position = current.begin_position or position
                    else:
                        current.markers.append(content)
                case b"I" | b"U" | b"D":
                    current.changes.append(self._change(message, statement, position))
                case b"C":
                    _, _, commit, end, moment = struct.unpack(">cBQQq", message)
                    current.commit_position, current.end_position = commit, end
                    current.committed = moment + POSTGRES_EPOCH_MICROSECONDS
                    return current

    def confirm(self, position: int) -> None:
        """Tell PostgreSQL that everything before `position` is stored: it may forget that part of the log."""
        self._send(b"d", b"r" + struct.pack(">QQQqB", position, position, position, 0, 0))

    async def _log_message(self) -> tuple[int, bytes]:
        while True:
            kind, body = await self._message()
            if kind != b"d" or body[:1] != b"w":
                continue  # keepalives need no answer: wal_sender_timeout is off
            position: int = struct.unpack_from(">Q", body, 1)[0]
            return position, body[25:]

    async def _message(self) -> tuple[bytes, bytes]:
        if self._reader is None:
            raise StreamError("reading the transaction log: not connected")
        try:
            head = await self._reader.readexactly(5)
            body = await self._reader.readexactly(struct.unpack(">I", head[1:])[0] - 4)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise StreamError("reading the transaction log: connection lost") from error
        if head[:1] == b"E":
            raise StreamError(f"reading the transaction log: {body.decode(errors='replace')}")
        return head[:1], body

    async def _until(self, wanted: bytes) -> None:
        while (await self._message())[0] != wanted:
            pass

    def _send(self, kind: bytes, body: bytes) -> None:
        if self._writer is None:
            raise StreamError("writing to the replication connection: not connected")
        self._writer.write(kind + struct.pack(">I", len(body) + 4) + body)

    def _relation(self, message: bytes) -> None:
        oid = struct.unpack_from(">I", message, 1)[0]
        schema, place = _text(message, 5)
        name, place = _text(message, place)
        count = struct.unpack_from(">H", message, place + 1)[0]
        place += 3
        columns = []
        for _ in range(count):
            column, place = _text(message, place + 1)
            columns.append(column)
            place += 8
        self._relations[oid] = Relation(oid, schema, name, tuple(columns))

    def _change(self, message: bytes, statement: int, position: int) -> Change:
        relation = self._relations[struct.unpack_from(">I", message, 1)[0]]
        old = new = None
        place = 5
        while place < len(message):
            kind = message[place : place + 1]
            values, place = _values(message, place + 1)
            if kind == b"N":
                new = values
            else:
                old = values
        if new is not None and old is not None and any(value is _UNCHANGED for value in new):
            new = tuple(o if n is _UNCHANGED else n for o, n in zip(old, new, strict=True))
        return Change(relation, old, new, statement, position)


# Stands for a large value that the update left alone; the old row holds it.
_UNCHANGED = b"unchanged"


def _values(message: bytes, place: int) -> tuple[Values, int]:
    count = struct.unpack_from(">H", message, place)[0]
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


def _text(message: bytes, place: int) -> tuple[str, int]:
    end = message.index(0, place)
    return message[place:end].decode(), end + 1


def _logical_message(message: bytes) -> tuple[str, str]:
    prefix, place = _text(message, 10)
    return prefix, message[place + 4 :].decode()
