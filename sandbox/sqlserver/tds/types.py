"""TDS data types: how a column is described and how a value is written and read ([MS-TDS] 2.2.5.4 and 2.2.5.5).

A `Column` carries SQL Server's name of the type. `encoder()` returns one function per column, chosen once, because a
result set calls it for every value.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# SQL_Latin1_General_CP1_CI_AS: LCID 1033, ignore case, kana and width; sort id 52.
COLLATION = bytes.fromhex("0904d00034")

_INTEGERS = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}
_DAY_ONE = dt.date(1, 1, 1).toordinal()
_DAY_1900 = dt.date(1900, 1, 1).toordinal()
_MAX = 0xFFFF  # the size that means (max)
_MICROSECONDS_PER_DAY = 86_400_000_000
_TICKS_PER_DAY = 86_400 * 300


@dataclass(frozen=True)
class Column:
    """One result column. `size` is n of nvarchar(n), varbinary(n), binary(n) (0 = max), or decimal's precision."""

    name: str
    type: str
    size: int = 0
    scale: int = 0

    @property
    def is_large(self) -> bool:
        """True for (max) types, which are sent in chunks."""
        return self.type == "xml" or (self.type in ("nvarchar", "varchar", "varbinary") and self.size == 0)

    def type_info(self) -> bytes:
        """Return TYPE_INFO for COLMETADATA."""
        match self.type:
            case "tinyint" | "smallint" | "int" | "bigint":
                return bytes([0x26, _INTEGERS[self.type]])
            case "bit":
                return b"\x68\x01"
            case "float":
                return b"\x6d\x08"
            case "real":
                return b"\x6d\x04"
            case "uniqueidentifier":
                return b"\x24\x10"
            case "datetime":
                return b"\x6f\x08"
            case "date":
                return b"\x28"
            case "time":
                return bytes([0x29, self.scale])
            case "datetime2":
                return bytes([0x2A, self.scale])
            case "datetimeoffset":
                return bytes([0x2B, self.scale])
            case "numeric":
                return bytes([0x6C, _decimal_size(self.size) + 1, self.size, self.scale])
            case "binary":
                return b"\xad" + struct.pack("<H", self.size)
            case "varbinary":
                return b"\xa5" + struct.pack("<H", self.size or _MAX)
            case "nvarchar" | "nchar":
                token = b"\xe7" if self.type == "nvarchar" else b"\xef"
                return token + struct.pack("<H", self.size * 2 if self.size else _MAX) + COLLATION
            case "varchar" | "char":
                token = b"\xa7" if self.type == "varchar" else b"\xaf"
                return token + struct.pack("<H", self.size if self.size else _MAX) + COLLATION
            case "money" | "smallmoney":
                return bytes([0x6E, _MONEY[self.type]])
            case "smalldatetime":
                return b"\x6f\x04"
            case "xml":
                return b"\xf1\x00"
            case "text" | "ntext" | "image":
                return _legacy_info(self.type)
        raise ValueError(f"no TDS type for {self.type}")

    def encoder(self) -> Callable[[Any], bytes]:
        """Return the function that writes one value (None is NULL) of this column."""
        if self.is_large:
            return _LARGE[self.type]
        if self.type in ("char", "nchar"):
            return _padded(self.type, self.size)
        if self.type in _MONEY:
            return _money(_MONEY[self.type])
        if self.type == "numeric":
            return _decimal(self.size, self.scale)
        if self.type in ("datetime2", "datetimeoffset", "time"):
            return _scaled_time(self.type, self.scale)
        return _ENCODERS[self.type]


def _decimal_size(precision: int) -> int:
    """Bytes of the unsigned integer that holds `precision` digits."""
    return 16 if precision > 28 else 12 if precision > 19 else 8 if precision > 9 else 4


def _integer(size: int) -> Callable[[Any], bytes]:
    head = bytes([size])
    signed = size > 1

    def encode(value: Any) -> bytes:
        return b"\0" if value is None else head + int(value).to_bytes(size, "little", signed=signed)

    return encode


def _bit(value: Any) -> bytes:
    return b"\0" if value is None else b"\x01\x01" if value else b"\x01\x00"


def _float(value: float | None) -> bytes:
    return b"\0" if value is None else b"\x08" + struct.pack("<d", value)


def _real(value: float | None) -> bytes:
    return b"\0" if value is None else b"\x04" + struct.pack("<f", value)


def _uuid(value: uuid.UUID | None) -> bytes:
    return b"\0" if value is None else b"\x10" + value.bytes_le


