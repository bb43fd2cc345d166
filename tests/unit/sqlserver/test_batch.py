"""How a batch is cut into steps."""

import pytest

from sandbox.sqlserver.batch import Assign, Call, Condition, Control, Plain, number_placeholders, split_commas, steps
from sandbox.sqlserver.errors import SqlError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1; SELECT ';'", [Plain("SELECT 1"), Plain("SELECT ';'")]),
        ("SET NOCOUNT ON SELECT 1", [Control("ignored"), Plain("SELECT 1")]),
        (
            "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION",
            [Control("isolation", ("SNAPSHOT",)), Control("begin")],
        ),
        ("BEGIN TRAN\nSELECT 1\nCOMMIT", [Control("begin"), Plain("SELECT 1"), Control("commit")]),
        ("IF @@TRANCOUNT > 0 ROLLBACK TRAN", [Control("rollback", ("",))]),
        ("SAVE TRAN a; ROLLBACK TRAN a", [Control("save", ("a",)), Control("rollback", ("a",))]),
        ("USE [AX]", [Control("use", ("AX",))]),
        ("WAITFOR DELAY '00:00:02.5'", [Control("wait", ("00", "00", "02.5"))]),
        ("EXEC sys.sp_x @a = N'1, 2', @b = ?", [Call("sys.sp_x", (("a", "N'1, 2'"), ("b", "?")))]),
        ("sp_datatype_info_100 12,3", [Call("sp_datatype_info_100", (("", "12"), ("", "3")))]),
        ("EXEC p word, @x OUTPUT", [Call("p", (("", "N'word'"), ("", "@x")))]),
        ("DECLARE @A int = 1, @b numeric(5, 2)", [Assign("a", "int", "1"), Assign("b", "numeric(5, 2)", "")]),
        ("SET @a = @a + 1", [Assign("a", "", "@a + 1")]),
        ("-- a note\n/* and one more */ SELECT 1", [Plain("SELECT 1")]),
        ("ALTER TABLE dbo.T\nALTER COLUMN B int", [Plain("ALTER TABLE dbo.T\nALTER COLUMN B int")]),
        ("", []),
    ],
)
def test_steps(text, expected):
    assert steps(text) == expected


@pytest.mark.parametrize("text", ["IF 1 = 1 SELECT 1", "WHILE 1 = 1 SELECT 1", "BEGIN TRY SELECT 1 END TRY"])
def test_programs_are_refused(text):
    with pytest.raises(SqlError) as refused:
        steps(text)
    assert refused.value.number == 40000


def test_an_open_quotation_is_105():
    with pytest.raises(SqlError) as refused:
        steps("SELECT 'open")
    assert refused.value.number == 105


def test_commas_inside_brackets_and_strings_do_not_split():
    assert split_commas("@P1 numeric(32,16),@P2 nvarchar(4000)") == ["@P1 numeric(32,16)", "@P2 nvarchar(4000)"]


def test_placeholders_are_numbered_outside_strings_only():
    assert number_placeholders("SELECT '?', ?, ?", 2) == "SELECT '?', @p1, @p2"
    with pytest.raises(SqlError) as refused:
        number_placeholders("SELECT ?", 2)
    assert refused.value.number == 8178


def test_a_guard_holds_its_one_statement_also_on_a_line_of_its_own() -> None:
    text = "IF NOT EXISTS (SELECT 1 FROM t WHERE a = 'EXEC')\n    EXEC sys.sp_cdc_enable_db;\nGRANT SELECT ON t TO r"
    condition, grant = steps(text)
    assert isinstance(condition, Condition)
    assert condition.text == "NOT EXISTS (SELECT 1 FROM t WHERE a = 'EXEC')"
    assert condition.body == (Call("sys.sp_cdc_enable_db"),)
    assert grant == Plain("GRANT SELECT ON t TO r")


@pytest.mark.parametrize("text", ["IF 1 = 1 BEGIN EXEC p END", "IF 1 = 1 EXEC p ELSE EXEC q"])
def test_a_guard_with_a_block_or_an_alternative_is_refused(text: str) -> None:
    with pytest.raises(SqlError) as refused:
        steps(text)
    assert refused.value.number == 40000
