"""Commit, rollback, isolation levels, deadlock, update conflict."""

import threading

import pyodbc
import pytest


@pytest.fixture
def accounts(sql_server, table):
    name = table("ID int NOT NULL PRIMARY KEY, V int NOT NULL")
    sql_server.execute(f"INSERT INTO dbo.{name} (ID, V) VALUES (1, 0), (2, 0)")
    return name


def value(connection, name, key=1):
    return connection.execute(f"SELECT V FROM dbo.{name} WHERE ID = ?", key).fetchval()


def test_a_rollback_undoes_and_a_commit_keeps(connect, accounts):
    connection = connect(autocommit=False)
    connection.execute(f"UPDATE dbo.{accounts} SET V = 1")
    connection.rollback()
    connection.execute(f"UPDATE dbo.{accounts} SET V = V + 5 WHERE ID = 2")
    connection.commit()
    assert value(connect(), accounts, 1) == 0
    assert value(connect(), accounts, 2) == 5


def test_transactions_in_t_sql(connect, accounts):
    connection = connect()
    connection.execute("BEGIN TRANSACTION")
    assert connection.execute("SELECT @@TRANCOUNT").fetchval() == 1
    connection.execute(f"UPDATE dbo.{accounts} SET V = 9")
    connection.execute("ROLLBACK TRANSACTION")
    assert value(connection, accounts) == 0
    connection.execute(f"BEGIN TRAN; UPDATE dbo.{accounts} SET V = 4; COMMIT TRAN")
    assert value(connect(), accounts) == 4


def test_a_closed_connection_rolls_back(connect, accounts):
    connection = connect(autocommit=False)
    connection.execute(f"UPDATE dbo.{accounts} SET V = 3")
    connection.close()
    assert value(connect(), accounts) == 0


def test_snapshot_reads_the_state_of_its_beginning(connect, accounts):
    reader, writer = connect(), connect()
    reader.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    reader.execute("BEGIN TRANSACTION")
    assert value(reader, accounts) == 0
    writer.execute(f"UPDATE dbo.{accounts} SET V = 8")
    assert value(reader, accounts) == 0
    reader.execute("COMMIT")
    assert value(reader, accounts) == 8


def test_read_committed_sees_what_was_committed_meanwhile(connect, accounts):
    reader, writer = connect(autocommit=False), connect()
    assert value(reader, accounts) == 0
    writer.execute(f"UPDATE dbo.{accounts} SET V = 8")
    assert value(reader, accounts) == 8


def test_an_update_conflict_under_snapshot_is_3960_and_ends_the_transaction(connect, accounts, error_number):
    loser, winner = connect(), connect()
    loser.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION")
    value(loser, accounts)
    winner.execute(f"UPDATE dbo.{accounts} SET V = 1 WHERE ID = 1")
    with pytest.raises(pyodbc.ProgrammingError) as conflict:
        loser.execute(f"UPDATE dbo.{accounts} SET V = 2 WHERE ID = 1")
    assert error_number(conflict.value) == 3960
    assert loser.execute("SELECT @@TRANCOUNT").fetchval() == 0


def test_snapshot_chosen_after_the_transaction_began_is_3951(connect, accounts, error_number):
    """Both drivers send BEGIN first when autocommit is off, so this is what a reader runs into."""
    connection = connect(autocommit=False)
    connection.execute("SELECT 1").fetchall()
    connection.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    with pytest.raises(pyodbc.ProgrammingError) as late:
        value(connection, accounts)
    assert error_number(late.value) == 3951


def test_snapshot_must_be_allowed_by_the_database(sql_server, connect, accounts, error_number):
    sql_server.execute("ALTER DATABASE AX SET ALLOW_SNAPSHOT_ISOLATION OFF")
    try:
        connection = connect()
        connection.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
        with pytest.raises(pyodbc.ProgrammingError) as refused:
            value(connection, accounts)
        assert error_number(refused.value) == 3952
        assert (
            connection.execute(
                "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
            ).fetchval()
            == 0
        )
    finally:
        sql_server.execute("ALTER DATABASE AX SET ALLOW_SNAPSHOT_ISOLATION ON")


def test_a_deadlock_kills_one_and_lets_the_other_go_on(connect, accounts, error_number):
    first, second = connect(autocommit=False), connect(autocommit=False)
    first.execute(f"UPDATE dbo.{accounts} SET V = 1 WHERE ID = 1")
    second.execute(f"UPDATE dbo.{accounts} SET V = 2 WHERE ID = 2")
    outcomes = []

    def cross(connection, key):
        try:
            connection.execute(f"UPDATE dbo.{accounts} SET V = 7 WHERE ID = {key}")
            outcomes.append(0)
        except pyodbc.Error as error:
            outcomes.append(error_number(error))

    threads = [threading.Thread(target=cross, args=pair) for pair in ((first, 2), (second, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == [0, 1205]


def test_a_lock_timeout_is_1222(connect, accounts, error_number):
    holder, waiter = connect(autocommit=False), connect()
    holder.execute(f"UPDATE dbo.{accounts} SET V = 1 WHERE ID = 1")
    waiter.execute("SET LOCK_TIMEOUT 50")
    with pytest.raises(pyodbc.Error) as late:
        waiter.execute(f"UPDATE dbo.{accounts} SET V = 2 WHERE ID = 1")
    assert error_number(late.value) == 1222
