"""LSNs, validity ranges, the change functions, cleanup and retention."""

import pyodbc
import pytest

ZERO = bytes(10)
COLUMNS = "ID int NOT NULL PRIMARY KEY, TXT nvarchar(20) NULL, N int NULL"


@pytest.fixture
def tracked(table):
    return table(COLUMNS, tracked=True)


@pytest.fixture
def connection(connect):
    return connect()


def value(connection, sql, *parameters):
    return connection.execute(sql, *parameters).fetchval()


def limits(connection, name):
    return tuple(
        connection.execute("SELECT sys.fn_cdc_get_min_lsn(?), sys.fn_cdc_get_max_lsn()", f"dbo_{name}").fetchone()
    )


def write(sql_server, connection, name, *statements):
    """Run each statement as a transaction of its own and return their commit LSNs."""
    lsns = []
    for statement in statements:
        connection.execute(statement.format(T=f"dbo.{name}"))
        sql_server.scan()
        lsns.append(value(connection, "SELECT sys.fn_cdc_get_max_lsn()"))
    return lsns


def test_min_lsn_is_zero_for_an_unknown_instance(connection):
    assert value(connection, "SELECT sys.fn_cdc_get_min_lsn(N'dbo_NOPE')") == ZERO


def test_lsns_count_up_and_down_over_all_bytes(connection):
    assert value(connection, "SELECT sys.fn_cdc_increment_lsn(0x0000002A00FFFFFFFFFF)") == bytes.fromhex(
        "0000002A010000000000"
    )
    assert value(connection, "SELECT sys.fn_cdc_decrement_lsn(0x0000002A010000000000)") == bytes.fromhex(
        "0000002A00FFFFFFFFFF"
    )
    lsn = bytes.fromhex("00000027000AC0000007")
    assert value(connection, "SELECT sys.fn_cdc_decrement_lsn(sys.fn_cdc_increment_lsn(?))", lsn) == lsn


def test_an_lsn_parameter_compares_with_lsn_columns(sql_server, connection, tracked):
    first, second = write(
        sql_server, connection, tracked, "INSERT INTO {T} (ID) VALUES (1)", "INSERT INTO {T} (ID) VALUES (2)"
    )
    sql = f"SELECT ID FROM cdc.dbo_{tracked}_CT WHERE __$start_lsn > ? AND __$start_lsn <= ?"
    assert value(connection, sql, first, second) == 2


def test_all_changes_takes_a_closed_range(sql_server, connection, tracked):
    lsns = write(
        sql_server, connection, tracked,
        "INSERT INTO {T} (ID) VALUES (1)", "UPDATE {T} SET N = 5", "DELETE FROM {T} WHERE ID = 1",
    )  # fmt: skip
    read = f"SELECT __$operation FROM cdc.fn_cdc_get_all_changes_dbo_{tracked}(?, ?, N'%s')"
    found = connection.execute(read % "all", lsns[0], lsns[2]).fetchall()
    assert [row[0] for row in found] == [2, 4, 1]
    found = connection.execute(read % "all update old", lsns[1], lsns[1]).fetchall()
    assert [row[0] for row in found] == [3, 4]


def test_all_changes_does_not_show_the_command_id(connection, tracked, sql_server):
    write(sql_server, connection, tracked, "INSERT INTO {T} (ID) VALUES (1)")
    low, high = limits(connection, tracked)
    cursor = connection.execute(f"SELECT * FROM cdc.fn_cdc_get_all_changes_dbo_{tracked}(?, ?, N'all')", low, high)
    assert [column[0] for column in cursor.description] == [
        "__$start_lsn",
        "__$seqval",
        "__$operation",
        "__$update_mask",
        "ID",
        "TXT",
        "N",
    ]


def test_net_changes_give_one_row_per_key(sql_server, connection, tracked):
    write(
        sql_server, connection, tracked,
        "INSERT INTO {T} (ID, TXT) VALUES (1, N'kept'), (2, N'gone'), (3, N'moved')",
        "UPDATE {T} SET TXT = N'last' WHERE ID = 1", "DELETE FROM {T} WHERE ID = 2",
        "UPDATE {T} SET ID = 4 WHERE ID = 3",
    )  # fmt: skip
    low, high = limits(connection, tracked)
    read = f"SELECT __$operation, ID, TXT FROM cdc.fn_cdc_get_net_changes_dbo_{tracked}(?, ?, N'%s') ORDER BY ID"
    assert [tuple(row) for row in connection.execute(read % "all", low, high)] == [(2, 1, "last"), (2, 4, "moved")]
    (later,) = write(sql_server, connection, tracked, "UPDATE {T} SET N = 1 WHERE ID = 1")
    sql = f"SELECT __$operation, __$update_mask FROM cdc.fn_cdc_get_net_changes_dbo_{tracked}(?, ?, N'all with mask')"
    assert tuple(connection.execute(sql, later, later).fetchone()) == (4, b"\x04")
    sql = f"SELECT __$operation FROM cdc.fn_cdc_get_net_changes_dbo_{tracked}(?, ?, N'all with merge')"
    assert value(connection, sql, later, later) == 5


