"""Snapshot and stream through both drivers: every change once, in order, as Debezium would tell it."""

from decimal import Decimal

import psycopg
import pytest

from connectors.ax import streaming
from connectors.ax.resume import read_checkpoints
from schemas.positions import Position
from schemas.records import Phase
from tests.kit.poll import poll_until


def test_a_snapshot_is_followed_by_the_stream_without_gap_or_double(bench, positions):
    for number in (1, 2, 3, 4):
        bench.add_customer(number, f"Customer {number}")
    bench.scan()
    bench.capture().wait_streaming()
    bench.add_customer(5, "Käfer & Söhne 🪲")
    bench.execute("UPDATE {C} SET CREDITMAX = 12.5 WHERE RECID = 2")
    bench.execute("DELETE FROM {C} WHERE RECID = 3")
    bench.scan()
    bench.wait_ops(
        bench.customers,
        [("r", 1), ("r", 2), ("r", 3), ("r", 4), ("c", 5), ("u", 2), ("d", 3), ("t", 3)],
    )
    bench.wait_ops(bench.parties, [("r", 5001), ("r", 5002), ("r", 5003), ("r", 5004), ("c", 5005)])
    told = positions(bench.records(bench.customers.topic))
    assert told == sorted(told)
    assert len(set(told)) == len(told) - 1  # a tombstone has the position of its delete


def test_a_row_has_the_same_value_by_snapshot_and_by_stream(bench):
    bench.add_customer(
        1, "Ünïcode 🪲", CREDITMAX="12345.6789012345678901", VATNUM="DE 1", MODIFIEDDATETIME="2026-03-29T02:30:00.123"
    )
    bench.scan()
    bench.capture().wait_streaming()
    bench.execute("UPDATE {C} SET BLOCKED = 1 WHERE RECID = 1")
    bench.execute("UPDATE {P} SET KNOWNAS = N'K' WHERE RECID = 5001")
    bench.scan()
    bench.wait_ops(bench.customers, [("r", 1), ("u", 1)])
    bench.wait_ops(bench.parties, [("r", 5001), ("u", 5001)])
    for table in (bench.customers, bench.parties):
        read, updated = bench.decoded(table)
        assert read["before"] is None
        assert read["after"] == updated["before"]
        assert updated["before"] | {"BLOCKED": 1, "KNOWNAS": "K"} == updated["after"] | {"BLOCKED": 1, "KNOWNAS": "K"}
    row = bench.decoded(bench.customers)[0]["after"]
    assert row["CREDITMAX"] == Decimal("12345.6789012345678901")
    assert row["MODIFIEDDATETIME"].isoformat() == "2026-03-29T02:30:00.123000+00:00"
    assert bench.decoded(bench.parties)[0]["after"]["NAME"] == "Ünïcode 🪲"


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_the_envelope_is_debeziums_with_company_and_partition(bench):
    bench.capture().wait_streaming()
    bench.add_customer(7, "Contoso")
    bench.scan()
    bench.wait_ops(bench.customers, [("c", 7)])
    value = bench.decoded(bench.customers)[0]
    message = bench.records(bench.customers.topic)[0]
    position = Position.parse(dict(message.headers())["freshax.position"].decode())
    source = value["source"]
    assert value["op"] == "c"
    assert value["before"] is None
    assert source["commit_lsn"] == str(position.commit_lsn)
    assert source["change_lsn"] == str(position.seqval)
    assert (source["event_serial_no"], source["command_id"], source["snapshot"]) == (1, position.command_id, "false")
    assert (source["company"], source["partition"]) == ("USMF", 5637144576)
    assert (source["db"], source["schema"], source["table"]) == ("AX", "dbo", bench.customers.name)
    assert 0 <= value["ts_ms"] - source["ts_ms"] < 60_000
    assert message.key() == b"5637144576:7"


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_rollback_is_invisible_and_commit_order_counts(bench):
    bench.capture().wait_streaming()
    with psycopg.connect(bench.server.server.dsn) as undone:
        undone.execute(f'INSERT INTO dbo."{bench.customers.name}" ("RECID") VALUES (90)')
        undone.rollback()
    with psycopg.connect(bench.server.server.dsn) as slow:
        slow.execute(f'INSERT INTO dbo."{bench.customers.name}" ("RECID") VALUES (1)')
        bench.add_customer(2, "begun later, committed first")
    bench.scan()
    bench.wait_ops(bench.customers, [("c", 2), ("c", 1)])


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_statements_of_a_transaction_keep_their_order(bench):
    bench.capture().wait_streaming()
    bench.plain(
        "INSERT INTO {C} (\"RECID\", \"ACCOUNTNUM\") VALUES (2, 'B'), (1, 'A')",
        'UPDATE {C} SET "BLOCKED" = 1 WHERE "RECID" = 1',
        'DELETE FROM {C} WHERE "RECID" = 1',
        'INSERT INTO {C} ("RECID", "ACCOUNTNUM") VALUES (1, \'A again\')',
    )
    bench.scan()
    bench.wait_ops(bench.customers, [("c", 2), ("c", 1), ("u", 1), ("d", 1), ("t", 1), ("c", 1)])


