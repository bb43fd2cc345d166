"""More tables by configuration alone: the two commands of a deployment, then `freshax capture`."""

import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import Result
from confluent_kafka import Consumer, TopicPartition
from typer.testing import CliRunner

from connectors.ax.catalog_schemas import CatalogSchemas
from sandbox.stack.ports import free_port
from schemas import topics
from schemas.failures import FatalError
from streams.cli import app
from streams.runtime.schema_admin import SchemaState, Subjects, require_applicable
from streams.runtime.settings import load_settings
from tests.integration.ax_capture.conftest import CUSTTABLE, DIRPARTYTABLE, READER, READER_PASSWORD
from tests.kit.poll import poll_until

pytestmark = pytest.mark.parametrize("driver", ["freetds"], indirect=True)

KEY = "PARTITION bigint NOT NULL DEFAULT 1, RECID bigint NOT NULL PRIMARY KEY"
VENDTABLE = f"ACCOUNTNUM nvarchar(20) NOT NULL, MEMO nvarchar(max) NULL, DATAAREAID nvarchar(4) NOT NULL, {KEY}"
WIDE = ", ".join([*(f"FIELD{n} nvarchar(10) NOT NULL DEFAULT N'f{n}'" for n in range(240)), KEY])
TABLES = {"CUSTTABLE": CUSTTABLE, "DIRPARTYTABLE": DIRPARTYTABLE, "VENDTABLE": VENDTABLE, "WIDETABLE": WIDE}


@pytest.fixture
def environment(sql_server, sql_settings, kafka_settings, registry):
    """A deployment of which only the database is there."""
    for name, columns in TABLES.items():
        sql_server.execute(f"CREATE TABLE dbo.{name} ({columns})")
        sql_server.execute(
            f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{name}', @role_name = NULL"
        )
        sql_server.execute(f"GRANT SELECT ON dbo.{name} TO [{READER}]")
    yield os.environ | {
        "FRESHAX_KAFKA__BOOTSTRAP_SERVERS": kafka_settings.bootstrap_servers,
        "FRESHAX_REGISTRY__URL": registry,
        "FRESHAX_AX_SQL__DRIVER": sql_settings.driver,
        "FRESHAX_AX_SQL__SERVER": sql_settings.server,
        "FRESHAX_AX_SQL__PORT": str(sql_settings.port),
        "FRESHAX_AX_SQL__USER": READER,
        "FRESHAX_AX_SQL__PASSWORD": READER_PASSWORD,
        "FRESHAX_AX_SQL__ENCRYPT": "no",
        "FRESHAX_CAPTURE__TABLES": '["dbo.VENDTABLE", "WideTable"]',
        "FRESHAX_CAPTURE__REGISTER_SCHEMAS": "false",
        "FRESHAX_OBSERVE__PORT": str(free_port()),
    }
    for name in TABLES:
        sql_server.execute(f"DROP TABLE dbo.{name}")


def freshax(environment, *command: str) -> Result:
    """Run a command here: a process of its own would cost a second each."""
    return CliRunner().invoke(app, list(command), env=environment)


def plan(environment, *command: str) -> dict[str, tuple[str, str]]:
    ended = freshax(environment, *command, "--output", "json")
    assert ended.exit_code == 0, ended.stderr
    rows = json.loads(ended.stdout)
    return {row.get("subject") or row["topic"]: (row.get("state") or row["action"], row["detail"]) for row in rows}


def first_value(kafka_settings, codec, topic) -> dict | None:
    consumer = Consumer(kafka_settings.client_config() | {"group.id": "test", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic.name, 0, 0)])
        message = consumer.poll(1)
        return None if message is None or message.error() else codec.decode(topic, message.value())
    finally:
        consumer.close()


def test_two_commands_and_a_setting_capture_more_tables(
    environment, sql_server, kafka_settings, schema_registry, codec
):
    vendors, wide = topics.cdc_topic("VENDTABLE"), topics.cdc_topic("WIDETABLE")
    made = plan(environment, "topics", "apply")
    assert made[vendors.name][0] == made[wide.name][0] == "create"
    applied = plan(environment, "schemas", "apply", "--from-catalog")
    assert applied[wide.subject] == ("new subject", "242 columns of dbo.WIDETABLE")
    assert "id" in plan(environment, "schemas", "plan")[vendors.subject][1]

    sql_server.execute("INSERT INTO dbo.VENDTABLE (RECID, ACCOUNTNUM, DATAAREAID) VALUES (7, N'V-1', N'usmf')")
    sql_server.execute("INSERT INTO dbo.WIDETABLE (RECID) VALUES (8)")
    sql_server.scan()
    with subprocess.Popen([sys.executable, "-m", "streams", "capture"], env=environment) as process:
        try:
            poll_until(lambda: first_value(kafka_settings, codec, wide), 20, "the wide table is captured")
            poll_until(lambda: first_value(kafka_settings, codec, vendors), 20, "the vendor is captured")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
    vendor = first_value(kafka_settings, codec, vendors)
    assert vendor["after"] == {
        "ACCOUNTNUM": "V-1", "MEMO": None, "DATAAREAID": "usmf", "PARTITION": 1, "RECID": 7,
    }  # fmt: skip
    assert vendor["source"]["company"] == "usmf"
    row = first_value(kafka_settings, codec, wide)["after"]
    assert [row[f"FIELD{n}"] for n in range(240)] == [f"f{n}" for n in range(240)]


def test_the_plan_tells_new_grown_and_refused_subjects_and_registers_nothing(environment, sql_server, schema_registry):
    for table, column in (("VENDTABLE", "NODE hierarchyid NULL"), ("WIDETABLE", "MEMO int NULL")):
        sql_server.execute(f"ALTER TABLE dbo.{table} ADD {column}")
        sql_server.execute(
            f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{table}', @role_name = NULL, "
            f"@capture_instance = N'{table}_v2'"
        )
    subjects = Subjects(schema_registry)
    before = subjects.newest("ax.cdc.widetable-value")
    settings = load_settings({name: value for name, value in environment.items() if name.startswith("FRESHAX_")})
    plans = {plan.subject: plan for plan in CatalogSchemas(settings, schema_registry).plans}
    assert plans["ax.cdc.vendtable-value"].state is SchemaState.REFUSED
    assert "NODE is hierarchyid" in plans["ax.cdc.vendtable-value"].detail
    wide = plans["ax.cdc.widetable-value"]
    assert (wide.state, wide.detail) == (SchemaState.NEW_VERSION, "after 1: MEMO")
    with pytest.raises(FatalError, match="NODE is hierarchyid"):
        require_applicable(list(plans.values()))
    assert subjects.newest("ax.cdc.widetable-value") == before
