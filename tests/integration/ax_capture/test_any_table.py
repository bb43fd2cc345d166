"""Any table of AX is captured: every type alike by snapshot and by stream, large values, columns that come and go."""

import datetime as dt
import struct
import uuid
from decimal import Decimal

import pytest

from schemas.failures import FatalError
from streams.runtime.schema_admin import Subjects
from tests.integration.ax_capture.conftest import CUSTTABLE, PARTITION
from tests.kit.poll import poll_until

MARK = "__debezium_unavailable_value"
UTC = dt.UTC
GUID = uuid.UUID("0e984725-c51c-4bf4-9960-e1c80e27aba0")
# Column → SQL type, literal, what a consumer reads.
TYPES = {
    "A_BIGINT": ("bigint", "-9223372036854775808", -(2**63)),
    "A_INT": ("int", "2147483647", 2**31 - 1),
    "A_SMALLINT": ("smallint", "-32768", -32768),
    "A_TINYINT": ("tinyint", "255", 255),
    "A_BIT": ("bit", "1", True),
    "A_NUMERIC": (
        "numeric(32,16)",
        "-1234567890123456.1234567890123456",
        Decimal("-1234567890123456.1234567890123456"),
    ),
    "A_LONGEST": ("decimal(38,0)", "9" * 38, Decimal("9" * 38)),
    "A_MONEY": ("money", "-922337203685477.5808", Decimal("-922337203685477.5808")),
    "A_SMALLMONEY": ("smallmoney", "214748.3647", Decimal("214748.3647")),
    "A_REAL": ("real", "0.1", struct.unpack("<f", struct.pack("<f", 0.1))[0]),
    "A_FLOAT": ("float", "0.1", 0.1),
    "A_DATETIME": (
        "datetime",
        "'1900-01-01T00:00:00.997'",
        dt.datetime(1900, 1, 1, 0, 0, 0, 997_000, tzinfo=UTC),
    ),
    "A_SMALLDATETIME": ("smalldatetime", "'2026-03-29T02:30:00'", dt.datetime(2026, 3, 29, 2, 30, tzinfo=UTC)),
    "A_DATETIME2": (
        "datetime2(7)",
        "'9999-12-31T23:59:59.999999'",
        dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ),
    "A_DATE": ("date", "'0001-01-01'", dt.date(1, 1, 1)),
    "A_TIME": ("time(7)", "'23:59:58.123456'", dt.time(23, 59, 58, 123_456)),
    "A_OFFSET": ("datetimeoffset(7)", "'2026-03-29 02:30:00.123456 +00:00'", "2026-03-29T02:30:00.1234560+00:00"),
    "A_CHAR": ("char(5)", "'ab'", "ab   "),
    "A_VARCHAR": ("varchar(20)", "'Größe €'", "Größe €"),
    "A_NCHAR": ("nchar(5)", "N'ab🪲'", "ab🪲 "),
    "A_NVARCHAR": ("nvarchar(20)", "N'Größe 🪲'", "Größe 🪲"),
    "A_VARCHARMAX": ("varchar(max)", "'Größe €'", "Größe €"),
    "A_NVARCHARMAX": ("nvarchar(max)", "N'Größe 🪲'", "Größe 🪲"),
    "A_TEXT": ("text", "'Größe €'", "Größe €"),
    "A_NTEXT": ("ntext", "N'Größe 🪲'", "Größe 🪲"),
    "A_XML": ("xml", "N'<a>ä</a>'", "<a>ä</a>"),
    "A_BINARY": ("binary(4)", "0x00ff", b"\x00\xff\x00\x00"),
    "A_VARBINARY": ("varbinary(8)", "0x00ff", b"\x00\xff"),
    "A_VARBINARYMAX": ("varbinary(max)", "0x00ff", b"\x00\xff"),
    "A_IMAGE": ("image", "0x00ff", b"\x00\xff"),
    "A_GUID": ("uniqueidentifier", "'0E984725-C51C-4BF4-9960-E1C80E27ABA0'", GUID),
}
VALUES = {name: told for name, (_, _, told) in TYPES.items()}
freetds_only = pytest.mark.parametrize("driver", ["freetds"], indirect=True)


def images(bench, table) -> list[tuple[str, dict | None, dict | None]]:
    """(op, before, after) of all records but tombstones."""
    bench.check()
    return [(v["op"], v["before"], v["after"]) for v in bench.decoded(table) if v is not None]


def wait_images(bench, table, count: int) -> list[tuple[str, dict | None, dict | None]]:
    poll_until(lambda: len(images(bench, table)) >= count, 10, f"{count} records of {table.name}")
    found = images(bench, table)
    assert len(found) == count
    return found


