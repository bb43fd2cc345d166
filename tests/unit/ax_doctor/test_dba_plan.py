"""The plan for the database administrator: safe to paste, the same as the script in deploy/, nothing twice."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.catalog import CaptureInstance
from connectors.ax.dba_plan import (
    Wanted,
    bracketed,
    is_drained,
    lacking_columns,
    literal,
    next_instance_name,
    plan,
    script,
)
from connectors.ax.doctor_facts import Column, Facts, Instance, Session, Stored, TableFacts, TableName, Unseen
from connectors.ax.source_tables import source_tables
from connectors.ax.sql_types import SqlType
from schemas.failures import FatalError
from schemas.positions import Lsn, Position

TABLE = TableName("dbo", "CUSTTABLE")
NAMES = tuple(TableName(table.schema, table.name) for table in source_tables())
NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - SQL Server's clock has no zone


def lsn(number: int) -> Lsn:
    return Lsn(number.to_bytes(10, "big"))


def instance(name: str, start: int, columns: str = "A", ddl: tuple[str, ...] = ()) -> Instance:
    capture = CaptureInstance(name, start, f"{name}_CT", "dbo", "CUSTTABLE", lsn(start), NOW + timedelta(start))
    return Instance(capture, None, None, tuple(columns), ddl)


def table(columns: str, *instances: Instance, declared: str = "", stored=None) -> TableFacts:
    made = tuple(Column(name, SqlType("int")) for name in columns)
    return TableFacts(TABLE, made, True, instances, stored, declared=frozenset(declared))


def test_the_script_in_deploy_is_the_plan_for_an_empty_database():
    wanted = Wanted(NAMES, "freshax_reader", "[$(AX_DATABASE)]")
    shipped = Path("deploy/sqlserver/enable-cdc.sql").read_text("utf-8")
    assert script(plan(None, wanted), wanted) == shipped, (
        "write it anew: freshax capture plan --empty > deploy/sqlserver/enable-cdc.sql"
    )


def test_restarting_a_job_that_does_not_run_yet_does_not_end_the_script():
    wanted = Wanted(NAMES, "freshax_reader", "[AX]")
    text = script(plan(None, wanted), wanted)
    assert text.index(":on error exit") < text.index("GO")
    assert text.index(":on error ignore") < text.index("sp_cdc_stop_job")
    # It is the last step: nothing behind it runs without a look at errors.
    assert "-- " not in text[text.index(":on error ignore") :]


def test_no_password_is_ever_written():
    wanted = Wanted(NAMES, "freshax_reader", "[AX]")
    assert "PASSWORD = N'$(READER_PASSWORD)'" in script(plan(None, wanted), wanted)


def test_a_windows_account_becomes_a_login_from_windows():
    wanted = Wanted(NAMES, "CONTOSO\\svc-freshax", "[AX]")
    text = script(plan(None, wanted), wanted)
    assert "CREATE LOGIN [CONTOSO\\svc-freshax] FROM WINDOWS WITH DEFAULT_DATABASE = [AX];" in text
    assert "PASSWORD" not in text


def test_names_with_signs_of_meaning_stay_names():
    assert bracketed("a]b") == "[a]]b]"
    assert literal("O'Neil") == "N'O''Neil'"
    wanted = Wanted((TableName("dbo", "x]; DROP TABLE y; --'"),), "o'r]eader", "[AX]", role="ga'te")
    text = script(plan(None, wanted), wanted)
    assert "@source_name = N'x]; DROP TABLE y; --'''" in text
    assert "OBJECT_ID(N'[dbo].[x]]; DROP TABLE y; --'']')" in text
    assert "@role_name = N'ga''te'" in text
    assert "TO [o'r]]eader];" in text


@pytest.mark.parametrize("name", ["a\nGO\nDROP TABLE b", "$(READER_PASSWORD)", "a\x00b"])
def test_a_name_that_no_quoting_holds_is_refused(name):
    for quote in (bracketed, literal):
        with pytest.raises(FatalError, match="name_unsafe"):
            quote(name)


@given(st.text(st.characters(min_codepoint=0x20, exclude_characters="$"), max_size=40))
def test_a_quoted_name_ends_only_where_it_should(name):
    assert bracketed(name)[1:-1].replace("]]", "").count("]") == 0
    assert literal(name)[2:-1].replace("''", "").count("'") == 0


def test_types_that_cannot_be_carried_are_left_out_of_the_instance():
    columns = (
        Column("RECID", SqlType("bigint")),
        Column("SHAPE", None),
        Column("ANY", SqlType("sql_variant")),
        Column("TOTAL", SqlType("int"), computed=True),
    )
    session = Session("r", "", "", "", NOW, timedelta(0), encrypted=True)
    steps = plan(Facts(session, tables=(TableFacts(TABLE, columns, True, (), None),)), Wanted((TABLE,), "r", "[AX]"))
    (enable,) = [step for step in steps if step.title == "Capture dbo.CUSTTABLE"]
    assert enable.sql is not None
    assert "@captured_column_list = N'[RECID]';" in enable.sql


def test_a_column_is_lacking_when_the_schema_declares_it_or_when_it_came_later():
    assert lacking_columns(table("AB", instance("i", 1, "A")), instance("i", 1, "A")) == ()
    assert lacking_columns(table("AB", declared="AB"), instance("i", 1, "A")) == ("B",)
    altered = instance("i", 1, "A", ("ALTER TABLE dbo.CUSTTABLE ADD b int",))
    assert lacking_columns(table("AB"), altered) == ("B",)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (["dbo_CUSTTABLE"], "dbo_CUSTTABLE_v2"),
        (["dbo_CUSTTABLE", "dbo_CUSTTABLE_v2"], "dbo_CUSTTABLE_v3"),
        (["dbo_CUSTTABLE_v3"], "dbo_CUSTTABLE_v4"),
        (["made_by_hand"], "dbo_CUSTTABLE_v2"),
    ],
)
def test_the_next_instance_gets_a_number_that_was_never_taken(taken, expected):
    assert next_instance_name(TABLE, taken) == expected


def test_an_instance_name_is_never_longer_than_allowed():
    assert len(next_instance_name(TableName("dbo", "T" * 128), [])) == 100


@pytest.mark.parametrize(
    ("stored", "drained"),
    [
        (None, False),
        (Unseen("Kafka is away", "start it"), False),
        (Stored("i", None, NOW), False),
        (Stored("i", Position.end_of(lsn(50)), NOW), False),
        (Stored("i", Position.end_of(lsn(98)), NOW), False),
        (Stored("i", Position.end_of(lsn(99)), NOW), True),
        (Stored("i", Position.end_of(lsn(200)), NOW), True),
    ],
)
def test_an_instance_is_drained_only_when_our_position_is_past_its_successors_start(stored, drained):
    old, new = instance("old", 10), instance("new", 100)
    assert is_drained(table("A", old, new, stored=stored), [old, new]) is drained
