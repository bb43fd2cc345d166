"""Rows as Avro, straight from the driver's values: one function per column, chosen once.

This is the hot path of the capture. A general Avro writer asks of every value which branch of which union it is and
how it is prepared; here the answer is known per column. A test holds that the bytes are those of fastavro.

Every encoder refuses None and values of another type by an exception: a column that is declared NOT NULL and holds a
NULL was dropped from the table, and what we would publish were wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Context, Decimal, Inexact
from operator import itemgetter
from typing import Any

from connectors.ax.sql import Row
from connectors.ax.sql_types import SqlType, kind_of, without_null
from schemas.failures import FatalError

Encode = Callable[[Any], bytes]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - SQL Server's instants are naive
_EPOCH_DAY = date(1970, 1, 1).toordinal()
# 38 digits are the most of SQL Server's numeric; a shift of the point must stay exact.
_EXACT = Context(prec=80, traps=[Inexact])
_DOUBLE = struct.Struct("<d")
_NULL, _PRESENT = b"\x00", b"\x02"
_BITS = {True: b"\x01", False: b"\x00"}
_KEPT_VALUES = 4096
_KEPT_BYTES = 64


class _Kept(dict[Any, bytes]):
    """What was encoded lately, by value. An update tells most values twice, and a table has few different ones.

    Bounded: it starts anew when it is full, which costs no more than not to keep anything.
    """

    def __init__(self, encode: Encode) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, value: Any) -> bytes:
        made = self._encode(value)
        if len(made) <= _KEPT_BYTES:
            if len(self) >= _KEPT_VALUES:
                self.clear()
            self[value] = made
        return made


def _integer(bits: int) -> Encode:
    limit = 1 << (bits - 1)

    def encode(number: int) -> bytes:
        if not -limit <= number < limit:
            raise OverflowError(f"more than {bits} bits")
        rest = (number << 1) ^ (number >> 63)
        out = bytearray()
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
        return bytes(out)

    return encode


def _string(value: str) -> bytes:
    """Its length in UTF-8 bytes, then these."""
    raw = value.encode()
    return _LONG[len(raw)] + raw


_INT, _LONG = _Kept(_integer(32)), _Kept(_integer(64))
_STRING = _Kept(_string)
encode_long: Encode = _LONG.__getitem__
encode_string: Encode = _STRING.__getitem__


def encode_optional_string(value: str | None) -> bytes:
    """A string in a union behind null."""
    return _NULL if value is None else _PRESENT + encode_string(value)


def encode_optional_long(value: int | None) -> bytes:
    """An int or long in a union behind null."""
    return _NULL if value is None else _PRESENT + _LONG[value]


def present(encoded: bytes) -> bytes:
    """A value in a union behind null."""
    return _PRESENT + encoded


@dataclass(frozen=True, slots=True)
class RowColumn:
    """A column as it is read and written. `declared` is its field's type, `ordinal` its bit in the update mask."""

    name: str
    declared: Any
    type: SqlType
    ordinal: int = 0

    @property
    def optional(self) -> bool:
        """True when its field may be null."""
        return isinstance(self.declared, list)


def row_encoder(columns: Sequence[RowColumn], table: str) -> Callable[[Row], bytes]:
    """The function that writes a row of `columns` as Avro; `table` names it in failures.

    Raises: FatalError (cdc_shape) for a NULL or a value that its field cannot hold.
    """
    encoders = [_column_encoder(column) for column in columns]
    values = _values_of([column.name for column in columns])

    def encode(row: Row) -> bytes:
        try:
            return b"".join([encoder(value) for encoder, value in zip(encoders, values(row), strict=True)])
        except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError, struct.error) as error:
            raise _unfit(columns, encoders, row, table) from error

    return encode


def _values_of(names: list[str]) -> Callable[[Row], tuple[Any, ...]]:
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


def _unfit(columns: Sequence[RowColumn], encoders: Sequence[Encode], row: Row, table: str) -> FatalError:
    """Says which column it was; never the value."""
    for column, encoder in zip(columns, encoders, strict=True):
        value = row[column.name]
        if value is None and not column.optional:
            return FatalError(
                "cdc_shape",
                f"reading {table}: {column.name} is NULL, declared NOT NULL; was the column dropped? "
                "Make a capture instance of the present shape",
            )
        try:
            encoder(value)
        except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError, struct.error):
            return FatalError(
                "cdc_shape",
                f"reading {table}: {column.name} ({column.type}) holds a {type(value).__name__} that does not fit "
                f"{kind_of(column.declared)}; was the column retyped?",
            )
    return FatalError("cdc_shape", f"reading {table}: a row that cannot be written")


def _column_encoder(column: RowColumn) -> Encode:
    encoder = _encoder(without_null(column.declared), column.type)
    if not column.optional:
        return encoder

    def encode(value: Any) -> bytes:
        return _NULL if value is None else _PRESENT + encoder(value)

    return encode


def _encoder(declared: Any, sql: SqlType) -> Encode:
    kind = kind_of(declared)
    if kind == "decimal":
        return _decimal(declared["precision"], declared.get("scale", 0))
    if kind == "string" and sql.name == "datetimeoffset":
        return _offset_instant
    if kind == "string" and sql.name == "uniqueidentifier":
        return _uuid
    if kind == "timestamp-micros" and sql.name != "datetime2":
        # Drivers differ in how they fill up a datetime's 1/300 s behind the milliseconds.
        return lambda value: _LONG[_milliseconds(value) * 1000]
    return _ENCODERS[kind]


def _decimal(precision: int, scale: int) -> Encode:
    limit = 10**precision

    def encode(value: Decimal) -> bytes:
        shifted = _EXACT.scaleb(value, scale)
        number = int(shifted)
        if not -limit < number < limit or number != shifted:
            raise OverflowError("more digits than declared")
        size = (number.bit_length() + 8) >> 3
        return _LONG[size] + number.to_bytes(size, "big", signed=True)

    return encode


def _bytes(value: bytes) -> bytes:
    return _LONG[len(value)] + value


def _uuid(value: Any) -> bytes:
    return encode_string(str(value).lower()) if value is not None else _refuse_null()


def _refuse_null() -> bytes:
    raise TypeError("NULL")


def _offset_instant(value: str) -> bytes:
    """`2026-03-29 02:30:00.1234567 +02:00` (CONVERT, style 121) in ISO 8601."""
    moment, _, offset = value.rpartition(" ")
    return encode_string(f"{moment.replace(' ', 'T')}{offset}")


def _milliseconds(value: datetime) -> int:
    """Cut to ms. AX's utcdatetime columns hold UTC without saying so."""
    since = value - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _millis(value: datetime) -> bytes:
    return _LONG[_milliseconds(value)]


def _micros(value: datetime) -> bytes:
    since = value - _EPOCH
    return _LONG[(since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds]


def _date(value: date) -> bytes:
    return _INT[value.toordinal() - _EPOCH_DAY]


def _time(value: time) -> bytes:
    return _LONG[((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond]


_ENCODERS: dict[str, Encode] = {
    "long": encode_long,
    "int": _INT.__getitem__,
    "boolean": _BITS.__getitem__,
    "double": _DOUBLE.pack,
    "string": encode_string,
    "uuid": _uuid,
    "bytes": _bytes,
    "date": _date,
    "timestamp-millis": _Kept(_millis).__getitem__,
    "timestamp-micros": _Kept(_micros).__getitem__,
    "time-micros": _time,
}
