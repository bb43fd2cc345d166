"""Query timeouts and connections that vanish."""

import time

import pyodbc
import pytest


def test_a_query_timeout_leaves_the_connection_usable(connect):
    connection = connect()
    connection.timeout = 1
    begun = time.monotonic()
    with pytest.raises(pyodbc.OperationalError) as late:
        connection.execute("WAITFOR DELAY '00:00:20'")
    assert late.value.args[0] == "HYT00"
    assert time.monotonic() - begun < 5
    connection.timeout = 0
    assert connection.execute("SELECT 1").fetchval() == 1


def test_a_running_statement_is_cancelled_too(sql_server, connect, table):
    name = table("ID int NOT NULL PRIMARY KEY")
    sql_server.execute(f"INSERT INTO dbo.{name} (ID) VALUES (1)")
    holder, waiter = connect(autocommit=False), connect()
    holder.execute(f"UPDATE dbo.{name} SET ID = 2")
    waiter.timeout = 1
    with pytest.raises(pyodbc.OperationalError):
        waiter.execute(f"UPDATE dbo.{name} SET ID = 3")
    waiter.timeout = 0
    assert waiter.execute("SELECT 1").fetchval() == 1


def test_a_connection_killed_before_a_statement(sql_server, connect):
    connection = connect()
    sql_server.call(lambda: sql_server.server.faults.kill_connection(matching="doomed"))
    with pytest.raises(pyodbc.Error) as gone:
        connection.execute("SELECT 1 AS doomed")
    assert gone.value.args[0] in ("08S01", "01000")
    with pytest.raises(pyodbc.Error) as still_gone:
        connection.execute("SELECT 1")
    assert still_gone.value.args[0] == "08S01"
    assert connect().execute("SELECT 1 AS doomed").fetchval() == 1


def test_a_connection_killed_in_the_middle_of_a_result(sql_server, connect, table):
    name = table("ID int NOT NULL PRIMARY KEY, T nvarchar(200)")
    sql_server.execute(
        f"INSERT INTO dbo.{name} (ID, T) VALUES " + ", ".join(f"({n}, N'{'x' * 150}')" for n in range(1000))
    )
    connection = connect()
    sql_server.call(lambda: sql_server.server.faults.kill_connection(matching=name, after_rows=700))
    with pytest.raises(pyodbc.Error):
        connection.execute(f"SELECT ID, T FROM dbo.{name} ORDER BY ID").fetchall()


def test_kill_ends_a_session(connect):
    victim, killer = connect(), connect()
    spid = victim.execute("SELECT @@SPID").fetchval()
    killer.execute(f"KILL {spid}")
    with pytest.raises(pyodbc.Error):
        victim.execute("SELECT 1").fetchall()


def test_a_commit_whose_answer_is_lost_has_happened(sql_server, connect, table):
    name = table("ID int NOT NULL PRIMARY KEY")
    connection = connect(autocommit=False)
    connection.execute(f"INSERT INTO dbo.{name} (ID) VALUES (1)")
    sql_server.call(lambda: sql_server.server.faults.kill_after_commit())
    with pytest.raises(pyodbc.Error):
        connection.commit()
    assert connect().execute(f"SELECT COUNT(*) FROM dbo.{name}").fetchval() == 1


def test_a_delay_holds_a_statement_back(sql_server, connect):
    connection = connect()
    sql_server.call(lambda: sql_server.server.faults.delay(0.3, matching="slow"))
    begun = time.monotonic()
    connection.execute("SELECT 1 AS slow").fetchall()
    assert time.monotonic() - begun >= 0.3
