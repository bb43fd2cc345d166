"""Error numbers, which a client classifies by."""

import pyodbc
import pytest


@pytest.fixture
def pair(table):
    return table("ID int NOT NULL PRIMARY KEY, N int NOT NULL, T nvarchar(3) NULL")


CASES = [
    ("INSERT INTO dbo.PAIR (ID, N) VALUES (1, 1)", 2627, pyodbc.IntegrityError),
    ("INSERT INTO dbo.PAIR (ID, N) VALUES (2, NULL)", 515, pyodbc.IntegrityError),
    ("INSERT INTO dbo.PAIR (ID, N, T) VALUES (3, 1, N'long text')", 2628, pyodbc.Error),
    ("SELECT * FROM dbo.NOPE", 208, pyodbc.ProgrammingError),
    ("SELECT NOPE FROM dbo.PAIR", 207, pyodbc.ProgrammingError),
    ("SELEC 1", 102, pyodbc.ProgrammingError),
    ("SELECT 1 / 0", 8134, pyodbc.DataError),
    ("SELECT CAST('x' AS int)", 245, pyodbc.DataError),
    ("EXEC dbo.no_such_procedure", 2812, pyodbc.Error),
    ("USE nowhere", 911, pyodbc.Error),
    ("CREATE TABLE dbo.PAIR (ID int)", 2714, pyodbc.ProgrammingError),
]


@pytest.mark.parametrize(
    ("statement", "number", "kind"), CASES, ids=[str(case[1]) + " " + case[0][:20] for case in CASES]
)
def test_errors_have_sql_servers_number(connect, pair, error_number, statement, number, kind):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{pair} (ID, N) VALUES (1, 1)")
    with pytest.raises(kind) as failed:
        connection.execute(statement.replace("PAIR", pair))
    assert error_number(failed.value) == number
    assert connection.execute("SELECT 1").fetchval() == 1


def test_a_failed_statement_leaves_the_transaction_open(connect, pair):
    connection = connect(autocommit=False)
    connection.execute(f"INSERT INTO dbo.{pair} (ID, N) VALUES (1, 1)")
    with pytest.raises(pyodbc.IntegrityError):
        connection.execute(f"INSERT INTO dbo.{pair} (ID, N) VALUES (1, 1)")
    connection.execute(f"INSERT INTO dbo.{pair} (ID, N) VALUES (2, 2)")
    connection.commit()
    assert connect().execute(f"SELECT COUNT(*) FROM dbo.{pair}").fetchval() == 2


def test_statements_before_a_failed_one_have_been_done(connect, pair):
    connection = connect()
    cursor = connection.cursor()

    def drain():
        cursor.execute(f"INSERT INTO dbo.{pair} (ID, N) VALUES (7, 7); SELECT * FROM dbo.NOPE")
        while cursor.nextset():
            pass

    with pytest.raises(pyodbc.Error):
        drain()
    assert connection.execute(f"SELECT COUNT(*) FROM dbo.{pair}").fetchval() == 1


@pytest.mark.parametrize("number", [1205, 1222, 3960, 40197, 40613, 10928, 9002])
def test_faults_raise_the_error_asked_for_and_are_then_gone(sql_server, connect, error_number, number):
    connection = connect()
    faults = sql_server.server.faults
    sql_server.call(lambda: faults.raise_error(number, matching="faulty", count=2))
    for _ in range(2):
        with pytest.raises(pyodbc.Error) as failed:
            connection.execute("SELECT 1 AS faulty")
        assert error_number(failed.value) == number
    assert connection.execute("SELECT 1 AS faulty").fetchval() == 1
    assert faults.active() == []


def test_a_login_without_rights_gets_229(sql_server, connect, pair, error_number):
    sql_server.execute("CREATE LOGIN norights WITH PASSWORD = 'Pass-1'")
    connection = connect(user="norights", password="Pass-1")
    with pytest.raises(pyodbc.ProgrammingError) as denied:
        connection.execute(f"SELECT * FROM dbo.{pair}")
    assert error_number(denied.value) == 229
    sql_server.execute(f"GRANT SELECT ON dbo.{pair} TO norights")
    assert connection.execute(f"SELECT COUNT(*) FROM dbo.{pair}").fetchval() == 0
    with pytest.raises(pyodbc.ProgrammingError) as denied:
        connection.execute(f"INSERT INTO dbo.{pair} (ID, N) VALUES (1, 1)")
    assert error_number(denied.value) == 229
