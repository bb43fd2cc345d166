"""`freshax flows`: check, draw, try and test what is declared, without Kafka, FreshBooks or AX.

Exit codes: 0 all well, 1 a flow does not hold or an example differs, 2 wrong use (a file that cannot be read).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from streams.flows import flow_files, load_flows
from streams.terminal import EXIT_FAILED, EXIT_USAGE, Output, OutputOption, fail, print_json, settings_or_exit
from streams.transforms.declared_yaml import DeclarationError, read_yaml
from streams.transforms.examples import Example, coverage_of, decided, differences, example_of, plain
from streams.transforms.expressions.reference import expression_page
from streams.transforms.flow import Flow, Flows
from streams.transforms.release import compile_flows
from streams.transforms.run import Step, StepOutput

_SHOWN_GAPS = 20
# Examples of this release; an operator keeps those of his own flows beside them.
_EXAMPLES = Path("tests/unit/transforms/golden")

app = typer.Typer(name="flows", help="Flows and mappings: check, draw, try, test.", no_args_is_help=True)


@app.command("check", epilog="Example: freshax flows check --output json")
def check(output: OutputOption = Output.TABLE) -> None:
    """Check every flow, mapping and table; names each problem by file, key and remedy."""
    rows = [
        {
            "flow": flow.name,
            "revision": flow.revision,
            "trigger": flow.trigger,
            "steps": " → ".join(step.kind for step in flow.steps),
        }
        for flow in _flows().values()
    ]
    if output is Output.JSON:
        print_json(rows)
        return
    table = Table(title="Flows", title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)


@app.command("show", epilog="Examples: freshax flows show; freshax flows show invoices-to-ax --output json")
def show(
    flow: Annotated[str | None, typer.Argument(help="Name of the flow; all when not given.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Draw a flow: its steps in order, branches below their route."""
    flows = _flows()
    chosen = list(flows.values()) if flow is None else [_named(flows, flow)]
    if output is Output.JSON:
        print_json(
            [{"flow": f.name, "trigger": f.trigger, "steps": [_as_json(step) for step in f.steps]} for f in chosen]
        )
        return
    for one in chosen:
        tree = Tree(f"[bold]{one.name}[/bold]  {one.trigger}")
        for step in one.steps:
            _grow(tree, step)
        Console(soft_wrap=True).print(tree)


