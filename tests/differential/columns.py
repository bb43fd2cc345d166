"""Columns of the tables in the histories: how each SQL type is declared, filled with hostile values, and compared.

Every value has one form (`canonical`) in the history and in what either reader tells: decimals as text, instants as
milliseconds or microseconds since 1970, bytes as Base64, identifiers in lower case.
"""

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)
_TEXTS = (
    "", "a", "Müller & Söhne", "O'Neil", '"quoted"', "日本語", "🪲🧾", "e\u0301", "  blanks  ", "tab\tnew\nline",
    "NULL", "0", "\\", "%_[]", "</x>", "\u00a0", "\u200f\u05d0",
)  # fmt: skip
# What code page 1252 holds.
_WESTERN = ("", "a", "Müller & Söhne", "O'Neil", "€ 1", "tab\tnew\nline", "NULL", "\\", "\u00a0")
_XML = ("<a/>", "<a>ä 🪲</a>", '<a b="1"><c>日本語</c></a>')
_BYTES = (b"", b"\x00", b"\x00\xff", b"\xff" * 8, bytes(range(200)))

# Without a value in the old image of an update where it did not change …
LARGE = {"nvarchar(max)", "varchar(max)", "varbinary(max)", "xml"}
# … and these have none in any old image. Source: Microsoft Learn, "cdc.<capture_instance>_CT".
NEVER_OLD = {"text", "ntext", "image"}


@dataclass(frozen=True)
class Column:
    """A column. `kind` is its type as declared, for nvarchar and its like without the length."""

    name: str
    kind: str
    length: int = 0
    nullable: bool = False

    @property
    def sql_type(self) -> str:
        """Its type in T-SQL."""
        return f"{self.kind}({self.length})" if self.length else self.kind

    @property
    def is_written(self) -> bool:
        """False for a column that the server fills."""
        return self.kind != "rowversion"

    @property
    def marker(self) -> str:
        """Its place in a statement. What a driver might touch goes as text."""
        return "?" if self.kind in ("nvarchar", "int", "bigint") else f"CAST(? AS {self.sql_type})"

    def value(self, chance: random.Random) -> Any:
        """A value in the one form."""
        if self.nullable and chance.random() < 0.2:
            return None
        return _VALUES[self.kind](chance, self.length)

    def parameter(self, value: Any) -> Any:
        """`value` as it goes into a statement."""
        if value is None:
            return None
        write = _PARAMETERS.get(self.kind)
        return write(value) if write else value

    def canonical(self, value: Any) -> Any:
        """A value as either reader tells it, in the one form."""
        if value is None:
            return None
        read = _FORMS.get(type(value))
        if read is not None:
            return read(value, self.kind)
        return _TEXT_FORMS[self.kind](value) if self.kind in _TEXT_FORMS else value


