"""A change as a Kafka record: Debezium's envelope that the Avro schema takes, and nothing lost on the way."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import fastavro
import pytest

from connectors.ax.changes import Change
from connectors.ax.envelope import Envelopes
from connectors.ax.source_tables import SourceColumn, source_table, source_tables
from schemas import avro, topics
from schemas.failures import FatalError
from schemas.positions import Lsn, Position

CUSTTABLE, DIRPARTYTABLE = source_tables()
NOW = datetime(2026, 3, 1, 12, 0, 1, 500_000, tzinfo=UTC)
# As SQL Server hands them out: without a time zone.
MODIFIED = datetime(2026, 3, 1, 12, 0, 0, 123_333)  # noqa: DTZ001
COMMITTED = datetime(2026, 3, 1, 14, 0, 0, 120_000)  # noqa: DTZ001
LSN = Lsn(b"\x00" * 9 + b"\x07")


class PlainEncoder:
    """Avro without a registry: proves that a value fits the schema."""

    def encode_dict(self, topic, value):
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(avro.load(topic.schema)), value)
        return buffer.getvalue()

    @staticmethod
    def decode(topic, data):
        return fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(avro.load(topic.schema)), None)


ENVELOPES = Envelopes(CUSTTABLE, "ax", "AX", "0.1.0", PlainEncoder(), lambda: NOW)


def customer(**changed) -> dict:
    row = {column.name: 0 if column.kind in ("int", "long") else "" for column in CUSTTABLE.columns}
    row |= {"RECID": 5637144576, "PARTITION": 1, "DATAAREAID": "usmf", "CREDITMAX": Decimal("1.5")}
    return row | {"MODIFIEDDATETIME": MODIFIED} | changed


def change(operation: int, before: dict | None, after: dict | None) -> Change:
    return Change(Position(LSN, 3, LSN, operation), before, after, COMMITTED, 2 if operation == 4 else 1)


def told(record) -> dict:
    return PlainEncoder.decode(CUSTTABLE.topic, record.value)


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
    read = told(ENVELOPES.of_snapshot(customer(), LSN, NOW))
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


def test_a_null_in_a_column_that_ax_never_leaves_null_stops():
    with pytest.raises(FatalError, match="VATNUM is NULL"):
        ENVELOPES.of_change(change(2, None, customer(VATNUM=None)), timedelta())


def test_a_table_without_a_company_says_so():
    row = {column.name: 0 if column.kind in ("int", "long") else "" for column in DIRPARTYTABLE.columns}
    row["MODIFIEDDATETIME"] = MODIFIED
    envelopes = Envelopes(DIRPARTYTABLE, "ax", "AX", "0.1.0", PlainEncoder(), lambda: NOW)
    record = envelopes.of_snapshot(row, LSN, NOW)
    assert PlainEncoder.decode(DIRPARTYTABLE.topic, record.value)["source"]["company"] is None


def test_a_type_fits_only_without_loss():
    assert SourceColumn("RECID", "long").fits("bigint")
    assert not SourceColumn("BLOCKED", "int").fits("bigint")
    assert not SourceColumn("CREDITMAX", "decimal").fits("float")
    assert SourceColumn("NAME", "string").fits("NVARCHAR")


def test_a_topic_without_a_schema_cannot_be_captured_into():
    with pytest.raises(ValueError, match="no schema"):
        source_table("dbo", "X", topics.DLQ)
