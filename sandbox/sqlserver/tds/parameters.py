"""RPC requests: procedure, parameters, values ([MS-TDS] 2.2.6.6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from psycopg.types.numeric import Int4, Int8

from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.tds import types

_PROCEDURES = {
    1: "sp_cursor",
    2: "sp_cursoropen",
    3: "sp_cursorprepare",
    4: "sp_cursorexecute",
    5: "sp_cursorprepexec",
    6: "sp_cursorunprepare",
    7: "sp_cursorfetch",
    8: "sp_cursoroption",
    9: "sp_cursorclose",
    10: "sp_executesql",
    11: "sp_prepare",
    12: "sp_execute",
    13: "sp_prepexec",
    14: "sp_prepexecrpc",
    15: "sp_unprepare",
}
_FIXED = {0x30: 1, 0x32: 1, 0x34: 2, 0x38: 4, 0x3A: 4, 0x3B: 4, 0x3D: 8, 0x3E: 8, 0x7F: 8, 0x1F: 0}
_BATCH_SEPARATORS = (0x80, 0xFF, 0xFE)
_COLLATED = (0xA7, 0xAF, 0xE7, 0xEF)
_NULL_CHUNKED = 2**64 - 1


@dataclass(frozen=True)
class Parameter:
    """One parameter; `name` is without @ and in lower case, empty when it goes by position."""

    name: str
    value: Any


@dataclass(frozen=True)
class Request:
    """One procedure call of an RPC message (executemany sends many in one)."""

    procedure: str
    parameters: list[Parameter]


def requests(content: bytes) -> list[Request]:
    """Return the calls in an RPC message whose headers are cut off. Raises SqlError 8016 for unknown types."""
    reader = _Reader(content)
    found = []
    while reader.more():
        length = reader.number("H")
        name = _PROCEDURES.get(reader.number("H"), "?") if length == 0xFFFF else reader.text(length)
        reader.number("H")  # option flags
        parameters = []
        while reader.more() and reader.peek() not in _BATCH_SEPARATORS:
            parameters.append(reader.parameter())
        if reader.more():
            reader.number("B")
        found.append(Request(name, parameters))
    return found


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def more(self) -> bool:
        return self._place < len(self._content)

    def peek(self) -> int:
        return self._content[self._place]

    def take(self, count: int) -> bytes:
        self._place += count
        return self._content[self._place - count : self._place]

    def number(self, form: str) -> int:
        value: int = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]
        return value

    def text(self, characters: int) -> str:
        return self.take(2 * characters).decode("utf-16-le", "surrogatepass")

    def parameter(self) -> Parameter:
        name = self.text(self.number("B"))
        self.number("B")  # status flags
        return Parameter(name.lstrip("@").lower(), self.value(self.number("B")))

    def value(self, kind: int) -> Any:
        """Read TYPE_INFO and the value. Integers come out in PostgreSQL's width, so that its plans can be reused."""
        if kind in _FIXED:
            return _convert(kind, self.take(_FIXED[kind]), 0)
        scale = 0
        if kind in (0x24, 0x26, 0x68, 0x6D, 0x6E, 0x6F):
            self.number("B")
        elif kind in (0x6A, 0x6C):
            self.take(2)
            scale = self.number("B")
        elif kind in (0x29, 0x2A, 0x2B):
            scale = self.number("B")
        elif kind in (0xA5, 0xAD, *_COLLATED):
            return self._sized(kind)
        elif kind in (0x22, 0x23, 0x63):
            return self._legacy(kind)
        elif kind != 0x28:
            raise SqlError(8016, f"The incoming TDS RPC stream is incorrect: data type 0x{kind:02X} is unknown.")
        length = self.number("B")
        return None if length == 0 else _convert(kind, self.take(length), scale)

    def _sized(self, kind: int) -> Any:
        size = self.number("H")
        if kind in _COLLATED:
            self.take(5)
        if size == 0xFFFF:
            if self.number("Q") == _NULL_CHUNKED:
                return None
            chunks = []
            while length := self.number("I"):
                chunks.append(self.take(length))
            return _convert(kind, b"".join(chunks), 0)
        length = self.number("H")
        return None if length == 0xFFFF else _convert(kind, self.take(length), 0)

    def _legacy(self, kind: int) -> Any:
        """text, ntext, image: FreeTDS sends long values so."""
        self.number("I")
        if kind != 0x22:
            self.take(5)
        length = self.number("i")
        return None if length < 0 else _convert(kind, self.take(length), 0)


def _convert(kind: int, raw: bytes, scale: int) -> Any:
    match kind:
        case 0x26 | 0x30 | 0x34 | 0x38 | 0x7F:
            number = types.decode_integer(raw)
            return Int8(number) if len(raw) == 8 else Int4(number)
        case 0x68 | 0x32:
            return bool(raw[0])
        case 0x6D | 0x3B | 0x3E:
            return types.decode_float(raw)
        case 0x6A | 0x6C:
            return types.decode_decimal(raw, scale)
        case 0x24:
            return types.decode_uuid(raw)
        case 0x28:
            return types.decode_date(raw)
        case 0x29:
            return types.decode_time(raw, scale)
        case 0x2A:
            return types.decode_datetime2(raw, scale)
        case 0x2B:
            return types.decode_datetimeoffset(raw, scale)
        case 0x6F | 0x3D | 0x3A:
            return types.decode_datetime(raw)
        case 0xE7 | 0xEF | 0x63:
            return _storable(raw.decode("utf-16-le", "surrogatepass"))
        case 0xA7 | 0xAF | 0x23:
            return _storable(raw.decode("cp1252", "replace"))
        case 0x1F:
            return None
        case _:
            return bytes(raw)


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL and no lone surrogate: refuse rather than change a value silently."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise SqlError(40000, "Text with U+0000 or a lone surrogate is not simulated.")
    return text
