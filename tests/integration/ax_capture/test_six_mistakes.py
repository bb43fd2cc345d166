"""Six mistakes that readers of change data make, each with the test that sees it.

They were found in the sources and issues of other connectors. Each loses or doubles rows without a word, and only
sometimes: at a crash, a lost connection, a refused write.
"""

import subprocess
import sys
import time

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from connectors.ax.resume import position_of, read_checkpoints
from schemas.failures import FatalError
from schemas.positions import Position
from streams.runtime import metrics
from tests.integration.ax_capture.conftest import READER
from tests.kit.poll import poll_until

ROWS = 6000
freetds = pytest.mark.parametrize("driver", ["freetds"], indirect=True)


def insert(bench, first: int, last: int) -> None:
    """Rows of the customers' table in one transaction; captured when it returns."""
    bench.plain(f'INSERT INTO {{C}} ("RECID") SELECT * FROM generate_series({first}, {last})')
    bench.scan()


def set_largest_record(bench, size: int) -> None:
    """What Kafka takes in the customers' topic, in bytes per batch."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, bench.customers.topic.name, incremental_configs=[entry])
    admin = AdminClient(bench.kafka.client_config())
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


@freetds
def test_a_checkpoint_inside_a_transaction(bench, tmp_path):
    """The mistake: a part of a transaction is written, its commit LSN is stored as done, a crash skips the rest."""
    bench.capture().wait_streaming().stop()
    file = tmp_path / "bench.json"
    file.write_text(bench.process_settings())
    insert(bench, 1, ROWS)
    process = subprocess.Popen([sys.executable, "-m", "tests.integration.ax_capture.capture_process", str(file)])
    try:
        poll_until(lambda: bench.end_offset(bench.customers.topic) > ROWS // 2, 20, "half of it is written")
    finally:
        process.kill()
        process.wait(10)
    written = bench.records(bench.customers.topic)
    assert 0 < len(written) < ROWS, "killed inside the transaction"
    checkpoint = read_checkpoints(bench.kafka, bench.codec)[bench.customers.topic.name]
    assert Position.parse(checkpoint.position) <= position_of(written[-1])
    bench.capture()
    bench.wait_ops(bench.customers, [("c", number) for number in range(1, ROWS + 1)], seconds=30)


@pytest.mark.parametrize("phase", ["snapshot", "stream"])
def test_an_error_in_a_result_taken_for_its_end(bench, phase):
    """The mistake: a connection that breaks inside a result looks like a result without more rows."""
    count = 1200
    bench.capture_settings = bench.capture_settings.model_copy(update={"snapshot_chunk_rows": count})
    if phase == "stream":
        bench.capture().wait_streaming()
    matching = "[RECID] > " if phase == "snapshot" else f"{bench.customers.name}_CT] c"
    bench.server.server.faults.kill_connection(count=1, after_rows=700, matching=matching, login=READER)
    insert(bench, 1, count)
    if phase == "snapshot":
        bench.capture().wait_streaming()
    bench.wait_ops(bench.customers, [("r" if phase == "snapshot" else "c", n) for n in range(1, count + 1)])
    assert bench.server.server.faults.active() == []


@freetds
def test_one_start_lsn_for_all_tables(bench):
    """The mistake: all tables go on at the newest position (rows of the slower are lost) or the oldest (doubled)."""
    bench.capture().wait_streaming()
    # The parties' changes cannot be read: the capture ends with the customers ahead. (That there are some, it may ask.)
    reading = f"{bench.parties.name}_CT] c"
    bench.server.server.faults.raise_error(1205, count=10_000, matching=reading, login=READER)
    for number in (1, 2, 3):
        bench.add_customer(number, f"Customer {number}")
    bench.scan()
    bench.wait_ops(bench.customers, [("c", 1), ("c", 2), ("c", 3)])
    bench.running[-1].stop()
    bench.server.server.faults.clear()
    assert bench.ops(bench.parties) == []
    bench.add_customer(4, "Customer 4")
    bench.scan()
    bench.capture()
    bench.wait_ops(bench.parties, [("c", 5000 + number) for number in (1, 2, 3, 4)])
    bench.wait_ops(bench.customers, [("c", number) for number in (1, 2, 3, 4)])


@freetds
def test_an_ignored_delivery_error(bench):
    """The mistake: Kafka refuses a record, the position moves on behind it."""
    bench.capture().wait_streaming()
    insert(bench, 1, 1)
    bench.wait_ops(bench.customers, [("c", 1)])
    set_largest_record(bench, 200)
    insert(bench, 2, 2)
    insert(bench, 3, 3)
    failure = bench.running[-1].wait_failure(FatalError)
    assert failure.code == "kafka_refused"
    assert bench.customers.topic.name in failure.message
    assert bench.ops(bench.customers) == [("c", 1)]
    set_largest_record(bench, 1_000_000)
    bench.capture()
    bench.wait_ops(bench.customers, [("c", 1), ("c", 2), ("c", 3)])


@freetds
@pytest.mark.parametrize("sleeps", ["between polls", "before a retry"])
def test_a_sleep_that_cannot_be_cancelled(bench, sleeps):
    """The mistake: a stop waits for the end of a long sleep, and the process is killed instead."""
    if sleeps == "before a retry":
        # Every try fails from now on; the pauses grow to seconds.
        bench.server.server.faults.raise_error(40613, count=10_000, login=READER)
        retries = metrics.RETRIES.labels("ax_sql", "sql_throttled")._value
        before = retries.get()
        running = bench.capture()
        poll_until(lambda: retries.get() >= before + 5, 20, "it has failed a few times")
    else:
        settings = bench.capture_settings.model_copy(update={"poll_interval_seconds": 60})
        running = bench.capture(settings=settings).wait_streaming()
    asked = time.monotonic()
    running.stop()
    assert time.monotonic() - asked < 1.5


@freetds
def test_a_guessed_capture_instance(bench):
    """The mistake: the instance is called `<schema>_<table>` by default, so it is always called that."""
    bench.disable(bench.customers)
    bench.enable(bench.customers, instance=f"finance_{bench.customers.name}")
    # The default name is taken by another table.
    other = f"OTHER_{bench.customers.name}"
    bench.server.execute(f"CREATE TABLE dbo.{other} (RECID bigint NOT NULL PRIMARY KEY)")
    bench.server.execute(
        f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{other}', @role_name = NULL, "
        f"@capture_instance = N'dbo_{bench.customers.name}'"
    )
    try:
        bench.capture().wait_streaming()
        bench.server.execute(f"INSERT INTO dbo.{other} (RECID) VALUES (99)")
        insert(bench, 1, 2)
        bench.wait_ops(bench.customers, [("c", 1), ("c", 2)])
        checkpoint = read_checkpoints(bench.kafka, bench.codec)[bench.customers.topic.name]
        assert checkpoint.capture_instance == f"finance_{bench.customers.name}"
    finally:
        bench.server.execute(f"DROP TABLE dbo.{other}")
