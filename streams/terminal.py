"""What all commands share: how a result is printed and how a failure ends.

Exit codes: 0 done, 1 failed, 2 wrong use (an unknown option, a setting that does not fit).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from schemas.failures import Failure
from streams.runtime.logs import configure_logs
from streams.runtime.settings import Settings, load_settings

T = TypeVar("T")
EXIT_FAILED = 1
EXIT_USAGE = 2


class Output(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="table for people, json for machines.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]


def settings_or_exit() -> Settings:
    """The settings in force; a wrong one ends the command with exit code 2."""
    try:
        return load_settings()
    except Failure as failure:
        fail(EXIT_USAGE, failure.message)


def guarded(action: Callable[[], T]) -> T:
    """Run `action`; a failure becomes one clear line and exit code 1, a wrong setting exit code 2."""
    try:
        return action()
    except Failure as failure:
        fail(EXIT_USAGE if failure.code.startswith("setting_") else EXIT_FAILED, str(failure))


def run_service(name: str, run: Callable[[Settings], Coroutine[Any, Any, None]]) -> None:
    """Run a service until it ends, with its logs configured."""
    settings = settings_or_exit()
    configure_logs(settings.observe, service=name)
    guarded(lambda: asyncio.run(run(settings)))


def fail(code: int, message: str) -> NoReturn:
    """End the command with one line on stderr."""
    Console(stderr=True, soft_wrap=True).print(f"freshax: {message}", style="red", markup=False)
    raise typer.Exit(code)


def print_rows(output: Output, title: str, rows: list[dict[str, str]]) -> None:
    """Print rows that have the same keys, as a table or as JSON."""
    if output is Output.JSON:
        print_json(rows)
        return
    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
