"""The catalog tells each column as SQL Server does, and every type that a change feed can hold arrives as its own."""

import datetime as dt
import struct
import uuid
from decimal import Decimal

import pytest

# Declared → name, max_length, precision, scale, as Microsoft Learn lists them for sys.columns; xml and (max) are -1.
TOLD = {
    "bigint": ("bigint", 8, 19, 0),
    "int": ("int", 4, 10, 0),
    "smallint": ("smallint", 2, 5, 0),
    "tinyint": ("tinyint", 1, 3, 0),
    "bit": ("bit", 1, 1, 0),
    "numeric(32, 16)": ("numeric", 17, 32, 16),
    "decimal(9)": ("numeric", 5, 9, 0),
    "money": ("money", 8, 19, 4),
    "smallmoney": ("smallmoney", 4, 10, 4),
    "real": ("real", 4, 24, 0),
    "float(24)": ("real", 4, 24, 0),
    "float": ("float", 8, 53, 0),
    "datetime": ("datetime", 8, 23, 3),
    "smalldatetime": ("smalldatetime", 4, 16, 0),
    "datetime2": ("datetime2", 8, 27, 7),
    "datetime2(0)": ("datetime2", 6, 19, 0),
    "datetime2(3)": ("datetime2", 7, 23, 3),
    "date": ("date", 3, 10, 0),
    "time(7)": ("time", 5, 16, 7),
    "time(0)": ("time", 3, 8, 0),
    "datetimeoffset(7)": ("datetimeoffset", 10, 34, 7),
    "char(3)": ("char", 3, 0, 0),
    "varchar(20)": ("varchar", 20, 0, 0),
    "varchar(max)": ("varchar", -1, 0, 0),
    "nchar(3)": ("nchar", 6, 0, 0),
    "nvarchar(20)": ("nvarchar", 40, 0, 0),
    "nvarchar(max)": ("nvarchar", -1, 0, 0),
    "text": ("text", 16, 0, 0),
    "ntext": ("ntext", 16, 0, 0),
    "xml": ("xml", -1, 0, 0),
    "binary(8)": ("binary", 8, 0, 0),
    "varbinary(32)": ("varbinary", 32, 0, 0),
    "varbinary(max)": ("varbinary", -1, 0, 0),
    "image": ("image", 16, 0, 0),
    "rowversion": ("timestamp", 8, 0, 0),
    "uniqueidentifier": ("uniqueidentifier", 16, 0, 0),
    "hierarchyid": (None, 892, 0, 0),
}
COLUMNS = ", ".join(f"C{number} {declared}" for number, declared in enumerate(TOLD))
DESCRIBED = """
SELECT y.name, c.max_length, c.precision, c.scale, c.is_nullable FROM sys.columns c
LEFT JOIN sys.types y ON y.user_type_id = c.system_type_id
WHERE c.object_id = OBJECT_ID(?) AND c.name LIKE 'C%' ORDER BY c.column_id
"""


def described(connect, name: str) -> list[tuple]:
    return [tuple(row) for row in connect().execute(DESCRIBED, name).fetchall()]


@pytest.fixture
def wide(table) -> str:
    return table(f"ID int NOT NULL PRIMARY KEY, {COLUMNS}", tracked=True)


@pytest.mark.parametrize("driver", ["freetds"])
def test_columns_are_told_as_they_were_declared(connect, wide):
    assert described(connect, f"dbo.{wide}") == [(*told, True) for told in TOLD.values()]


@pytest.mark.parametrize("driver", ["freetds"])
def test_the_change_table_has_the_types_of_its_source_but_no_rowversion(connect, wide):
    expected = [("binary", 8, 0, 0) if told[0] == "timestamp" else told for told in TOLD.values()]
    assert [row[:4] for row in described(connect, f"cdc.dbo_{wide}_CT")] == expected
    kinds = connect().execute(
        "SELECT column_type FROM cdc.captured_columns k JOIN cdc.change_tables t ON t.object_id = k.object_id "
        "WHERE t.capture_instance = ? AND column_name LIKE 'C%' ORDER BY column_ordinal",
        f"dbo_{wide}",
    )
    assert [row[0] for row in kinds] == [told[0] or "hierarchyid" for told in TOLD.values()]


