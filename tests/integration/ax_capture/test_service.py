"""`freshax capture` as a process: readiness, metrics, a prompt end, one clear line when it cannot work."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from sandbox.stack.ports import free_port
from schemas import topics
from streams.runtime.schema_admin import SchemaAdmin
from streams.runtime.topic_admin import TopicAdmin
from tests.integration.ax_capture.conftest import CUSTTABLE, DIRPARTYTABLE, READER, READER_PASSWORD
from tests.kit.poll import poll_until

pytestmark = pytest.mark.parametrize("driver", ["freetds"], indirect=True)


@pytest.fixture
def environment(sql_server, sql_settings, kafka_settings, schema_registry, registry):
    """The settings of a deployment whose topics, schemas and capture instances are there."""
    TopicAdmin(kafka_settings).apply(topics.ALL)
    SchemaAdmin(schema_registry).apply(topics.ALL)
    for name, columns in (("CUSTTABLE", CUSTTABLE), ("DIRPARTYTABLE", DIRPARTYTABLE)):
        sql_server.execute(f"CREATE TABLE dbo.{name} ({columns})")
        sql_server.execute(
            f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{name}', @role_name = NULL"
        )
        sql_server.execute(f"GRANT SELECT ON dbo.{name} TO [{READER}]")
    made = os.environ | {
        "FRESHAX_KAFKA__BOOTSTRAP_SERVERS": kafka_settings.bootstrap_servers,
        "FRESHAX_REGISTRY__URL": registry,
        "FRESHAX_AX_SQL__DRIVER": sql_settings.driver,
        "FRESHAX_AX_SQL__SERVER": sql_settings.server,
        "FRESHAX_AX_SQL__PORT": str(sql_settings.port),
        "FRESHAX_AX_SQL__USER": READER,
        "FRESHAX_AX_SQL__PASSWORD": READER_PASSWORD,
        "FRESHAX_AX_SQL__ENCRYPT": "no",
        "FRESHAX_CAPTURE__HEARTBEAT_SECONDS": "0.2",
        "FRESHAX_OBSERVE__PORT": str(free_port()),
    }
    # These tables are not those that an earlier test's capture has read: it may go on by new snapshots only.
    asked = command(made, "capture", "snapshot", "CUSTTABLE", "DIRPARTYTABLE")
    assert asked.returncode == 0, asked.stderr
    yield made
    for name in ("CUSTTABLE", "DIRPARTYTABLE"):
        sql_server.execute(
            f"EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', @source_name = N'{name}', "
            f"@capture_instance = N'dbo_{name}'"
        )
        sql_server.execute(f"DROP TABLE dbo.{name}")


def get(environment, path: str) -> tuple[int, str]:
    try:
        url = f"http://127.0.0.1:{environment['FRESHAX_OBSERVE__PORT']}{path}"
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def start(environment):
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "capture"], env=environment, stderr=subprocess.PIPE, text=True
    )


def test_it_becomes_ready_serves_metrics_and_ends_within_five_seconds(environment, sql_server):
    answered = "freshax_ax_sql_last_answer_timestamp_seconds 1."
    with start(environment) as process:
        try:
            poll_until(lambda: get(environment, "/readyz")[0] == 200, 20, "it is ready")
            assert get(environment, "/healthz")[0] == 200
            sql_server.execute("INSERT INTO dbo.CUSTTABLE (RECID) VALUES (1)")
            sql_server.scan()
            for told in (answered, 'freshax_cdc_rows_total{op="c",table="CUSTTABLE"} 1.0'):
                poll_until(lambda told=told: told in get(environment, "/metrics")[1], 5, told)
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=10)
            assert time.monotonic() - asked < 5
            assert process.returncode == 0, log
        finally:
            process.kill()


def test_a_wrong_password_ends_it_with_code_1_and_a_line_without_the_password(environment):
    process = start(environment | {"FRESHAX_AX_SQL__PASSWORD": "canary-0815"})
    _, log = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "sql_login_failed" in log.splitlines()[-1]
    assert "FRESHAX_AX_SQL__PASSWORD" in log.splitlines()[-1]
    assert "canary-0815" not in log


def test_a_snapshot_of_a_table_that_is_not_captured_is_a_wrong_usage(environment):
    ended = command(environment, "capture", "snapshot", "VENDTABLE")
    assert ended.returncode == 2
    assert "VENDTABLE not captured" in ended.stderr
    assert "dbo.CUSTTABLE, dbo.DIRPARTYTABLE" in ended.stderr


def test_an_operator_asks_for_a_range_and_follows_it(environment):
    """The whole way: the command, the signal, the running capture, its checkpoints, the command's end."""
    said = command(environment, "capture", "snapshot", "CUSTTABLE", "--from", "1", "--dry-run")
    assert said.stdout == "would ask: snapshot dbo.CUSTTABLE RECID 1 to any\n"
    with start(environment) as process:
        try:
            asked = command(environment, "capture", "snapshot", "CUSTTABLE", "--from", "1", "--wait", "--timeout", "30")
            assert asked.returncode == 0, asked.stderr
            told = json.loads(command(environment, "capture", "status", "--output", "json").stdout)
        finally:
            process.kill()
            process.communicate()
    assert [(row["table"], row["does"]) for row in told] == [
        ("dbo.CUSTTABLE", "streaming"),
        ("dbo.DIRPARTYTABLE", "streaming"),
    ]


def command(environment, *arguments: str) -> subprocess.CompletedProcess:
    whole = [sys.executable, "-m", "streams", *arguments]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, timeout=60, check=False)