def _decimal(digits: int, scale: int) -> Callable[[random.Random, int], str]:
    """Values of numeric(digits, scale), as text."""

    def value(chance: random.Random, _length: int) -> str:
        written = chance.choice(("0", "1", "9" * digits, str(chance.randrange(10 ** (digits * 3 // 4)))))
        written = written.zfill(scale + 1)
        sign = chance.choice(("", "-")) if written.strip("0") else ""
        return f"{sign}{written[:-scale]}.{written[-scale:]}"

    return value


def _integer(bits: int, *, signed: bool = True) -> Callable[[random.Random, int], int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return lambda chance, _length: chance.choice((0, 1, low, high, chance.randint(0, min(high, 10**12))))


def _text(chance: random.Random, length: int) -> str:
    # nvarchar(n) holds n UTF-16 units.
    return chance.choice([text for text in _TEXTS if not length or len(text.encode("utf-16-le")) <= 2 * length])


def _western(chance: random.Random, length: int) -> str:
    return chance.choice([text for text in _WESTERN if not length or len(text) <= length])


def _milliseconds(chance: random.Random, _length: int) -> int:
    # datetime counts in 1/300 s: these are what it shows.
    return _seconds(chance) * 1000 + chance.choice((0, 3, 7, 10, 500, 993, 997))


def _seconds(chance: random.Random) -> int:
    moment = datetime(1900, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(199 * 365 * 86400))
    return (moment - EPOCH) // timedelta(seconds=1)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _microseconds(chance: random.Random, _length: int) -> int:
    return _seconds(chance) * 1_000_000 + chance.choice((0, 1, 999_999, chance.randrange(10**6)))


_VALUES: dict[str, Callable[[random.Random, int], Any]] = {
    "nvarchar": _text,
    "nchar": lambda chance, length: _padded(_text(chance, length), length),
    "varchar": _western,
    "char": lambda chance, length: _western(chance, length).ljust(length),
    "nvarchar(max)": lambda chance, _: chance.choice((_text(chance, 0), "long 🪲 " * 700)),
    "varchar(max)": lambda chance, _: chance.choice((_western(chance, 0), "long € " * 700)),
    "text": _western,
    "ntext": _text,
    "xml": lambda chance, _: chance.choice(_XML),
    "bigint": _integer(64),
    "int": _integer(32),
    "smallint": _integer(16),
    "tinyint": _integer(8, signed=False),
    "bit": lambda chance, _: chance.choice((True, False)),
    "numeric(32,16)": _decimal(32, 16),
    "decimal(9,2)": _decimal(9, 2),
    "money": _decimal(18, 4),
    "smallmoney": _decimal(9, 4),
    # Few digits: Debezium prints the shortest text of a float, we that of a double.
    "real": lambda chance, _: chance.choice((0.0, 0.5, -1.25, 2.0**20, chance.randrange(8000) / 8)),
    "float": lambda chance, _: chance.choice((0.0, 0.1, -1.5, 1e300, 5e-300, chance.random())),
    "datetime": _milliseconds,
    # To 2079, where it ends.
    "smalldatetime": lambda chance, _: chance.randrange(-36_000_000, 57_000_000) * 60_000,
    "datetime2(6)": _microseconds,
    "date": lambda chance, _: chance.choice((-719_162, 0, 2_932_896, chance.randrange(20_000))),
    "time(6)": lambda chance, _: chance.choice((0, 86_399_999_999, chance.randrange(86_400_000_000))),
    # Not before 1970: Microsoft's JDBC driver is a second off there when there is a fraction.
    "datetimeoffset(6)": lambda chance, length: abs(_microseconds(chance, length)),
    "binary": lambda chance, length: _base64(chance.choice(_BYTES[:4]).ljust(length, b"\0")),
    "varbinary": lambda chance, length: _base64(chance.choice([found for found in _BYTES if len(found) <= length])),
    "varbinary(max)": lambda chance, _: _base64(chance.choice(_BYTES)),
    "image": lambda chance, _: _base64(chance.choice(_BYTES)),
    "uniqueidentifier": lambda chance, _: str(UUID(int=chance.getrandbits(128))),
}


def _padded(text: str, length: int) -> str:
    return text + " " * (length - len(text.encode("utf-16-le")) // 2)


def _instant(microseconds: int) -> str:
    return (EPOCH + microseconds * _MICROSECOND).strftime("%Y-%m-%dT%H:%M:%S.%f")


_PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "bit": int,
    "real": repr,
    "float": repr,
    "datetime": lambda value: _instant(value * 1000)[:-3],
    "smalldatetime": lambda value: _instant(value * 1000)[:-7],
    "datetime2(6)": _instant,
    "datetimeoffset(6)": lambda value: _instant(value) + "+00:00",
    "date": lambda value: str(EPOCH.date() + timedelta(days=value)),
    "time(6)": lambda value: str((EPOCH + value * _MICROSECOND).time()),
    **dict.fromkeys(("binary", "varbinary", "varbinary(max)", "image"), base64.b64decode),
}

# What Python reads of a feed, by its type; what is text in it, by the column's.
_FORMS: dict[type, Callable[[Any, str], Any]] = {
    Decimal: lambda value, _: f"{value:f}",  # no arithmetic: the context's 28 digits would round
    datetime: lambda value, kind: (value - EPOCH) // (_MICROSECOND if kind == "datetime2(6)" else _MILLISECOND),
    date: lambda value, _: (value - EPOCH.date()).days,
    time: lambda value, _: (datetime.combine(EPOCH.date(), value, UTC) - EPOCH) // _MICROSECOND,
    bytes: lambda value, _: _base64(value),
    UUID: lambda value, _: str(value),
}
_TEXT_FORMS: dict[str, Callable[[Any], Any]] = {
    "uniqueidentifier": str.lower,
    "datetimeoffset(6)": lambda value: (datetime.fromisoformat(value) - EPOCH) // _MICROSECOND,
}
