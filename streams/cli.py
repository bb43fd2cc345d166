"""The `freshax` command: services, deploy steps, the demo.

Exit codes: 0 done, 1 failed, 2 wrong use (an unknown option, a setting that does not fit).
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas import topics as declared
from streams.ax_commands import doctor_app
from streams.capture_commands import app as capture_app
from streams.flow_commands import app as flows_app
from streams.terminal import (
    EXIT_FAILED,
    EXIT_USAGE,
    DryRunOption,
    Output,
    OutputOption,
    fail,
    guarded,
    print_rows,
    run_service,
    settings_or_exit,
)

# A service's own modules are imported by its command alone: `freshax --help` must not load Faust and zeep.


app = typer.Typer(
    name="freshax",
    help="Keeps FreshBooks and Dynamics AX 2012 in step over Kafka.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
topics_app = typer.Typer(
    name="topics", help="Kafka topics: what is declared, what the cluster has.", no_args_is_help=True
)
schemas_app = typer.Typer(name="schemas", help="Avro schemas: this release's, the registry's.", no_args_is_help=True)
config_app = typer.Typer(name="config", help="Settings: what is in force.", no_args_is_help=True)
for group in (topics_app, schemas_app, flows_app, config_app, capture_app, doctor_app):
    app.add_typer(group)


class AgentName(StrEnum):
    """Agents a worker can run."""

    FETCH = "fetch"
    FLOW = "flow"
    AX_SINK = "ax-sink"
    CONFIRMATIONS = "confirmations"
    FRESHBOOKS_SINK = "freshbooks-sink"


FromCatalogOption = Annotated[
    bool, typer.Option("--from-catalog", help="Derive the schemas of captured tables from AX's catalog; reads AX.")
]


@app.command(epilog="Example: freshax worker --agents fetch --agents flow")
def worker(
    agents: Annotated[
        list[AgentName] | None, typer.Option("--agents", help="Agent to run, repeatable; all when not given.")
    ] = None,
) -> None:
    """Run stream processing agents. Start more processes to share the partitions."""
    from streams.app import run_worker

    names = [agent.value for agent in agents or AgentName]
    run_service("worker", lambda settings: run_worker(settings, names))


@app.command(epilog="Example: FRESHAX_WEBHOOK__PUBLIC_URL=https://hooks.example.com freshax listen")
def listen() -> None:
    """Receive FreshBooks webhooks: checked, written to Kafka, then answered."""
    from connectors.freshbooks.services import run_listener

    run_service("listen", run_listener)


@app.command(epilog="Example: FRESHAX_POLL__INTERVAL_SECONDS=60 freshax poll")
def poll() -> None:
    """Find FreshBooks changes that no webhook told. The first round reads everything. Run one."""
    from connectors.freshbooks.services import run_poller

    run_service("poll", run_poller)


@app.command(
    epilog="Examples: freshax demo --once; freshax demo --once --scenario day.yaml --report out.json; demo --keep"
)
def demo(
    once: Annotated[bool, typer.Option("--once", help="Play the scenario, reconcile, stop.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running and print the addresses.")] = False,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", help="Scenario file; the built-in business day when not given.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the result as JSON to this file.")] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=4, help="Worker processes per role.")] = 1,
    kill_workers: Annotated[
        int, typer.Option("--kill-workers", min=0, max=20, help="Kill (-9) a worker so many times at random.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Seed of what is random (which worker, when).")] = 1,
    state: Annotated[
        Path | None, typer.Option("--state", help="Keep logs and data in this folder; a temporary one when not given.")
    ] = None,
) -> None:
    """Play a business day in the sandbox: real Kafka and registry, strict simulators of both ends."""
    if once == keep:
        fail(EXIT_USAGE, "choose one of --once and --keep; `freshax demo --help` has examples")
    try:
        from sandbox.demo.runner import run_demo
    except ModuleNotFoundError as error:
        fail(EXIT_FAILED, f"the sandbox is not installed ({error.name}); run `make setup`, or install freshax[sandbox]")
    raise typer.Exit(
        run_demo(
            scenario=scenario,
            report=report,
            keep=keep,
            workers=workers,
            kill_workers=kill_workers,
            seed=seed,
            state=state,
        )
    )


@topics_app.command("plan", epilog="Example: freshax topics plan --output json")
def topics_plan(output: OutputOption = Output.TABLE) -> None:
    """Show what `topics apply` would do."""
    from streams.runtime.topic_admin import TopicAdmin

    settings = settings_or_exit()
    changes = guarded(lambda: TopicAdmin(settings.kafka).plan(declared.with_tables(settings.capture.tables)))
    print_rows(output, "Topics", [{"topic": c.topic, "action": c.action.value, "detail": c.detail} for c in changes])


@topics_app.command("apply", epilog="Example: freshax topics apply --dry-run")
def topics_apply(dry_run: DryRunOption = False, output: OutputOption = Output.TABLE) -> None:
    """Create missing topics and mend settings; never changes a partition count."""
    from streams.runtime.topic_admin import TopicAdmin

    settings = settings_or_exit()
    topics = declared.with_tables(settings.capture.tables)
    admin = guarded(lambda: TopicAdmin(settings.kafka))
    changes = guarded(lambda: admin.plan(topics) if dry_run else admin.apply(topics))
    print_rows(output, "Topics", [{"topic": c.topic, "action": c.action.value, "detail": c.detail} for c in changes])


@schemas_app.command("plan", epilog="Examples: freshax schemas plan · freshax schemas plan --from-catalog")
def schemas_plan(from_catalog: FromCatalogOption = False, output: OutputOption = Output.TABLE) -> None:
    """Show how each subject stands to this release."""
    _schemas(dry_run=True, from_catalog=from_catalog, output=output)


@schemas_app.command("apply", epilog="Examples: freshax schemas apply · freshax schemas apply --from-catalog")
def schemas_apply(
    from_catalog: FromCatalogOption = False, dry_run: DryRunOption = False, output: OutputOption = Output.TABLE
) -> None:
    """Register this release's schemas; refuses all when one is incompatible."""
    _schemas(dry_run=dry_run, from_catalog=from_catalog, output=output)


