"""One round: two readers over the same rows of one stand-in."""
# ruff: noqa: S608 - the statements are made of constants of ours

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from confluent_kafka import Consumer, TopicPartition

from sandbox.stack.process import Process
from tests.differential.debezium import Debezium
from tests.differential.history import History
from tests.differential.rig import FEEDS, PASSWORD, Rig
from tests.differential.tables import KEY, TABLES

TABLE = "CUSTTABLE"
# What `freshax capture` reads by default: the projector needs both.
AX_TABLES = (TABLE, "DIRPARTYTABLE")
_TOPICS = {"freshax": FEEDS[TABLE].name, "debezium": f"debezium.AX.dbo.{TABLE}"}
_SEED_ROWS = 20
_LIMIT_SECONDS = 180.0
_TICKS_PER_SECOND = 100  # USER_HZ, what /proc counts in


@dataclass
class Reader:
    """One of the two. `usage` sums CPU over its starts, and keeps the highest memory."""

    name: str
    make: Callable[[], Process]
    process: Process | None = None
    memory_mb: float = 0.0
    cpu_seconds: float = 0.0

    def start(self) -> None:
        """Start it anew: it goes on where it was."""
        self.process = self.make()
        self.process.start()

    def stop(self) -> None:
        """Note its usage and stop it."""
        if self.process is None:
            return
        memory, cpu = usage(self.process.pid)
        self.memory_mb, self.cpu_seconds = max(self.memory_mb, memory), self.cpu_seconds + cpu
        self.process.stop()
        self.process = None


def measure_round(state: Path, number: int, *, rows: int, probes: int) -> dict[str, dict[str, float]]:
    """The metrics of both readers, by name."""
    with Rig(state, capture_interval_seconds=0.05, tables=AX_TABLES) as rig:
        rig.create_topics(_TOPICS["debezium"], "debezium.history")
        readers = [Reader("freshax", rig.capture), Reader("debezium", lambda: _debezium(rig).process)]
        if number % 2:
            readers.reverse()
        found: dict[str, dict[str, float]] = {reader.name: {} for reader in readers}
        try:
            filled = fill(rig, rows)
            for reader in readers:
                rate, waited = drain(rig, reader, filled)
                found[reader.name] |= {"snapshot_rows_per_second": rate, "start_seconds": waited}
                settle(rig, reader)
                reader.stop()
            changed = change_all(rig, filled)
            for place, reader in enumerate(readers):
                # The first one was stopped while the second settled, and reads that change now.
                found[reader.name]["stream_rows_per_second"] = drain(rig, reader, changed + (place == 0))[0]
            for reader in readers:
                times = latencies(rig, reader, probes)
                found[reader.name] |= {"latency_median_ms": median(times), "latency_p95_ms": quantiles(times, n=20)[-1]}
        finally:
            for reader in readers:
                reader.stop()
        for reader in readers:
            found[reader.name] |= {"memory_mb": reader.memory_mb, "cpu_seconds": reader.cpu_seconds}
        return found


def _debezium(rig: Rig) -> Debezium:
    folder = rig.state / "debezium"
    return Debezium(folder, rig.kafka.bootstrap, rig.sql_port, PASSWORD, [TABLE], {"debezium": {}})


def fill(rig: Rig, rows: int) -> int:
    """Rows of all kinds of values, doubled by the server until there are `rows`; returns how many."""
    history = History(1, rig.connect, [TABLE])
    history.fill(_SEED_ROWS)
    history.close()
    names = ", ".join(column.name for column in TABLES[TABLE] if column.name != KEY)
    count = 2 * _SEED_ROWS
    shift = 10**13
    while count < rows:
        rig.execute(f"INSERT INTO dbo.{TABLE} ({names}, {KEY}) SELECT {names}, {KEY} + {shift} FROM dbo.{TABLE}")
        count, shift = count * 2, shift * 2
    rig.execute("EXEC sys.sp_cdc_scan")
    return count


def change_all(rig: Rig, rows: int) -> int:
    """Change every row once, some hundreds per transaction; returns how many changes wait in the change table."""
    keys = [row[0] for row in rig.execute(f"SELECT {KEY} FROM dbo.{TABLE} ORDER BY {KEY}")]
    connection = rig.connect(autocommit=True)
    for start in range(0, rows, 400):
        part = keys[start : start + 400]
        sql = f"UPDATE dbo.{TABLE} SET VATNUM = ? WHERE {KEY} >= ? AND {KEY} <= ?"
        connection.execute(sql, f"changed {start}", part[0], part[-1])
    connection.close()
    rig.execute("EXEC sys.sp_cdc_scan")
    return rows


def drain(rig: Rig, reader: Reader, count: int) -> tuple[float, float]:
    """Start `reader` and wait for `count` records: (rows per second, seconds from the start to the first of them)."""
    topic = _TOPICS[reader.name]
    begin = rig.end_offset(topic)
    started = time.monotonic()
    reader.start()
    first_at, first = 0.0, 0
    while (end := rig.end_offset(topic)) < begin + count:
        now = time.monotonic()
        if now - started > _LIMIT_SECONDS:
            raise TimeoutError(f"{reader.name}: {end - begin} of {count} records after {_LIMIT_SECONDS:g} s")
        if end > begin and not first:
            first_at, first = now, end
        if reader.process is not None:
            reader.process.require_running()
        time.sleep(0.005)
    seconds = time.monotonic() - first_at
    return (begin + count - first) / seconds, first_at - started


def settle(rig: Rig, reader: Reader) -> None:
    """Change one row, and wait until it comes: then the reader streams, with its snapshot behind it."""
    topic = _TOPICS[reader.name]
    end = rig.end_offset(topic)
    rig.execute(f"UPDATE dbo.{TABLE} SET MEMO = '{time.monotonic()}' WHERE {KEY} = 1")
    give_up = time.monotonic() + _LIMIT_SECONDS
    while rig.end_offset(topic) == end:
        if time.monotonic() > give_up:
            raise TimeoutError(f"{reader.name} does not stream")
        time.sleep(0.05)


def latencies(rig: Rig, reader: Reader, probes: int) -> list[float]:
    """Milliseconds from the commit's return to the record's arrival at a consumer, per change."""
    topic = _TOPICS[reader.name]
    settle(rig, reader)
    consumer = Consumer(rig.kafka_settings.client_config() | {"group.id": "bench", "fetch.wait.max.ms": 5})
    consumer.assign([TopicPartition(topic, 0, rig.end_offset(topic))])
    consumer.poll(1.0)
    connection = rig.connect(autocommit=True)
    key = rig.execute(f"SELECT MAX({KEY}) FROM dbo.{TABLE}")[0][0]
    found = []
    for number in range(probes):
        connection.execute(f"UPDATE dbo.{TABLE} SET VATNUM = ? WHERE {KEY} = ?", f"{reader.name} {number}", key)
        committed = time.monotonic()
        message = consumer.poll(30.0)
        if message is None or message.error() is not None:
            raise TimeoutError(f"{reader.name}: change {number} does not arrive")
        found.append((time.monotonic() - committed) * 1000)
    connection.close()
    consumer.close()
    return found


def usage(pid: int) -> tuple[float, float]:
    """(peak resident memory in MB, CPU seconds) of a process, as Linux counts them."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    times = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return int(peak) / 1024, (int(times[11]) + int(times[12])) / _TICKS_PER_SECOND
