"""Enabling, disabling, two instances, schema changes, rights."""

import pyodbc
import pytest

ZERO = bytes(10)
COLUMNS = "ID int NOT NULL PRIMARY KEY, TXT nvarchar(20) NULL, AT datetime NULL"


@pytest.fixture
def connection(connect):
    return connect()


def rows(connection, sql, *parameters):
    return [tuple(row) for row in connection.execute(sql, *parameters).fetchall()]


def test_the_database_says_that_cdc_is_on(connection):
    assert rows(connection, "SELECT name, is_cdc_enabled FROM sys.databases WHERE database_id = DB_ID()") == [
        ("AX", True)
    ]


def test_an_instance_is_listed_with_its_columns(connection, table):
    name = table(COLUMNS, tracked=True)
    assert rows(
        connection,
        "SELECT ct.capture_instance, OBJECT_NAME(ct.source_object_id), ct.supports_net_changes, ct.role_name, "
        "ct.index_name "
        "FROM cdc.change_tables AS ct WHERE ct.source_object_id = OBJECT_ID(?)",
        f"dbo.{name}",
    ) == [(f"dbo_{name}", name, True, None, f"{name}_pkey")]
    assert rows(
        connection,
        "SELECT cc.column_name, cc.column_type, cc.column_ordinal "
        "FROM cdc.captured_columns AS cc JOIN cdc.change_tables AS ct "
        "ON ct.object_id = cc.object_id WHERE ct.capture_instance = ? ORDER BY cc.column_ordinal",
        f"dbo_{name}",
    ) == [("ID", "int", 1), ("TXT", "nvarchar", 2), ("AT", "datetime", 3)]
    assert rows(connection, "SELECT is_tracked_by_cdc FROM sys.tables WHERE name = ?", name) == [(True,)]
    help_row = connection.execute(
        "EXEC sys.sp_cdc_help_change_data_capture @source_schema = N'dbo', @source_name = ?", name
    ).fetchone()
    assert help_row[2] == f"dbo_{name}"
    assert help_row[13] == "[ID]"
    assert help_row[14] == "[ID], [TXT], [AT]"
    assert len(rows(connection, "EXEC sys.sp_cdc_get_captured_columns ?", f"dbo_{name}")) == 3


def test_change_table_columns_keep_their_types(connection, table):
    name = table(COLUMNS, tracked=True)
    cursor = connection.execute(f"SELECT __$start_lsn, __$update_mask, TXT, AT FROM cdc.dbo_{name}_CT")
    sizes = [(column[0], column[3], column[5]) for column in cursor.description]
    assert sizes == [("__$start_lsn", 10, 0), ("__$update_mask", 128, 0), ("TXT", 20, 0), ("AT", 23, 3)]


def enable(sql_server, name, extra=""):
    sql_server.execute(
        f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{name}', @role_name = NULL{extra}"
    )


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("@source_schema = 'dbo', @source_name = 'NOPE', @role_name = NULL", 22931),
        ("@source_schema = 'dbo', @source_name = 'TAB', @role_name = NULL", 22926),
        (
            "'dbo', 'TAB', NULL, @captured_column_list = 'NO', @capture_instance = 'x'",
            22930,
        ),
        ("@source_schema = 'dbo', @source_name = 'TAB'", 8145),
    ],
)
def test_mistakes_when_enabling_have_their_numbers(connection, table, error_number, call, number):
    name = table(COLUMNS, tracked=True)
    with pytest.raises(pyodbc.Error) as refused:
        connection.execute(f"EXEC sys.sp_cdc_enable_table {call.replace('TAB', name)}")
    assert error_number(refused.value) == number


def test_a_third_instance_is_22962(sql_server, connection, table, error_number):
    name = table(COLUMNS, tracked=True)
    enable(sql_server, name, f", @capture_instance = N'{name}_v2'")
    with pytest.raises(pyodbc.Error) as refused:
        connection.execute(
            "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = ?, @role_name = NULL, "
            "@capture_instance = ?",
            name,
            f"{name}_v3",
        )
    assert error_number(refused.value) == 22962