def test_a_key_change_is_a_delete_and_a_create(bench):
    bench.add_customer(1, "One")
    bench.scan()
    bench.capture().wait_streaming()
    bench.execute("UPDATE {C} SET RECID = 11 WHERE RECID = 1")
    bench.scan()
    bench.wait_ops(bench.customers, [("r", 1), ("d", 1), ("t", 1), ("c", 11)])


def test_a_large_transaction_is_read_in_blocks(bench, monkeypatch, positions):
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 3)  # an odd number cuts updates between old and new image
    bench.capture().wait_streaming()
    bench.plain('INSERT INTO {C} ("RECID") SELECT * FROM generate_series(1, 20)', 'UPDATE {C} SET "BLOCKED" = 1')
    bench.scan()
    bench.wait_ops(bench.customers, [("c", n) for n in range(1, 21)] + [("u", n) for n in range(1, 21)])
    told = positions(bench.records(bench.customers.topic))
    assert told == sorted(set(told))


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_backlog_is_read_in_bounded_windows(bench):
    settings = bench.capture_settings.model_copy(update={"max_transactions": 2, "poll_interval_seconds": 30})
    bench.capture().wait_streaming().stop()
    for number in range(1, 8):
        bench.add_customer(number, "backlog")
    bench.scan()
    bench.capture(settings=settings)
    # Full windows are followed at once, not after the interval of 30 s.
    bench.wait_ops(bench.customers, [("c", number) for number in range(1, 8)])


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_an_idle_table_stores_its_position(bench):
    bench.capture().wait_streaming()

    def stored():
        return Position.parse(read_checkpoints(bench.kafka, bench.codec)[bench.parties.topic.name].position)

    before = stored()
    bench.execute("INSERT INTO {C} (RECID) VALUES (1)")
    bench.scan()
    bench.wait_ops(bench.customers, [("c", 1)])
    # Nothing happened to the parties, yet they move along, so that retention does not pass them.
    poll_until(lambda: stored() > before, 5, "the idle table's checkpoint moves")
    assert bench.ops(bench.parties) == []


def test_capture_starts_where_nothing_was_ever_captured(bench):
    bench.add_customer(1, "in the table, not yet in the change feed")
    bench.plain("DELETE FROM cdc.lsn_time_mapping")
    running = bench.capture().wait_streaming()
    bench.wait_ops(bench.customers, [("r", 1)])
    running.check()
    bench.add_customer(2, "later")
    bench.scan()
    poll_until(lambda: ("c", 2) in bench.ops(bench.customers), 5, "the stream begins")
    checkpoint = read_checkpoints(bench.kafka, bench.codec)[bench.customers.topic.name]
    assert checkpoint.phase is Phase.STREAMING


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_second_instance_is_switched_to_at_its_first_lsn(bench):
    bench.capture().wait_streaming()
    bench.execute("INSERT INTO {C} (RECID) VALUES (1)")
    bench.scan()
    bench.enable(bench.customers, instance=f"{bench.customers.name}_v2")
    bench.execute("INSERT INTO {C} (RECID) VALUES (2)")
    bench.scan()
    bench.wait_ops(bench.customers, [("c", 1), ("c", 2)])
    bench.disable(bench.customers)
    bench.execute("INSERT INTO {C} (RECID) VALUES (3)")
    bench.scan()
    bench.wait_ops(bench.customers, [("c", 1), ("c", 2), ("c", 3)])


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
@pytest.mark.parametrize("rows", [0, 3, 7])
def test_a_snapshot_of_any_size_is_complete(bench, rows):
    if rows:
        bench.plain(f'INSERT INTO {{C}} ("RECID") SELECT * FROM generate_series(1, {rows})')
    bench.capture().wait_streaming()
    bench.wait_ops(bench.customers, [("r", number) for number in range(1, rows + 1)])


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_without_snapshot_isolation_the_rows_are_read_committed(bench):
    bench.plain('INSERT INTO {C} ("RECID") SELECT * FROM generate_series(1, 5)')
    bench.server.execute("ALTER DATABASE AX SET ALLOW_SNAPSHOT_ISOLATION OFF")
    try:
        bench.capture().wait_streaming()
    finally:
        bench.server.execute("ALTER DATABASE AX SET ALLOW_SNAPSHOT_ISOLATION ON")
    bench.wait_ops(bench.customers, [("r", number) for number in range(1, 6)])
