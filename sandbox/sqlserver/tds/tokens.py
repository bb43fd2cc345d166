"""The tokens of a server's answer ([MS-TDS] 2.2.7)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.sqlserver.tds.types import Column

DONE, DONE_PROC, DONE_IN_PROC = 0xFD, 0xFE, 0xFF
MORE, ERROR, COUNT, ATTENTION = 0x01, 0x02, 0x10, 0x20

# CurCmd of DONE: which statement the count belongs to.
_COMMANDS = {"select": 0xC1, "insert": 0xC3, "delete": 0xC4, "update": 0xC5, "merge": 0x117}
_NULLABLE_UPDATABLE = 0x09
SERVER_NAME = "STANDIN"


def short_text(value: str) -> bytes:
    """B_VARCHAR: one byte of length in characters."""
    return bytes([len(value)]) + value.encode("utf-16-le")


def long_text(value: str) -> bytes:
    """US_VARCHAR: two bytes of length in UTF-16 units."""
    raw = value.encode("utf-16-le")
    return struct.pack("<H", len(raw) // 2) + raw


def error(number: int, message: str, severity: int = 16, state: int = 1, *, info: bool = False) -> bytes:
    """ERROR, or INFO for what is only told."""
    body = struct.pack("<IBB", number, state, severity) + long_text(message[:2000]) + short_text(SERVER_NAME)
    body += short_text("") + struct.pack("<I", 1)
    return bytes([0xAB if info else 0xAA]) + struct.pack("<H", len(body)) + body


def environment(kind: int, new: bytes, old: bytes = b"\0") -> bytes:
    """ENVCHANGE."""
    return b"\xe3" + struct.pack("<H", 1 + len(new) + len(old)) + bytes([kind]) + new + old


def done(token: int = DONE, status: int = 0, verb: str = "", count: int = -1) -> bytes:
    """DONE, DONEPROC or DONEINPROC; a count below zero is no count."""
    if count >= 0:
        status |= COUNT
    return struct.pack("<BHHQ", token, status, _COMMANDS.get(verb, 0), max(count, 0))


def return_status(value: int = 0) -> bytes:
    """RETURNSTATUS of a procedure."""
    return b"\x79" + struct.pack("<i", value)


def return_integer(name: str, value: int) -> bytes:
    """RETURNVALUE for an int output parameter (the handle of sp_prepexec)."""
    head = b"\xac" + struct.pack("<H", 0) + short_text(name) + b"\x01" + struct.pack("<IH", 0, 0)
    return head + b"\x26\x04\x04" + struct.pack("<i", value)


def column_metadata(columns: Sequence[Column]) -> bytes:
    """COLMETADATA."""
    parts = [b"\x81", struct.pack("<H", len(columns))]
    for column in columns:
        parts += [struct.pack("<IH", 0, _NULLABLE_UPDATABLE), column.type_info(), short_text(column.name[:128])]
    return b"".join(parts)


def login_acknowledgement(version: int) -> bytes:
    """LOGINACK: SQL syntax, TDS version, program name and its version (16.0.4135: SQL Server 2022)."""
    body = b"\x01" + struct.pack(">I", version) + short_text("Microsoft SQL Server") + bytes([16, 0, 0x10, 0x27])
    return b"\xad" + struct.pack("<H", len(body)) + body


def transaction_began(identifier: int = 1) -> bytes:
    """ENVCHANGE 8: the transaction descriptor."""
    return environment(8, b"\x08" + struct.pack("<Q", identifier))


def transaction_ended(*, committed: bool, identifier: int = 1) -> bytes:
    """ENVCHANGE 9 or 10."""
    return environment(9 if committed else 10, b"\0", b"\x08" + struct.pack("<Q", identifier))