def test_two_instances_both_capture_and_the_newer_has_the_new_column(sql_server, connection, table):
    name = table(COLUMNS, tracked=True)
    connection.execute(f"INSERT INTO dbo.{name} (ID) VALUES (1)")
    connection.execute(f"ALTER TABLE dbo.{name} ADD EXTRA nvarchar(5) NULL")
    connection.execute(f"INSERT INTO dbo.{name} (ID, EXTRA) VALUES (2, N'lost')")
    enable(sql_server, name, f", @capture_instance = N'{name}_v2'")
    connection.execute(f"INSERT INTO dbo.{name} (ID, EXTRA) VALUES (3, N'kept')")
    sql_server.scan()
    assert rows(connection, f"SELECT ID FROM cdc.dbo_{name}_CT ORDER BY ID") == [(1,), (2,), (3,)]
    assert rows(connection, f"SELECT ID, EXTRA FROM cdc.{name}_v2_CT") == [(3, "kept")]
    old, new = rows(
        connection,
        "SELECT start_lsn FROM cdc.change_tables WHERE source_object_id = OBJECT_ID(?) ORDER BY create_date, start_lsn",
        f"dbo.{name}",
    )
    assert old < new


def test_ddl_is_listed_in_the_history(connection, table):
    name = table(COLUMNS, tracked=True)
    connection.execute(f"ALTER TABLE dbo.{name} ADD EXTRA int NULL")
    connection.execute(f"ALTER TABLE dbo.{name} ALTER COLUMN TXT nvarchar(40) NULL")
    history = rows(connection, "EXEC sys.sp_cdc_get_ddl_history ?", f"dbo_{name}")
    assert [(row[3], row[4]) for row in history] == [
        (False, f"ALTER TABLE dbo.{name} ADD EXTRA int NULL"),
        (True, f"ALTER TABLE dbo.{name} ALTER COLUMN TXT nvarchar(40) NULL"),
    ]
    listed = rows(
        connection,
        "SELECT required_column_update FROM cdc.ddl_history WHERE source_object_id = OBJECT_ID(?) ORDER BY ddl_lsn",
        f"dbo.{name}",
    )
    assert listed == [(False,), (True,)]


def test_a_type_change_is_carried_into_the_change_table(sql_server, connection, table):
    name = table(COLUMNS, tracked=True)
    connection.execute(f"INSERT INTO dbo.{name} (ID, TXT) VALUES (1, N'before')")
    connection.execute(f"ALTER TABLE dbo.{name} ALTER COLUMN TXT nvarchar(40) NULL")
    connection.execute(f"INSERT INTO dbo.{name} (ID, TXT) VALUES (2, ?)", "x" * 40)
    sql_server.scan()
    assert rows(connection, f"SELECT ID, TXT FROM cdc.dbo_{name}_CT ORDER BY ID") == [(1, "before"), (2, "x" * 40)]


def test_a_dropped_column_reads_null(sql_server, connection, table):
    name = table(COLUMNS, tracked=True)
    connection.execute(f"INSERT INTO dbo.{name} (ID, TXT) VALUES (1, N'there')")
    connection.execute(f"ALTER TABLE dbo.{name} DROP COLUMN TXT")
    connection.execute(f"INSERT INTO dbo.{name} (ID) VALUES (2)")
    sql_server.scan()
    assert rows(connection, f"SELECT ID, TXT FROM cdc.dbo_{name}_CT ORDER BY ID") == [(1, "there"), (2, None)]


def test_a_captured_column_cannot_be_renamed(connection, table, error_number):
    name = table(COLUMNS, tracked=True)
    with pytest.raises(pyodbc.Error) as refused:
        connection.execute("EXEC sp_rename ?, 'TEXT2', 'COLUMN'", f"dbo.{name}.TXT")
    assert error_number(refused.value) == 4928


