"""The T-SQL that a reader and a writer send."""

import datetime as dt

import pyodbc
import pytest


def naive(*parts):
    """SQL Server's datetime has no zone."""
    return dt.datetime(*parts)  # noqa: DTZ001


@pytest.fixture
def items(connect, table):
    """Ten rows: ID 1..10, GRP 0/1, TXT 'row n' (NULL for 5)."""
    name = table("ID int NOT NULL PRIMARY KEY, GRP int NOT NULL, TXT nvarchar(20) NULL, AT datetime NULL")
    connection = connect()
    rows = [(n, n % 2, None if n == 5 else f"row {n}", naive(2024, 1, n)) for n in range(1, 11)]
    connection.cursor().executemany(f"INSERT INTO dbo.{name} (ID, GRP, TXT, AT) VALUES (?, ?, ?, ?)", rows)
    return name


@pytest.fixture
def values(connect, items):
    connection = connect()

    def run(sql, *parameters):
        return [tuple(row) for row in connection.execute(sql.replace("ITEMS", f"dbo.{items}"), *parameters).fetchall()]

    return run


def test_top_with_a_literal_and_with_a_parameter(values):
    assert values("SELECT TOP 2 ID FROM ITEMS ORDER BY ID") == [(1,), (2,)]
    assert values("SELECT TOP (?) ID FROM ITEMS ORDER BY ID DESC", 3) == [(10,), (9,), (8,)]


def test_keyset_paging_reads_every_row_once(values):
    found, last = [], 0
    while page := values("SELECT TOP (?) ID FROM ITEMS WITH (NOLOCK) WHERE ID > ? ORDER BY ID", 3, last):
        found += [key for (key,) in page]
        last = found[-1]
    assert found == list(range(1, 11))


def test_keyset_paging_uses_the_primary_key(sql_server, items):
    """Explained by the engine behind: no sort, or a snapshot of a large table would take hours."""
    import psycopg

    from sandbox.sqlserver.translate import parse, translate

    text = f"SELECT TOP (100) ID FROM dbo.{items} WHERE ID > 5 ORDER BY ID"
    statement = translate(parse(text)[0], sql_server.server.catalog)
    with psycopg.connect(sql_server.server.dsn) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + statement.sql))
    assert "Index" in plan
    assert "Sort" not in plan


def test_offset_fetch(values):
    assert values("SELECT ID FROM ITEMS ORDER BY ID OFFSET 8 ROWS FETCH NEXT 5 ROWS ONLY") == [(9,), (10,)]


def test_null_sorts_first(values):
    assert values("SELECT TOP 1 ID FROM ITEMS ORDER BY TXT") == [(5,)]


def test_names_are_found_in_any_case_and_in_brackets(values):
    assert values("SELECT t.iD, T.[txt] FROM ITEMS AS T WHERE t.ID = ?", 2) == [(2, "row 2")]


def test_the_database_name_in_front(connect, items):
    assert connect().execute(f"SELECT [Id] FROM [AX].[dbo].[{items.lower()}] WHERE ID = 3").fetchval() == 3


def test_column_titles_are_as_written(connect, items):
    cursor = connect().execute(f"SELECT Id, txt AS Title, COUNT(*) OVER () FROM dbo.{items}")
    assert [column[0] for column in cursor.description][:2] == ["Id", "Title"]


def test_counts_are_int_and_count_big_is_bigint(connect, items):
    cursor = connect().execute(f"SELECT COUNT(*), COUNT_BIG(*) FROM dbo.{items}")
    assert [column[4] for column in cursor.description] == [10, 19]


def test_merge_updates_and_inserts(values, connect, items):
    merge = (
        f"MERGE INTO dbo.{items} WITH (HOLDLOCK) AS t USING (VALUES (?, ?, ?)) AS s (ID, GRP, TXT) ON t.ID = s.ID "
        "WHEN MATCHED THEN UPDATE SET t.TXT = s.TXT "
        "WHEN NOT MATCHED THEN INSERT (ID, GRP, TXT) VALUES (s.ID, s.GRP, s.TXT);"
    )
    connection = connect()
    for key, text in [(1, "changed"), (99, "new"), (99, None)]:
        connection.execute(merge, key, 0, text)
    assert values("SELECT ID, TXT FROM ITEMS WHERE ID IN (1, 99) ORDER BY ID") == [(1, "changed"), (99, None)]


def test_update_from_a_join(values, connect, items):
    connection = connect()
    connection.execute(
        f"UPDATE t SET t.TXT = s.TXT FROM dbo.{items} AS t INNER JOIN dbo.{items} AS s ON s.ID = t.ID + 1 "
        "WHERE t.ID = 1"
    )
    assert values("SELECT TXT FROM ITEMS WHERE ID = 1") == [("row 2",)]


def test_output_returns_the_written_row(connect, items):
    connection = connect()
    row = connection.execute(
        f"INSERT INTO dbo.{items} (ID, GRP) OUTPUT inserted.ID, inserted.GRP VALUES (50, 7)"
    ).fetchone()
    assert tuple(row) == (50, 7)
    row = connection.execute(f"DELETE FROM dbo.{items} OUTPUT deleted.GRP WHERE ID = 50").fetchone()
    assert tuple(row) == (7,)


