"""The doctor's checks of server, database and jobs: facts → findings. Pure; each check is one question.

A finding is ok, warn, fail or not checked. What the login may not see is never taken for healthy, and never for ill.
Source: reference on SQL Server CDC, sections 1, 7, 10 and 11.
"""

from __future__ import annotations

from datetime import timedelta

from connectors.ax.catalog import NewestCommit
from connectors.ax.doctor_facts import Database, Facts, Jobs, Session, Unseen
from connectors.ax.doctor_tables import table_findings
from connectors.ax.finding import Finding, fail, not_checked, ok, warn
from schemas.failures import Failure
from streams.runtime.settings import AxSqlSettings, CaptureSettings

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SKEW_WARN, _SKEW_FAIL = timedelta(seconds=5), timedelta(seconds=60)
_LONGEST_POLL_SECONDS = 5
# Three quarters of a log that has to wait for the capture job: it grows, and on a full disk all writers stop.
_LOG_FULL_PERCENT = 75.0
_LEAST_RETENTION = timedelta(days=1)
_PLAN = "`freshax capture plan` prints the T-SQL"
_START_JOB = "EXEC sys.sp_cdc_start_job N'capture'; look at the job's history and at sys.dm_cdc_errors"


def findings(facts: Facts, sql: AxSqlSettings, capture: CaptureSettings) -> list[Finding]:
    """All findings of one look, in the order in which one mends them."""
    session, database = facts.session, facts.database
    if isinstance(session, Failure) or database is None:
        return [*connection_findings(session), *tls_findings(session, sql)]
    found = [*connection_findings(session), *tls_findings(session, sql), clock(session), state(database, sql)]
    found += [cdc_enabled(database), snapshot_isolation(database)]
    if not database.cdc_enabled:
        return found
    limit = timedelta(seconds=capture.stalled_after_seconds)
    found += [cdc_schema(facts), agent(facts), job(facts), scanning(facts, limit), scan_errors(facts)]
    found += [polling(facts), retention(facts), log(facts, database)]
    return [*found, *(finding for table in facts.tables for finding in table_findings(table, facts))]


def connection_findings(session: Session | Failure) -> list[Finding]:
    """The driver loads; the server answers; the login is taken."""
    if not isinstance(session, Failure):
        return [
            ok("driver", session.driver),
            ok("login", f"{session.login} by {session.auth_scheme}, SQL Server {session.server_version}"),
        ]
    if session.code == "sql_driver_missing":
        return [fail("driver", session.message, "install it, or name it in FRESHAX_AX_SQL__DRIVER (`odbcinst -q -d`)")]
    remedies = {
        "sql_login_failed": "check user and password; the login of the plan: `freshax capture plan --empty`",
        "sql_database_unavailable": "check FRESHAX_AX_SQL__DATABASE, and that the login has a user in it",
        "sql_unreachable": "check server, port and firewall",
        "sql_no_handshake": "check the server's name and its certificate (FreeTDS does not say which)",
        "sql_certificate_untrusted": "trust the issuer, or name the certificate in FRESHAX_AX_SQL__SERVER_CERTIFICATE",
    }
    check = "login" if session.code == "sql_login_failed" else "connection"
    return [fail(check, session.message, remedies.get(session.code, "see the message"))]


def tls_findings(session: Session | Failure, sql: AxSqlSettings) -> list[Finding]:
    """Encrypted, and by a certificate that was checked."""
    where = f"to {sql.server}"
    if sql.encrypt == "no":
        if sql.server in _LOOPBACK:
            return [ok("tls", "off, on this machine only")]
        return [fail("tls", f"off {where}: password and data in clear", "set FRESHAX_AX_SQL__ENCRYPT=yes")]
    seen = None if isinstance(session, Failure) else session.encrypted
    if seen is False:
        return [
            fail("tls", f"{sql.encrypt} asked for {where}, but the server says it is not encrypted", "stop using it")
        ]
    if sql.trust_server_certificate:
        return [
            warn(
                "tls",
                f"on {where}, but the certificate is not checked: anybody can answer in the server's place",
                "unset FRESHAX_AX_SQL__TRUST_SERVER_CERTIFICATE, and trust the issuer of the server's certificate",
            )
        ]
    if isinstance(session, Failure):
        return []
    said = ", as the server says" if seen is True else ""
    return [ok("tls", f"{sql.encrypt}{said}, certificate checked")]


