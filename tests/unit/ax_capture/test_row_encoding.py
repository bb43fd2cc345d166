"""Rows are written in the bytes of a general Avro writer, and what does not fit stops."""

import io
import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.row_encoding import RowColumn, row_encoder
from connectors.ax.sql_types import SqlType, avro_type
from schemas.failures import FatalError

NUMERIC = SqlType("numeric", 32, 16, 17)
MICROS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001
# SQL type, the driver's values, the value that a general writer takes for it.
CASES = {
    "bigint": (SqlType("bigint"), st.integers(-(2**63), 2**63 - 1), None),
    "int": (SqlType("int"), st.integers(-(2**31), 2**31 - 1), None),
    "bit": (SqlType("bit"), st.booleans(), None),
    "float": (SqlType("float"), st.floats(), None),
    "nvarchar": (SqlType("nvarchar", 0, 0, 200), st.text(st.characters(exclude_categories=["Cs"])), None),
    "varbinary": (SqlType("varbinary", 0, 0, 50), st.binary(), None),
    "numeric": (NUMERIC, st.decimals(-(10**16) + 1, 10**16 - 1, places=16), None),
    "money": (SqlType("money", 19, 4, 8), st.decimals(-(10**15) + 1, 10**15 - 1, places=4), None),
    "uniqueidentifier": (SqlType("uniqueidentifier"), st.uuids().map(lambda u: str(u).upper()), UUID),
    "date": (SqlType("date"), st.dates(), None),
    "datetime": (
        SqlType("datetime", 23, 3, 8),
        MICROS,
        lambda v: v.replace(tzinfo=UTC, microsecond=v.microsecond // 1000 * 1000),
    ),
    "datetime2": (SqlType("datetime2", 27, 7, 8), MICROS, lambda v: v.replace(tzinfo=UTC)),
    "time": (SqlType("time", 16, 7, 5), st.times(), None),
}


def column(sql: SqlType, *, optional: bool = False, name: str = "C") -> RowColumn:
    declared = avro_type(sql)
    return RowColumn(name, ["null", declared] if optional else declared, sql)


def general(declared, value) -> bytes:
    body = io.BytesIO()
    record = {"type": "record", "name": "Row", "fields": [{"name": "C", "type": declared}]}
    fastavro.schemaless_writer(body, fastavro.parse_schema(record), {"C": value})
    return body.getvalue()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("optional", [False, True])
@given(data=st.data())
def test_the_bytes_are_those_of_a_general_writer(case, optional, data):
    sql, values, general_value = CASES[case]
    value = data.draw(st.none() | values if optional else values)
    wanted = value if value is None or general_value is None else general_value(value)
    made = column(sql, optional=optional)
    assert row_encoder([made], "dbo.T")({"C": value}) == general(made.declared, wanted)


def test_a_datetimeoffset_keeps_its_digits_and_its_offset():
    encode = row_encoder([column(SqlType("datetimeoffset", 34, 7, 10))], "dbo.T")
    written = encode({"C": "2026-03-29 02:30:00.1234567 +02:00"})
    assert written[1:].decode() == "2026-03-29T02:30:00.1234567+02:00"


def test_a_datetime_under_a_finer_field_is_cut_alike():
    declared = avro_type(SqlType("datetime2", 27, 7, 8))
    encode = row_encoder([RowColumn("C", declared, SqlType("datetime", 23, 3, 8))], "dbo.T")
    moment = datetime(2026, 3, 1, 12, 0, 0, 123_333)  # noqa: DTZ001
    assert encode({"C": moment}) == general(declared, datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC))


@pytest.mark.parametrize("case", [*CASES, "datetimeoffset"])
def test_a_null_where_none_is_declared_stops(case):
    sql = CASES[case][0] if case in CASES else SqlType("datetimeoffset", 34, 7, 10)
    with pytest.raises(FatalError, match="C is NULL") as stopped:
        row_encoder([column(sql)], "dbo.T")({"C": None})
    assert stopped.value.code == "cdc_shape"


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        (SqlType("int"), 2**31),
        (SqlType("int"), "7"),
        (SqlType("nvarchar", 0, 0, 40), 7),
        (NUMERIC, Decimal("1e16")),
        (NUMERIC, Decimal("1e-17")),
        (SqlType("datetime", 23, 3, 8), date(2026, 1, 1)),
        (SqlType("date"), "2026-01-01"),
        (SqlType("bit"), 2),
    ],
)
def test_a_value_that_does_not_fit_stops_without_being_told(sql, value):
    columns = [column(SqlType("int"), name="A"), column(sql)]
    with pytest.raises(FatalError, match=r"C \(.*\) holds a") as stopped:
        row_encoder(columns, "dbo.T")({"A": 1, "C": value})
    assert str(value) not in stopped.value.message


def test_columns_are_written_in_the_order_of_the_schema():
    encode = row_encoder([column(SqlType("int"), name="B"), column(SqlType("bit"), name="A")], "dbo.T")
    assert encode({"A": True, "B": 1, "other": object()}) == b"\x02\x01"


def test_a_real_is_the_double_of_its_four_bytes():
    (value,) = struct.unpack("<f", struct.pack("<f", 0.1))
    written = row_encoder([column(SqlType("real"))], "dbo.T")({"C": value})
    assert struct.unpack("<d", written)[0] == value
    assert not math.isclose(value, 0.1, rel_tol=1e-9)
