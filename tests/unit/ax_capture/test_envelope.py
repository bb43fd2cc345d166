"""A change as a Kafka record: Debezium's envelope that the Avro schema takes, and nothing lost on the way."""

import hashlib
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import fastavro
import pytest

from connectors.ax.changes import Change
from connectors.ax.envelope import Envelopes, Origin, snapshot_position
from connectors.ax.source_tables import SourceTable, source_tables
from connectors.ax.sql_types import SqlType
from schemas import topics
from schemas.failures import FatalError
from schemas.positions import Lsn, Position
from tests.kit.captured import column, fresh_shape, key_columns, shipped_shape

CUSTTABLE, DIRPARTYTABLE = source_tables()
NOW = datetime(2026, 3, 1, 12, 0, 1, 500_000, tzinfo=UTC)
# As SQL Server hands them out: without a time zone.
MODIFIED = datetime(2026, 3, 1, 12, 0, 0, 123_333)  # noqa: DTZ001
COMMITTED = datetime(2026, 3, 1, 14, 0, 0, 120_000)  # noqa: DTZ001
LSN = Lsn(b"\x00" * 9 + b"\x07")
ORIGIN = Origin("ax", "AX", "0.1.0", lambda: NOW)
ENVELOPES = Envelopes(shipped_shape(CUSTTABLE), ORIGIN)


def customer(**changed) -> dict:
    row = {name.name: 0 if name.declared in ("int", "long") else "" for name in ENVELOPES.shape.columns}
    row |= {"RECID": 5637144576, "PARTITION": 1, "DATAAREAID": "usmf", "CREDITMAX": Decimal("1.5")}
    return row | {"MODIFIEDDATETIME": MODIFIED} | changed


def change(operation: int, before: dict | None, after: dict | None, at: datetime = COMMITTED) -> Change:
    return Change(Position(LSN, 3, LSN, operation), before, after, at, 2 if operation == 4 else 1)


def told(record, envelopes: Envelopes = ENVELOPES) -> dict:
    assert record.value[:5] == b"\x00\x00\x00\x00\x07"
    body = io.BytesIO(record.value[5:])
    value = fastavro.schemaless_reader(body, fastavro.parse_schema(envelopes.shape.avro), None)
    assert body.read() == b""
    return value


def test_an_update_carries_both_images_and_the_commit_time_in_utc():
    (record,) = ENVELOPES.of_change(change(4, customer(), customer(BLOCKED=1)), timedelta(hours=2))
    value = told(record)
    assert (value["op"], value["before"]["BLOCKED"], value["after"]["BLOCKED"]) == ("u", 0, 1)
    assert value["source"]["ts_ms"] == 1_772_366_400_120
    assert value["source"]["event_serial_no"] == 2
    assert value["ts_ms"] == 1_772_366_401_500
    assert record.key == b"1:5637144576"
    assert record.partition == 0


def test_a_delete_is_followed_by_a_tombstone_of_the_same_key_and_position():
    deleted, gone = ENVELOPES.of_change(change(1, customer(), None), timedelta())
    assert told(deleted)["op"] == "d"
    assert gone.value is None
    assert (gone.key, gone.headers) == (deleted.key, deleted.headers)


def test_a_row_has_one_value_by_snapshot_and_by_stream():
    read = told(ENVELOPES.of_snapshot(customer(), snapshot_position(LSN, 5637144576), NOW))
    (created,) = ENVELOPES.of_change(change(2, None, customer()), timedelta())
    assert read["after"] == told(created)["after"]
    assert (read["op"], read["source"]["snapshot"], read["source"]["change_lsn"]) == ("r", "true", None)


def test_headers_lead_back_to_the_change_and_are_the_same_when_it_is_sent_again():
    first, again = (ENVELOPES.of_change(change(2, None, customer()), timedelta())[0] for _ in range(2))
    headers = dict(first.headers)
    assert Position.parse(headers["freshax.position"].decode()) == Position(LSN, 3, LSN, 2)
    assert headers["ce_type"] == b"ax.cdc.custtable.c"
    assert headers["ce_time"] == b"2026-03-01T14:00:00.120+00:00"
    assert len(headers["traceparent"].split(b"-")[1]) == 32
    assert first.headers == again.headers


