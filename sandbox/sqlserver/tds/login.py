"""PRELOGIN and LOGIN7: encryption, who is there, which database ([MS-TDS] 2.2.6.4 and 2.2.6.5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.sqlserver.tds import tokens
from sandbox.sqlserver.tds.packets import Channel, PacketType, PeerGoneError
from sandbox.sqlserver.tds.types import COLLATION

if TYPE_CHECKING:
    from ssl import SSLContext

_VERSION, _ENCRYPTION, _INSTANCE, _THREAD, _MARS = 0, 1, 2, 3, 4
_ENCRYPT_ON, _ENCRYPT_NOT_SUPPORTED, _ENCRYPT_REQUIRED = 1, 2, 3
_OUR_VERSION = bytes([16, 0, 0x10, 0x27, 0, 0])
_TDS_7_4, _TDS_8_0 = 0x74000004, 0x08000000


@dataclass(frozen=True)
class Login:
    """What LOGIN7 says. `database` is empty when the client wants the login's default."""

    user: str
    password: str
    database: str
    application: str
    packet_bytes: int
    version: int


async def negotiate(channel: Channel, context: SSLContext, *, require_encryption: bool) -> None:
    """Answer PRELOGIN and bring TLS up when either side wants it.

    With `Encrypt=no` the whole session stays in clear, as with a server that has no certificate.
    """
    strict = await channel.starts_with_tls()
    if strict:
        await channel.tls_first(context)
    kind, content = await channel.receive()
    if kind != PacketType.PRELOGIN:
        raise PeerGoneError("expected PRELOGIN")
    wanted = _options(content).get(_ENCRYPTION, b"\0")[0]
    encrypt = not strict and (wanted in (_ENCRYPT_ON, _ENCRYPT_REQUIRED) or require_encryption)
    await channel.send(_answer(_ENCRYPT_ON if encrypt else _ENCRYPT_NOT_SUPPORTED))
    if encrypt:
        await channel.tls_inside_prelogin(context)


def _options(content: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    place = 0
    while place < len(content) and content[place] != 0xFF:
        offset, length = struct.unpack(">HH", content[place + 1 : place + 5])
        found[content[place]] = content[offset : offset + length]
        place += 5
    return found


def _answer(encryption: int) -> bytes:
    values = [
        (_VERSION, _OUR_VERSION),
        (_ENCRYPTION, bytes([encryption])),
        (_INSTANCE, b"\0"),
        (_THREAD, b""),
        (_MARS, b"\0"),
    ]
    head, data = b"", b""
    offset = 5 * len(values) + 1
    for option, value in values:
        head += struct.pack(">BHH", option, offset + len(data), len(value))
        data += value
    return head + b"\xff" + data


async def receive_login(channel: Channel) -> Login:
    """Read LOGIN7. Raises PeerGoneError for anything else (integrated security is not simulated)."""
    kind, content = await channel.receive()
    if kind != PacketType.LOGIN or len(content) < 94:
        raise PeerGoneError("expected LOGIN7")
    packet_bytes = struct.unpack_from("<I", content, 8)[0]
    version = struct.unpack_from("<I", content, 4)[0]
    secret = bytes(_unscramble(byte) for byte in _field(content, 2))
    return Login(
        user=_field(content, 1).decode("utf-16-le"),
        password=secret.decode("utf-16-le", "replace"),
        application=_field(content, 3).decode("utf-16-le"),
        database=_field(content, 8).decode("utf-16-le"),
        packet_bytes=min(max(packet_bytes or 4096, 512), 32_767),
        version=_TDS_8_0 if version == _TDS_8_0 else _TDS_7_4,
    )


def _field(content: bytes, number: int) -> bytes:
    offset, length = struct.unpack_from("<HH", content, 36 + 4 * number)
    return content[offset : offset + 2 * length]


def _unscramble(byte: int) -> int:
    """Passwords are only obfuscated: XOR 0xA5, then swapped halves."""
    byte ^= 0xA5
    return (byte << 4 | byte >> 4) & 0xFF


def welcome(login: Login, database: str) -> bytes:
    """Return the answer to a successful login."""
    size = str(login.packet_bytes)
    return b"".join(
        [
            tokens.environment(1, tokens.short_text(database), tokens.short_text("master")),
            tokens.error(5701, f"Changed database context to '{database}'.", 0, 2, info=True),
            tokens.environment(7, b"\x05" + COLLATION),
            tokens.environment(2, tokens.short_text("us_english"), tokens.short_text("")),
            tokens.error(5703, "Changed language setting to us_english.", 0, 1, info=True),
            tokens.login_acknowledgement(login.version),
            tokens.environment(4, tokens.short_text(size), tokens.short_text("4096")),
            tokens.done(),
        ]
    )
