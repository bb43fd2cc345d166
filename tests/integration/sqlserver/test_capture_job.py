"""The capture job: polling, stopping, limits, quiet times, restart. What counts is in the tables: no driver needed."""

import asyncio
import datetime as dt
import time

import pytest

from sandbox.sqlserver import SqlServer, capture_job, change_spool, changes

COLUMNS = "ID int NOT NULL PRIMARY KEY, TXT nvarchar(100) NULL"


@pytest.fixture
def table(sql_server, table):
    return table(COLUMNS, tracked=True)


def count(sql_server, table):
    return sql_server.execute(f"SELECT COUNT(*) FROM cdc.dbo_{table}_CT")[0][0]


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not reached in time"
        time.sleep(0.02)


@pytest.fixture
def job(sql_server):
    job = sql_server.server.capture_job
    yield job
    sql_server.run(job.stop())
    job.interval_seconds, job.max_transactions, job.idle_marker_seconds = 5.0, 500, 300.0


def test_nothing_is_captured_while_it_is_stopped_and_nothing_is_lost(sql_server, table, job):
    sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES (1)")
    assert count(sql_server, table) == 0
    job.interval_seconds = 0.02
    sql_server.run(job.start())
    wait_for(lambda: count(sql_server, table) == 1)
    sql_server.run(job.stop())
    sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES (2)")
    assert count(sql_server, table) == 1


def test_a_change_is_invisible_until_the_next_scan(sql_server, table):
    sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES (1)")
    before = sql_server.execute("SELECT sys.fn_cdc_get_max_lsn()")
    assert count(sql_server, table) == 0
    assert sql_server.scan() == 1
    assert count(sql_server, table) == 1
    assert sql_server.execute("SELECT sys.fn_cdc_get_max_lsn()") > before


def test_settings_hold_after_a_restart_of_the_job(sql_server, job):
    sql_server.execute("EXEC sys.sp_cdc_change_job @job_type = 'capture', @maxtrans = 7, @pollinginterval = 3")
    assert (job.max_transactions, job.interval_seconds) == (500, 5.0)
    sql_server.execute("EXEC sys.sp_cdc_start_job @job_type = 'capture'")
    sql_server.execute("EXEC sys.sp_cdc_stop_job @job_type = 'capture'")
    assert (job.max_transactions, job.interval_seconds) == (7, 3.0)
    jobs = sql_server.execute("EXEC sys.sp_cdc_help_jobs")
    shown = sorted((row[1], row[3], row[6], row[7]) for row in jobs)
    assert shown == [("capture", 7, 3, 0), ("cleanup", 0, 0, 4320)]
    assert sql_server.execute("SELECT pollinginterval FROM msdb.dbo.cdc_jobs WHERE job_type = 'capture'") == [(3,)]


def test_the_agent_says_whether_it_runs(sql_server, job):
    state = "SELECT status_desc FROM sys.dm_server_services WHERE servicename LIKE N'SQL Server Agent%'"
    assert sql_server.execute(state) == [("Stopped",)]
    sql_server.run(job.start())
    assert sql_server.execute(state) == [("Running",)]


def test_scans_are_listed(sql_server, table):
    sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES (1); UPDATE dbo.{table} SET TXT = N'a'")
    sql_server.scan()
    sql_server.scan()
    row = sql_server.execute(
        "SELECT TOP 1 tran_count, command_count, empty_scan_count, latency, error_count, last_commit_cdc_lsn "
        "FROM sys.dm_cdc_log_scan_sessions ORDER BY session_id DESC"
    )[0]
    assert row[:2] == (2, 3)
    assert row[2] >= 1
    assert row[3] < 60
    assert row[4] == 0
    newest = sql_server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0][0].hex()
    assert row[5] == f"{newest[:8]}:{newest[8:16]}:{newest[16:]}"


def test_quiet_times_move_max_lsn_by_rows_without_a_transaction(sql_server, table, job):
    sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES (1)")
    sql_server.scan()
    (before,) = sql_server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0]
    job.idle_marker_seconds = 0
    sql_server.scan()
    lsn, transaction, at = sql_server.execute(
        "SELECT TOP 1 start_lsn, tran_id, tran_end_time FROM cdc.lsn_time_mapping ORDER BY start_lsn DESC"
    )[0]
    assert lsn > before
    assert transaction == b"\0"
    assert abs((dt.datetime.now(dt.UTC).replace(tzinfo=None) - at).total_seconds()) < 60
    sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES (2)")
    sql_server.scan()
    assert sql_server.execute(f"SELECT MAX(__$start_lsn) FROM cdc.dbo_{table}_CT")[0][0] > lsn


