"""`python -m sandbox.freshbooks [--host H] [--port P] [--config FILE]`: run until SIGTERM or SIGINT.

Prints one line of JSON when ready; logs go to stderr. `--state` is accepted for likeness with the other simulators:
all state is in memory and ends with the process.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from pathlib import Path

import msgspec

from sandbox.freshbooks.config import Config, read_config
from sandbox.freshbooks.server import FreshBooksSimulator


def main() -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(prog="sandbox.freshbooks", description="A strict simulator of the FreshBooks API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="port of the API host (0: any free one)")
    parser.add_argument("--state", type=Path, help="accepted, unused: state is in memory")
    parser.add_argument("--config", type=Path, help="JSON file; see sandbox/freshbooks/README.md")
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        config = read_config(options.config) if options.config else Config()
    except (OSError, msgspec.MsgspecError) as error:
        parser.error(f"--config {options.config}: {error}")
    with FreshBooksSimulator(config, host=options.host, port=options.port) as simulator:
        sys.stdout.write(json.dumps(simulator.ready) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