def versions(bench, table) -> list[list[str]]:
    """Columns of each registered version, oldest first."""
    found = reversed(Subjects(bench.registry).earlier(table.topic.subject))
    return [[part["name"] for part in v.schema["fields"][0]["type"][1]["fields"]] for v in found]


def test_every_type_is_told_alike_by_snapshot_and_by_stream(bench):
    declared = ", ".join(f"{name} {sql} NULL" for name, (sql, _, _) in TYPES.items())
    table = bench.add_table(f"N int NOT NULL DEFAULT 0, A_ROWVERSION rowversion, {declared}")
    literals = ", ".join(literal for _, literal, _ in TYPES.values())
    insert = f"INSERT INTO dbo.{table.name} (RECID, {', '.join(TYPES)}) VALUES ({{}}, {literals})"
    bench.execute(insert.format(1))
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID) VALUES (2)")
    bench.scan()
    bench.capture().wait_streaming()
    bench.execute(insert.format(3))
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID) VALUES (4)")
    bench.execute(f"UPDATE dbo.{table.name} SET N = 1 WHERE RECID IN (1, 2)")
    bench.scan()
    read, read_null, created, created_null, (_, before, after), (_, before_null, after_null) = wait_images(
        bench, table, 6
    )
    nothing = dict.fromkeys(TYPES)
    for image in (read[2], created[2], before, after):
        assert {name: image[name] for name in TYPES} == VALUES
    for image in (read_null[2], created_null[2], before_null, after_null):
        assert {name: image[name] for name in TYPES} == nothing
    # By snapshot from the table, by stream from the change table, where it is a binary(8).
    assert read[2]["A_ROWVERSION"] == before["A_ROWVERSION"] < created[2]["A_ROWVERSION"] < after["A_ROWVERSION"]
    assert (read[2]["PARTITION"], read[2]["N"], after["N"]) == (PARTITION, 0, 1)


@freetds_only
def test_an_old_image_never_holds_a_null_that_was_no_null(bench):
    table = bench.add_table("N int NOT NULL DEFAULT 0, MEMO nvarchar(max) NULL, NOTE ntext NULL, PIC image NULL")
    bench.capture().wait_streaming()
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID, MEMO, NOTE, PIC) VALUES (1, N'memo', N'note', 0xff)")
    bench.execute(f"UPDATE dbo.{table.name} SET N = 1")
    bench.execute(f"UPDATE dbo.{table.name} SET MEMO = NULL")
    bench.execute(f"UPDATE dbo.{table.name} SET MEMO = N'again', NOTE = N'other'")
    bench.execute(f"DELETE FROM dbo.{table.name}")
    bench.scan()
    told = [
        [tuple(image[name] for name in ("MEMO", "NOTE", "PIC")) if image else None for image in (before, after)]
        for _, before, after in wait_images(bench, table, 5)
    ]
    same = ("memo", "note", b"\xff")
    assert told[:2] == [[None, same], [same, same]]
    assert told[2] == [same, (None, "note", b"\xff")]
    # What ntext and image held when they changed or went, SQL Server does not tell.
    assert told[3] == [(None, MARK, b"\xff"), ("again", "other", b"\xff")]
    assert told[4] == [("again", MARK, MARK.encode()), None]


@freetds_only
def test_an_added_column_flows_through_a_second_instance(bench):
    table = bench.add_table("N int NOT NULL DEFAULT 0")
    bench.capture().wait_streaming()
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID) VALUES (1)")
    bench.server.execute(f"ALTER TABLE dbo.{table.name} ADD MEMO nvarchar(40) NULL")
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID, MEMO) VALUES (2, N'not captured yet')")
    bench.scan()
    bench.enable(table, instance=f"{table.name}_v2")
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID, MEMO) VALUES (3, N'captured')")
    bench.scan()
    told = wait_images(bench, table, 3)
    assert ["MEMO" in after for _, _, after in told] == [False, False, True]
    assert told[2][2]["MEMO"] == "captured"
    assert versions(bench, table) == [["N", "PARTITION", "RECID"], ["N", "PARTITION", "RECID", "MEMO"]]


@freetds_only
def test_a_shipped_schema_grows_and_its_readers_read_on(bench):
    """As the projector: it knows the columns of its release, whatever the capture has registered since."""
    table = bench.add_table(f"MEMO nvarchar(max) NULL, {CUSTTABLE}", schema="cdc_custtable")
    bench.capture().wait_streaming()
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID, ACCOUNTNUM, MEMO) VALUES (1, N'C-1', N'new')")
    bench.scan()
    (_, _, read) = wait_images(bench, table, 1)[0]
    (message,) = bench.records(table.topic)
    whole = bench.codec.decode_as_written(table.topic, message.value())["after"]
    assert whole == read | {"MEMO": "new"}
    assert read["ACCOUNTNUM"] == "C-1"
    shipped, grown = versions(bench, table)
    assert grown == [*shipped, "MEMO"]