def _date(value: dt.date | None) -> bytes:
    return b"\0" if value is None else b"\x03" + (value.toordinal() - _DAY_ONE).to_bytes(3, "little")


def _microseconds(value: dt.datetime | dt.time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


def _datetime(value: dt.datetime | None) -> bytes:
    """Days since 1900 and ticks of 1/300 s."""
    if value is None:
        return b"\0"
    days = value.toordinal() - _DAY_1900
    ticks = (_microseconds(value) * 3 + 5_000) // 10_000
    if ticks >= _TICKS_PER_DAY:
        days, ticks = days + 1, 0
    return b"\x08" + struct.pack("<iI", days, ticks)


def _scaled_time(kind: str, scale: int) -> Callable[[Any], bytes]:
    size = 3 if scale <= 2 else 4 if scale <= 4 else 5
    # Tenths of a microsecond per unit of the column's scale.
    unit = 10 ** (7 - scale)

    def encode(value: Any) -> bytes:
        if value is None:
            return b"\0"
        offset = 0
        if kind == "datetimeoffset":
            offset = int(value.utcoffset().total_seconds() // 60)
            value = value.astimezone(dt.UTC)
        time: bytes = (_microseconds(value) * 10 // unit).to_bytes(size, "little")
        if kind == "time":
            return bytes([size]) + time
        day: bytes = (value.toordinal() - _DAY_ONE).to_bytes(3, "little")
        tail = struct.pack("<h", offset) if kind == "datetimeoffset" else b""
        return bytes([size + 3 + len(tail)]) + time + day + tail

    return encode


def _decimal(precision: int, scale: int) -> Callable[[Decimal | None], bytes]:
    size = _decimal_size(precision)
    positive, negative = bytes([size + 1, 1]), bytes([size + 1, 0])

    def encode(value: Decimal | None) -> bytes:
        if value is None:
            return b"\0"
        sign, digits, exponent = value.as_tuple()
        whole = int("".join(map(str, digits)) or "0")
        shift = int(exponent) + scale
        # Half up, as SQL Server rounds.
        whole = whole * pow(10, shift) if shift >= 0 else (whole + 5 * pow(10, -shift - 1)) // pow(10, -shift)
        raw: bytes = whole.to_bytes(size, "little")
        return (negative if sign and whole else positive) + raw

    return encode


def _text(value: str | None) -> bytes:
    if value is None:
        return b"\xff\xff"
    raw = value.encode("utf-16-le", "surrogatepass")
    return struct.pack("<H", len(raw)) + raw


def _bytes(value: bytes | None) -> bytes:
    return b"\xff\xff" if value is None else struct.pack("<H", len(value)) + value


def _large_bytes(value: bytes | None) -> bytes:
    if value is None:
        return b"\xff" * 8
    chunk = struct.pack("<I", len(value)) + value if value else b""
    return struct.pack("<Q", len(value)) + chunk + b"\0\0\0\0"


def _large_text(value: str | None) -> bytes:
    return _large_bytes(None if value is None else value.encode("utf-16-le", "surrogatepass"))


def _large_ansi(value: str | None) -> bytes:
    return _large_bytes(None if value is None else _ansi(value))


def _ansi(value: str) -> bytes:
    """Text of the collation's code page; what it has not is a question mark, as SQL Server stores it."""
    return value.encode("cp1252", "replace")


def _ansi_text(value: str | None) -> bytes:
    return _bytes(None if value is None else _ansi(value))


def _padded(kind: str, size: int) -> Callable[[str | None], bytes]:
    """char(n) and nchar(n) are filled up with blanks; n counts bytes of the one and UTF-16 units of the other."""
    if kind == "char":
        return lambda value: _bytes(None if value is None else _ansi(value).ljust(size))

    def encode(value: str | None) -> bytes:
        if value is None:
            return b"\xff\xff"
        raw = value.encode("utf-16-le", "surrogatepass")
        return _bytes(raw + b" \0" * (size - len(raw) // 2))

    return encode


def _money(size: int) -> Callable[[Decimal | None], bytes]:
    """Ten-thousandths; money has its upper four bytes first."""

    def encode(value: Decimal | None) -> bytes:
        if value is None:
            return b"\0"
        raw = int(value * 10_000).to_bytes(size, "little", signed=True)
        return bytes([size]) + (raw if size == 4 else raw[4:] + raw[:4])

    return encode


def _smalldatetime(value: dt.datetime | None) -> bytes:
    """Days since 1900 and minutes, rounded."""
    if value is None:
        return b"\0"
    value = (value + dt.timedelta(seconds=30)).replace(second=0, microsecond=0)
    return b"\x04" + struct.pack("<HH", value.toordinal() - _DAY_1900, value.hour * 60 + value.minute)


def _legacy_info(kind: str) -> bytes:
    """text, ntext and image: the longest length, a collation where there is text, the name of the table (one part)."""
    token, size = {"text": (0x23, 2**31 - 1), "ntext": (0x63, 2**31 - 2), "image": (0x22, 2**31 - 1)}[kind]
    collation = b"" if kind == "image" else COLLATION
    table = b"\x01" + struct.pack("<H", 1) + "T".encode("utf-16-le")
    return bytes([token]) + struct.pack("<I", size) + collation + table


def _legacy(value: bytes | None) -> bytes:
    """A text pointer of 16 bytes, a timestamp of 8, the length, the value."""
    if value is None:
        return b"\0"
    return b"\x10" + b"\x01" * 16 + b"\x02" * 8 + struct.pack("<I", len(value)) + value


_MONEY = {"money": 8, "smallmoney": 4}
_LARGE: dict[str, Callable[[Any], bytes]] = {
    "nvarchar": _large_text,
    "xml": _large_text,
    "varchar": _large_ansi,
    "varbinary": _large_bytes,
}
_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    **{name: _integer(size) for name, size in _INTEGERS.items()},
    "bit": _bit,
    "float": _float,
    "real": _real,
    "uniqueidentifier": _uuid,
    "date": _date,
    "datetime": _datetime,
    "binary": _bytes,
    "varbinary": _bytes,
    "nvarchar": _text,
    "varchar": _ansi_text,
    "smalldatetime": _smalldatetime,
    "text": lambda value: _legacy(None if value is None else _ansi(value)),
    "ntext": lambda value: _legacy(None if value is None else value.encode("utf-16-le", "surrogatepass")),
    "image": _legacy,
}


def decode_integer(raw: bytes) -> int:
    """Tinyint is unsigned, the others signed."""
    return int.from_bytes(raw, "little", signed=len(raw) > 1)


def decode_float(raw: bytes) -> float:
    """Read float(24) or float(53)."""
    value: float = struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0]
    return value


def decode_decimal(raw: bytes, scale: int) -> Decimal:
    """Sign byte, then the digits as an unsigned integer."""
    # Not scaleb(): that would round to the 28 digits of Python's default context.
    digits = Decimal(int.from_bytes(raw[1:], "little")).as_tuple().digits
    return Decimal((0 if raw[0] else 1, digits, -scale))


def decode_uuid(raw: bytes) -> uuid.UUID:
    """Read a uniqueidentifier: the first three groups are little-endian."""
    return uuid.UUID(bytes_le=bytes(raw))


def decode_date(raw: bytes) -> dt.date:
    """Days since 0001-01-01."""
    return dt.date.fromordinal(int.from_bytes(raw, "little") + _DAY_ONE)


def _since_midnight(raw: bytes, scale: int) -> dt.timedelta:
    return dt.timedelta(microseconds=int.from_bytes(raw, "little") * 10 ** (7 - scale) // 10)


def decode_time(raw: bytes, scale: int) -> dt.time:
    """Read time(n)."""
    return (dt.datetime(1900, 1, 1) + _since_midnight(raw, scale)).time()  # noqa: DTZ001 - only the time is kept


def decode_datetime2(raw: bytes, scale: int) -> dt.datetime:
    """Read datetime2(n): time, then three bytes of days. The seventh digit is cut off."""
    return dt.datetime.combine(decode_date(raw[-3:]), dt.time()) + _since_midnight(raw[:-3], scale)


def decode_datetimeoffset(raw: bytes, scale: int) -> dt.datetime:
    """Read datetimeoffset(n): UTC time and day, then the offset in minutes."""
    offset: int = struct.unpack("<h", raw[-2:])[0]
    zone = dt.timezone(dt.timedelta(minutes=offset))
    return decode_datetime2(raw[:-2], scale).replace(tzinfo=dt.UTC).astimezone(zone)


def decode_datetime(raw: bytes) -> dt.datetime:
    """Read datetime (8 bytes: days since 1900, ticks of 1/300 s) or smalldatetime (4 bytes: days, minutes)."""
    if len(raw) == 4:
        days, minutes = struct.unpack("<HH", raw)
        return dt.datetime(1900, 1, 1) + dt.timedelta(days=days, minutes=minutes)  # noqa: DTZ001 - SQL Server's is naive
    days, ticks = struct.unpack("<iI", raw)
    return dt.datetime(1900, 1, 1) + dt.timedelta(days=days, milliseconds=round(ticks * 10 / 3))  # noqa: DTZ001
