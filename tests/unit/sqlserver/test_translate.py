"""T-SQL into PostgreSQL's words. What a translation does is tested against the database; here, what it must say."""

import pytest

from sandbox.sqlserver.catalog import Catalog, Column, Relation
from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.translate import parse, translate, unknown_names


@pytest.fixture
def catalog():
    catalog = Catalog()
    columns = {"recid": Column("RECID", True, "bigint"), "name": Column("NAME", False, "varchar(20)")}
    catalog._relations = {("dbo", "custtable"): Relation("dbo", "CUSTTABLE", 1, columns)}
    catalog._functions = {("sys", "fn_cdc_get_max_lsn"): "fn_cdc_get_max_lsn", ("sys", "getdate"): "getdate"}
    return catalog


@pytest.fixture
def sql(catalog):
    def run(text):
        (tree,) = parse(text)
        return translate(tree, catalog).sql

    return run


def test_names_get_their_true_spelling(sql):
    assert sql("SELECT c.name FROM CustTable c") == 'SELECT "c"."NAME" AS "name" FROM "dbo"."CUSTTABLE" AS "c"'


def test_top_becomes_a_limit_and_not_null_keys_keep_their_index(sql):
    text = sql("SELECT TOP (@n) RECID FROM AX.dbo.CUSTTABLE WHERE RECID > 5 ORDER BY RECID")
    assert text == 'SELECT "RECID" FROM "dbo"."CUSTTABLE" WHERE "RECID" > 5 ORDER BY "RECID" LIMIT $1'
    assert "NULLS FIRST" in sql("SELECT NAME FROM CUSTTABLE ORDER BY NAME")


def test_parameters_are_numbered_once_per_name(catalog):
    (tree,) = parse("SELECT RECID FROM CUSTTABLE WHERE RECID > @a AND (NAME = @b OR NAME = @B) AND RECID < @a")
    statement = translate(tree, catalog)
    assert sorted(statement.parameters) == ["a", "b"]
    assert statement.sql.count("$") == 4


def test_functions_of_the_system_are_found_with_and_without_the_database(sql):
    assert sql("SELECT AX.sys.FN_CDC_GET_MAX_LSN(), GETDATE()") == 'SELECT "sys"."fn_cdc_get_max_lsn"(), "getdate"()'


def test_an_unknown_function_of_the_system_is_4121(sql):
    with pytest.raises(SqlError) as refused:
        sql("SELECT sys.fn_nope()")
    assert refused.value.number == 4121


def test_unknown_tables_are_told_so_that_the_catalog_is_read_again(catalog):
    (tree,) = parse("WITH x AS (SELECT 1 AS a) SELECT * FROM x, dbo.NEW_ONE, CUSTTABLE")
    assert unknown_names(tree, catalog) == [("dbo", "NEW_ONE")]


def test_a_table_definition_is_spelled_in_full(sql):
    text = sql("CREATE TABLE dbo.T (A bigint NOT NULL PRIMARY KEY CLUSTERED, B nvarchar(20) NULL, C datetime NOT NULL)")
    assert '"A" BIGINT NOT NULL PRIMARY KEY' in text.replace("bigint", "BIGINT")
    assert '"B" varchar(20) COLLATE sys.ci_as' in text
    assert "sys.utf16_length" in text
    assert '"C" sys.datetime NOT NULL' in text


@pytest.mark.parametrize(
    "text",
    [
        "MERGE INTO CUSTTABLE AS t USING CUSTTABLE AS s ON t.RECID = s.RECID WHEN NOT MATCHED BY SOURCE THEN DELETE;",
        "SELECT RECID INTO dbo.COPY FROM CUSTTABLE",
        "CREATE TABLE dbo.T (A sql_variant)",
        "CREATE TABLE dbo.T (A int, B AS (A + 1))",
    ],
)
def test_what_has_no_counterpart_is_refused(sql, text):
    with pytest.raises(SqlError) as refused:
        sql(text)
    assert refused.value.number in (102, 40000)
