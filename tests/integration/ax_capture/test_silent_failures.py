"""What other readers of CDC pass over in silence: here it stops the capture with a remedy, or is retried by number."""

import pytest
from pydantic import SecretStr

from connectors.ax import streaming
from connectors.ax.resume import read_checkpoints
from connectors.ax.sql import SqlConnection
from sandbox.stack.ports import free_port
from schemas.failures import FatalError, RetryableError
from schemas.positions import Lsn, Position
from streams.runtime import metrics
from streams.runtime.producer import OutRecord, Producer
from tests.integration.ax_capture.conftest import READER
from tests.kit.poll import poll_until


def clean_up(bench, table) -> None:
    """Run cleanup up to the newest commit, for one instance."""
    newest = bench.server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0][0]
    bench.server.execute(
        f"EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_{table.name}', "
        f"@low_water_mark = 0x{newest.hex()}, @threshold = 5000"
    )


def with_rows(bench, *rec_ids: int) -> None:
    for rec_id in rec_ids:
        bench.execute(f"INSERT INTO {{C}} (RECID) VALUES ({rec_id})")
    bench.scan()


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_cleanup_past_the_position_stops_and_a_new_snapshot_heals(bench):
    with_rows(bench, 1, 2, 3)
    bench.capture().wait_streaming().stop()
    bench.execute("DELETE FROM {C} WHERE RECID = 2")
    bench.execute("INSERT INTO {C} (RECID) VALUES (4)")
    bench.scan()
    clean_up(bench, bench.customers)
    failure = bench.capture().wait_failure(FatalError)
    assert failure.code == "cdc_gap"
    assert f"freshax capture snapshot {bench.customers.name}" in failure.message
    bench.capture(snapshot=True).wait_streaming()
    # The row deleted inside the gap is said to be gone: without that it would stay in the topic for ever.
    expected = [("r", 1), ("r", 2), ("r", 3), ("r", 1), ("r", 3), ("r", 4), ("d", 2), ("t", 2)]
    bench.wait_ops(bench.customers, expected)


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_cleanup_during_a_read_publishes_nothing(bench, monkeypatch):
    bench.capture().wait_streaming().stop()
    with_rows(bench, 1, 2)

    def cleaned_meanwhile(*args, **options):
        clean_up(bench, bench.customers)
        yield from read(*args, **options)

    read = streaming.read_changes
    monkeypatch.setattr(streaming, "read_changes", cleaned_meanwhile)
    assert bench.capture().wait_failure(FatalError).code == "cdc_gap"
    assert bench.ops(bench.customers) == []
    monkeypatch.setattr(streaming, "read_changes", read)
    # And the restart still knows: nothing behind the hole was published to resume from.
    assert bench.capture().wait_failure(FatalError).code == "cdc_gap"


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_cleanup_of_a_quiet_table_is_no_gap(bench):
    bench.capture().wait_streaming()
    with_rows(bench, 1)
    newest = Position.end_of(Lsn(bench.server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0][0]))

    def stored():
        checkpoint = read_checkpoints(bench.kafka, bench.codec)[bench.parties.topic.name]
        return checkpoint.position is not None and Position.parse(checkpoint.position) >= newest

    poll_until(stored, 5, "the quiet table's position is stored")
    bench.running[-1].stop()
    clean_up(bench, bench.parties)
    bench.capture().wait_streaming()


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_an_instance_made_anew_is_noticed_while_running_and_after_a_restart(bench):
    running = bench.capture().wait_streaming()
    with_rows(bench, 1)
    bench.wait_ops(bench.customers, [("c", 1)])
    bench.disable(bench.customers)
    bench.enable(bench.customers)
    with_rows(bench, 2)
    # Which of them depends on what it was asking for when the instance went.
    codes = {"cdc_instance_recreated", "cdc_instance_missing", "cdc_instance_gone", "sql_object_missing", "cdc_gap"}
    assert running.wait_failure(FatalError).code in codes
    assert bench.capture().wait_failure(FatalError).code == "cdc_instance_recreated"
    assert bench.ops(bench.customers) == [("c", 1)]


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_table_without_an_instance_names_the_procedure(bench):
    bench.disable(bench.customers)
    failure = bench.capture().wait_failure(FatalError)
    assert failure.code == "cdc_instance_missing"
    assert "sp_cdc_enable_table" in failure.message


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_column_that_is_not_captured_stops_before_anything_is_published(bench):
    with_rows(bench, 1)
    bench.disable(bench.customers)
    bench.enable(bench.customers, columns="RECID, PARTITION, DATAAREAID, ACCOUNTNUM")
    failure = bench.capture().wait_failure(FatalError)
    assert failure.code == "cdc_shape"
    assert "CURRENCY is not captured" in failure.message
    assert bench.ops(bench.customers) == []


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_database_that_went_back_stops(bench):
    with_rows(bench, 1)
    before = bench.server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0][0]
    running = bench.capture().wait_streaming()
    with_rows(bench, 2, 3)
    poll_until(lambda: ("c", 3) in bench.ops(bench.customers), 5, "captured")
    bench.plain(f"DELETE FROM cdc.lsn_time_mapping WHERE start_lsn::bytea > '\\x{before.hex()}'::bytea")
    assert running.wait_failure(FatalError).code == "cdc_restored"


