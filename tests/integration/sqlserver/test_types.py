"""Values of every type that AX uses survive the way in and out, with their descriptions."""

import datetime as dt
import uuid
from decimal import Decimal

import pyodbc
import pytest


def naive(*parts):
    """SQL Server's datetime has no zone."""
    return dt.datetime(*parts)  # noqa: DTZ001


ALL = (
    "ID int NOT NULL PRIMARY KEY, TXT nvarchar(60) NULL, NOTE nvarchar(max) NULL, N4 int NULL, N8 bigint NULL, "
    "AMOUNT numeric(32, 16) NULL, AT datetime NULL, GUID uniqueidentifier NULL, SHORT varbinary(32) NULL, "
    "LONG varbinary(max) NULL, FLAG bit NULL, FIXED binary(8) NULL, DAY date NULL, AT2 datetime2(3) NULL, F float NULL"
)
GUID = uuid.UUID("01020304-0506-0708-090a-0b0c0d0e0f10")


CASES = {
    "plain": ("TXT", "Größe Ω"),
    "emoji": ("TXT", "😀 naïve"),
    "empty": ("TXT", ""),
    "trailing blank": ("TXT", "ends "),
    "quotes": ("TXT", 'it\'s "quoted" \\ % _ [x]'),
    "huge text": ("NOTE", "äöü😀" * 50_000),
    "empty large text": ("NOTE", ""),
    "int low": ("N4", -(2**31)),
    "int high": ("N4", 2**31 - 1),
    "recid": ("N8", 5_637_144_576),
    "bigint low": ("N8", -(2**63)),
    "amount": ("AMOUNT", Decimal("-1234567890123456.1234567890123456")),
    "small amount": ("AMOUNT", Decimal("0.0000000000000001")),
    "zero": ("AMOUNT", Decimal(0)),
    "time": ("AT", naive(2024, 2, 29, 23, 59, 58)),
    "AX's null date": ("AT", naive(1900, 1, 1)),
    "last day": ("AT", naive(2154, 12, 31, 23, 59, 59)),
    "bytes": ("SHORT", b"\x00\x01\xff"),
    "empty bytes": ("SHORT", b""),
    "huge bytes": ("LONG", bytes(range(256)) * 1000),
    "true": ("FLAG", True),
    "false": ("FLAG", False),
    "date": ("DAY", dt.date(9999, 12, 31)),
    "datetime2": ("AT2", naive(1753, 1, 1, 0, 0, 0, 123000)),
    "float": ("F", -0.1),
}


@pytest.fixture
def filled(table):
    return table(ALL)


@pytest.mark.parametrize("case", CASES)
def test_a_value_comes_back_as_it_went_in(connect, filled, case):
    column, value = CASES[case]
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{filled} (ID, {column}) VALUES (?, ?)", 1, value)
    assert connection.execute(f"SELECT {column} FROM dbo.{filled} WHERE ID = ?", 1).fetchval() == value


@pytest.mark.parametrize("column", ["TXT", "NOTE", "N4", "N8", "AMOUNT", "AT", "GUID", "FLAG", "DAY", "AT2", "F"])
def test_null_is_null(connect, filled, column):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{filled} (ID, {column}) VALUES (1, ?)", None)
    assert connection.execute(f"SELECT {column} FROM dbo.{filled}").fetchval() is None


def test_guids_are_written_and_read(connect, filled):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{filled} (ID, GUID) VALUES (1, ?)", str(GUID))
    found = connection.execute(f"SELECT GUID FROM dbo.{filled} WHERE GUID = ?", str(GUID)).fetchval()
    assert uuid.UUID(found) == GUID


def test_datetime_is_rounded_to_a_three_hundredth_of_a_second(connect, filled):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{filled} (ID, AT) VALUES (1, '2024-01-01T00:00:00')")
    for given, kept in [(1000, 0), (2000, 3000), (5000, 7000), (9000, 10000), (998000, 997000)]:
        connection.execute(f"UPDATE dbo.{filled} SET AT = ?", naive(2024, 1, 1, 0, 0, 0, given))
        assert connection.execute(f"SELECT AT FROM dbo.{filled}").fetchval().microsecond == kept


def test_columns_are_described_as_declared(connect, filled):
    cursor = connect().execute(f"SELECT TXT, N8, AMOUNT, AT, SHORT, FIXED, AT2, FLAG FROM dbo.{filled}")
    described = {name: (kind, size, digits) for name, kind, _, size, _, digits, _ in cursor.description}
    assert described["TXT"][:2] == (str, 60)
    assert described["AMOUNT"] == (Decimal, 32, 16)
    assert described["AT"] == (dt.datetime, 23, 3)
    assert described["AT2"] == (dt.datetime, 23, 3)
    assert described["SHORT"][:2] == (bytearray, 32) or described["SHORT"][:2] == (bytes, 32)
    assert described["FIXED"][1] == 8
    assert described["FLAG"][0] is bool


def test_nvarchar_counts_utf16_units(connect, table, error_number):
    name = table("ID int PRIMARY KEY, TXT nvarchar(4)")
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{name} VALUES (1, N'😀😀')")
    with pytest.raises(pyodbc.Error) as refused:
        connection.execute(f"INSERT INTO dbo.{name} VALUES (2, N'😀😀a')")
    assert error_number(refused.value) == 2628


def test_text_is_compared_without_regard_to_case(connect, table, error_number):
    name = table("ACCOUNT nvarchar(20) NOT NULL PRIMARY KEY")
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{name} VALUES (N'Cust-é')")
    assert connection.execute(f"SELECT COUNT(*) FROM dbo.{name} WHERE ACCOUNT = ?", "cUST-É").fetchval() == 1
    assert connection.execute(f"SELECT COUNT(*) FROM dbo.{name} WHERE ACCOUNT = ?", "cust-e").fetchval() == 0
    assert connection.execute(f"SELECT COUNT(*) FROM dbo.{name} WHERE ACCOUNT LIKE N'CUST%'").fetchval() == 1
    with pytest.raises(pyodbc.IntegrityError) as refused:
        connection.execute(f"INSERT INTO dbo.{name} VALUES (N'CUST-É')")
    assert error_number(refused.value) == 2627


def test_many_rows_of_mixed_types_come_back_identical(connect, filled):
    rows = [
        (
            n,
            f"row {n} 😀" if n % 3 else None,
            n * 7_000_000_000,
            Decimal(n) / 7,
            naive(2024, 1, 1) + dt.timedelta(seconds=n),
            bool(n % 2),
        )
        for n in range(700)
    ]
    rows = [(a, b, c, d.quantize(Decimal("1e-16")), e, f) for a, b, c, d, e, f in rows]
    connection = connect()
    cursor = connection.cursor()
    cursor.executemany(f"INSERT INTO dbo.{filled} (ID, TXT, N8, AMOUNT, AT, FLAG) VALUES (?, ?, ?, ?, ?, ?)", rows)
    back = connection.execute(f"SELECT ID, TXT, N8, AMOUNT, AT, FLAG FROM dbo.{filled} ORDER BY ID").fetchall()
    assert [tuple(row) for row in back] == rows