def clock(session: Session) -> Finding:
    """The server's clock against ours."""
    skew = session.skew
    seen = f"the server is {abs(skew.total_seconds()):.1f} s {'ahead' if skew > timedelta(0) else 'behind'}"
    remedy = "synchronise both clocks (NTP): latency and the times of changes are wrong by that much"
    if abs(skew) >= _SKEW_FAIL:
        return fail("clock", seen, remedy)
    return warn("clock", seen, remedy) if abs(skew) >= _SKEW_WARN else ok("clock", seen)


def state(database: Database, sql: AxSqlSettings) -> Finding:
    """The database is online, and is the replica that was meant."""
    check = "database"
    seen = f"{database.name} is {database.state}, {database.updateability}"
    if database.state != "ONLINE":
        return fail(check, seen, "bring the database online")
    if database.updateability == "READ_ONLY":
        if sql.application_intent == "ReadWrite":
            return warn(check, f"{seen}: a secondary, though ReadWrite is asked for", "connect to the listener")
        return ok(check, f"{seen}: a readable secondary, which may lag behind its primary")
    if database.always_on and sql.application_intent == "ReadOnly":
        return ok(check, f"{seen}: the primary; no readable secondary was chosen by ApplicationIntent=ReadOnly")
    return ok(check, seen)


def cdc_enabled(database: Database) -> Finding:
    """Change data capture is on."""
    if database.cdc_enabled:
        return ok("cdc", "enabled on the database")
    return fail("cdc", f"not enabled on {database.name}", _PLAN)


def snapshot_isolation(database: Database) -> Finding:
    """A first load can read one moment without locks."""
    if database.snapshot_isolation == "ON":
        return ok("snapshot isolation", "allowed")
    seen = f"{database.snapshot_isolation}: a first load reads page by page, which converges but is no single moment"
    return warn("snapshot isolation", seen, f"ALTER DATABASE [{database.name}] SET ALLOW_SNAPSHOT_ISOLATION ON")


def cdc_schema(facts: Facts) -> Finding:
    """The CDC catalog and the change tables are ours to read."""
    if facts.cdc_schema:
        return ok("rights on cdc", "SELECT ON SCHEMA::cdc")
    login = facts.session.login if isinstance(facts.session, Session) else "the reader"
    return fail("rights on cdc", f"{login} lacks SELECT ON SCHEMA::cdc", f"GRANT SELECT ON SCHEMA::cdc TO [{login}]")


def agent(facts: Facts) -> Finding:
    """SQL Server Agent runs, where its state is visible."""
    check = "agent"
    if isinstance(facts.agent, Unseen):
        return not_checked(check, facts.agent)
    if facts.agent == "Running":
        return ok(check, facts.agent)
    return fail(check, f"SQL Server Agent is {facts.agent}: nothing is captured, the log grows", "start the service")


def job(facts: Facts) -> Finding:
    """The capture job exists."""
    check = "capture job"
    if isinstance(facts.jobs, Unseen):
        return not_checked(check, facts.jobs)
    if facts.jobs.capture is None:
        remedy = "EXEC sys.sp_cdc_add_job N'capture' (after a restore it has to be made again by hand)"
        return fail(check, "there is none: nothing is captured", remedy)
    found = facts.jobs.capture
    seen = f"every {found.polling_interval_seconds} s, {found.max_transactions} x {found.max_scans} transactions"
    if not found.continuous:
        return warn(check, f"{seen}, not continuous: it scans once per start", "@continuous = 1 by sp_cdc_change_job")
    return ok(check, seen)


