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
from typing import TYPE_CHECKING

from sandbox.sqlserver.change_spool import Change, ChangeSpool, Relation

if TYPE_CHECKING:
    from collections.abc import Sequence

# Microseconds from 1970 to 2000, PostgreSQL's epoch.
POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000
_READ_BYTES = 1 << 18
_UPDATE = ord("U")
# SQLSTATE object_in_use: the slot's last reader has not gone yet.
_IN_USE = b"C55006\0"
_OID = struct.Struct(">I")
_POSITION = struct.Struct(">Q")


@dataclass
class Transaction:
    """A committed transaction. Times are microseconds since 1970, UTC; `began` is 0 when no statement told it.

    `several_updates` are the statements that updated more than one row. Close the changes when they are done with.
    """

    xid: int
    began: int = 0
    committed: int = 0
    begin_position: int = 0
    commit_position: int = 0
    end_position: int = 0
    changes: ChangeSpool | Sequence[Change] = field(default_factory=ChangeSpool)
    several_updates: set[int] = field(default_factory=set)
    markers: list[str] = field(default_factory=list)


class StreamError(RuntimeError):
    """The replication connection failed; the capture job connects again."""


class SlotBusyError(StreamError):
    """Somebody else still reads the slot: a connection that was just dropped."""


class ReplicationStream:
    """One replication connection on slot and publication `cdc`."""

    def __init__(self, host: str, port: int, database: str, user: str) -> None:
        self._host, self._port, self._database, self._user = host, port, database, user
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._relations: dict[int, Relation] = {}
        self._buffer = b""
        self._place = 0
        self._unfinished = ChangeSpool()

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
        self._buffer, self._place = b"", 0
        self._unfinished.close()

    async def transaction(self) -> Transaction:
        """Wait for the next committed transaction."""
        spool = self._unfinished = ChangeSpool()
        current = Transaction(0)
        statement = last_update = 0
        while True:
            kind, body = await self._message()
            if kind != b"d" or body[:1] != b"w":
                continue  # keepalives need no answer: wal_sender_timeout is off
            position: int = _POSITION.unpack_from(body, 1)[0]
            message = body[25:]
            match message[:1]:
                case b"I" | b"U" | b"D":
                    spool.append(self._relations[_OID.unpack_from(message, 1)[0]], statement, position, message)
                    if message[0] == _UPDATE:
                        if statement == last_update:
                            current.several_updates.add(statement)
                        last_update = statement
                case b"B":
                    current = Transaction(_OID.unpack_from(message, 17)[0], changes=spool)
                    statement = last_update = 0
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
                case b"C":
                    _, _, commit, end, moment = struct.unpack(">cBQQq", message)
                    current.commit_position, current.end_position = commit, end
                    current.committed = moment + POSTGRES_EPOCH_MICROSECONDS
                    self._unfinished = ChangeSpool()
                    return current

    def confirm(self, position: int) -> None:
        """Tell PostgreSQL that everything before `position` is stored: it may forget that part of the log."""
        self._send(b"d", b"r" + struct.pack(">QQQqB", position, position, position, 0, 0))

    async def _message(self) -> tuple[bytes, bytes]:
        """The next message: kind and body. Read from the socket in large pieces: most waits cost nothing so."""
        while True:
            start = self._place + 5
            if start <= len(self._buffer):
                end = self._place + 1 + _OID.unpack_from(self._buffer, self._place + 1)[0]
                if end <= len(self._buffer):
                    kind = self._buffer[self._place : self._place + 1]
                    self._place = end
                    body = self._buffer[start:end]
                    if kind == b"E":
                        failure = SlotBusyError if _IN_USE in body else StreamError
                        raise failure(f"reading the transaction log: {body.decode(errors='replace')}")
                    return kind, body
            await self._fill()

    async def _fill(self) -> None:
        if self._reader is None:
            raise StreamError("reading the transaction log: not connected")
        try:
            piece = await self._reader.read(_READ_BYTES)
        except ConnectionError as error:
            raise StreamError("reading the transaction log: connection lost") from error
        if not piece:
            raise StreamError("reading the transaction log: connection lost")
        self._buffer = self._buffer[self._place :] + piece
        self._place = 0
        # A long transaction is always ready to be read; sessions want to be served, too.
        await asyncio.sleep(0)

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


def _text(message: bytes, place: int) -> tuple[str, int]:
    end = message.index(0, place)
    return message[place:end].decode(), end + 1


def _logical_message(message: bytes) -> tuple[str, str]:
    prefix, place = _text(message, 10)
    return prefix, message[place + 4 :].decode()
