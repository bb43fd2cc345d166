"""What a database administrator has to run for freshax, step by step, from what the database has already. Pure.

freshax itself runs none of it. Every statement looks before it acts, so the script can be run again, in part, or by
somebody who saw an older one. Nothing known (None) gives the whole plan: deploy/sqlserver/enable-cdc.sql is exactly
that, and a test compares. Source: reference on SQL Server CDC, sections 1, 2, 7, 8 and 10.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.ax.catalog import covers
from connectors.ax.doctor_facts import Column, Facts, Instance, Jobs, TableFacts, TableName, Unseen
from connectors.ax.sql_types import avro_type
from schemas.failures import Failure, FatalError

# Tables that are only looked up, never captured, and why.
LOOKED_UP: dict[TableName, str] = {
    TableName("dbo", "CUSTINVOICETABLE"): "see which free-text invoices AX holds, which its service cannot tell",
    TableName("dbo", "LEDGERJOURNALTABLE"): "see which journals AX holds, which their service cannot tell",
    TableName("dbo", "VENDTRANS"): "see which vendor invoices AX has posted",
    TableName("dbo", "PARTITIONS"): "find the number of a partition key",
}
_LONGEST_INSTANCE = 100
_VERSION = re.compile(r"_v(\d+)$")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be there. `login` with a backslash is a Windows account. `retention_minutes` is the least.

    `database` is written as it stands, so in brackets: a script for sqlcmd has a variable there.
    """

    tables: tuple[TableName, ...]
    login: str
    database: str
    role: str | None = None
    retention_minutes: int = 4320
    polling_interval_seconds: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `sql` is None while there is nothing to run yet; `required`: nothing works without it.

    `may_fail`: an error must not end the script.
    """

    title: str
    reason: str
    sql: str | None
    required: bool = True
    database: str = ""
    may_fail: bool = False

    def as_json(self) -> dict[str, str | bool | None]:
        """For machines."""
        return {
            "step": self.title,
            "reason": self.reason,
            "required": self.required,
            "database": self.database or None,
            "sql": self.sql,
        }


def plan(facts: Facts | None, wanted: Wanted) -> list[Step]:
    """The steps that are left, in their order. Empty: all is there."""
    if facts is not None and isinstance(facts.session, Failure):
        facts = None
    steps = [*_database_steps(facts, wanted)]
    known = {table.table: table for table in facts.tables} if facts is not None else {}
    for table in wanted.tables:
        steps += _table_steps(table, known.get(table), wanted)
    return [*steps, *_right_steps(facts, wanted), *_job_steps(facts, wanted)]


def _database_steps(facts: Facts | None, wanted: Wanted) -> Iterable[Step]:
    database = facts.database if facts is not None else None
    if database is None or not database.cdc_enabled:
        yield Step(
            "Enable change data capture on the database",
            "SQL Server Agent must run: its job reads the transaction log. Needs sysadmin.",
            "IF NOT EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID() AND is_cdc_enabled = 1)\n"
            "    EXEC sys.sp_cdc_enable_db;",
        )
    if database is None or database.snapshot_isolation not in ("ON", "IN_TRANSITION_TO_ON"):
        yield Step(
            "Allow SNAPSHOT isolation",
            "A first load then reads one moment without a lock; without it, page by page. Waits for open transactions.",
            f"ALTER DATABASE {wanted.database} SET ALLOW_SNAPSHOT_ISOLATION ON;",
            required=False,
        )


def _table_steps(table: TableName, facts: TableFacts | None, wanted: Wanted) -> Iterable[Step]:
    instances = facts.instances if facts is not None else ()
    if isinstance(instances, Unseen) or not instances:
        yield Step(
            f"Capture {table}",
            "Net changes are not needed and would slow the capture job.",
            f"IF NOT {_instance_where(f'source_object_id = OBJECT_ID({literal(_bracketed(table))})')}\n"
            + _enable(table, facts, wanted.role, instance=None),
        )
        return
    ordered = oldest_first(instances)
    lacking = lacking_columns(facts, ordered[-1]) if facts is not None else ()
    drained = len(ordered) > 1 and facts is not None and is_drained(facts, ordered)
    if len(ordered) > 1 and drained:
        yield _drop(table, ordered[0], required=bool(lacking))
    if lacking and len(ordered) > 1 and not drained:
        yield Step(
            f"Wait until freshax has read {ordered[0].capture.name} to its end",
            f"{table} has new columns ({', '.join(lacking)}) and two capture instances, the most that there can be. "
            "Ask again when `freshax capture` has passed the start of the newer one.",
            None,
        )
    elif lacking:
        name = next_instance_name(table, (instance.capture.name for instance in ordered))
        yield Step(
            f"Capture the new columns of {table}",
            f"{ordered[-1].capture.name} lacks {', '.join(lacking)}: they are lost in silence until there is a second "
            "instance. freshax reads the old one up to the start of the new one, then switches.",
            f"IF NOT {_instance_where(f'capture_instance = {literal(name)}')}\n"
            + _enable(table, facts, wanted.role, instance=name),
        )


def _instance_where(condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM cdc.change_tables WHERE {condition})"  # noqa: S608 - names are quoted by the caller


def _drop(table: TableName, old: Instance, *, required: bool) -> Step:
    return Step(
        f"Drop the drained capture instance {old.capture.name}",
        "freshax reads its successor. A table has two instances at most: the next change of columns needs the place.",
        f"IF {_instance_where(f'capture_instance = {literal(old.capture.name)}')}\n"
        f"    EXEC sys.sp_cdc_disable_table @source_schema = {literal(table.schema)}, "
        f"@source_name = {literal(table.name)},\n        @capture_instance = {literal(old.capture.name)};",
        required,
    )


def _enable(table: TableName, facts: TableFacts | None, role: str | None, *, instance: str | None) -> str:
    gate = literal(role) if role else "NULL"
    source = f"@source_schema = {literal(table.schema)}, @source_name = {literal(table.name)}"
    lines = [
        f"    EXEC sys.sp_cdc_enable_table {source}, @role_name = {gate},",
        "        @supports_net_changes = 0",
    ]
    if instance is not None:
        lines[-1] += f", @capture_instance = {literal(instance)}"
    columns = facts.columns if facts is not None else ()
    if any(not _carried(column) for column in columns):
        chosen = ", ".join(bracketed(column.name) for column in columns if _carried(column))
        lines[-1] += f",\n        @captured_column_list = {literal(chosen)}"
    return "\n".join(lines) + ";"


def _right_steps(facts: Facts | None, wanted: Wanted) -> Iterable[Step]:
    login = wanted.login
    name = bracketed(login)
    if facts is None:
        yield from _login_steps(wanted)
    known = {table.table: table for table in facts.tables} if facts is not None else {}
    for table in wanted.tables:
        seen = known.get(table)
        if seen is None or not seen.may_select:
            yield _grant(f"SELECT ON OBJECT::{_bracketed(table)}", name, f"read {table}: its snapshot and its changes")
    for table, reason in LOOKED_UP.items():
        if table not in wanted.tables and (facts is None or not facts.readable.get(table, False)):
            yield _grant(f"SELECT ON OBJECT::{_bracketed(table)}", name, reason)
    if facts is None or not facts.cdc_schema:
        yield _grant("SELECT ON SCHEMA::cdc", name, "read the change tables and the CDC catalog")
    yield from _role_steps(facts, wanted)
    if facts is None or not facts.view_database_state:
        yield _grant("VIEW DATABASE STATE", name, "read the health of the capture job", required=False)
    if facts is None or not facts.msdb_jobs:
        yield Step(
            "Let the reader see the settings of the CDC jobs",
            "How long changes are kept: without it nobody knows when they are lost.",
            f"IF DATABASE_PRINCIPAL_ID({literal(login)}) IS NULL\n    CREATE USER {name} FOR LOGIN {name};\n"
            f"GRANT SELECT ON OBJECT::[dbo].[cdc_jobs] TO {name};",
            required=False,
            database="[msdb]",
        )


def _login_steps(wanted: Wanted) -> Iterable[Step]:
    login = wanted.login
    name = bracketed(login)
    windows = "\\" in login
    source = "FROM WINDOWS WITH" if windows else "WITH PASSWORD = N'$(READER_PASSWORD)',"
    yield Step(
        f"The reader's login {login}",
        "Its own login, no server role, no database role: freshax reads, and writes nothing.",
        f"IF SUSER_ID({literal(login)}) IS NULL\n    CREATE LOGIN {name} {source} "
        f"DEFAULT_DATABASE = {wanted.database};",
    )
    yield Step(
        f"The reader's user {login}",
        "What is granted below, is granted to it.",
        f"IF DATABASE_PRINCIPAL_ID({literal(login)}) IS NULL\n    CREATE USER {name} FOR LOGIN {name};",
    )


def _role_steps(facts: Facts | None, wanted: Wanted) -> Iterable[Step]:
    """Membership in the gating role of each instance, and in the one that is about to be named."""
    roles: list[str] = []
    for table in facts.tables if facts is not None else ():
        if not isinstance(table.instances, Unseen):
            roles += [instance.role for instance in table.instances if instance.role and not instance.in_role]
    fresh = facts is None or any(not isinstance(t.instances, Unseen) and not t.instances for t in facts.tables)
    if wanted.role and fresh:
        roles.append(wanted.role)
    for role in dict.fromkeys(roles):
        yield Step(
            f"Put the reader into the gating role {role}",
            "Without it the reader sees no change of the tables that name this role.",
            f"ALTER ROLE {bracketed(role)} ADD MEMBER {bracketed(wanted.login)};",
        )


def _grant(right: str, name: str, reason: str, *, required: bool = True) -> Step:
    title = f"Grant {right.replace('[', '').replace(']', '')}"
    return Step(title, f"To {reason}.", f"GRANT {right} TO {name};", required)


def _job_steps(facts: Facts | None, wanted: Wanted) -> Iterable[Step]:
    jobs = facts.jobs if facts is not None else None
    known = jobs if isinstance(jobs, Jobs) else None
    retention = known.retention if known is not None else None
    if retention is not None and retention.total_seconds() < wanted.retention_minutes * 60:
        yield Step(
            "Keep changes longer",
            f"They are deleted after {round(retention.total_seconds() / 3600)} hours; a longer outage costs a new "
            "snapshot of every table.",
            f"EXEC sys.sp_cdc_change_job @job_type = N'cleanup', @retention = {wanted.retention_minutes:d};",
            required=False,
        )
    capture = known.capture if known is not None else None
    if facts is None or (capture is not None and capture.polling_interval_seconds > wanted.polling_interval_seconds):
        interval = 5 if capture is None else capture.polling_interval_seconds
        yield Step(
            "Let the capture job look more often",
            f"A change waits up to {interval} seconds for it. It reads its settings when it starts. Should it not run "
            "(yet), stopping it fails, and does no harm: run this step again a minute later.",
            "EXEC sys.sp_cdc_change_job @job_type = N'capture', "
            f"@pollinginterval = {wanted.polling_interval_seconds:d};\n"
            "EXEC sys.sp_cdc_stop_job @job_type = N'capture';\n"
            "EXEC sys.sp_cdc_start_job @job_type = N'capture';",
            required=False,
            may_fail=True,
        )


def script(steps: Sequence[Step], wanted: Wanted) -> str:
    """The steps as one script for sqlcmd, each with its reason. Batches end with GO."""
    lines = [
        "-- What freshax needs in AX's database: run by a member of sysadmin, once. It can be run again.",
        "-- Least rights: the reader reads these tables and the change feed, and writes nothing.",
    ]
    if "$(" in wanted.database:
        lines += [
            "-- sqlcmd puts in AX_DATABASE and READER_PASSWORD, from its environment:",
            "--   AX_DATABASE=MicrosoftDynamicsAX READER_PASSWORD=… sqlcmd -b -S server -E -i enable-cdc.sql",
        ]
    elif any("$(READER_PASSWORD)" in (step.sql or "") for step in steps):
        lines += ["-- sqlcmd puts in READER_PASSWORD from its environment, the value of FRESHAX_AX_SQL__PASSWORD."]
    database = wanted.database
    lines += [":on error exit", f"USE {database};", "GO"]
    for number, step in enumerate(steps, 1):
        optional = "" if step.required else " (recommended)"
        text = f"{number}. {step.title}{optional}. {step.reason}"
        lines += ["", *textwrap.wrap(text, 117, initial_indent="-- ", subsequent_indent="-- ")]
        if step.sql is None:
            continue
        wanted_database = step.database or wanted.database
        if wanted_database != database:
            database = wanted_database
            lines += [f"USE {database};", "GO"]
        lines += [":on error ignore", step.sql, "GO"] if step.may_fail else [step.sql, "GO"]
    return "\n".join(lines) + "\n"


def lacking_columns(table: TableFacts, instance: Instance) -> tuple[str, ...]:
    """Columns of the source table that `instance` should have and has not.

    Those that the registered schema knows, and those that came by DDL after the instance was made. Others were left out
    on purpose, by whoever made it.
    """
    captured = {name.lower() for name in instance.columns}
    declared = {name.lower() for name in table.declared}
    words = {word.lower() for command in instance.ddl for word in re.findall(r"\w+", command)}
    return tuple(
        column.name
        for column in table.columns
        if _carried(column) and column.name.lower() not in captured and column.name.lower() in declared | words
    )


def is_drained(table: TableFacts, ordered: Sequence[Instance]) -> bool:
    """True when our stored position is past the start of the second instance: the first is not read any more."""
    stored = table.stored
    if stored is None or isinstance(stored, Unseen) or stored.position is None:
        return False
    return covers(ordered[1].capture.min_lsn, stored.position)


def oldest_first(instances: Iterable[Instance]) -> list[Instance]:
    """Cleanup raises all instances to one mark, hence the date."""
    return sorted(instances, key=lambda instance: (instance.capture.min_lsn, instance.capture.created_at))


def next_instance_name(table: TableName, taken: Iterable[str]) -> str:
    """`<schema>_<table>_v2`, `_v3` …: above every number that was taken, so that a name never comes twice at once."""
    numbers = [int(found[1]) for name in taken if (found := _VERSION.search(name))]
    ending = f"_v{max([1, *numbers]) + 1}"
    return f"{table.schema}_{table.name}"[: _LONGEST_INSTANCE - len(ending)] + ending


def literal(text: str) -> str:
    """`text` as a Unicode literal. Raises: see _plain."""
    return "N'" + _plain(text).replace("'", "''") + "'"


def bracketed(name: str) -> str:
    """`name` as a delimited identifier. Raises: see _plain."""
    return "[" + _plain(name).replace("]", "]]") + "]"


def _plain(text: str) -> str:
    """Refuse what no quoting holds in a script: line breaks (GO), and sqlcmd's variables, expanded in strings too."""
    if any(ord(sign) < 0x20 for sign in text) or "$(" in text:
        raise FatalError("name_unsafe", f"planning for {text!r}: a name with a control character or $( is not written")
    return text


def _bracketed(table: TableName) -> str:
    return f"{bracketed(table.schema)}.{bracketed(table.name)}"


def _carried(column: Column) -> bool:
    """False for what is left out of an instance: types that Avro has not, computed columns (always NULL)."""
    return column.type is not None and avro_type(column.type) is not None and not column.computed
