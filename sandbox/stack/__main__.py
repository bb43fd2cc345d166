"""Run Kafka and the registry until Ctrl-C: `python -m sandbox.stack [--state DIR]`.

One line of JSON on stdout says where they are as soon as both serve; progress and errors go to stderr.
"""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from sandbox.stack.errors import StackError
from sandbox.stack.jars import fetch
from sandbox.stack.kafka import Kafka
from sandbox.stack.registry import Registry
from sandbox.stack.supervisor import Supervisor


def main() -> int:
    """Run until a signal (exit code 0) or until a service fails (1)."""
    arguments = _parse()
    with ExitStack() as cleanup:
        state: Path = arguments.state or Path(
            cleanup.enter_context(tempfile.TemporaryDirectory(prefix="freshax-stack-"))
        )
        try:
            _serve(state, arguments.kafka_port, arguments.registry_port)
        except StackError as failure:
            sys.stderr.write(f"{failure}\n")
            return 1
        except (KeyboardInterrupt, SystemExit):
            return 0
    return 0


def _serve(state: Path, kafka_port: int, registry_port: int) -> None:
    with Supervisor() as supervisor:
        jars = fetch()
        kafka = Kafka(state / "kafka", port=kafka_port, jars=jars)
        registry = Registry(state / "registry", port=registry_port, jars=jars)
        supervisor.start(kafka, registry)
        ready = {"kafka": kafka.bootstrap, "registry": registry.url, "state": str(state)}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        supervisor.watch()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.stack", description="Run Kafka and the schema registry on loopback."
    )
    parser.add_argument("--state", type=Path, help="keep data and logs here (default: a folder that is removed)")
    parser.add_argument("--kafka-port", type=int, default=0, help="Kafka's port (default: a free one)")
    parser.add_argument("--registry-port", type=int, default=0, help="the registry's port (default: a free one)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