def test_disabling_drops_the_history_and_enabling_again_starts_anew(sql_server, connection, table, error_number):
    name = table(COLUMNS, tracked=True)
    connection.execute(f"INSERT INTO dbo.{name} (ID) VALUES (1)")
    sql_server.scan()
    identity = "SELECT object_id, start_lsn FROM cdc.change_tables WHERE capture_instance = ?"
    ((old_id, old_start),) = rows(connection, identity, f"dbo_{name}")
    connection.execute(
        "EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', @source_name = ?, @capture_instance = 'all'", name
    )
    assert rows(connection, "SELECT sys.fn_cdc_get_min_lsn(?)", f"dbo_{name}") == [(ZERO,)]
    with pytest.raises(pyodbc.ProgrammingError) as gone:
        connection.execute(f"SELECT * FROM cdc.dbo_{name}_CT")
    assert error_number(gone.value) == 208
    connection.execute(f"INSERT INTO dbo.{name} (ID) VALUES (2)")
    enable(sql_server, name)
    connection.execute(f"INSERT INTO dbo.{name} (ID) VALUES (3)")
    sql_server.scan()
    ((new_id, new_start),) = rows(connection, identity, f"dbo_{name}")
    assert new_id != old_id
    assert new_start > old_start
    assert rows(connection, f"SELECT ID FROM cdc.dbo_{name}_CT") == [(3,)]


def test_dropping_the_table_drops_its_instances(sql_server, connection, table):
    name = table(COLUMNS, tracked=True)
    connection.execute(f"DROP TABLE dbo.{name}")
    assert rows(connection, "SELECT COUNT(*) FROM cdc.change_tables WHERE capture_instance = ?", f"dbo_{name}") == [
        (0,)
    ]


