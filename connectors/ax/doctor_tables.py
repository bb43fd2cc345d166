"""The doctor's checks of each captured table: facts → findings. Pure.

The order is that of loss: what is gone already, what will be gone, what is lost in silence, what only is untidy.
Source: reference on SQL Server CDC, sections 5, 7, 8 and 10.
"""

from __future__ import annotations

from datetime import timedelta

from connectors.ax.catalog import NewestCommit, choose
from connectors.ax.dba_plan import is_drained, lacking_columns, oldest_first
from connectors.ax.doctor_facts import Facts, Instance, Jobs, Session, Stored, TableFacts, Unseen
from connectors.ax.finding import Finding, fail, not_checked, ok, warn
from connectors.ax.liveness import headroom_of
from schemas.positions import Lsn, Position

_PLAN = "`freshax capture plan` prints the T-SQL"
# As the alert FreshaxCdcHeadroom: time to act, and less than a night.
_LEAST_HEADROOM = timedelta(hours=6)
_SHORT_HEADROOM = timedelta(hours=24)


def table_findings(table: TableFacts, facts: Facts) -> list[Finding]:
    """All findings about one table."""
    found = [rights(table, facts), instance(table)]
    if isinstance(table.instances, Unseen) or not table.instances:
        return found
    found += [visible(table, table.instances), shape(table), new_columns(table), second_instance(table)]
    if isinstance(table.stored, Unseen):
        return [*found, not_checked(f"{table.table} position", table.stored)]
    return [*found, position(table, facts, table.instances), headroom(table, facts)]


def rights(table: TableFacts, facts: Facts) -> Finding:
    """SELECT on the source table: for the snapshot, and for seeing its changes."""
    check = f"{table.table} rights"
    if table.may_select:
        return ok(check, "SELECT on the table")
    login = facts.session.login if isinstance(facts.session, Session) else "the reader"
    seen = "no SELECT on the table" if table.visible else "no such table, or no right on it"
    schema, name = table.table
    return fail(check, seen, f"GRANT SELECT ON OBJECT::[{schema}].[{name}] TO [{login}]")


def instance(table: TableFacts) -> Finding:
    """The table is captured."""
    check = f"{table.table} capture instance"
    if isinstance(table.instances, Unseen):
        return not_checked(check, table.instances)
    if not table.instances:
        return fail(check, "there is none: no change is captured", _PLAN)
    return ok(check, ", ".join(found.capture.name for found in oldest_first(table.instances)))


def visible(table: TableFacts, instances: tuple[Instance, ...]) -> Finding:
    """The instance shows its changes: an all-zero min LSN means no, and never `no lower limit`."""
    check = f"{table.table} gating role"
    hidden = [found for found in instances if found.capture.min_lsn == Lsn.ZERO]
    if hidden:
        role = next((found.role for found in hidden if found.role and not found.in_role), None)
        names = ", ".join(found.capture.name for found in hidden)
        if role is not None:
            return fail(
                check, f"{names} is gated by {role}, and we are not in it", f"{_PLAN} (ALTER ROLE … ADD MEMBER)"
            )
        return fail(check, f"{names} shows nothing (min LSN all zeros)", "grant SELECT on all captured columns")
    roles = sorted({found.role for found in instances if found.role})
    return ok(check, f"member of {', '.join(roles)}" if roles else "none")


def shape(table: TableFacts) -> Finding:
    """The newest instance can be published under the registered schema."""
    check = f"{table.table} schema"
    if isinstance(table.misfits, Unseen):
        return not_checked(check, table.misfits)
    if table.misfits:
        remedy = f"put back what is missing in a second capture instance: {_PLAN}"
        return fail(check, "; ".join(table.misfits), remedy)
    return ok(check, f"fits {len(table.declared)} registered columns" if table.declared else "none registered yet")


def new_columns(table: TableFacts) -> Finding:
    """Columns that were added after the instance was made are lost in silence."""
    check = f"{table.table} columns"
    if isinstance(table.instances, Unseen) or not table.instances:
        return not_checked(check, Unseen("no capture instance", _PLAN))
    newest = oldest_first(table.instances)[-1]
    lacking = lacking_columns(table, newest)
    if lacking:
        seen = f"{newest.capture.name} lacks {', '.join(lacking)}: their values are lost until it is replaced"
        return fail(check, seen, f"a second capture instance: {_PLAN}")
    left_out = {column.name.lower() for column in table.columns} - {name.lower() for name in newest.columns}
    return ok(check, f"{len(newest.columns)} captured, {len(left_out)} left out on purpose")


def second_instance(table: TableFacts) -> Finding:
    """Two instances are the most: a drained one takes the place of the next."""
    check = f"{table.table} instances"
    if isinstance(table.instances, Unseen) or len(table.instances) < 2:
        return ok(check, "one: a second can be made when columns change")
    ordered = oldest_first(table.instances)
    if is_drained(table, ordered):
        return warn(check, f"{ordered[0].capture.name} is read to its end and not needed any more", f"drop it: {_PLAN}")
    return ok(check, f"two: {ordered[0].capture.name} is read up to the start of {ordered[1].capture.name}")


def position(table: TableFacts, facts: Facts, instances: tuple[Instance, ...]) -> Finding:
    """Our position lies inside what is still there, and not behind what was ever captured."""
    check = f"{table.table} position"
    stored = table.stored
    if not isinstance(stored, Stored) or stored.position is None:
        seen = "no checkpoint: the next start takes a snapshot" if stored is None else "a snapshot is under way"
        return ok(check, seen)
    ordered = [found.capture for found in oldest_first(instances)]
    if any(found.min_lsn == Lsn.ZERO for found in ordered):
        return not_checked(check, Unseen("the capture instance shows nothing", "see its gating role"))
    commit = stored.position.commit_lsn
    snapshot = f"take its snapshot anew: `freshax capture snapshot {table.table.name}`, then start the capture"
    newest = facts.newest if isinstance(facts.newest, NewestCommit) else None
    if newest is not None and newest.lsn < commit and commit >= ordered[0].min_lsn:
        seen = f"the newest commit {newest.lsn} lies before our position {commit}: restored, or failed over with loss"
        return fail(check, seen, f"re-create the topic, then {snapshot}")
    if choose(ordered, stored.position) is None:
        return fail(
            check, f"{commit} is before {ordered[0].min_lsn}, where the instance begins: changes are lost", snapshot
        )
    behind = newest is not None and stored.position < Position.end_of(newest.lsn)
    return ok(check, f"{commit}, stored {stored.at:%Y-%m-%d %H:%M:%S} UTC{', changes wait' if behind else ''}")


def headroom(table: TableFacts, facts: Facts) -> Finding:
    """How long until cleanup passes our position."""
    check = f"{table.table} time until loss"
    stored = table.stored
    if not isinstance(stored, Stored) or stored.reached is None:
        return ok(check, "nothing read yet")
    if not isinstance(facts.jobs, Jobs):
        return not_checked(check, facts.jobs)
    if facts.jobs.retention is None or not isinstance(facts.newest, NewestCommit):
        return ok(check, "no cleanup job")
    left = headroom_of(facts.jobs.retention, facts.newest.committed_at, stored.reached)
    seen = f"{left.total_seconds() / 3600:.1f} hours"
    remedy = (
        "let `freshax capture` run and catch up; to win time: EXEC sys.sp_cdc_change_job N'cleanup', @retention = 10080"
    )
    if left < _LEAST_HEADROOM:
        return fail(check, seen, remedy)
    return warn(check, seen, remedy) if left < _SHORT_HEADROOM else ok(check, seen)
