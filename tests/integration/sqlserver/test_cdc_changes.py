"""What the change tables hold after inserts, updates and deletes."""

import datetime as dt
from decimal import Decimal

import psycopg
import pyodbc
import pytest

INSERT, DELETE, OLD, NEW = 2, 1, 3, 4
COLUMNS = "ID int NOT NULL PRIMARY KEY, TXT nvarchar(20) NULL, AMOUNT numeric(32, 16) NULL, NOTE nvarchar(max) NULL"


@pytest.fixture
def tracked(table):
    return table(COLUMNS, tracked=True)


@pytest.fixture
def changes(sql_server, connect):
    """Scan, then read a change table in the order of its clustered index, as dictionaries."""

    def read(name, columns="*"):
        sql_server.scan()
        cursor = connect().execute(
            f"SELECT {columns} FROM cdc.dbo_{name}_CT ORDER BY __$start_lsn, __$command_id, __$seqval, __$operation"
        )
        titles = [column[0] for column in cursor.description]
        return [dict(zip(titles, row, strict=True)) for row in cursor.fetchall()]

    return read


def operations(rows):
    return [row["__$operation"] for row in rows]


def test_an_insert_is_row_2_with_all_values(connect, tracked, changes):
    connect().execute(f"INSERT INTO dbo.{tracked} VALUES (?, ?, ?, ?)", 1, "Größe 😀", Decimal("1.5"), "n" * 9000)
    (row,) = changes(tracked)
    assert row["__$operation"] == INSERT
    assert (row["ID"], row["TXT"], row["AMOUNT"], row["NOTE"]) == (1, "Größe 😀", Decimal("1.5"), "n" * 9000)
    assert row["__$end_lsn"] is None
    assert row["__$update_mask"] == b"\x0f"
    assert len(row["__$start_lsn"]) == len(row["__$seqval"]) == 10


def test_an_update_is_rows_3_and_4_of_one_change(connect, tracked, changes):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID, TXT, AMOUNT) VALUES (1, N'a', 1)")
    connection.execute(f"UPDATE dbo.{tracked} SET TXT = N'b', AMOUNT = 2 WHERE ID = 1")
    old, new = changes(tracked)[1:]
    assert (old["__$operation"], new["__$operation"]) == (OLD, NEW)
    assert (old["TXT"], new["TXT"]) == ("a", "b")
    assert (old["AMOUNT"], new["AMOUNT"]) == (1, 2)
    assert old["__$start_lsn"] == new["__$start_lsn"]
    assert old["__$seqval"] == new["__$seqval"]
    assert old["__$command_id"] == new["__$command_id"]
    assert old["__$update_mask"] == new["__$update_mask"] == b"\x06"


def test_a_delete_is_row_1_with_the_last_values(connect, tracked, changes):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID, TXT, NOTE) VALUES (1, N'a', N'long')")
    connection.execute(f"DELETE FROM dbo.{tracked}")
    row = changes(tracked)[-1]
    assert (row["__$operation"], row["ID"], row["TXT"], row["NOTE"]) == (DELETE, 1, "a", "long")
    assert row["__$update_mask"] == b"\x0f"


def test_an_update_of_the_key_is_a_delete_and_an_insert(connect, tracked, changes):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID, TXT) VALUES (1, N'a')")
    connection.execute(f"UPDATE dbo.{tracked} SET ID = 2, TXT = N'b'")
    gone, come = changes(tracked)[1:]
    assert (gone["__$operation"], gone["ID"], gone["TXT"]) == (DELETE, 1, "a")
    assert (come["__$operation"], come["ID"], come["TXT"]) == (INSERT, 2, "b")
    assert gone["__$seqval"] == come["__$seqval"]


def test_a_statement_that_moves_several_keys_gives_each_row_its_own_seqval(connect, tracked, changes):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (1), (2)")
    connection.execute(f"UPDATE dbo.{tracked} SET ID = ID + 10")
    rows = changes(tracked)[2:]
    assert operations(rows) == [DELETE, INSERT, DELETE, INSERT]
    assert len({row["__$seqval"] for row in rows}) == 4


def test_a_large_column_is_null_in_the_old_row_unless_it_changed(connect, tracked, changes):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID, TXT, NOTE) VALUES (1, N'a', N'large')")
    connection.execute(f"UPDATE dbo.{tracked} SET TXT = N'b'")
    connection.execute(f"UPDATE dbo.{tracked} SET NOTE = N'larger'")
    rows = changes(tracked)
    assert [row["NOTE"] for row in rows] == ["large", None, "large", "large", "larger"]


def test_rows_of_one_statement_share_the_command_id(connect, tracked, changes):
    connection = connect(autocommit=False)
    connection.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (1), (2), (3)")
    connection.execute(f"UPDATE dbo.{tracked} SET TXT = N'x' WHERE ID < 3")
    connection.execute(f"DELETE FROM dbo.{tracked} WHERE ID = 3")
    connection.commit()
    rows = changes(tracked)
    assert [row["__$command_id"] for row in rows] == [1, 1, 1, 2, 2, 2, 2, 3]
    assert operations(rows) == [INSERT, INSERT, INSERT, OLD, NEW, OLD, NEW, DELETE]
    assert len({row["__$start_lsn"] for row in rows}) == 1
    assert len({row["__$seqval"] for row in rows}) == 6


def test_a_rolled_back_transaction_leaves_nothing(connect, tracked, changes):
    connection = connect(autocommit=False)
    connection.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (1)")
    connection.rollback()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (2)")
    connection.commit()
    assert [row["ID"] for row in changes(tracked)] == [2]