@pytest.mark.parametrize("case", ["below", "above", "reversed", "null", "bad option"])
def test_a_bad_range_is_313(sql_server, connection, tracked, error_number, case):
    first, second = write(
        sql_server, connection, tracked, "INSERT INTO {T} (ID) VALUES (1)", "INSERT INTO {T} (ID) VALUES (2)"
    )
    arguments = {
        "below": (bytes(9) + b"\1", second, "all"),
        "above": (first, b"\xff" * 10, "all"),
        "reversed": (second, first, "all"),
        "null": (None, second, "all"),
        "bad option": (first, second, "everything"),
    }[case]
    with pytest.raises(pyodbc.ProgrammingError) as invalid:
        connection.execute(f"SELECT * FROM cdc.fn_cdc_get_all_changes_dbo_{tracked}(?, ?, ?)", *arguments).fetchall()
    assert error_number(invalid.value) == 313


def test_times_are_mapped_to_lsns(sql_server, connection, tracked):
    first, second = write(
        sql_server, connection, tracked, "INSERT INTO {T} (ID) VALUES (1)", "INSERT INTO {T} (ID) VALUES (2)"
    )
    at = value(connection, "SELECT sys.fn_cdc_map_lsn_to_time(?)", second)
    find = "SELECT sys.fn_cdc_map_time_to_lsn(?, ?)"
    assert value(connection, find, "largest less than or equal", at) == second
    assert value(connection, find, "smallest greater than", at) is None
    assert (
        value(connection, find, "largest less than", at) <= first
        or value(connection, find, "largest less than", at) == first
    )
    assert value(connection, "SELECT sys.fn_cdc_map_lsn_to_time(?)", b"\xee" * 10) is None


def test_cleanup_raises_min_lsn_and_removes_rows(sql_server, connection, tracked, error_number):
    first, second = write(
        sql_server, connection, tracked, "INSERT INTO {T} (ID) VALUES (1)", "INSERT INTO {T} (ID) VALUES (2)"
    )
    connection.execute(
        "EXEC sys.sp_cdc_cleanup_change_table @capture_instance = ?, @low_water_mark = ?, @threshold = 100",
        f"dbo_{tracked}",
        second,
    )
    assert value(connection, "SELECT sys.fn_cdc_get_min_lsn(?)", f"dbo_{tracked}") == second
    assert [row[0] for row in connection.execute(f"SELECT ID FROM cdc.dbo_{tracked}_CT")] == [2]
    with pytest.raises(pyodbc.ProgrammingError) as invalid:
        connection.execute(
            f"SELECT * FROM cdc.fn_cdc_get_all_changes_dbo_{tracked}(?, ?, N'all')", first, second
        ).fetchall()
    assert error_number(invalid.value) == 313
    with pytest.raises(pyodbc.Error) as backwards:
        connection.execute("EXEC sys.sp_cdc_cleanup_change_table ?, ?", f"dbo_{tracked}", first)
    assert error_number(backwards.value) == 22957


def test_a_direct_read_behind_cleanup_misses_rows_without_a_word(sql_server, connection, tracked):
    first, second = write(
        sql_server, connection, tracked, "INSERT INTO {T} (ID) VALUES (1)", "INSERT INTO {T} (ID) VALUES (2)"
    )
    connection.execute("EXEC sys.sp_cdc_cleanup_change_table ?, ?", f"dbo_{tracked}", second)
    rows = connection.execute(
        f"SELECT ID FROM cdc.dbo_{tracked}_CT WHERE __$start_lsn BETWEEN ? AND ?", first, second
    ).fetchall()
    assert [row[0] for row in rows] == [2]


def test_the_cleanup_mark_must_be_a_known_commit(sql_server, connection, tracked, error_number):
    write(sql_server, connection, tracked, "INSERT INTO {T} (ID) VALUES (1)")
    with pytest.raises(pyodbc.Error) as unknown:
        connection.execute("EXEC sys.sp_cdc_cleanup_change_table ?, ?", f"dbo_{tracked}", b"\x7f" * 10)
    assert error_number(unknown.value) == 22964


def test_the_cleanup_job_moves_min_lsn_of_untouched_tables_too(sql_server, connection, table):
    busy, quiet = table(COLUMNS, tracked=True), table(COLUMNS, tracked=True)
    before = value(connection, "SELECT sys.fn_cdc_get_min_lsn(?)", f"dbo_{quiet}")
    write(sql_server, connection, busy, "INSERT INTO {T} (ID) VALUES (1)", "INSERT INTO {T} (ID) VALUES (2)")
    sql_server.run(sql_server.server.capture_job.run_cleanup(retention_minutes=0))
    newest = value(connection, "SELECT sys.fn_cdc_get_max_lsn()")
    for name in (busy, quiet):
        low = value(connection, "SELECT sys.fn_cdc_get_min_lsn(?)", f"dbo_{name}")
        assert before < low <= newest
    assert value(connection, "SELECT COUNT(*) FROM cdc.lsn_time_mapping WHERE start_lsn < ?", newest) == 0
