"""The server goes away and comes back: as it was (a fail-over without loss), or as it had been before (a restore)."""

import subprocess
import time

import pytest

from sandbox.sqlserver.background import BackgroundSqlServer
from schemas.failures import FatalError
from tests.integration.ax_capture.conftest import READER, Bench

pytestmark = pytest.mark.parametrize("driver", ["freetds"], indirect=True)


class Machine:
    """A SQL Server that can be stopped, saved and brought back on its port."""

    def __init__(self, folder) -> None:
        self._state, self._saved = folder / "state", folder / "saved"
        self.server = BackgroundSqlServer(self._state)
        self._start()
        self.server.execute("EXEC sys.sp_cdc_enable_db")
        self.server.execute(f"CREATE USER [{READER}] FOR LOGIN [{READER}]")
        self.server.execute(f"GRANT SELECT ON SCHEMA::cdc TO [{READER}]")

    def _start(self) -> None:
        self.server.__enter__()
        self.server.run(self.server.server.capture_job.stop())
        self.port = self.server.server.port

    def stop(self) -> None:
        self.server.__exit__(None, None, None)

    def start(self) -> BackgroundSqlServer:
        """As it was when it was stopped."""
        self.server = BackgroundSqlServer(self._state, port=self.port)
        self._start()
        return self.server

    def save(self) -> None:
        """What is saved while it is stopped comes back by `restore`."""
        # `cp` keeps the owner, which PostgreSQL insists on.
        subprocess.run(["cp", "-a", str(self._state), str(self._saved)], check=True)

    def restore(self) -> None:
        subprocess.run(["rm", "-rf", str(self._state)], check=True)
        subprocess.run(["mv", str(self._saved), str(self._state)], check=True)


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def bench(machine, kafka_settings, codec, schema_registry, registry, sql_settings):
    sql = sql_settings.model_copy(update={"port": machine.port, "login_timeout_seconds": 2})
    made = Bench(machine.server, kafka_settings, codec, sql, schema_registry)
    made.registry_url = registry
    yield made
    made.close()


def insert(bench, *rec_ids: int) -> None:
    for rec_id in rec_ids:
        bench.execute(f"INSERT INTO {{C}} (RECID) VALUES ({rec_id})")
    bench.scan()


def test_a_fail_over_without_loss_is_waited_for_and_loses_and_doubles_nothing(bench, machine):
    bench.capture().wait_streaming()
    insert(bench, 1, 2)
    bench.wait_ops(bench.customers, [("c", 1), ("c", 2)])
    bench.execute("INSERT INTO {C} (RECID) VALUES (3)")  # committed, not captured when the server goes
    machine.stop()
    time.sleep(0.5)  # it is away for longer than a query takes
    bench.server = machine.start()
    # The new primary is not open at once.
    bench.server.server.faults.refuse_logins(count=2, number=40613, login=READER)
    insert(bench, 4)
    bench.wait_ops(bench.customers, [("c", number) for number in (1, 2, 3, 4)], seconds=30)


def test_a_restored_database_stops_a_running_capture_and_one_that_starts(bench, machine):
    insert(bench, 1)
    machine.stop()
    machine.save()
    bench.server = machine.start()
    running = bench.capture().wait_streaming()
    insert(bench, 2, 3)
    bench.wait_ops(bench.customers, [("r", 1), ("c", 2), ("c", 3)])
    machine.stop()
    machine.restore()
    bench.server = machine.start()
    failure = running.wait_failure(FatalError, 30)
    assert failure.code == "cdc_restored"
    assert "re-create" in failure.message
    assert bench.capture().wait_failure(FatalError).code == "cdc_restored"
    assert bench.ops(bench.customers) == [("r", 1), ("c", 2), ("c", 3)]


def test_a_restored_database_that_has_overtaken_our_position_stops_all_the_same(bench, machine):
    """Its new commits lie behind and before our position: by numbers alone it looks like any other backlog."""
    insert(bench, 1)
    machine.stop()
    machine.save()
    bench.server = machine.start()
    running = bench.capture().wait_streaming()
    insert(bench, 2)
    bench.wait_ops(bench.customers, [("r", 1), ("c", 2)])
    running.stop()
    machine.stop()
    machine.restore()
    bench.server = machine.start()
    bench.plain('INSERT INTO {C} ("RECID") SELECT * FROM generate_series(100, 400)')
    insert(bench, *range(401, 420))
    failure = bench.capture().wait_failure(FatalError, 20)
    assert failure.code == "cdc_restored"
    assert bench.ops(bench.customers) == [("r", 1), ("c", 2)]
