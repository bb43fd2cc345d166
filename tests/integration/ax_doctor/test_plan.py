"""The plan for the database administrator, carried out on the stand-in: after it the reader lacks nothing."""

import itertools
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.ax.dba_look import wait_until_done
from connectors.ax.dba_plan import LOOKED_UP, Step, Wanted, plan, script
from connectors.ax.doctor_facts import Facts, TableName, Unseen
from connectors.ax.doctor_reader import read_facts
from connectors.ax.source_tables import source_tables
from sandbox.sqlserver.background import BackgroundSqlServer
from schemas.failures import FatalError
from schemas.positions import Lsn, Position
from schemas.records import CapturePosition, Phase
from streams.cli import app
from streams.runtime.settings import AxSqlSettings

NOBODY = Unseen("not asked", "nothing")
TABLES = source_tables()
NAMES = tuple(TableName(table.schema, table.name) for table in TABLES)
LOGIN, PASSWORD = "freshax_reader", "Reader-pass-1"
COLUMNS = "RECID bigint NOT NULL PRIMARY KEY, PARTITION bigint NOT NULL, DATAAREAID nvarchar(4) NOT NULL"


@pytest.fixture
def server():
    with BackgroundSqlServer(logins={"sa": "Sandbox-sa-1"}) as background:
        background.run(background.server.capture_job.stop())
        for table in (*NAMES, *LOOKED_UP):
            background.execute(f"CREATE TABLE {table} ({COLUMNS})")
        background.run(background.server.capture_job.start())
        yield background


@pytest.fixture
def settings(server) -> AxSqlSettings:
    return AxSqlSettings(
        driver="FreeTDS",
        server="127.0.0.1",
        port=server.server.port,
        user=LOGIN,
        password=PASSWORD,
        encrypt="no",
    )


WANTED = Wanted(NAMES, LOGIN, "[AX]")


def look(settings, stored=NOBODY) -> Facts:
    return read_facts(settings, TABLES, LOOKED_UP, stored, NOBODY)


def run_script(server, text: str) -> None:
    """As sqlcmd does: variables put in, one batch up to each GO."""
    text = text.replace("$(AX_DATABASE)", "AX").replace("$(READER_PASSWORD)", PASSWORD)
    for batch in re.split(r"^GO$", re.sub(r"^:on error \w+$", "", text, flags=re.MULTILINE), flags=re.MULTILINE):
        if any(line.strip() and not line.startswith("--") for line in batch.splitlines()):
            server.execute(batch)
    server.execute("USE [AX]")


def titles(steps: list[Step]) -> list[str]:
    return [step.title for step in steps]


def test_the_script_for_an_empty_database_leaves_nothing_to_do_and_can_be_run_again(server, settings):
    text = Path("deploy/sqlserver/enable-cdc.sql").read_text("utf-8")
    refused = look(settings)
    assert isinstance(refused.session, FatalError)
    assert titles(plan(refused, WANTED)) == titles(plan(None, WANTED))

    run_script(server, text)
    assert titles(plan(look(settings), WANTED)) == []
    run_script(server, text)
    assert titles(plan(look(settings), WANTED)) == []


def test_what_is_undone_is_planned_again_and_nothing_else(server, settings):
    run_script(server, script(plan(None, WANTED), WANTED))
    undone = {
        "ALTER DATABASE [AX] SET ALLOW_SNAPSHOT_ISOLATION OFF": "Allow SNAPSHOT isolation",
        "EXEC sys.sp_cdc_disable_table N'dbo', N'CUSTTABLE', N'all'": "Capture dbo.CUSTTABLE",
        f"REVOKE SELECT ON dbo.DIRPARTYTABLE FROM {LOGIN}": "Grant SELECT ON OBJECT::dbo.DIRPARTYTABLE",
        f"REVOKE SELECT ON dbo.CUSTINVOICETABLE FROM {LOGIN}": "Grant SELECT ON OBJECT::dbo.CUSTINVOICETABLE",
        f"REVOKE VIEW DATABASE STATE FROM {LOGIN}": "Grant VIEW DATABASE STATE",
        "EXEC sys.sp_cdc_change_job N'cleanup', @retention = 60": "Keep changes longer",
        "EXEC sys.sp_cdc_change_job N'capture', @pollinginterval = 5": "Let the capture job look more often",
    }
    for statement in undone:
        server.execute(statement)
    left = plan(look(settings), WANTED)
    assert titles(left) == list(undone.values())
    server.execute(f"USE msdb; REVOKE SELECT ON dbo.cdc_jobs FROM {LOGIN}; USE AX")
    hidden = plan(look(settings), WANTED)
    assert "Let the reader see the settings of the CDC jobs" in titles(hidden)
    run_script(server, script(hidden, WANTED))
    run_script(server, script(left, WANTED))
    assert titles(plan(look(settings), WANTED)) == []


def test_a_gating_role_is_named_and_the_reader_put_into_it(server, settings):
    gated = Wanted(NAMES, LOGIN, "[AX]", role="cdc_gate")
    run_script(server, script(plan(None, gated), gated))
    facts = look(settings)
    assert {instance.role for table in facts.tables for instance in table.instances} == {"cdc_gate"}
    assert titles(plan(facts, gated)) == []
    server.execute(f"ALTER ROLE cdc_gate DROP MEMBER {LOGIN}")
    assert titles(plan(look(settings), gated)) == ["Put the reader into the gating role cdc_gate"]