def test_a_cycle_is_bounded_by_transactions(sql_server, table, job):
    job.max_transactions = 2
    for n in range(5):
        sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES ({n})")
    assert sql_server.scan() == 5
    sizes = [session.transactions for session in job.sessions][-3:]
    assert sizes == [2, 2, 1]


def test_a_capture_that_was_not_confirmed_is_not_repeated(sql_server, table, job):
    """As after a crash between the write and the confirmation: the log is delivered again."""
    sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES (1)")
    sql_server.scan()
    sql_server.run(job._disconnect())
    job._captured_to = b""
    sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES (2)")
    sql_server.scan()
    assert count(sql_server, table) == 2


def test_a_large_transaction_is_captured_whole(sql_server, table):
    rows = ", ".join(f"({n}, N'{'x' * 80}')" for n in range(900))
    for part in range(5):
        sql_server.execute(
            f"INSERT INTO dbo.{table} (ID, TXT) SELECT v.ID + {part * 900}, v.TXT FROM (VALUES {rows}) AS v (ID, TXT)"
        )
    sql_server.scan()
    assert count(sql_server, table) == 4500


@pytest.fixture
def little_memory(monkeypatch):
    """Everything that bounds memory is reached by a few hundred rows."""
    monkeypatch.setattr(change_spool, "IN_MEMORY", 10)
    monkeypatch.setattr(changes, "SLICE", 7)
    for name, value in (("_LONG_TRANSACTION", 7), ("_PART_BYTES", 2000), ("_MOST_PENDING", 25)):
        monkeypatch.setattr(capture_job, name, value)


def test_neither_a_large_transaction_nor_a_backlog_needs_much_memory(sql_server, table, job, little_memory):
    values = ", ".join(f"({n}, N'{'x' * 80}')" for n in range(300))
    sql_server.execute(f"INSERT INTO dbo.{table} (ID, TXT) VALUES {values}")
    for n in range(300, 360):
        sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES ({n})")
    sql_server.execute(f"UPDATE dbo.{table} SET TXT = N'changed'")
    assert sql_server.scan() == 62
    rows = sql_server.execute(
        f"SELECT ID, __$operation FROM cdc.dbo_{table}_CT ORDER BY __$start_lsn, __$command_id, __$seqval, __$operation"
    )
    assert rows[:360] == [(n, 2) for n in range(360)]
    assert sorted(rows[360:]) == [(n, operation) for n in range(360) for operation in (3, 4)]
    assert job._in_memory == 0


def test_a_job_that_is_stopped_at_work_loses_and_doubles_nothing(sql_server, table, job, little_memory):
    job.interval_seconds = 0.01
    for part in range(20):
        sql_server.run(job.start())
        values = ", ".join(f"({part * 100 + n})" for n in range(100))
        sql_server.execute(f"INSERT INTO dbo.{table} (ID) VALUES {values}")
        time.sleep(part * 0.002)  # the moment of the stop is to be anywhere
        sql_server.run(job.stop())
    sql_server.scan()
    rows = sql_server.execute(f"SELECT ID FROM cdc.dbo_{table}_CT ORDER BY ID")
    assert rows == [(n,) for n in range(2000)]


async def _restart(state):
    async with SqlServer(state, capture_interval_seconds=60) as first:
        await first.execute("EXEC sys.sp_cdc_enable_db")
        await first.execute("CREATE TABLE dbo.T (ID int PRIMARY KEY)")
        assert await first.execute("SELECT sys.fn_cdc_get_max_lsn()") == [(None,)]
        await first.execute("EXEC sys.sp_cdc_enable_table N'dbo', N'T', NULL")
        await first.execute("INSERT INTO dbo.T (ID) VALUES (1)")
        await first.capture_job.scan_now()
        await first.execute("INSERT INTO dbo.T (ID) VALUES (2)")
        port = first.port
    async with SqlServer(state, port=port, capture_interval_seconds=60) as second:
        assert second.port == port
        await second.capture_job.scan_now()
        rows = await second.execute("SELECT ID FROM cdc.dbo_T_CT ORDER BY ID")
        await second.execute("EXEC sys.sp_cdc_disable_db")
        assert await second.execute("SELECT is_cdc_enabled FROM sys.databases") == [(False,)]
        return rows


def test_a_restart_on_the_same_state_goes_on_where_it_was(tmp_path):
    assert asyncio.run(_restart(tmp_path)) == [(1,), (2,)]
