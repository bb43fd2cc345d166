"""Packets and TLS: whole messages in and out of a socket ([MS-TDS] 2.2.3).

TDS 7 carries the TLS handshake inside PRELOGIN packets and then encrypts the packets; TDS 8 ("strict") starts with TLS.
Python's stream TLS cannot do the first, so both use an SSL object over memory buffers.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from ssl import MemoryBIO, SSLContext, SSLObject, SSLWantReadError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

_HEADER = struct.Struct(">BBHHBB")
_END_OF_MESSAGE = 1
_READ_BYTES = 65_536
# A guard against nonsense on the port; the largest parameter the tests send is 16 MB.
_LARGEST_MESSAGE = 64 * 1024 * 1024


class PacketType(IntEnum):
    """First byte of a packet."""

    BATCH = 1
    RPC = 3
    RESULT = 4
    ATTENTION = 6
    BULK = 7
    TRANSACTION = 14
    LOGIN = 16
    SSPI = 17
    PRELOGIN = 18


class PeerGoneError(Exception):
    """The client closed the connection or broke the protocol."""


class Channel:
    """Messages over one connection. `packet_bytes` is what LOGIN7 agreed on."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tls: SSLObject | None = None
        self._incoming, self._outgoing = MemoryBIO(), MemoryBIO()
        self._buffer = bytearray()
        self.packet_bytes = 4096
        self.spid = 0

    @property
    def encrypted(self) -> bool:
        """True once TLS is up."""
        return self._tls is not None

    async def starts_with_tls(self) -> bool:
        """Return whether the first byte begins a TLS handshake (TDS 8), not a PRELOGIN packet (TDS 7)."""
        await self._fill(1)
        return self._buffer[0] == 0x16

    async def receive(self) -> tuple[int, bytes]:
        """Return the type and the content of the next message. Raises PeerGoneError."""
        parts: list[bytes] = []
        size = 0
        while True:
            kind, status, length, _, _, _ = _HEADER.unpack(await self._exactly(_HEADER.size))
            parts.append(await self._exactly(max(length - _HEADER.size, 0)))
            size += length
            if size > _LARGEST_MESSAGE:
                raise PeerGoneError("message too large")
            if status & _END_OF_MESSAGE:
                return kind, b"".join(parts) if len(parts) > 1 else parts[0]

    async def send(self, content: bytes, kind: int = PacketType.RESULT) -> None:
        """Send one message."""
        await self.send_part(content, kind, number=0, last=True)

    async def send_part(self, content: bytes, kind: int, *, number: int, last: bool) -> int:
        """Send part of a message; returns the number of packets sent so far (counted from `number`)."""
        step = self.packet_bytes - _HEADER.size
        out = bytearray()
        for start in range(0, max(len(content), 1), step):
            chunk = content[start : start + step]
            end = _END_OF_MESSAGE if last and start + step >= len(content) else 0
            number += 1
            out += _HEADER.pack(kind, end, len(chunk) + _HEADER.size, self.spid, number & 0xFF, 0)
            out += chunk
        data = bytes(out)
        if self._tls:
            self._tls.write(data)
            data = self._outgoing.read()
        self._writer.write(data)
        await self._writer.drain()
        return number

    async def tls_inside_prelogin(self, context: SSLContext) -> None:
        """TDS 7: the handshake travels in PRELOGIN packets."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            done = _handshake(tls)
            if answer := self._outgoing.read():
                await self.send(answer, PacketType.PRELOGIN)
            if done:
                break
            self._incoming.write((await self.receive())[1])
        self._tls = tls

    async def tls_first(self, context: SSLContext) -> None:
        """TDS 8: the handshake is the first thing on the wire."""
        self._incoming.write(bytes(self._buffer))
        self._buffer.clear()
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            done = _handshake(tls)
            if answer := self._outgoing.read():
                self._writer.write(answer)
                await self._writer.drain()
            if done:
                break
            self._incoming.write(await self._read())
        self._tls = tls

    def abort(self) -> None:
        """Reset the connection: the client sees it vanish."""
        self._writer.transport.abort()

    async def _exactly(self, count: int) -> bytes:
        await self._fill(count)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _fill(self, count: int) -> None:
        while len(self._buffer) < count:
            if self._tls is None:
                self._buffer += await self._read()
                continue
            try:
                data = self._tls.read(_READ_BYTES)
            except SSLWantReadError:
                self._incoming.write(await self._read())
                continue
            if not data:
                raise PeerGoneError("closed")
            self._buffer += data

    async def _read(self) -> bytes:
        data = await self._reader.read(_READ_BYTES)
        if not data:
            raise PeerGoneError("closed")
        return data


def _handshake(tls: SSLObject) -> bool:
    try:
        tls.do_handshake()
    except SSLWantReadError:
        return False
    return True
