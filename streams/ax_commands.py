"""Commands about AX's database: `freshax capture plan` for its administrator, `freshax doctor ax` for us.

Neither changes anything, there or in Kafka.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streams.capture_commands import app as capture_app
from streams.terminal import EXIT_FAILED, Output, OutputOption, fail, guarded, print_json, settings_or_exit

doctor_app = typer.Typer(name="doctor", help="Look for what is wrong, and say what helps.", no_args_is_help=True)
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "not checked": "dim"}


@capture_app.command("plan", epilog="Examples: freshax capture plan > for-the-dba.sql; freshax capture plan --wait")
def plan(
    table: Annotated[
        list[str] | None, typer.Option("--table", help="dbo.NAME, repeatable; the captured tables when not given.")
    ] = None,
    role: Annotated[str | None, typer.Option("--role", help="Gating role for new capture instances; none.")] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Do not look: print the plan for a database where nothing is prepared.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Look again until everything required is done.")] = False,
    wait_minutes: Annotated[float, typer.Option("--wait-minutes", min=0, help="How long --wait waits.")] = 60,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print what a database administrator has to run: the exact T-SQL that is missing, each step with its reason.

    freshax itself runs none of it. Exit code 0: printed, or nothing is missing; 1: not done in time (--wait).
    """
    from connectors.ax import dba_look
    from connectors.ax.dba_plan import plan as steps_of
    from connectors.ax.dba_plan import script
    from schemas.failures import Failure

    settings = settings_or_exit()
    tables = guarded(lambda: dba_look.chosen_tables(settings, table or ()))
    wanted = guarded(lambda: dba_look.wanted_of(settings, tables, role=role, empty=empty))
    facts = None if empty else guarded(lambda: dba_look.look(settings, tables))
    steps = guarded(lambda: steps_of(facts, wanted))
    if facts is not None and isinstance(facts.session, Failure):
        _note(f"could not look ({facts.session}); this is the plan for a database where nothing is prepared")
    if output is Output.JSON:
        print_json([step.as_json() for step in steps])
    elif steps:
        sys.stdout.write(script(steps, wanted))
    else:
        _note("all is there: nothing to do")
    if wait and any(step.required for step in steps):
        left = guarded(
            lambda: dba_look.wait_until_done(
                lambda: dba_look.look(settings, tables), wanted, _note, deadline_seconds=wait_minutes * 60
            )
        )
        if any(step.required for step in left):
            fail(EXIT_FAILED, f"not done within {wait_minutes:g} minutes: {left[0].title}")
        _note("done, as the reader's own login sees it")
        for step in left:
            _note(f"recommended still: {step.title}")


def _note(text: str) -> None:
    """To people, on stderr: stdout is the script."""
    Console(stderr=True, soft_wrap=True).print(f"freshax: {text}", markup=False)


@doctor_app.command("ax", epilog="Examples: freshax doctor ax; freshax doctor ax --output json")
def doctor_ax(
    table: Annotated[
        list[str] | None, typer.Option("--table", help="dbo.NAME, repeatable; the captured tables when not given.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check everything the change feed of AX needs, with the reader's own login; one finding per line.

    Exit code 0: all ok, or warnings only. 1: something fails. What the login may not see is `not checked`.
    """
    from connectors.ax import dba_look
    from connectors.ax.doctor_checks import findings
    from connectors.ax.finding import failed

    settings = settings_or_exit()
    tables = guarded(lambda: dba_look.chosen_tables(settings, table or ()))
    found = findings(guarded(lambda: dba_look.look(settings, tables)), settings.ax_sql, settings.capture)
    if output is Output.JSON:
        print_json([finding.as_row() for finding in found])
    else:
        _print_findings([finding.as_row() for finding in found])
    if failed(found):
        raise typer.Exit(EXIT_FAILED)


def _print_findings(rows: list[dict[str, str]]) -> None:
    shown = Table(title="AX change feed", title_justify="left")
    for name in rows[0]:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(
            row["check"], f"[{_STYLES[row['state']]}]{row['state']}[/]", escape(row["seen"]), escape(row["remedy"])
        )
    Console().print(shown)
