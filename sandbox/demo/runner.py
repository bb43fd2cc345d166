"""Runs a demo from beginning to end: stage, play, settle, reconcile, report.

Exit codes: 0 both ends agree, 1 they do not or a part failed, 2 the scenario cannot be played.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sandbox.demo.director import Director, Stagehand
from sandbox.demo.ledger import Document, Ledger, reconcile
from sandbox.demo.observer import Ends, Observer
from sandbox.demo.report import print_report, write_json
from sandbox.demo.scenario import Scenario, ScenarioError, load_scenario
from sandbox.demo.stage import Stage
from sandbox.stack.errors import StackError
from sandbox.stack.supervisor import Supervisor

DEFAULT_SCENARIO = Path(__file__).parent.parent / "scenarios" / "business-day.yaml"
_LOOK_SECONDS = 0.4
_FILE_WIDTH = 140
# Both ends must stay as they are for so long before the day counts as over: a late double would show in it.
_QUIET_SECONDS = 1.5


def run_demo(
    *,
    scenario: Path | None,
    report: Path | None,
    keep: bool,
    workers: int,
    kill_workers: int,
    seed: int,
    state: Path | None,
) -> int:
    """Play one scenario; see `freshax demo --help`."""
    # A file or a pipe has no width of its own: wide enough for the table of documents.
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    try:
        script = load_scenario(scenario or DEFAULT_SCENARIO)
    except ScenarioError as error:
        Console(stderr=True).print(f"freshax demo: {error}", style="red", markup=False)
        return 2
    try:
        with _folder(state) as folder, Supervisor() as supervisor:
            demo = _Demo(Stage(script, folder, workers=workers), script, supervisor, console)
            ledger = demo.run(kill_workers=kill_workers, seed=seed)
            if report is not None:
                write_json(ledger, report)
            if keep:
                demo.keep()
            return 0 if ledger.agrees else 1
    except (StackError, ScenarioError) as error:
        Console(stderr=True).print(f"freshax demo: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 130


@contextmanager
def _folder(state: Path | None) -> Iterator[Path]:
    """The folder of all logs and data: the given one, which stays, or a temporary one."""
    if state is None:
        with tempfile.TemporaryDirectory(prefix="freshax-demo-") as folder:
            yield Path(folder)
    else:
        state.mkdir(parents=True, exist_ok=True)
        yield state.resolve()


class _Demo:
    def __init__(self, stage: Stage, script: Scenario, supervisor: Supervisor, console: Console) -> None:
        self._stage = stage
        self._script = script
        self._supervisor = supervisor
        self._console = console

    def run(self, *, kill_workers: int, seed: int) -> Ledger:
        """Stage, play, settle, report."""
        began = time.monotonic()
        with self._progress("starting Kafka, registry, FreshBooks and AX", 3) as step:
            self._stage.start_ends(self._supervisor)
            step("creating topics, registering schemas")
            self._stage.deploy()
            step("starting freshax")
            self._stage.start_services(self._supervisor)
            step("ready")
        self._console.print(f"ready in {time.monotonic() - began:.1f} s")
        observer = Observer(
            freshbooks=self._stage.freshbooks.addresses,
            ax=self._stage.ax.addresses,
            kafka=self._stage.kafka.bootstrap,
        )
        with observer, self._killer(kill_workers, seed):
            stagehand = self._play(observer)
            ledger = self._settle(observer, stagehand)
        print_report(ledger, self._console, played_seconds=time.monotonic() - began)
        return ledger

    def keep(self) -> None:
        """Leave everything running until Ctrl-C."""
        self._stage.start_prometheus(self._supervisor)
        for name, address in self._stage.addresses().items():
            self._console.print(f"{name:>22}  {address}")
        self._console.print("Everything keeps running; Ctrl-C ends it.")
        self._supervisor.watch()

    def _play(self, observer: Observer) -> Stagehand:
        freshbooks, ax = self._stage.freshbooks.addresses, self._stage.ax.addresses
        total = Director(self._script, freshbooks, ax, said=_quiet, marker_of=observer.marker).steps
        with self._progress(f"scenario {self._script.scenario}", total) as step:
            director = Director(self._script, freshbooks, ax, said=step, marker_of=observer.marker)
            try:
                director.play()
            finally:
                director.close()
        return director.stage

    def _settle(self, observer: Observer, stagehand: Stagehand) -> Ledger:
        """Wait until both ends agree and stay so, or patience ends; returns the last reconciliation."""
        deadline = time.monotonic() + self._script.patience_seconds
        agreed_since: float | None = None
        before = Ends()
        with self._progress("waiting for the last documents", len(stagehand.touched)) as step:
            while True:
                ends = observer.ends()
                ledger = self._reconcile(ends, observer, stagehand)
                now = time.monotonic()
                if not ledger.agrees or ends != before:
                    agreed_since = now if ledger.agrees else None
                before = ends
                done = agreed_since is not None and now - agreed_since >= _QUIET_SECONDS
                if done or now > deadline:
                    return ledger
                step(
                    f"{sum(d.outcome in ('lost', 'mismatched', 'parked') for d in ledger.documents)} still on their way"
                )
                time.sleep(_LOOK_SECONDS)

    def _reconcile(self, ends: Ends, observer: Observer, stagehand: Stagehand) -> Ledger:
        ledger = reconcile(
            clients=ends.clients,
            invoices=ends.invoices,
            customers=ends.customers,
            ax_invoices=ends.ax_invoices,
            set_aside=observer.set_aside(),
            company=self._script.company,
        )
        documents = [_timed(document, observer, stagehand) for document in ledger.documents]
        return replace(ledger, documents=[*documents, *_renames(ends, observer, stagehand)])

    @contextmanager
    def _progress(self, what: str, total: int) -> Iterator[Callable[[str], None]]:
        """A bar where somebody watches, lines where the output is a file."""
        if not self._console.is_terminal:
            self._console.print(what)
            yield _quiet
            return
        columns = (
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda text: progress.update(task, advance=1, description=text)

    @contextmanager
    def _killer(self, kills: int, seed: int) -> Iterator[None]:
        """Kill (-9) and restart workers at random moments of the day."""
        stopping = threading.Event()
        chance = random.Random(seed)  # noqa: S311 - a script, not a secret

        def kill() -> None:
            for number in range(kills):
                if stopping.wait(chance.uniform(2.0, 6.0)):
                    return
                service = chance.choice(self._stage.workers())
                service.kill()
                service.start()
                self._console.print(f"killed {service.name} (-9), {number + 1} of {kills}")

        thread = threading.Thread(target=kill, name="killer", daemon=True)
        thread.start()
        try:
            yield
            thread.join(timeout=kills * 10.0)
        finally:
            stopping.set()


def _timed(document: Document, observer: Observer, stagehand: Stagehand) -> Document:
    """The document with its name in the script and the seconds from the last touch to its reference."""
    touched = stagehand.touched.get((document.kind, document.freshbooks_id))
    if touched is None:
        return document
    seen = observer.marker_seen_at(document.kind, document.freshbooks_id)
    seconds = seen - touched.at if seen is not None and document.outcome == "synced" and seen > touched.at else None
    name = document.name if document.kind == "client" else f"{document.name} {touched.name}"
    return replace(document, name=name, seconds=seconds)


def _renames(ends: Ends, observer: Observer, stagehand: Stagehand) -> list[Document]:
    """A rename in AX is a document of its own: it must reach the FreshBooks client."""
    documents = []
    for account, (name, at) in stagehand.renamed.items():
        client = next((c for c in ends.clients if f"/{account}]" in c.note), None)
        seen = observer.name_seen_at(name)
        arrived = client is not None and client.organization == name
        seconds = seen - at if arrived and seen is not None else None
        reason = "" if arrived else f"FreshBooks still has {client.organization if client else 'no such client'!r}"
        outcome = "synced" if arrived else "mismatched"
        number = client.client_id if client else 0
        documents.append(Document("customer", number, f"renamed to {name}", account, outcome, reason, seconds))
    return documents


def _quiet(_text: str) -> None:
    """Say nothing."""
