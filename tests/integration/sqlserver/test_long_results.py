"""Results that need not fit into the server's memory: complete, in order, and left in the middle."""

import pyodbc
import pytest

ROWS = 3000


@pytest.fixture
def many(connect, table):
    name = table("ID int NOT NULL PRIMARY KEY, TXT nvarchar(200) NOT NULL")
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{name} (ID, TXT) VALUES (1, N'{'x' * 150}')")
    size = 1
    while size < ROWS:
        more = min(size, ROWS - size)
        connection.execute(f"INSERT INTO dbo.{name} (ID, TXT) SELECT TOP ({more}) ID + {size}, TXT FROM dbo.{name}")
        size += more
    return name


# The block's size, one less and one more: a result that ends with a block, before it, behind it.
@pytest.mark.parametrize("count", [499, 500, 501, 1000, ROWS])
def test_every_row_comes_once_in_order(connect, many, count):
    connection = connect()
    rows = connection.execute(f"SELECT ID, TXT FROM dbo.{many} WHERE ID <= ? ORDER BY ID", count).fetchall()
    assert [row.ID for row in rows] == list(range(1, count + 1))
    assert {len(row.TXT) for row in rows} == {150}
    assert connection.execute("SELECT @@ROWCOUNT").fetchval() == count


def test_a_result_that_is_left_in_the_middle_leaves_the_connection_usable(connect, many):
    connection = connect()
    for _ in range(3):
        cursor = connection.execute(f"SELECT ID, TXT FROM dbo.{many} ORDER BY ID")
        assert [row.ID for row in cursor.fetchmany(5)] == [1, 2, 3, 4, 5]
        cursor.close()
        assert connection.execute(f"SELECT COUNT(*) FROM dbo.{many}").fetchval() == ROWS


def test_a_transaction_goes_on_behind_a_long_result_and_behind_one_that_fails(connect, many, error_number):
    connection = connect(autocommit=False)
    connection.execute(f"INSERT INTO dbo.{many} (ID, TXT) VALUES (0, N'')")
    assert len(connection.execute(f"SELECT ID FROM dbo.{many} ORDER BY ID").fetchall()) == ROWS + 1
    with pytest.raises(pyodbc.Error) as failed:
        connection.execute(f"SELECT 1 / (ID - 2500) FROM dbo.{many} ORDER BY ID").fetchall()
    assert error_number(failed.value) == 8134
    connection.execute(f"INSERT INTO dbo.{many} (ID, TXT) VALUES (-1, N'')")
    connection.commit()
    assert connect().execute(f"SELECT COUNT(*) FROM dbo.{many}").fetchval() == ROWS + 2


def test_several_long_results_of_one_batch_follow_each_other(connect, many):
    cursor = connect().execute(f"SELECT ID FROM dbo.{many} ORDER BY ID; SELECT ID FROM dbo.{many} ORDER BY ID DESC")
    ascending = [row.ID for row in cursor.fetchall()]
    assert cursor.nextset()
    assert [row.ID for row in cursor.fetchall()] == ascending[::-1]
