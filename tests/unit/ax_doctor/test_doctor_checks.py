"""Every finding of the doctor, on hand-made facts: what is healthy is ok, and each illness has a remedy."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.ax.catalog import CaptureInstance, NewestCommit
from connectors.ax.doctor_checks import findings
from connectors.ax.doctor_facts import (
    CaptureJob,
    Column,
    Database,
    Facts,
    Instance,
    Jobs,
    LogSpace,
    ScanError,
    ScanSession,
    Session,
    Stored,
    TableFacts,
    TableName,
    Unseen,
)
from connectors.ax.finding import Finding, State, failed
from connectors.ax.sql_types import SqlType
from schemas.failures import FatalError, RetryableError
from schemas.positions import Lsn, Position
from streams.runtime.settings import AxSqlSettings, CaptureSettings

SQL = AxSqlSettings(server="ax-sql")
CAPTURE = CaptureSettings()
NOW = datetime(2026, 1, 2, 12)  # noqa: DTZ001 - SQL Server's clock has no zone
UNSEEN = Unseen("the right is missing", "GRANT it")


def lsn(number: int) -> Lsn:
    return Lsn(number.to_bytes(10, "big"))


def instance(name="dbo_CUSTTABLE", start=10, **given) -> Instance:
    capture = CaptureInstance(name, start, f"{name}_CT", "dbo", "CUSTTABLE", lsn(start), NOW)
    return Instance(capture, **({"role": None, "in_role": None, "columns": ("A", "B")} | given))


SESSION = Session("freshax_reader", "libmsodbcsql 18", "16.0", "SQL", NOW, timedelta(seconds=0.1), encrypted=True)
DATABASE = Database("AX", "ONLINE", "READ_WRITE", True, "ON", "NOTHING", False)
TABLE = TableFacts(
    TableName("dbo", "CUSTTABLE"),
    (Column("A", SqlType("int")), Column("B", SqlType("int"))),
    True,
    (instance(),),
    Stored("dbo_CUSTTABLE", Position.end_of(lsn(100)), datetime(2026, 1, 2, tzinfo=UTC), reached=NOW),
)
HEALTHY = Facts(
    session=SESSION,
    database=DATABASE,
    view_database_state=True,
    cdc_schema=True,
    msdb_jobs=True,
    newest=NewestCommit(lsn(100), NOW, timedelta(seconds=2), timedelta(0)),
    jobs=Jobs(CaptureJob(1, 500, 10, True), timedelta(days=3)),
    agent="Running",
    scan=ScanSession(NOW, NOW, 0, 1, 0),
    errors=(),
    log=LogSpace(2**30, 10.0),
    tables=(TABLE,),
)


def found(facts: Facts = HEALTHY, sql: AxSqlSettings = SQL, **changes) -> dict[str, Finding]:
    all_findings = findings(replace(facts, **changes), sql, CAPTURE)
    assert len({finding.check for finding in all_findings}) == len(all_findings)
    assert all(f.remedy or f.state is State.OK for f in all_findings)
    return {finding.check: finding for finding in all_findings}


def with_table(**changes) -> dict[str, Finding]:
    return found(tables=(replace(TABLE, **changes),))


def test_a_healthy_system_has_no_finding_but_ok():
    assert {finding.state for finding in found().values()} == {State.OK}
    assert not failed(found().values())


@pytest.mark.parametrize(
    ("code", "check"),
    [
        ("sql_driver_missing", "driver"),
        ("sql_login_failed", "login"),
        ("sql_unreachable", "connection"),
        ("sql_certificate_untrusted", "connection"),
        ("sql_database_unavailable", "connection"),
    ],
)
def test_without_a_connection_the_reason_is_the_finding(code, check):
    all_findings = findings(Facts(FatalError(code, "connecting: it did not work")), SQL, CAPTURE)
    assert [(f.check, f.state) for f in all_findings] == [(check, State.FAIL)]
    assert "it did not work" in all_findings[0].seen


def test_tls_that_is_off_fails_even_when_nothing_else_can_be_looked_at():
    away = Facts(RetryableError("sql_unreachable", "nobody"))
    states = {f.check: f.state for f in findings(away, SQL.model_copy(update={"encrypt": "no"}), CAPTURE)}
    assert states == {"connection": State.FAIL, "tls": State.FAIL}


@pytest.mark.parametrize(
    ("sql", "session", "state"),
    [
        ({"encrypt": "no"}, SESSION, State.FAIL),
        ({"encrypt": "no", "server": "127.0.0.1"}, SESSION, State.OK),
        ({"trust_server_certificate": True}, SESSION, State.WARN),
        ({}, replace(SESSION, encrypted=False), State.FAIL),
        ({}, replace(SESSION, encrypted=UNSEEN), State.OK),
    ],
)
def test_tls(sql, session, state):
    assert found(sql=SQL.model_copy(update=sql), session=session)["tls"].state is state


@pytest.mark.parametrize(("seconds", "state"), [(4, State.OK), (-30, State.WARN), (3600, State.FAIL)])
def test_clocks(seconds, state):
    assert found(session=replace(SESSION, skew=timedelta(seconds=seconds)))["clock"].state is state


@pytest.mark.parametrize(
    ("changes", "intent", "state", "said"),
    [
        ({"state": "RESTORING"}, "ReadOnly", State.FAIL, "RESTORING"),
        ({"updateability": "READ_ONLY"}, "ReadOnly", State.OK, "readable secondary"),
        ({"updateability": "READ_ONLY"}, "ReadWrite", State.WARN, "secondary"),
        ({"always_on": True}, "ReadOnly", State.OK, "primary"),
    ],
)
def test_the_database_and_which_replica_answers(changes, intent, state, said):
    sql = SQL.model_copy(update={"application_intent": intent})
    finding = found(sql=sql, database=replace(DATABASE, **changes))["database"]
    assert finding.state is state
    assert said in finding.seen


def test_without_cdc_nothing_behind_it_is_looked_at():
    all_findings = found(database=replace(DATABASE, cdc_enabled=False))
    assert all_findings["cdc"].state is State.FAIL
    assert "capture plan" in all_findings["cdc"].remedy
    assert "capturing" not in all_findings


@pytest.mark.parametrize(
    ("check", "changes", "state"),
    [
        ("snapshot isolation", {"database": replace(DATABASE, snapshot_isolation="OFF")}, State.WARN),
        ("rights on cdc", {"cdc_schema": False}, State.FAIL),
        ("agent", {"agent": "Stopped"}, State.FAIL),
        ("agent", {"agent": UNSEEN}, State.NOT_CHECKED),
        ("capture job", {"jobs": Jobs(None, timedelta(days=3))}, State.FAIL),
        ("capture job", {"jobs": Jobs(CaptureJob(1, 500, 10, False), timedelta(days=3))}, State.WARN),
        ("capture job", {"jobs": UNSEEN}, State.NOT_CHECKED),
        ("capturing", {"newest": None}, State.WARN),
        ("capturing", {"newest": UNSEEN}, State.NOT_CHECKED),
        ("capturing", {"newest": replace(HEALTHY.newest, lag=timedelta(minutes=9))}, State.OK),
        ("capturing", {"newest": replace(HEALTHY.newest, lag=timedelta(minutes=11))}, State.FAIL),
        ("capture errors", {"errors": (ScanError(2628, NOW + timedelta(minutes=1)),)}, State.FAIL),
        ("capture errors", {"errors": (ScanError(2628, NOW - timedelta(minutes=1)),)}, State.WARN),
        ("capture errors", {"errors": UNSEEN}, State.NOT_CHECKED),
        ("polling", {"jobs": Jobs(CaptureJob(5, 500, 10, True), timedelta(days=3))}, State.WARN),
        ("retention", {"jobs": Jobs(CaptureJob(1, 500, 10, True), timedelta(hours=3))}, State.WARN),
        ("retention", {"jobs": Jobs(CaptureJob(1, 500, 10, True), None)}, State.WARN),
        ("retention", {"jobs": UNSEEN}, State.NOT_CHECKED),
        ("transaction log", {"database": replace(DATABASE, log_reuse_wait="REPLICATION")}, State.WARN),
        (
            "transaction log",
            {"database": replace(DATABASE, log_reuse_wait="REPLICATION"), "log": LogSpace(2**30, 80.0)},
            State.FAIL,
        ),
        ("transaction log", {"log": UNSEEN}, State.OK),
    ],
)
def test_server_and_jobs(check, changes, state):
    finding = found(**changes)[check]
    assert finding.state is state
    if state is State.NOT_CHECKED:
        assert finding.remedy == "GRANT it"


def test_a_stopped_agent_is_the_remedy_where_nothing_is_captured():
    facts = {"newest": replace(HEALTHY.newest, lag=timedelta(hours=1)), "agent": "Stopped"}
    assert found(**facts)["capturing"].remedy == "start SQL Server Agent"


TWO = (instance(), instance("dbo_CUSTTABLE_v2", 60))


def stored(number: int, reached: datetime | None = NOW) -> Stored:
    return replace(TABLE.stored, position=Position.end_of(lsn(number)), reached=reached)


@pytest.mark.parametrize(
    ("check", "changes", "state", "said"),
    [
        ("rights", {"may_select": False}, State.FAIL, "no SELECT"),
        ("rights", {"may_select": False, "columns": ()}, State.FAIL, "no such table, or no right"),
        ("capture instance", {"instances": ()}, State.FAIL, "no change is captured"),
        ("capture instance", {"instances": UNSEEN}, State.NOT_CHECKED, "right"),
        ("gating role", {"instances": (instance(start=0, role="gate", in_role=False),)}, State.FAIL, "gate"),
        ("gating role", {"instances": (instance(start=0),)}, State.FAIL, "all zeros"),
        ("gating role", {"instances": (instance(role="gate", in_role=True),)}, State.OK, "gate"),
        ("schema", {"misfits": ("A is nvarchar(10), declared int",)}, State.FAIL, "A is nvarchar(10)"),
        ("schema", {"misfits": UNSEEN}, State.NOT_CHECKED, "right"),
        ("columns", {"instances": (instance(columns=("A",), ddl=("ALTER TABLE T ADD B int",)),)}, State.FAIL, "B"),
        ("columns", {"instances": (instance(columns=("A",)),)}, State.OK, "1 left out on purpose"),
        ("instances", {"instances": TWO}, State.WARN, "dbo_CUSTTABLE is read to its end"),
        ("instances", {"instances": TWO, "stored": stored(20)}, State.OK, "up to the start of dbo_CUSTTABLE_v2"),
        ("position", {"stored": None}, State.OK, "takes a snapshot"),
        ("position", {"stored": UNSEEN}, State.NOT_CHECKED, "right"),
        ("position", {"stored": stored(5)}, State.FAIL, "changes are lost"),
        ("position", {"stored": stored(500)}, State.FAIL, "restored"),
        ("position", {"stored": stored(50)}, State.OK, "changes wait"),
        ("time until loss", {"stored": stored(100, NOW - timedelta(hours=71))}, State.FAIL, "1.0 hours"),
        ("time until loss", {"stored": stored(100, NOW - timedelta(hours=60))}, State.WARN, "12.0 hours"),
    ],
)
def test_a_table(check, changes, state, said):
    finding = with_table(**changes)[f"dbo.CUSTTABLE {check}"]
    assert finding.state is state
    assert said in finding.seen


def test_the_time_until_loss_is_not_told_where_the_retention_is_not_visible():
    assert found(jobs=UNSEEN)["dbo.CUSTTABLE time until loss"].state is State.NOT_CHECKED


def test_a_gap_names_the_snapshot_that_heals_it():
    assert "freshax capture snapshot CUSTTABLE" in with_table(stored=stored(5))["dbo.CUSTTABLE position"].remedy