def test_a_new_column_needs_a_second_instance_and_the_drained_one_goes_first(server, settings):
    run_script(server, script(plan(None, WANTED), WANTED))

    def stored_at(lsn: bytes) -> dict[str, CapturePosition]:
        position = str(Position.end_of(Lsn(lsn)))
        topic = TABLES[0].topic.name
        at = look(settings).session.now
        return {
            topic: CapturePosition(capture_instance="x", topic=topic, phase=Phase.STREAMING, position=position, at=at)
        }

    def newest_start() -> bytes:
        return server.execute("SELECT MAX(start_lsn) FROM cdc.change_tables")[0][0]

    server.execute("ALTER TABLE dbo.CUSTTABLE ADD VATNUM nvarchar(20)")
    left = plan(look(settings), WANTED)
    assert titles(left) == ["Capture the new columns of dbo.CUSTTABLE"]
    assert "N'dbo_CUSTTABLE_v2'" in left[0].sql
    before_second = newest_start()
    run_script(server, script(left, WANTED))
    assert titles(plan(look(settings), WANTED)) == []

    server.execute("ALTER TABLE dbo.CUSTTABLE ADD ORGID nvarchar(10)")
    waits = plan(look(settings, stored_at(before_second)), WANTED)
    assert titles(waits) == ["Wait until freshax has read dbo_CUSTTABLE to its end"]
    assert waits[0].sql is None
    left = plan(look(settings, stored_at(newest_start())), WANTED)
    assert titles(left) == [
        "Drop the drained capture instance dbo_CUSTTABLE",
        "Capture the new columns of dbo.CUSTTABLE",
    ]
    run_script(server, script(left, WANTED))
    names = {row[0] for row in server.execute("SELECT capture_instance FROM cdc.change_tables")}
    assert names == {"dbo_CUSTTABLE_v2", "dbo_CUSTTABLE_v3", "dbo_DIRPARTYTABLE"}


def test_columns_left_out_on_purpose_are_no_reason_for_another_instance(server, settings):
    server.execute("EXEC sys.sp_cdc_enable_db")
    server.execute(
        "EXEC sys.sp_cdc_enable_table N'dbo', N'CUSTTABLE', NULL, @captured_column_list = N'RECID, PARTITION'"
    )
    run_script(server, script(plan(None, WANTED), WANTED))
    assert titles(plan(look(settings), WANTED)) == []


def test_waiting_ends_when_the_readers_own_login_finds_all(server, settings):
    said, times = [], itertools.count(0, 5)

    def administrator(_seconds: float) -> None:
        run_script(server, script(plan(None, WANTED), WANTED))

    left = wait_until_done(
        lambda: look(settings),
        WANTED,
        said.append,
        deadline_seconds=3600,
        pause=administrator,
        clock=lambda: next(times),
    )
    assert left == []
    assert "sql_login_failed" in said[0]


def test_waiting_ends_at_the_deadline_with_what_is_left(server, settings):
    run_script(server, script(plan(None, WANTED), WANTED))
    server.execute(f"REVOKE SELECT ON dbo.CUSTTABLE FROM {LOGIN}")
    pauses, times = [], itertools.count(0, 5)
    left = wait_until_done(
        lambda: look(settings),
        WANTED,
        lambda _said: None,
        deadline_seconds=20,
        pause=pauses.append,
        clock=lambda: next(times),
    )
    assert titles(left) == ["Grant SELECT ON OBJECT::dbo.CUSTTABLE"]
    assert pauses


def test_the_commands_print_what_is_missing_and_say_when_nothing_is(server, settings, kafka, registry):
    environment = {
        "FRESHAX_AX_SQL__DRIVER": "FreeTDS",
        "FRESHAX_AX_SQL__SERVER": "127.0.0.1",
        "FRESHAX_AX_SQL__PORT": str(settings.port),
        "FRESHAX_AX_SQL__PASSWORD": PASSWORD,
        "FRESHAX_AX_SQL__ENCRYPT": "no",
        "FRESHAX_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "FRESHAX_REGISTRY__URL": registry,
    }
    run = CliRunner()
    first = run.invoke(app, ["capture", "plan"], env=environment)
    assert first.exit_code == 0
    assert "could not look (sql_login_failed" in first.stderr
    assert PASSWORD not in first.output
    run_script(server, first.stdout)
    server.execute(f"REVOKE SELECT ON SCHEMA::cdc FROM {LOGIN}")
    second = run.invoke(app, ["capture", "plan", "--output", "json"], env=environment)
    # Without this right instances cannot be seen either: their steps look before they act.
    assert json.loads(second.stdout)[-1]["sql"] == f"GRANT SELECT ON SCHEMA::cdc TO [{LOGIN}];"
    server.execute(f"GRANT SELECT ON SCHEMA::cdc TO {LOGIN}")
    third = run.invoke(app, ["capture", "plan", "--wait"], env=environment)
    assert (third.exit_code, third.stdout) == (0, "")
    assert "all is there" in third.stderr
    # These tables have a few columns only, so that their shape is what the doctor cannot let pass.
    doctor = run.invoke(app, ["doctor", "ax", "--output", "json"], env=environment)
    assert doctor.exit_code == 1
    failing = {row["check"] for row in json.loads(doctor.stdout) if row["state"] == "fail"}
    assert failing == {"dbo.CUSTTABLE schema", "dbo.DIRPARTYTABLE schema"}
    shown = run.invoke(app, ["doctor", "ax", "--table", "dbo.CUSTTABLE"], env=environment | {"COLUMNS": "200"})
    assert shown.exit_code == 1
    assert "dbo.CUSTTABLE capture instance" in shown.stdout
    assert "DIRPARTYTABLE" not in shown.stdout