@pytest.mark.parametrize("driver", ["freetds"])
def test_a_changed_type_reaches_the_change_table_and_a_dropped_column_stays_there(connect, sql_server, table):
    name = table("ID int PRIMARY KEY, C1 nvarchar(10) NOT NULL, C2 int NULL", tracked=True)
    sql_server.execute(f"ALTER TABLE dbo.{name} ALTER COLUMN C1 varchar(30) NULL")
    sql_server.execute(f"ALTER TABLE dbo.{name} DROP COLUMN C2")
    assert described(connect, f"dbo.{name}") == [("varchar", 30, 0, 0, True)]
    assert [row[:2] for row in described(connect, f"cdc.dbo_{name}_CT")] == [("varchar", 30), ("int", 4)]


VALUES = {
    "tinyint": ("255", 255),
    "money": ("-922337203685477.5808", Decimal("-922337203685477.5808")),
    "smallmoney": ("214748.3647", Decimal("214748.3647")),
    "numeric(38, 10)": (
        "-1234567890123456789012345678.0123456789",
        Decimal("-1234567890123456789012345678.0123456789"),
    ),
    "real": ("0.1", struct.unpack("<f", struct.pack("<f", 0.1))[0]),
    "smalldatetime": ("'2026-03-29T02:29:45'", dt.datetime(2026, 3, 29, 2, 30)),  # noqa: DTZ001
    "datetime2(7)": ("'9999-12-31T23:59:59.123456'", dt.datetime(9999, 12, 31, 23, 59, 59, 123456)),  # noqa: DTZ001
    "date": ("'0001-01-01'", dt.date(1, 1, 1)),
    "time(7)": ("'23:59:58.123456'", dt.time(23, 59, 58, 123456)),
    "char(5)": ("'ab'", "ab   "),
    "varchar(20)": ("'Größe €'", "Größe €"),
    "varchar(max)": ("'Größe €'", "Größe €"),
    "nchar(5)": ("N'ab🪲'", "ab🪲 "),
    "text": ("'Größe €'", "Größe €"),
    "ntext": ("N'Größe 🪲'", "Größe 🪲"),
    "xml": ("N'<a>ä</a>'", "<a>ä</a>"),
    "image": ("0x00ff01", b"\x00\xff\x01"),
    "uniqueidentifier": ("'01020304-0506-0708-090a-0b0c0d0e0f10'", uuid.UUID(int=0x0102030405060708090A0B0C0D0E0F10)),
}


@pytest.mark.parametrize("declared", VALUES)
def test_a_value_and_a_null_arrive_in_their_own_type(connect, table, declared):
    written, value = VALUES[declared]
    name = table(f"ID int PRIMARY KEY, C {declared} NULL")
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{name} (ID, C) VALUES (1, {written}), (2, NULL)")
    told, nothing = (row[0] for row in connection.execute(f"SELECT C FROM dbo.{name} ORDER BY ID").fetchall())
    assert (uuid.UUID(told) if declared == "uniqueidentifier" else told) == value
    assert nothing is None


def test_a_rowversion_grows_with_every_write(connect, table):
    name = table("ID int PRIMARY KEY, N int, V rowversion")
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{name} (ID, N) VALUES (1, 1), (2, 1)")
    first, second = (bytes(row[0]) for row in connection.execute(f"SELECT V FROM dbo.{name} ORDER BY ID").fetchall())
    connection.execute(f"UPDATE dbo.{name} SET N = 2 WHERE ID = 1")
    third = bytes(connection.execute(f"SELECT V FROM dbo.{name} WHERE ID = 1").fetchval())
    assert first < second < third
    assert len(third) == 8


def test_datetimeoffset_as_text_has_seven_digits_and_an_offset(connect, table):
    name = table("ID int PRIMARY KEY, C datetimeoffset(7) NULL")
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{name} (ID, C) VALUES (1, '2026-03-29 02:30:00.1234560 +00:00'), (2, NULL)")
    told = connection.execute(f"SELECT CONVERT(nvarchar(34), C, 121) AS C FROM dbo.{name} ORDER BY ID").fetchall()
    assert [row[0] for row in told] == ["2026-03-29 02:30:00.1234560 +00:00", None]
