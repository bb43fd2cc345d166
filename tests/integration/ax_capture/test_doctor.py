"""The doctor on the stand-in: with all rights it finds nothing, and each thing that is broken is found.

The rules themselves are tested on hand-made facts in tests/unit/ax_doctor; here the questions meet a server that
refuses what SQL Server refuses.
"""

import contextlib

import psycopg
import pytest
from pydantic import SecretStr

from connectors.ax.doctor_checks import findings
from connectors.ax.doctor_reader import read_facts, read_stored
from connectors.ax.finding import State
from schemas.positions import Lsn, Position
from streams.runtime.schema_admin import Subjects
from tests.integration.ax_capture.conftest import READER

FREETDS = pytest.mark.parametrize("driver", ["freetds"], indirect=True)
EVERYTHING = (
    f"GRANT VIEW DATABASE STATE TO [{READER}]",
    f"GRANT VIEW SERVER STATE TO [{READER}]",
    f"USE msdb; GRANT SELECT ON OBJECT::dbo.cdc_jobs TO [{READER}]; USE [AX]",
)


class Doctor:
    """Looks at a bench and says the state of each check; {C} in a check's name is the customers' table."""

    def __init__(self, bench) -> None:
        self._bench = bench

    def look(self, sql=None, stored=None):
        bench = self._bench
        sql = sql or bench.sql
        known = stored if stored is not None else read_stored(bench.kafka, bench.codec)
        facts = read_facts(sql, bench.tables, {}, known, Subjects(bench.registry))
        return {f.check.replace(f"dbo.{bench.customers.name}", "C"): f for f in findings(facts, sql, self.settings)}

    @property
    def settings(self):
        return self._bench.capture_settings.model_copy(update={"stalled_after_seconds": 600})


@pytest.fixture
def doctor(bench):
    return Doctor(bench)


@contextlib.contextmanager
def all_rights(bench):
    for statement in EVERYTHING:
        bench.server.execute(statement)
    try:
        yield
    finally:
        for statement in EVERYTHING:
            bench.server.execute(statement.replace("GRANT", "REVOKE").replace(" TO [", " FROM ["))


def captured_once(bench) -> None:
    """A row captured, read and stored, as on a working day."""
    bench.execute("INSERT INTO {C} (RECID) VALUES (1)")
    bench.scan()
    bench.capture().wait_streaming().stop()


def test_a_healthy_feed_has_no_failure_on_either_driver(bench, doctor):
    captured_once(bench)
    bench.server.execute("EXEC sys.sp_cdc_start_job N'capture'")
    try:
        with all_rights(bench):
            found = doctor.look()
    finally:
        bench.server.execute("EXEC sys.sp_cdc_stop_job N'capture'")
    assert {check: f.seen for check, f in found.items() if f.state not in (State.OK, State.WARN)} == {}
    # Defaults of SQL Server that freshax would have otherwise.
    assert {check for check, f in found.items() if f.state is State.WARN} <= {"polling", "transaction log"}
    assert found["C time until loss"].seen.startswith(("71.", "72."))
    assert found["tls"].seen == "off, on this machine only"
    assert found["agent"].seen == "Running"


@FREETDS
def test_without_rights_things_are_not_checked_and_the_grant_is_named(bench, doctor):
    found = doctor.look()
    hidden = {check: f.remedy for check, f in found.items() if f.state is State.NOT_CHECKED}
    assert hidden.keys() >= {"agent", "capture job", "capture errors", "retention", "polling"}
    assert hidden["capture errors"] == f"GRANT VIEW DATABASE STATE TO [{READER}]"
    assert hidden["retention"] == f"in msdb: GRANT SELECT ON dbo.cdc_jobs TO [{READER}]"
    assert hidden["agent"].startswith(f"GRANT VIEW SERVER STATE TO [{READER}]")

    bench.server.execute(f"REVOKE SELECT ON SCHEMA::cdc FROM [{READER}]")
    bench.server.execute(f"REVOKE SELECT ON dbo.{bench.customers.name} FROM [{READER}]")
    try:
        found = doctor.look()
    finally:
        bench.server.execute(f"GRANT SELECT ON SCHEMA::cdc TO [{READER}]")
        bench.server.execute(f"GRANT SELECT ON dbo.{bench.customers.name} TO [{READER}]")
    assert found["rights on cdc"].state is State.FAIL
    assert found["C rights"].state is State.FAIL
    assert found["C capture instance"].state is State.NOT_CHECKED
    assert found["capturing"].state is State.NOT_CHECKED