def scanning(facts: Facts, limit: timedelta) -> Finding:
    """The capture job reads the log: in quiet times it writes a dummy commit about every five minutes."""
    check = "capturing"
    newest = facts.newest
    if isinstance(newest, Unseen):
        return not_checked(check, newest)
    scanned = _scanned(facts)
    if newest is None:
        return warn(
            check,
            f"nothing was captured yet{scanned}",
            f"change a row of a captured table; if that helps not: {_START_JOB}",
        )
    seen = f"newest commit {_spoken(newest.lag)} ago{scanned}"
    if newest.lag > limit:
        remedy = "start SQL Server Agent" if facts.agent == "Stopped" else _START_JOB
        return fail(check, f"{seen}; a dummy commit is due every five minutes", remedy)
    return ok(check, seen)


def _scanned(facts: Facts) -> str:
    if isinstance(facts.scan, Unseen) or facts.scan is None:
        return ""
    ended = facts.scan.ended
    when = "still runs" if ended is None else f"ended {ended:%Y-%m-%d %H:%M:%S}"
    return f"; last scan with changes {when}, latency {facts.scan.latency_seconds} s"


def scan_errors(facts: Facts) -> Finding:
    """What sys.dm_cdc_errors lists. An error behind the newest commit is one that the job stands on."""
    check = "capture errors"
    if isinstance(facts.errors, Unseen):
        return not_checked(check, facts.errors)
    if not facts.errors:
        return ok(check, "none")
    newest = max(facts.errors, key=lambda error: error.at)
    seen = f"{len(facts.errors)}, the newest {newest.number} at {newest.at:%Y-%m-%d %H:%M:%S}"
    remedy = "SELECT * FROM sys.dm_cdc_errors; 2628 and 8115 need a new capture instance, 9002 a larger log"
    commit = facts.newest if isinstance(facts.newest, NewestCommit) else None
    if commit is None or newest.at > commit.committed_at:
        return fail(check, f"{seen}: nothing was captured since", remedy)
    return warn(check, f"{seen}; captured again since", remedy)


def polling(facts: Facts) -> Finding:
    """How long a change waits for the job, and how many it takes."""
    check = "polling"
    if not isinstance(facts.jobs, Jobs) or facts.jobs.capture is None:
        return not_checked(check, _job_unseen(facts))
    found = facts.jobs.capture
    ceiling = found.max_transactions * found.max_scans / max(1, found.polling_interval_seconds)
    seen = f"every {found.polling_interval_seconds} s, at most {ceiling:.0f} transactions per second"
    if found.polling_interval_seconds >= _LONGEST_POLL_SECONDS:
        remedy = "EXEC sys.sp_cdc_change_job N'capture', @pollinginterval = 1; then stop and start the job"
        return warn(check, f"{seen}: a change waits {found.polling_interval_seconds / 2:.1f} s on average", remedy)
    return ok(check, seen)


def retention(facts: Facts) -> Finding:
    """How long changes are kept."""
    check = "retention"
    if not isinstance(facts.jobs, Jobs):
        return not_checked(check, _job_unseen(facts))
    kept = facts.jobs.retention
    if kept is None:
        return warn(check, "no cleanup job: change tables grow for ever", "EXEC sys.sp_cdc_add_job N'cleanup'")
    if kept < _LEAST_RETENTION:
        remedy = "EXEC sys.sp_cdc_change_job N'cleanup', @retention = 4320"
        return warn(check, f"{_spoken(kept)}: a longer outage costs a new snapshot", remedy)
    return ok(check, _spoken(kept))


def log(facts: Facts, database: Database) -> Finding:
    """The transaction log cannot be cut while the capture job has not read it."""
    check = "transaction log"
    waits = database.log_reuse_wait == "REPLICATION"
    size = facts.log
    seen = f"waits for {database.log_reuse_wait}"
    if not isinstance(size, Unseen):
        seen += f", {size.total_bytes / 2**30:.1f} GiB, {size.used_percent:.0f} % used"
        if waits and size.used_percent >= _LOG_FULL_PERCENT:
            return fail(check, f"{seen}: when it is full all writers stop", f"let the capture job read: {_START_JOB}")
    if waits:
        return warn(check, f"{seen}: the capture job is behind or stopped", _START_JOB)
    return ok(check, seen)


def _job_unseen(facts: Facts) -> Unseen:
    return facts.jobs if isinstance(facts.jobs, Unseen) else Unseen("there is no such job", _START_JOB)


def _spoken(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