@pytest.mark.parametrize("statement", ["SELECT ON {C}", "SELECT ON SCHEMA::cdc"])
def test_missing_rights_stop_with_the_grant_to_give(bench, statement):
    target = statement.format(C=f"dbo.{bench.customers.name}")
    bench.server.execute(f"REVOKE {target} FROM [{READER}]")
    try:
        failure = bench.capture().wait_failure(FatalError)
    finally:
        bench.server.execute(f"GRANT {target} TO [{READER}]")
    assert failure.code in {"sql_no_rights", "cdc_instance_missing", "cdc_instance_hidden"}
    assert "grant SELECT" in failure.message.replace("lacks its gating role or SELECT", "grant SELECT")


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_gating_role_that_the_reader_lacks_is_no_lower_limit(bench):
    bench.disable(bench.customers)
    bench.enable(bench.customers, role="cdc_gate")
    failure = bench.capture().wait_failure(FatalError)
    assert failure.code == "cdc_instance_hidden"
    assert "gating role" in failure.message
    assert bench.ops(bench.customers) == []


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_the_headroom_counts_the_retention_where_the_reader_may_see_it(bench):
    with_rows(bench, 1)
    bench.server.execute(f"USE msdb; GRANT SELECT ON OBJECT::dbo.cdc_jobs TO [{READER}]; USE [AX]")
    try:
        bench.capture().wait_streaming()
        headroom = metrics.CDC_HEADROOM.labels(f"dbo_{bench.customers.name}")._value
        poll_until(lambda: headroom.get() > 0, 5, "the headroom is measured")
    finally:
        bench.server.execute(f"USE msdb; REVOKE SELECT ON OBJECT::dbo.cdc_jobs FROM [{READER}]; USE [AX]")
    assert 4320 * 60 - 120 < headroom.get() <= 4320 * 60


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_there_is_no_headroom_to_tell_where_the_retention_is_not_readable(bench):
    with_rows(bench, 1)
    bench.capture().wait_streaming()
    # The skew is measured beside it, and was set by nothing else in this test.
    metrics.CDC_CLOCK_SKEW_SECONDS.set(999)
    poll_until(lambda: abs(metrics.CDC_CLOCK_SKEW_SECONDS._value.get()) < 5, 5, "a heartbeat measured")
    assert f"dbo_{bench.customers.name}" not in {labels[0] for labels in metrics.CDC_HEADROOM._metrics}


