"""`python -m benchmarks.capture`: `freshax capture` beside Debezium, on one stand-in, in one run, as ratios.

Each round has a fresh stand-in, Kafka and registry. The two readers work one after the other on the same rows, in an
order that changes from round to round, so neither has the warm caches to itself. Three numbers and memory each:

- snapshot: rows of a filled table divided by the time from the first to the last record in the topic;
- stream: changes that wait in the change table, read from a reader that was stopped meanwhile: the same quotient;
- latency: commit at the writer to the record at a consumer, one change at a time, both readers running.

Start-up (JVM or Python, connecting) is told apart and is in no rate.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.capture.large import measure_large
from benchmarks.capture.rounds import measure_round

_METRICS = {
    "snapshot_rows_per_second": "snapshot, rows/s",
    "stream_rows_per_second": "stream, rows/s",
    "latency_median_ms": "commit to topic, median ms",
    "latency_p95_ms": "commit to topic, 95 % ms",
    "memory_mb": "memory (peak RSS), MB",
    "cpu_seconds": "CPU, s",
    "start_seconds": "start to first record, s",
}


def main() -> int:
    """Measure, print a table to stderr and JSON to stdout."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="rounds; each gives one ratio (default 4)")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the snapshot, and changes of the stream")
    parser.add_argument("--probes", type=int, default=60, help="changes for the latency")
    parser.add_argument(
        "--transaction",
        type=int,
        nargs="+",
        metavar="CHANGES",
        help="instead: freshax's memory and time for one transaction of so many changes, e.g. 10000 100000 1000000",
    )
    arguments = parser.parse_args()
    if arguments.transaction:
        return _large(arguments.transaction)
    rounds = []
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory(prefix="bench-capture-") as state:
            rounds.append(measure_round(Path(state), number, rows=arguments.rows, probes=arguments.probes))
        sys.stderr.write(f"round {number + 1} of {arguments.rounds} done\n")
    result = {
        "machine": {"cpus": _cpus(), "python": platform.python_version(), "system": platform.platform()},
        "settings": vars(arguments),
        "metrics": {name: _summary(name, rounds) for name in _METRICS},
        "rounds": rounds,
    }
    sys.stderr.write(_table(result["metrics"]))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0


def _large(sizes: list[int]) -> int:
    found = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-capture-") as state:
            found.append(measure_large(Path(state), size))
        sys.stderr.write(", ".join(f"{name} {value:,.0f}" for name, value in found[-1].items()) + "\n")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


def _summary(name: str, rounds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    columns = {reader: [measured[reader][name] for measured in rounds] for reader in ("freshax", "debezium")}
    columns["ratio"] = [one / other for one, other in zip(columns["freshax"], columns["debezium"], strict=True)]
    return {
        column: {"min": min(values), "median": statistics.median(values), "max": max(values)}
        for column, values in columns.items()
    }


def _table(metrics: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = [f"{'min / median / max':28} {'freshax':>28} {'Debezium':>28} {'freshax / Debezium':>24}"]
    for name, title in _METRICS.items():
        cells = [
            " / ".join(f"{metrics[name][column][part]:,.{digits}f}" for part in ("min", "median", "max"))
            for column, digits in (("freshax", 1), ("debezium", 1), ("ratio", 2))
        ]
        lines.append(f"{title:28} {cells[0]:>28} {cells[1]:>28} {cells[2]:>24}")
    return "\n".join(lines) + "\n"


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    sys.exit(main())
