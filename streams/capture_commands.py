"""`freshax capture`: the service, and what an operator asks of it while it runs."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from streams.terminal import (
    EXIT_FAILED,
    DryRunOption,
    Output,
    OutputOption,
    fail,
    guarded,
    print_rows,
    run_service,
    settings_or_exit,
)

if TYPE_CHECKING:
    from connectors.ax.capture_requests import Request, Requests, TableState

_FOLLOW_SECONDS = 0.5

app = typer.Typer(
    name="capture",
    epilog="Examples: freshax capture · freshax capture status · freshax capture snapshot CUSTTABLE --wait",
    invoke_without_command=True,
)


class Action(StrEnum):
    """What is asked of the capture about a table."""

    SNAPSHOT = "snapshot"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"


@app.callback()
def capture(context: typer.Context) -> None:
    """Read the AX change feed (snapshot, then stream) and keep the master data topics.

    Of several one works, the others stand by. The service runs when no command is given; the commands steer it.
    """
    if context.invoked_subcommand is not None:
        return
    from connectors.ax.services import run_capture

    run_service("capture", run_capture)


@app.command(
    "snapshot",
    epilog="Examples: freshax capture snapshot CUSTTABLE --wait · freshax capture snapshot CUSTTABLE "
    "--from 5637144576 --to 5637150000 · freshax capture snapshot CUSTTABLE --action pause",
)
def ask(
    tables: Annotated[list[str], typer.Argument(help="Captured tables, as CUSTTABLE or dbo.CUSTTABLE.")],
    first: Annotated[int | None, typer.Option("--from", help="First RECID; the lowest when not given.")] = None,
    end: Annotated[int | None, typer.Option("--to", help="First RECID not to read; all when not given.")] = None,
    action: Annotated[
        Action, typer.Option("--action", help="stop gives up what runs and waits; pause holds it, resume goes on.")
    ] = Action.SNAPSHOT,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Show the progress, and return when it is done.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Most seconds to wait.")] = 86400,
    dry_run: DryRunOption = False,
) -> None:
    """Ask the running capture to read tables, or a range of them, again beside the stream.

    A table whose history is gone (a gap) stops the capture: ask for its snapshot, then start the capture again.
    """
    from connectors.ax.capture_requests import open_requests
    from connectors.ax.pages import KeyRange
    from schemas.records import SignalAction

    settings = settings_or_exit()
    with open_requests(settings) as requests:
        made = guarded(lambda: requests.make(SignalAction(action.value), tables, KeyRange(first, end)))
        if dry_run:
            for request in made:
                signal = request.signal
                limits = f" RECID {_limit(first)} to {_limit(end)}" if signal.action is SignalAction.SNAPSHOT else ""
                typer.echo(f"would ask: {signal.action.value} {signal.table}{limits}")
            return
        sent = guarded(lambda: requests.send(made))
        if not wait:
            typer.echo("asked; `freshax capture status` shows how far it is")
            return
        guarded(lambda: _follow(requests, sent, timeout))


@app.command("status", epilog="Example: freshax capture status --output json")
def status(output: OutputOption = Output.TABLE) -> None:
    """Show what each captured table does, by its newest checkpoint."""
    from connectors.ax.capture_requests import open_requests

    with open_requests(settings_or_exit()) as requests:
        states = guarded(requests.states)
    print_rows(output, "Captured tables", [_row(state) for state in states])


def _row(state: TableState) -> dict[str, str]:
    found = state.checkpoint
    position = "" if found is None or found.position is None else found.position.partition("/")[0]
    rows = "" if found is None or found.rows_read is None else f"{found.rows_read}"
    if rows and found is not None and found.rows_estimated:
        rows += f" of about {found.rows_estimated}"
    return {
        "table": state.table.full_name,
        "does": state.doing,
        "instance": "" if found is None else found.capture_instance,
        "behind": position,
        "rows of the newest snapshot": rows,
        "told": "" if found is None else found.at.isoformat(timespec="seconds"),
    }


def _follow(requests: Requests, sent: list[Request], timeout: float) -> None:
    give_up = time.monotonic() + timeout
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        shown: dict[str, TaskID] = {}
        while True:
            states = {state.table.full_name: state for state in requests.states()}
            waiting = [request for request in sent if not states[request.signal.table].has_done(request)]
            for request in sent:
                _show(progress, shown, states[request.signal.table], done=request not in waiting)
            if not waiting:
                return
            if time.monotonic() > give_up:
                names = ", ".join(request.signal.table for request in waiting)
                fail(EXIT_FAILED, f"not done after {timeout:g} s: {names}; is the capture running?")
            time.sleep(_FOLLOW_SECONDS)


def _show(progress: Progress, shown: dict[str, TaskID], state: TableState, *, done: bool) -> None:
    name, found = state.table.full_name, state.checkpoint
    if name not in shown:
        shown[name] = progress.add_task(name, total=None, rate="")
    task = progress.tasks[progress.task_ids.index(shown[name])]
    rows = (found.rows_read if found else None) or 0
    rate = f"{task.speed:,.0f} rows/s" if task.speed else ""
    total = rows if done else max(rows, (found.rows_estimated if found else None) or 0) or None
    progress.update(shown[name], completed=rows, total=total, rate=rate)


def _limit(rec_id: int | None) -> str:
    return "any" if rec_id is None else str(rec_id)
