"""mssql-jdbc's metadata query, as Debezium sends it for every table."""

from sandbox.sqlserver.batch import Assign, Plain, steps

QUERY = (
    "DECLARE @filled TABLE(NAME SYSNAME, SS_IS_IDENTITY SMALLINT, NOTE NVARCHAR(max));"
    "INSERT INTO @filled EXEC sp_columns_100 @P0,@P1;"
    "SELECT NAME AS A, CASE SS_IS_IDENTITY WHEN 0 THEN 'NO' WHEN 1 THEN 'YES' WHEN '' THEN '' END AS B "
    "FROM @filled ORDER BY A;"
)


def test_a_table_variable_filled_by_a_procedure_reads_as_the_procedure():
    assert steps(QUERY) == [
        Plain(
            "SELECT NAME AS A, CASE SS_IS_IDENTITY WHEN 0 THEN 'NO' WHEN 1 THEN 'YES' END AS B "
            "FROM sys.sp_columns_100(@P0,@P1) AS filled ORDER BY A"
        )
    ]


def test_other_declarations_stay_as_they_are():
    assert steps("DECLARE @n int = 1; SELECT @n") == [Assign("n", "int", "1"), Plain("SELECT @n")]