@app.command("run", epilog="Example: freshax flows run --record invoice.json --flow invoices-to-ax")
def run(
    record: Annotated[
        Path, typer.Option("--record", help="JSON or YAML: a record, or an example with its master data.")
    ],
    flow: Annotated[str | None, typer.Option("--flow", help="Flow to run; needed when several could.")] = None,
    master: Annotated[
        Path | None, typer.Option("--master", help="JSON or YAML with `links` and `rows` that the record may find.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run one record dry and show what every step did. Nothing is sent."""
    given = _read(record)
    if "record" not in given:
        given = {"record": given}
    chosen = _flow_for(_flows(), flow, given["record"])
    base = None if master is None else _read(master)
    try:
        shown, outcome = decided(chosen, example_of(chosen, given, base))
    except DeclarationError as reason:
        fail(EXIT_USAGE, f"{record}: {reason.message}")
    steps = [_step_as_json(step) for step in shown]
    if output is Output.JSON:
        print_json({"flow": chosen.name, "steps": steps, "outcome": outcome})
    else:
        _print_run(chosen, steps, outcome)
    if outcome["decision"] == "refused":
        raise typer.Exit(EXIT_FAILED)


@app.command("test", epilog="Examples: freshax flows test; freshax flows test --examples my-examples --output json")
def run_examples(
    examples: Annotated[
        Path, typer.Option("--examples", help="Folder with <flow>/<name>.in.json and .out.json.")
    ] = _EXAMPLES,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run the golden examples: each record must give exactly the outcome written beside it."""
    flows, failed, rows = _flows(), 0, []
    for flow_name in sorted(path.name for path in _folders(examples) if path.name in flows):
        for given in sorted((examples / flow_name).glob("*.in.json")):
            lines = compare(flows[flow_name], given)
            failed += bool(lines)
            rows.append({"flow": flow_name, "example": given.name.removesuffix(".in.json"), "differences": lines})
    if not rows:
        fail(EXIT_USAGE, f"no <flow>/<name>.in.json below {examples}; name another folder with --examples")
    if output is Output.JSON:
        print_json({"examples": len(rows), "failed": failed, "results": rows})
    else:
        for row in rows:
            for line in row["differences"]:
                Console(soft_wrap=True).print(f"{row['flow']}/{row['example']}: {line}", style="red", markup=False)
        Console().print(f"{len(rows)} examples, {failed} differ")
    if failed:
        raise typer.Exit(EXIT_FAILED)


@app.command("coverage", epilog="Example: freshax flows coverage expenses-to-ax --master master.json")
def show_coverage(
    flow: Annotated[str | None, typer.Argument(help="Name of the flow; all when not given.")] = None,
    master: Annotated[
        Path | None, typer.Option("--master", help="JSON or YAML with `rows` (categories, projects …) and `ledgers`.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask every decision table for all combinations: which have no rule, which rows stand idle, what AX refuses."""
    flows = _flows()
    chosen = list(flows.values()) if flow is None else [_named(flows, flow)]
    given = {} if master is None else _read(master)
    try:
        reports = [report for one in chosen for report in coverage_of(one, given)]
    except DeclarationError as reason:
        fail(EXIT_USAGE, f"{master}: {reason.message}")
    if output is Output.JSON:
        print_json(plain(reports))
    else:
        _print_coverage(reports)
    if any(report["uncovered"] or report["refused_by_ax"] for report in reports):
        raise typer.Exit(EXIT_FAILED)


def _print_coverage(reports: list[dict[str, Any]]) -> None:
    console = Console(soft_wrap=True)
    for report in reports:
        gaps = len(report["uncovered"])
        bound = "" if report["complete"] else ", the first of more"
        shares = ", ".join(f"row {index}: {count}" for index, count in enumerate(report["answered_by"]))
        place = f"{report['flow']} {report['place']}"
        console.print(
            f"{place}: {report['asked']} combinations{bound}, {gaps} without a rule ({shares})",
            style="red" if gaps or report["refused_by_ax"] else None,
            markup=False,
        )
        for chosen in report["uncovered"][:_SHOWN_GAPS]:
            console.print("    " + ", ".join(f"{axis} = {value}" for axis, value in chosen.items()), markup=False)
        if gaps > _SHOWN_GAPS:
            console.print(f"    and {gaps - _SHOWN_GAPS} more (--output json has all)", markup=False)
        for line in report["refused_by_ax"]:
            console.print(f"    {line}", markup=False)


@app.command("functions", epilog="Example: freshax flows functions > docs/expressions.md")
def functions() -> None:
    """Print the page about the expression language, as Markdown."""
    sys.stdout.write(expression_page())


def compare(flow: Flow, given: Path) -> list[str]:
    """Differences between the outcome of an example and the one written beside it."""
    try:
        _, outcome = decided(*example(flow, given))
    except DeclarationError as reason:
        return [reason.message]
    expected = _read(given.with_name(given.name.replace(".in.json", ".out.json")))
    return differences(expected, outcome)


def example(flow: Flow, given: Path) -> tuple[Flow, Example]:
    """The example of a file, and the flow with the overrides that it asks for. Raises DeclarationError."""
    base = given.parent / "base.json"
    declared = _read(given)
    if declared.get("overrides"):
        flow = _overridden(flow, declared["overrides"])
    return flow, example_of(flow, declared, _read(base) if base.exists() else None)


def _overridden(flow: Flow, overrides: dict[str, Any]) -> Flow:
    files = flow_files(settings_or_exit().flow.directory)
    return compile_flows(files, ("overrides of the example", json.dumps({flow.name: overrides})))[flow.name]


def _flows() -> Flows:
    settings = settings_or_exit().flow
    try:
        return load_flows(settings.directory, settings.overrides)
    except DeclarationError as reason:
        fail(EXIT_FAILED, reason.message)


def _named(flows: Flows, name: str) -> Flow:
    if name not in flows:
        fail(EXIT_USAGE, f"no flow is named {name}; there are {', '.join(sorted(flows))}")
    return flows[name]


def _flow_for(flows: Flows, name: str | None, record: dict[str, Any]) -> Flow:
    if name is not None:
        return _named(flows, name)
    fitting = [flow for flow in flows.values() if flow.source.id_field in record and _required(flow) <= record.keys()]
    if len(fitting) != 1:
        names = ", ".join(flow.name for flow in fitting or flows.values())
        fail(EXIT_USAGE, f"it is not clear which flow the record is for; add --flow, one of {names}")
    return fitting[0]


def _required(flow: Flow) -> set[str]:
    return {field.name for field in msgspec.structs.fields(flow.source.record) if field.required}


def _folders(examples: Path) -> list[Path]:
    if not examples.is_dir():
        fail(EXIT_USAGE, f"{examples} is no folder; name one with --examples")
    return [path for path in examples.iterdir() if path.is_dir()]


def _read(path: Path) -> dict[str, Any]:
    """A JSON or YAML file. YAML's reader takes both; JSON's numbers stay exact."""
    try:
        text = path.read_text("utf-8")
        return read_yaml(path.name, text)
    except (OSError, UnicodeDecodeError) as reason:
        fail(EXIT_USAGE, f"reading {path}: {reason}")
    except DeclarationError as reason:
        fail(EXIT_USAGE, reason.message)


def _grow(tree: Tree, step: Step) -> None:
    node = tree.add(f"[bold]{step.kind}[/bold]  {_plain_markup(step.title)}")
    for name, steps in step.branches:
        branch = node.add(f"[italic]{name}[/italic]")
        for inner in steps:
            _grow(branch, inner)


def _plain_markup(text: str) -> str:
    return text.replace("[", r"\[")


def _as_json(step: Step) -> dict[str, Any]:
    row: dict[str, Any] = {"place": step.place, "kind": step.kind, "does": step.title}
    if step.branches:
        row["branches"] = {name: [_as_json(inner) for inner in steps] for name, steps in step.branches}
    return row


def _step_as_json(step: StepOutput) -> dict[str, Any]:
    return {"place": step.place, "kind": step.kind, "outcome": step.outcome, "shown": plain(_shown(step.shown))}


def _shown(value: Any) -> Any:
    if isinstance(value, dict) and "steps" in value:
        return {**value, "steps": [_step_as_json(inner) for inner in value["steps"]]}
    return value


def _print_run(flow: Flow, steps: list[dict[str, Any]], outcome: dict[str, Any]) -> None:
    console = Console(soft_wrap=True)
    console.print(f"{flow.name}  {flow.revision}", style="bold", markup=False)
    for step in steps:
        console.print(f"{step['place']}: {step['outcome']}", markup=False)
        if step["shown"] not in (None, {}, []):
            console.print(_indented(step["shown"]), markup=False, style="dim")
    console.print(f"→ {outcome['decision']}", style="bold", markup=False)
    console.print(_indented({key: value for key, value in outcome.items() if key != "decision"}), markup=False)


def _indented(value: Any) -> str:
    return "\n".join("    " + line for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines())