@freetds_only
def test_an_old_instance_is_read_to_its_end_after_the_schema_has_grown(bench):
    table = bench.add_table("N int NOT NULL DEFAULT 0")
    bench.capture().wait_streaming().stop()
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID) VALUES (1)")
    bench.server.execute(f"ALTER TABLE dbo.{table.name} ADD MEMO nvarchar(40) NULL")
    bench.scan()
    bench.enable(table, instance=f"{table.name}_v2")
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID, MEMO) VALUES (2, N'x')")
    bench.scan()
    subjects = Subjects(bench.registry)
    newest = subjects.newest(table.topic.subject)
    grown = newest.schema
    grown["fields"][0]["type"][1]["fields"].append(
        {"name": "MEMO", "type": ["null", "string"], "doc": "As a deployment registers it.", "default": None}
    )
    subjects.register(table.topic.subject, grown)
    bench.capture().wait_streaming()
    told = wait_images(bench, table, 2)
    assert [after.get("MEMO", "absent") for _, _, after in told] == ["absent", "x"]


@freetds_only
def test_without_the_right_to_register_a_new_column_stops_and_names_the_command(bench):
    table = bench.add_table("N int NOT NULL DEFAULT 0")
    failure = bench.capture(register=False).wait_failure(FatalError)
    assert failure.code == "schema_behind"
    assert "freshax schemas apply --from-catalog" in failure.message
    assert table.topic.name in failure.message
    assert Subjects(bench.registry).newest(table.topic.subject) is None


@freetds_only
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DROP COLUMN MEMO", "MEMO is not in the table any more"),
        ("ALTER COLUMN N bigint NOT NULL", "N is bigint, declared int"),
        ("ALTER COLUMN AMOUNT numeric(20,4) NOT NULL", r"AMOUNT is numeric(20,4), declared decimal(10,2)"),
    ],
)
def test_a_dropped_or_retyped_column_stops_before_anything_wrong_is_published(bench, change, reason):
    table = bench.add_table(
        "N int NOT NULL DEFAULT 0, AMOUNT numeric(10,2) NOT NULL DEFAULT 0, MEMO nvarchar(40) NULL DEFAULT N'memo'"
    )
    settings = bench.capture_settings.model_copy(update={"heartbeat_seconds": 60})
    running = bench.capture(settings=settings).wait_streaming()
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID) VALUES (1)")
    bench.scan()
    assert wait_images(bench, table, 1)[0][2]["MEMO"] == "memo"
    bench.server.execute(f"ALTER TABLE dbo.{table.name} {change}")
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID) VALUES (2)")
    bench.scan()
    failure = running.wait_failure(FatalError)
    assert (failure.code, reason in failure.message) == ("cdc_shape", True)
    # And it stays stopped.
    assert bench.capture().wait_failure(FatalError).code == "cdc_shape"
    assert bench.ops(table) == [("c", 1)]


@freetds_only
def test_a_wider_type_of_the_same_kind_goes_on(bench):
    table = bench.add_table("TXT nvarchar(4) NOT NULL DEFAULT N''")
    bench.capture().wait_streaming()
    bench.server.execute(f"ALTER TABLE dbo.{table.name} ALTER COLUMN TXT nvarchar(40) NOT NULL")
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID, TXT) VALUES (1, N'longer than four')")
    bench.scan()
    assert wait_images(bench, table, 1)[0][2]["TXT"] == "longer than four"
    assert len(versions(bench, table)) == 1


@freetds_only
def test_a_column_without_an_avro_type_is_to_be_left_out(bench):
    table = bench.add_table("NODE hierarchyid NULL, N int NOT NULL DEFAULT 0")
    failure = bench.capture().wait_failure(FatalError)
    assert failure.code == "cdc_shape"
    assert "NODE is hierarchyid" in failure.message
    assert "@captured_column_list" in failure.message
    bench.disable(table)
    bench.enable(table, columns="N, PARTITION, RECID")
    bench.execute(f"INSERT INTO dbo.{table.name} (RECID, N) VALUES (1, 7)")
    bench.scan()
    bench.capture().wait_streaming()
    assert wait_images(bench, table, 1)[0][2]["N"] == 7


@freetds_only
def test_a_table_without_the_key_of_ax_is_refused(bench):
    table = bench.add_table("N int NOT NULL DEFAULT 0")
    bench.disable(table)
    bench.enable(table, columns="N, RECID")
    failure = bench.capture().wait_failure(FatalError)
    assert failure.code == "cdc_shape"
    assert "PARTITION is not captured" in failure.message
