"""TDS values byte by byte, against the examples and tables of [MS-TDS] 2.2.5."""

import datetime as dt
import struct
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.sqlserver.tds import types
from sandbox.sqlserver.tds.parameters import requests
from sandbox.sqlserver.tds.types import Column


def naive(*parts):
    """SQL Server's datetime has no zone."""
    return dt.datetime(*parts)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("column", "value", "encoded"),
    [
        (Column("", "int"), -2, "04feffffff"),
        (Column("", "bigint"), 1, "080100000000000000"),
        (Column("", "tinyint"), 255, "01ff"),
        (Column("", "bit"), True, "0101"),
        (Column("", "nvarchar", 5), "a😀", "0600" + "61003dd800de"),
        (Column("", "nvarchar", 5), "", "0000"),
        (Column("", "nvarchar", 5), None, "ffff"),
        (Column("", "nvarchar"), "ab", "0400000000000000" + "04000000" + "61006200" + "00000000"),
        (Column("", "nvarchar"), "", "0000000000000000" + "00000000"),
        (Column("", "varbinary"), None, "ffffffffffffffff"),
        (Column("", "binary", 3), b"\1\2\3", "0300010203"),
        (Column("", "date"), dt.date(1, 1, 2), "03010000"),
        (Column("", "datetime"), naive(1900, 1, 2, 0, 0, 1), "08" + "01000000" + "2c010000"),
        (Column("", "datetime"), naive(1899, 12, 31), "08" + "ffffffff" + "00000000"),
        (Column("", "datetime2", scale=3), naive(1, 1, 1, 0, 0, 0, 5000), "07" + "05000000" + "000000"),
        (Column("", "numeric", 9, 2), Decimal("-1.5"), "0500" + "96000000"),
        (Column("", "numeric", 9, 0), Decimal(0), "0501" + "00000000"),
        (Column("", "uniqueidentifier"), uuid.UUID(int=1), "10" + "00" * 15 + "01"),
        (Column("", "int"), None, "00"),
    ],
)
def test_values_are_encoded(column, value, encoded):
    assert column.encoder()(value).hex() == encoded


@pytest.mark.parametrize(
    ("column", "encoded"),
    [
        (Column("", "nvarchar", 20), "e72800" + "0904d00034"),
        (Column("", "nvarchar"), "e7ffff" + "0904d00034"),
        (Column("", "numeric", 32, 16), "6c112010"),
        (Column("", "numeric", 9, 2), "6c050902"),
        (Column("", "binary", 10), "ad0a00"),
        (Column("", "datetime"), "6f08"),
        (Column("", "datetime2", scale=7), "2a07"),
    ],
)
def test_columns_are_described(column, encoded):
    assert column.type_info().hex() == encoded


def test_a_datetime_in_the_last_tick_rolls_over_to_the_next_day():
    encoded = Column("", "datetime").encoder()(naive(2024, 1, 1, 23, 59, 59, 999_000))
    assert types.decode_datetime(encoded[1:]) == naive(2024, 1, 2)


@given(st.datetimes(naive(1753, 1, 1), naive(9999, 12, 31)))
def test_datetime_survives_to_within_a_tick(value):
    back = types.decode_datetime(Column("", "datetime").encoder()(value)[1:])
    assert abs(back - value) <= dt.timedelta(milliseconds=2)


@given(st.datetimes(naive(1, 1, 1), naive(9999, 12, 31)))
def test_datetime2_survives_exactly(value):
    assert types.decode_datetime2(Column("", "datetime2", scale=6).encoder()(value)[1:], 6) == value


@given(st.decimals(min_value=-(10**16) + 1, max_value=10**16 - 1, places=16))
def test_decimal_survives_exactly(value):
    assert types.decode_decimal(Column("", "numeric", 32, 16).encoder()(value)[1:], 16) == value


@given(st.floats(allow_nan=False))
def test_float_survives_exactly(value):
    assert types.decode_float(Column("", "float").encoder()(value)[1:]) == value


def request(*parameters: bytes) -> bytes:
    return struct.pack("<HHH", 0xFFFF, 10, 0) + b"".join(parameters)


def test_parameters_are_read_with_names_and_values():
    nvarchar = (
        b"\x02@\0p\0\0\xe7" + struct.pack("<H", 8) + types.COLLATION + struct.pack("<H", 4) + "ab".encode("utf-16-le")
    )
    number = b"\0\0" + b"\x26\x04\x04" + struct.pack("<i", -7)
    null = b"\0\0" + b"\x26\x04\x00"
    (found,) = requests(request(nvarchar, number, null))
    assert found.procedure == "sp_executesql"
    assert [(parameter.name, parameter.value) for parameter in found.parameters] == [("p", "ab"), ("", -7), ("", None)]


def test_a_message_may_hold_many_calls():
    one = request(b"\0\0\x26\x04\x04" + struct.pack("<i", 1))
    assert [call.parameters[0].value for call in requests(one + b"\xff" + one + b"\xff" + one)] == [1, 1, 1]