def _schemas(*, dry_run: bool, from_catalog: bool, output: Output) -> None:
    from streams.runtime.codec import registry_client
    from streams.runtime.schema_admin import SchemaAdmin, SubjectPlan, require_applicable

    settings = settings_or_exit()
    topics = declared.with_tables(settings.capture.tables)

    def carry_out(registry: Any) -> list[SubjectPlan]:
        admin = SchemaAdmin(registry)
        if not from_catalog:
            return admin.plan(topics) if dry_run else admin.apply(topics)
        from connectors.ax.catalog_schemas import CatalogSchemas

        catalog = CatalogSchemas(settings, registry)
        fixed = [topic for topic in topics if not topic.derived]
        plans = [*admin.plan(fixed), *catalog.plans]
        if not dry_run:
            require_applicable(plans)
            admin.apply(fixed)
            catalog.register()
        return plans

    with registry_client(settings.registry) as registry:
        plans = guarded(lambda: carry_out(registry))
    print_rows(output, "Schemas", [{"subject": p.subject, "state": p.state.value, "detail": p.detail} for p in plans])


@config_app.command("show", epilog="Example: freshax config show --output json")
def config_show(output: OutputOption = Output.TABLE) -> None:
    """Print every setting in force; secrets are masked."""
    settings = settings_or_exit().model_dump(mode="json")
    rows = [
        {"setting": f"{section}.{field}", "value": str(value)}
        for section, fields in settings.items()
        for field, value in fields.items()
    ]
    print_rows(output, "Settings", rows)


@config_app.command("reference", epilog="Example: freshax config reference > docs/settings.md")
def config_reference() -> None:
    """Print every setting with default and meaning, as Markdown."""
    from streams.runtime.settings_reference import settings_reference

    sys.stdout.write(settings_reference())


def main() -> None:
    """Entry point of the console script."""
    app()