@FREETDS
def test_what_is_broken_in_the_server_is_found(bench, doctor):
    bench.server.execute("ALTER DATABASE AX SET ALLOW_SNAPSHOT_ISOLATION OFF")
    bench.server.execute("EXEC sys.sp_cdc_change_job N'cleanup', @retention = 60")
    bench.execute("INSERT INTO {C} (RECID) VALUES (1)")
    bench.scan()
    bench.plain(
        "UPDATE cdc.lsn_time_mapping SET tran_end_time = tran_end_time::timestamp - interval '1 hour'",
        "INSERT INTO sys.scan_errors (entry_time, error_number) VALUES (sys.getdate(), 2628)",
    )
    try:
        with all_rights(bench):
            found = doctor.look()
    finally:
        bench.server.execute("ALTER DATABASE AX SET ALLOW_SNAPSHOT_ISOLATION ON")
        bench.server.execute("EXEC sys.sp_cdc_change_job N'cleanup', @retention = 4320")
        bench.plain("DELETE FROM sys.scan_errors")
    states = {check: found[check].state for check in ("snapshot isolation", "retention", "polling")}
    assert set(states.values()) == {State.WARN}
    assert found["agent"].state is State.FAIL
    assert found["capturing"].state is State.FAIL
    assert found["capturing"].remedy == "start SQL Server Agent"
    assert found["capture errors"].state is State.FAIL
    assert "2628" in found["capture errors"].seen


@FREETDS
def test_a_gating_role_hides_changes_and_is_named(bench, doctor):
    bench.disable(bench.customers)
    bench.enable(bench.customers, role="doctor_gate")
    finding = doctor.look(stored={})["C gating role"]
    assert finding.state is State.FAIL
    assert "doctor_gate" in finding.seen


@FREETDS
def test_new_columns_a_wrong_shape_and_a_drained_instance_are_found(bench, doctor):
    captured_once(bench)
    bench.execute("ALTER TABLE {C} ADD NOTE nvarchar(20)")
    assert "NOTE" in doctor.look()["C columns"].seen
    bench.enable(bench.customers, instance=f"{bench.customers.name}_v2")
    found = doctor.look()
    assert found["C columns"].state is State.OK
    assert found["C instances"].state is State.OK
    bench.execute("INSERT INTO {C} (RECID) VALUES (2)")
    bench.scan()
    bench.capture(register=False)
    bench.running[-1].stop()
    stored = read_stored(bench.kafka, bench.codec)
    checkpoint = stored[bench.customers.topic.name]
    newest = Position.end_of(Lsn(bench.server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0][0]))
    stored[bench.customers.topic.name] = type(checkpoint)(
        capture_instance=checkpoint.capture_instance,
        topic=checkpoint.topic,
        phase=checkpoint.phase,
        position=str(newest),
        at=checkpoint.at,
    )
    finding = doctor.look(stored=stored)["C instances"]
    assert finding.state is State.WARN
    assert "read to its end" in finding.seen
    bench.execute("ALTER TABLE {C} ALTER COLUMN RECVERSION nvarchar(10) NOT NULL")
    shape = doctor.look(stored=stored)["C schema"]
    assert shape.state is State.FAIL
    assert "RECVERSION" in shape.seen


@FREETDS
def test_a_gap_and_a_restored_database_are_found_before_the_capture_stumbles_over_them(bench, doctor):
    captured_once(bench)
    assert doctor.look()["C position"].state is State.OK
    ahead = read_stored(bench.kafka, bench.codec)
    before = bench.server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0][0]
    bench.execute("INSERT INTO {C} (RECID) VALUES (2)")
    bench.scan()
    newest = bench.server.execute("SELECT sys.fn_cdc_get_max_lsn()")[0][0]
    bench.server.execute(
        f"EXEC sys.sp_cdc_cleanup_change_table @capture_instance = N'dbo_{bench.customers.name}', "
        f"@low_water_mark = 0x{newest.hex()}, @threshold = 5000"
    )
    gap = doctor.look(stored=ahead)["C position"]
    assert gap.state is State.FAIL
    assert f"freshax capture snapshot {bench.customers.name}" in gap.remedy
    bench.capture(snapshot=True).wait_streaming().stop()
    ahead = read_stored(bench.kafka, bench.codec)
    with psycopg.connect(bench.server.server.dsn) as connection:
        connection.execute("DELETE FROM cdc.lsn_time_mapping WHERE start_lsn::bytea > %s", [before])
    restored = doctor.look(stored=ahead)["C position"]
    assert restored.state is State.FAIL
    assert "restored" in restored.seen


@FREETDS
def test_a_server_that_is_away_and_a_wrong_password_are_findings(doctor, sql_settings):
    wrong = doctor.look(sql_settings.model_copy(update={"password": SecretStr("canary-12")}))
    assert wrong["login"].state is State.FAIL
    assert "canary-12" not in wrong["login"].seen
    missing = doctor.look(sql_settings.model_copy(update={"driver": "/nowhere/libtdsodbc.so"}))
    assert missing["driver"].state is State.FAIL


def test_tls_is_told_as_the_server_sees_it(bench, doctor, sql_server, driver):
    named = (
        {"server_certificate": sql_server.server.ca_file, "encrypt": "yes"}
        if driver == "FreeTDS"
        else {"server_certificate": sql_server.server.server_certificate_file, "encrypt": "strict"}
    )
    with all_rights(bench):
        found = doctor.look(bench.sql.model_copy(update=named), stored={})
    assert found["tls"].state is State.OK
    assert "as the server says, certificate checked" in found["tls"].seen