def test_a_failed_statement_in_a_committed_transaction_leaves_nothing(connect, tracked, changes):
    connection = connect(autocommit=False)
    connection.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (1)")
    with pytest.raises(pyodbc.IntegrityError):
        connection.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (2), (1)")
    connection.commit()
    assert [row["ID"] for row in changes(tracked)] == [1]


def test_transactions_are_ordered_by_commit_not_by_begin(connect, tracked, changes):
    early, late = connect(autocommit=False), connect(autocommit=False)
    early.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (1)")
    late.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (2)")
    late.commit()
    early.commit()
    assert [row["ID"] for row in changes(tracked)] == [2, 1]


def test_an_update_without_a_change_leaves_nothing(connect, tracked, changes):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID, TXT) VALUES (1, N'a')")
    connection.execute(f"UPDATE dbo.{tracked} SET TXT = N'a'")
    assert operations(changes(tracked)) == [INSERT]


def test_uncaptured_columns_are_neither_shown_nor_counted(connect, table, changes):
    name = table(COLUMNS, tracked=True, captured_column_list="N'ID, AMOUNT'")
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{name} (ID, TXT, AMOUNT) VALUES (1, N'a', 1)")
    connection.execute(f"UPDATE dbo.{name} SET TXT = N'b'")
    connection.execute(f"UPDATE dbo.{name} SET AMOUNT = 2")
    rows = changes(name)
    assert "TXT" not in rows[0]
    assert operations(rows) == [INSERT, OLD, NEW]
    assert [row["__$update_mask"] for row in rows] == [b"\x03", b"\x02", b"\x02"]


def test_the_mask_has_a_byte_for_every_eight_columns_the_first_column_last(connect, table, changes):
    name = table("ID int PRIMARY KEY, " + ", ".join(f"C{n} int NULL" for n in range(2, 12)), tracked=True)
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{name} (ID) VALUES (1)")
    connection.execute(f"UPDATE dbo.{name} SET C2 = 1, C11 = 1")
    rows = changes(name)
    assert [row["__$update_mask"] for row in rows] == [b"\x07\xff", b"\x04\x02", b"\x04\x02"]
    bits = connection.execute(
        "SELECT sys.fn_cdc_is_bit_set(11, __$update_mask), "
        f"sys.fn_cdc_has_column_changed('dbo_{name}', 'c2', __$update_mask), "
        f"sys.fn_cdc_has_column_changed('dbo_{name}', 'C3', __$update_mask) "
        f"FROM cdc.dbo_{name}_CT WHERE __$operation = 4"
    ).fetchone()
    assert tuple(bits) == (True, True, False)


def test_rows_written_by_plain_sql_are_captured_alike(sql_server, tracked, changes):
    """The AX simulator writes through PostgreSQL, bulk loads included."""
    with psycopg.connect(sql_server.server.dsn, autocommit=True) as connection:
        connection.execute(f'INSERT INTO dbo."{tracked}" ("ID", "TXT") VALUES (1, %s)', ["plain"])
        with connection.cursor().copy(f'COPY dbo."{tracked}" ("ID", "TXT") FROM STDIN') as copy:
            for n in range(2, 500):
                copy.write_row((n, f"copied {n}"))
    rows = changes(tracked)
    assert [row["ID"] for row in rows] == list(range(1, 500))
    assert len({row["__$seqval"] for row in rows}) == 499


def test_lsn_time_mapping_has_a_row_per_transaction(sql_server, connect, tracked):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID) VALUES (1)")
    sql_server.scan()
    lsn, begun, ended, transaction = connection.execute(
        "SELECT TOP 1 start_lsn, tran_begin_time, tran_end_time, tran_id "
        "FROM cdc.lsn_time_mapping ORDER BY start_lsn DESC"
    ).fetchone()
    assert connection.execute(f"SELECT __$start_lsn FROM cdc.dbo_{tracked}_CT").fetchval() == lsn
    assert begun <= ended
    assert abs((dt.datetime.now(dt.UTC).replace(tzinfo=None) - ended).total_seconds()) < 60
    assert int.from_bytes(transaction, "big") > 0
    assert connection.execute("SELECT sys.fn_cdc_map_lsn_to_time(?)", lsn).fetchval() == ended


def test_writes_to_untracked_tables_leave_no_mapping(sql_server, connect, table):
    name = table(COLUMNS)
    sql_server.scan()
    connection = connect()
    before = connection.execute("SELECT COUNT(*) FROM cdc.lsn_time_mapping").fetchval()
    connection.execute(f"INSERT INTO dbo.{name} (ID) VALUES (1)")
    sql_server.scan()
    assert connection.execute("SELECT COUNT(*) FROM cdc.lsn_time_mapping").fetchval() == before


def test_truncate_is_refused(connect, tracked, error_number):
    with pytest.raises(pyodbc.Error) as refused:
        connect().execute(f"TRUNCATE TABLE dbo.{tracked}")
    assert error_number(refused.value) == 4711


def test_a_value_above_max_text_repl_size_fails_in_the_source(connect, tracked, error_number):
    connection = connect()
    connection.execute(f"INSERT INTO dbo.{tracked} (ID, NOTE) VALUES (1, ?)", "x" * 32_768)
    with pytest.raises(pyodbc.Error) as refused:
        connection.execute(f"INSERT INTO dbo.{tracked} (ID, NOTE) VALUES (2, ?)", "x" * 32_769)
    assert error_number(refused.value) == 7139