def test_a_wrong_password_is_tried_once(bench):
    sql = bench.sql.model_copy(update={"password": SecretStr("wrong-and-secret")})
    failure = bench.capture(sql=sql).wait_failure(FatalError)
    assert failure.code == "sql_login_failed"
    assert "wrong-and-secret" not in str(failure)


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_stopped_capture_job_is_told_and_forgotten_when_it_runs(bench, capsys):
    settings = bench.capture_settings.model_copy(update={"stalled_after_seconds": 0.5})
    running = bench.capture(settings=settings).wait_streaming()
    poll_until(lambda: running.part.capture.stalled, 5, "the stall is noticed")
    assert "not visible" in capsys.readouterr().out
    assert metrics.CDC_LAG_SECONDS._value.get() > 0.5
    with_rows(bench, 1)
    poll_until(lambda: not running.part.capture.stalled, 5, "it captures again")


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_stopped_agent_is_told_apart_where_its_state_is_visible(bench, capsys):
    bench.server.execute(f"GRANT VIEW SERVER STATE TO [{READER}]")
    try:
        settings = bench.capture_settings.model_copy(update={"stalled_after_seconds": 0.5})
        running = bench.capture(settings=settings).wait_streaming()
        poll_until(lambda: running.part.capture.stalled, 5, "the stall is noticed")
    finally:
        bench.server.execute(f"REVOKE VIEW SERVER STATE FROM [{READER}]")
    assert "SQL Server Agent is off" in capsys.readouterr().out


@pytest.mark.parametrize("number", [1205, 40501])
def test_a_transient_error_is_retried_and_nothing_is_lost(bench, number):
    bench.capture().wait_streaming()
    bench.server.server.faults.raise_error(number, count=1, matching=f"{bench.customers.name}_CT] c", login=READER)
    with_rows(bench, 1, 2)
    bench.wait_ops(bench.customers, [("c", 1), ("c", 2)])
    assert bench.server.server.faults.active() == []


def test_a_query_that_takes_too_long_is_repeated(bench):
    sql = bench.sql.model_copy(update={"query_timeout_seconds": 1})
    bench.capture(sql=sql).wait_streaming()
    bench.server.server.faults.delay(2, count=1, matching=f"{bench.customers.name}_CT] c", login=READER)
    with_rows(bench, 1)
    bench.wait_ops(bench.customers, [("c", 1)])


def test_a_connection_that_dies_inside_a_result_is_replaced(bench, monkeypatch):
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 5)
    bench.capture().wait_streaming()
    bench.server.server.faults.kill_connection(
        count=1, after_rows=12, matching=f"{bench.customers.name}_CT] c", login=READER
    )
    bench.plain('INSERT INTO {C} ("RECID") SELECT * FROM generate_series(1, 40)')
    bench.scan()
    bench.wait_ops(bench.customers, [("c", number) for number in range(1, 41)])
    assert bench.server.server.faults.active() == []


def test_a_snapshot_survives_a_lost_connection(bench):
    bench.plain('INSERT INTO {C} ("RECID") SELECT * FROM generate_series(1, 10)')
    bench.server.server.faults.kill_connection(count=1, matching="[RECID] > ", login=READER)
    bench.capture().wait_streaming()
    bench.wait_ops(bench.customers, [("r", number) for number in range(1, 11)])


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_an_unknown_error_number_stops(bench):
    bench.capture().wait_streaming()
    bench.server.server.faults.raise_error(50123, count=1, matching=f"{bench.customers.name}_CT] c", login=READER)
    with_rows(bench, 1)
    assert bench.running[-1].wait_failure(FatalError).code == "sql_unknown_error"
    assert bench.ops(bench.customers) == []


@pytest.mark.parametrize("driver", ["freetds"], indirect=True)
def test_a_second_writer_is_noticed(bench):
    bench.capture().wait_streaming()
    with_rows(bench, 1)
    bench.wait_ops(bench.customers, [("c", 1)])
    message = bench.records(bench.customers.topic)[0]
    stray = Producer(bench.kafka)
    stray.send_blocking([OutRecord(message.topic(), message.key(), message.value(), message.headers(), 0)])
    stray.close()
    with_rows(bench, 2)
    assert bench.running[-1].wait_failure(FatalError).code == "second_writer"
    bench.capture().wait_streaming()
    assert bench.ops(bench.customers) == [("c", 1), ("c", 1), ("c", 2)]


def test_nobody_listening_is_retryable(sql_settings):
    nowhere = sql_settings.model_copy(update={"port": free_port(), "login_timeout_seconds": 1})
    with pytest.raises(RetryableError):
        SqlConnection(nowhere)
