"""One look at AX's database, composed from the settings: for `freshax capture plan` and `freshax doctor ax`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from connectors.ax.dba_plan import LOOKED_UP, Step, Wanted, bracketed, plan
from connectors.ax.doctor_facts import Facts, TableName
from connectors.ax.doctor_reader import read_facts, read_stored
from connectors.ax.source_tables import SourceTable, source_tables
from schemas.failures import Failure, FatalError
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.schema_admin import Subjects
from streams.runtime.settings import Settings

# Three tries in half an hour stay below the usual lock-out of a Windows policy, which SQL logins may follow too.
_AFTER_REFUSED_LOGIN_SECONDS = 600.0
_BETWEEN_LOOKS_SECONDS = 5.0


def chosen_tables(settings: Settings, names: Sequence[str]) -> tuple[SourceTable, ...]:
    """The tables that are captured, or those of them, or others, that `names` (`dbo.VENDTABLE`) says."""
    captured = source_tables(settings.capture.tables)
    if not names:
        return captured
    known = {
        (table.schema.lower(), table.name.lower()): table for table in source_tables((*settings.capture.tables, *names))
    }
    wanted = [name.rpartition(".") for name in names]
    return tuple(known[(schema or "dbo").lower(), table.lower()] for schema, _, table in wanted)


def wanted_of(
    settings: Settings, tables: Sequence[SourceTable], *, role: str | None = None, empty: bool = False
) -> Wanted:
    """What shall be there for the login of `settings`. `empty`: in a database whose name sqlcmd puts in.

    Raises: FatalError (setting_invalid) for Kerberos without the name of the Windows account.
    """
    sql = settings.ax_sql
    if sql.authentication == "kerberos" and "\\" not in sql.user:
        raise FatalError(
            "setting_invalid",
            "planning for a Windows account: set FRESHAX_AX_SQL__USER to its name, DOMAIN\\account",
        )
    names = tuple(TableName(table.schema, table.name) for table in tables)
    return Wanted(names, sql.user, "[$(AX_DATABASE)]" if empty else bracketed(sql.database), role)


def look(settings: Settings, tables: Sequence[SourceTable]) -> Facts:
    """One look at the database, at our checkpoints and at the registered schemas.

    Raises: RetryableError when SQL Server goes away in the middle.
    """
    with registry_client(settings.registry) as registry:
        stored = read_stored(settings.kafka, AvroCodec(registry))
        return read_facts(settings.ax_sql, tables, LOOKED_UP, stored, Subjects(registry))


def wait_until_done(
    look_again: Callable[[], Facts],
    wanted: Wanted,
    progress: Callable[[str], None],
    *,
    deadline_seconds: float,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[Step]:
    """Look again and again until nothing required is left, or the deadline; returns what is left then.

    Looks with the reader's own login: what it finds is what `freshax capture` will find. A refused login is tried
    seldom, so that no account is locked.
    """
    end = clock() + deadline_seconds
    while True:
        facts = look_again()
        left = plan(facts, wanted)
        required = [step for step in left if step.required]
        if not required:
            return left
        failure = facts.session if isinstance(facts.session, Failure) else None
        progress(f"{len(required)} steps to go: {required[0].title}" if failure is None else str(failure))
        refused = failure is not None and failure.code == "sql_login_failed"
        seconds = _AFTER_REFUSED_LOGIN_SECONDS if refused else _BETWEEN_LOOKS_SECONDS
        if clock() + seconds > end:
            return left
        pause(seconds)