class TestRights:
    """A reader needs SELECT on the captured columns, SELECT on schema cdc and, if one was named, the gating role."""

    @pytest.fixture
    def reader(self, sql_server):
        """A fresh login without any right."""
        TestRights.number = getattr(TestRights, "number", 0) + 1
        name = f"least{TestRights.number}"
        sql_server.execute(f"CREATE LOGIN {name} WITH PASSWORD = 'Pass-1'; CREATE USER {name} FOR LOGIN {name}")
        return name

    def attempt(self, connection, name, error_number):
        """Return min_lsn, and the number of the error that reading gives (0 for none)."""
        low, high = connection.execute(
            "SELECT sys.fn_cdc_get_min_lsn(?), sys.fn_cdc_get_max_lsn()", f"dbo_{name}"
        ).fetchone()
        try:
            connection.execute(
                f"SELECT * FROM cdc.fn_cdc_get_all_changes_dbo_{name}(?, ?, N'all')", high if low == ZERO else low, high
            ).fetchall()
        except pyodbc.ProgrammingError as error:
            return low, error_number(error)
        return low, 0

    def test_without_rights_min_lsn_is_zero_and_reading_is_229(self, sql_server, connect, table, reader, error_number):
        name = table(COLUMNS, tracked=True)
        sql_server.execute(f"INSERT INTO dbo.{name} (ID) VALUES (1)")
        sql_server.scan()
        connection = connect(user=reader, password="Pass-1")
        assert self.attempt(connection, name, error_number) == (ZERO, 229)
        assert rows(connection, "EXEC sys.sp_cdc_help_change_data_capture") == []
        sql_server.execute(f"GRANT SELECT ON SCHEMA::cdc TO {reader}")
        assert self.attempt(connection, name, error_number) == (ZERO, 229)
        sql_server.execute(f"GRANT SELECT ON dbo.{name} (ID, TXT, AT) TO {reader}")
        low, number = self.attempt(connection, name, error_number)
        assert low > ZERO
        assert number == 0
        assert rows(connection, f"SELECT ID FROM cdc.dbo_{name}_CT") == [(1,)]

    def test_the_gating_role_is_needed_and_not_enough(self, sql_server, connect, table, reader, error_number):
        name = table(COLUMNS, tracked=True, role="N'gate'")
        sql_server.execute(
            f"INSERT INTO dbo.{name} (ID) VALUES (1); GRANT SELECT ON dbo.{name} TO {reader}; "
            f"GRANT SELECT ON SCHEMA::cdc TO {reader}"
        )
        sql_server.scan()
        connection = connect(user=reader, password="Pass-1")
        assert self.attempt(connection, name, error_number) == (ZERO, 229)
        sql_server.execute(f"ALTER ROLE gate ADD MEMBER {reader}")
        assert self.attempt(connection, name, error_number)[1] == 0
        sql_server.execute(f"REVOKE SELECT ON SCHEMA::cdc FROM {reader}")
        assert self.attempt(connection, name, error_number)[1] == 229

    def test_schema_rights_hold_for_instances_made_later(self, sql_server, connect, table, reader, error_number):
        sql_server.execute(f"GRANT SELECT ON SCHEMA::cdc TO {reader}; ALTER ROLE db_datareader ADD MEMBER {reader}")
        name = table(COLUMNS, tracked=True)
        sql_server.execute(f"INSERT INTO dbo.{name} (ID) VALUES (1)")
        sql_server.scan()
        assert self.attempt(connect(user=reader, password="Pass-1"), name, error_number)[1] == 0

    def test_health_views_need_view_database_state(self, sql_server, connect, reader, error_number):
        connection = connect(user=reader, password="Pass-1")
        with pytest.raises(pyodbc.ProgrammingError) as denied:
            connection.execute("SELECT * FROM sys.dm_cdc_log_scan_sessions")
        assert error_number(denied.value) == 262
        sql_server.execute(f"GRANT VIEW DATABASE STATE TO {reader}")
        assert connection.execute("SELECT COUNT(*) FROM sys.dm_cdc_log_scan_sessions").fetchval() >= 0
        with pytest.raises(pyodbc.ProgrammingError) as denied:
            connection.execute("SELECT * FROM sys.dm_server_services")
        assert error_number(denied.value) == 300

    def test_msdb_is_granted_by_itself(self, sql_server, connect, reader, error_number):
        connection = connect(user=reader, password="Pass-1")
        with pytest.raises(pyodbc.ProgrammingError) as denied:
            connection.execute("SELECT * FROM msdb.dbo.cdc_jobs")
        assert error_number(denied.value) == 229
        sql_server.execute(f"USE msdb; GRANT SELECT ON OBJECT::[dbo].[cdc_jobs] TO [{reader}]; USE AX")
        assert connection.execute("SELECT COUNT(*) FROM msdb.dbo.cdc_jobs").fetchval() >= 0

    def test_a_schemas_right_is_told_by_name(self, sql_server, connect, reader):
        connection = connect(user=reader, password="Pass-1")
        asked = "SELECT HAS_PERMS_BY_NAME('cdc', 'SCHEMA', 'SELECT'), HAS_PERMS_BY_NAME('no', 'SCHEMA', 'SELECT')"
        assert tuple(connection.execute(asked).fetchone()) == (0, None)
        sql_server.execute(f"GRANT SELECT ON SCHEMA::cdc TO {reader}")
        assert connection.execute(asked).fetchone()[0] == 1

    def test_only_an_owner_may_stop_the_capture_job(self, connect, reader, error_number):
        with pytest.raises(pyodbc.Error) as refused:
            connect(user=reader, password="Pass-1").execute("EXEC sys.sp_cdc_stop_job N'capture'")
        assert error_number(refused.value) == 22904

    def test_only_an_owner_may_enable(self, connect, table, reader, error_number):
        name = table(COLUMNS)
        connection = connect(user=reader, password="Pass-1")
        with pytest.raises(pyodbc.Error) as refused:
            connection.execute("EXEC sys.sp_cdc_enable_table N'dbo', ?, NULL", name)
        assert error_number(refused.value) == 22904
        with pytest.raises(pyodbc.Error) as refused:
            connection.execute("EXEC sys.sp_cdc_enable_db")
        assert error_number(refused.value) == 22902