# Hashes of values and headers that the first release wrote for these rows: consumers have them in their topics.
PUBLISHED = {
    "u": (
        "217e7a462d39e7ff440aff9289bff82c37f9aaf40e8e446ca3fc14669248c5b5",
        "e8bb79bca01197946a3bb8ba89b151d52b7015299cd91dd256545e1bc9f3a6c4",
    ),
    "d": (
        "4a83159ae18b25619822b5e2d6195657f4a6a46640f957e13c7432295c8cc69d",
        "11962df8d7d1b62b11adcaf358eb622947c8231012586aaf2d4b8d9dbde9077c",
    ),
    "r": (
        "833607fd7035ecfff898e8d5c3b3b2946cefceb0ec09c7bb9b30bac441820b8e",
        "574867b1a2d5da1b19ed07196e6fc63d0422d03755a9b31365754c251ff26b52",
    ),
}


@pytest.mark.parametrize("op", PUBLISHED)
def test_the_bytes_are_those_that_were_always_published(op):
    row = customer(CREDITMAX=Decimal("-1.5"), VATNUM="Größe 🪲")
    offset = timedelta(hours=2)
    match op:
        case "u":
            record = ENVELOPES.of_change(change(4, row, row | {"BLOCKED": 1}), offset)[0]
        case "d":
            before_1970 = datetime(1960, 3, 1, 14, 0, 0, 120_000)  # noqa: DTZ001
            record = ENVELOPES.of_change(change(1, row, None, before_1970), offset)[0]
        case _:
            record = ENVELOPES.of_snapshot(row, snapshot_position(LSN, row["RECID"]), NOW)
    written = (record.value, repr(record.headers).encode())
    assert tuple(hashlib.sha256(part).hexdigest() for part in written) == PUBLISHED[op]


def test_a_null_in_a_column_that_ax_never_leaves_null_stops():
    with pytest.raises(FatalError, match="VATNUM is NULL"):
        ENVELOPES.of_change(change(2, None, customer(VATNUM=None)), timedelta())


def test_a_table_without_a_company_says_so():
    envelopes = Envelopes(shipped_shape(DIRPARTYTABLE), ORIGIN)
    row = {name.name: 0 if name.declared in ("int", "long") else "" for name in envelopes.shape.columns}
    record = envelopes.of_snapshot(row | {"MODIFIEDDATETIME": MODIFIED}, snapshot_position(LSN, 0), NOW)
    assert told(record, envelopes)["source"]["company"] is None


def test_a_table_that_no_schema_was_shipped_for_is_told_alike():
    table = SourceTable("dbo", "VENDTABLE", topics.cdc_topic("VENDTABLE"))
    columns = [*key_columns(), column("DATAAREAID", SqlType("nvarchar", 0, 0, 8)), column("DAY", SqlType("date"))]
    envelopes = Envelopes(fresh_shape(table, columns), ORIGIN)
    row = {"RECID": 2, "PARTITION": 1, "DATAAREAID": "usmf", "DAY": date(2026, 3, 1)}
    (record,) = envelopes.of_change(change(2, None, row), timedelta())
    value = told(record, envelopes)
    assert value["after"] == row
    assert (value["source"]["table"], value["source"]["company"]) == ("VENDTABLE", "usmf")
    assert record.topic == "ax.cdc.vendtable"


def test_a_row_that_vanished_is_told_as_it_was_last_seen_under_whatever_version():
    memo = column("MEMO", SqlType("nvarchar", 0, 0, -1), nullable=True)
    table = SourceTable("dbo", "VENDTABLE", topics.cdc_topic("VENDTABLE"))
    envelopes = Envelopes(fresh_shape(table, [*key_columns(), memo]), ORIGIN)
    seen = {"RECID": 2, "PARTITION": 1}  # written before the column came
    deleted, gone = envelopes.of_vanished(seen, Position(LSN, 0, LSN, 0), NOW)
    assert told(deleted, envelopes)["before"] == seen | {"MEMO": None}
    assert told(deleted, envelopes)["op"] == "d"
    assert gone.value is None
