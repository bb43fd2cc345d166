"""`make bench`: decisions per second and core of every flow, over the records of its examples. No I/O, one process.

Counted in CPU time, so that a loaded machine gives nearly the same numbers. A decision includes everything that a
flow does with a record: reading it into its struct, steps, document, hash, command. The master data is in memory, as
in a worker.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from schemas.failures import PoisonError
from streams.flow_commands import example
from streams.flows import load_flows
from streams.transforms.examples import Example
from streams.transforms.flow import Flow

EXAMPLES = Path(__file__).parents[1] / "tests" / "unit" / "transforms" / "golden"
Case = tuple[Flow, Example]


def cases_of(flow: Flow) -> list[Case]:
    """The examples of a flow that lead to a command: refused and ignored records cost less."""
    found = []
    for given in sorted((EXAMPLES / flow.name).glob("*.in.json")):
        case = example(flow, given)
        if json.loads(given.with_name(given.name.replace(".in.", ".out.")).read_text())["decision"] == "ready":
            found.append(case)
    return found


def decide_all(cases: Sequence[Case]) -> None:
    """One round: every record is decided once."""
    for flow, case in cases:
        try:
            flow.decide(case.record, case.master, case.now)
        except PoisonError as reason:
            raise AssertionError(f"{flow.name}: an example of a command was refused: {reason}") from reason


def per_second(work: Callable[[], None], count: int, seconds: float) -> float:
    """Decisions per CPU second, the best of three stretches: what disturbs only slows down."""
    best = 0.0
    for _ in range(3):
        rounds, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds / 3:
            work()
            rounds += 1
        best = max(best, rounds * count / spent)
    return best


def measured(seconds: float) -> list[dict[str, Any]]:
    """A row per flow that has examples."""
    flows = load_flows()
    rows = []
    for name in sorted(flows):
        cases = cases_of(flows[name])
        if cases:
            decide_all(cases)
            rate = per_second(lambda cases=cases: decide_all(cases), len(cases), seconds)  # type: ignore[misc]
            rows.append({"flow": name, "records": len(cases), "per_second": round(rate), "us": round(1e6 / rate, 1)})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=1.5, help="CPU seconds per flow.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    arguments = parser.parse_args()
    start = time.process_time()
    load_flows()
    loading = time.process_time() - start
    rows = measured(arguments.seconds)
    if arguments.json:
        sys.stdout.write(json.dumps({"loading_seconds": round(loading, 3), "flows": rows}, indent=2) + "\n")
        return
    sys.stdout.write(f"loading all flows: {loading * 1000:.0f} ms\n")
    sys.stdout.write(f"{'flow':<24} {'records':>8} {'per second':>12} {'µs each':>9}\n")
    for row in rows:
        sys.stdout.write(f"{row['flow']:<24} {row['records']:>8} {row['per_second']:>12,} {row['us']:>9}\n")


if __name__ == "__main__":
    main()