def test_row_counts_are_reported(connect, items):
    connection = connect()
    assert connection.execute(f"UPDATE dbo.{items} SET GRP = 5 WHERE ID < 4").rowcount == 3
    assert connection.execute(f"DELETE FROM dbo.{items} WHERE ID > 100").rowcount == 0


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CONVERT(varchar(24), 0x0000002A00, 1)", "0x0000002A00"),
        ("CONVERT(varchar(24), 0x2A, 2)", "2A"),
        ("CONVERT(varbinary(4), '0x0102', 1)", b"\x01\x02"),
        ("CONVERT(nvarchar(30), CAST('2024-05-06T07:08:09.123' AS datetime), 126)", "2024-05-06T07:08:09.123"),
        ("CONVERT(date, '2024-05-06')", dt.date(2024, 5, 6)),
        ("CONVERT(int, '42')", 42),
        ("TRY_CONVERT(int, 'x')", None),
        ("CAST(5 AS bit)", True),
        ("DATEADD(minute, -5, CAST('2024-01-01' AS datetime))", naive(2023, 12, 31, 23, 55)),
        ("DATEDIFF(day, '2024-01-31T23:59:59', '2024-02-01')", 1),
        ("DATEDIFF(second, '2024-01-01', '2024-01-02')", 86400),
        ("DATEPART(month, CAST('2024-05-06' AS datetime))", 5),
        ("YEAR(CAST('2024-05-06' AS datetime))", 2024),
        ("ISNULL(NULL, N'x')", "x"),
        ("N'a' + N'b'", "ab"),
        ("LEN(N'ab  ')", 2),
        ("DATALENGTH(N'ab')", 4),
        ("CHARINDEX(N'B', N'abc')", 2),
        ("CASE WHEN 1 = 1 THEN 1 ELSE 0 END", 1),
        ("IIF(1 = 2, 'a', 'b')", "b"),
        ("@@TRANCOUNT", 0),
        ("OBJECT_ID(N'dbo.none')", None),
        ("HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE')", 1),
        ("CAST(SERVERPROPERTY('EngineEdition') AS int)", 3),
    ],
)
def test_functions(connect, expression, expected):
    assert connect().execute(f"SELECT {expression}").fetchval() == expected


def test_the_clock_is_local_and_utc(connect):
    now, utc, zoned = (
        connect().execute("SELECT GETDATE(), SYSUTCDATETIME(), DATEPART(tzoffset, SYSDATETIMEOFFSET())").fetchone()
    )
    assert abs((now - utc).total_seconds()) < 5
    assert zoned == 0


def test_several_statements_in_one_batch_give_several_results(connect):
    cursor = connect().execute("SET NOCOUNT ON; SELECT 1; SELECT N'two', 3")
    results = [cursor.fetchall()] if cursor.description else []
    while cursor.nextset():
        if cursor.description:
            results.append(cursor.fetchall())
    assert [[tuple(row) for row in result] for result in results] == [[(1,)], [("two", 3)]]


def test_variables_live_for_one_batch(connect, error_number):
    connection = connect()
    assert connection.execute("DECLARE @a int = 2, @b int; SET @b = @a * 3; SELECT @b").fetchval() == 6
    with pytest.raises(pyodbc.Error) as refused:
        connection.execute("SELECT @b")
    assert error_number(refused.value) == 137


def test_what_is_not_simulated_says_so(connect, error_number):
    with pytest.raises(pyodbc.Error) as refused:
        connect().execute("WHILE 1 = 1 BEGIN SELECT 1 END")
    assert error_number(refused.value) == 40000


def test_odbc_catalog_functions(connect, items):
    cursor = connect().cursor()
    assert [row.column_name for row in cursor.columns(table=items, schema="dbo")] == ["ID", "GRP", "TXT", "AT"]
    assert [row.column_name for row in cursor.primaryKeys(table=items, schema="dbo")] == ["ID"]
    assert items in [row.table_name for row in cursor.tables(schema="dbo")]


def test_catalog_views(values, items):
    columns = values(
        "SELECT c.name, t.name, c.max_length, c.is_nullable FROM sys.columns AS c "
        "JOIN sys.types AS t ON t.user_type_id = c.user_type_id "
        "WHERE c.object_id = OBJECT_ID(?) ORDER BY c.column_id",
        f"dbo.{items}",
    )
    assert columns == [
        ("ID", "int", 4, False),
        ("GRP", "int", 4, False),
        ("TXT", "nvarchar", 40, True),
        ("AT", "datetime", 8, True),
    ]
    keys = values(
        "SELECT c.name FROM sys.indexes AS i "
        "JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id "
        "JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id "
        "WHERE i.is_primary_key = 1 AND i.object_id = OBJECT_ID(?)",
        f"dbo.{items}",
    )
    assert keys == [("ID",)]


def test_a_guarded_statement_runs_only_when_its_condition_holds(sql_server, connect):
    connection = connect()
    for _ in range(2):
        connection.execute("IF OBJECT_ID(N'dbo.GUARDED') IS NULL\n    CREATE TABLE dbo.GUARDED (ID int)")
    connection.execute("IF OBJECT_ID(N'dbo.GUARDED') IS NOT NULL DROP TABLE dbo.GUARDED")
    assert connection.execute("SELECT OBJECT_ID(N'dbo.GUARDED')").fetchval() is None


def test_who_i_am_and_how_i_am_connected(connect, driver):
    plain = connect()
    row = plain.execute("SELECT SUSER_ID(N'sa'), SUSER_ID(N'nobody'), DATABASE_PRINCIPAL_ID(N'nobody')").fetchone()
    assert tuple(row) == (1, None, None)
    assert plain.execute("SELECT CONNECTIONPROPERTY('auth_scheme')").fetchval() == "SQL"
    asked = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID"
    assert plain.execute(asked).fetchval() == "FALSE"
    extra = "TrustServerCertificate=yes;" if driver == "microsoft" else ""
    assert connect(encrypt="yes", extra=extra).execute(asked).fetchval() == "TRUE"
    size, used = plain.execute(
        "SELECT total_log_size_in_bytes, used_log_space_in_percent FROM sys.dm_db_log_space_usage"
    ).fetchone()
    assert size > 0
    assert 0 <= used <= 100
