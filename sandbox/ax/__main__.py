"""The program: `python -m sandbox.ax [--host H] [--port P] [--state DIR] [--config FILE.json]`.

Prints one line of JSON when it is ready, logs to stderr, ends on SIGTERM and SIGINT.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
import tempfile
from pathlib import Path

from sandbox.ax.config import AxConfig, load
from sandbox.ax.system import AxSystem


def main() -> None:
    """Read the arguments and run until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.ax", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="AIF port; 0 takes a free one")
    parser.add_argument("--state", type=Path, help="folder for the database; default: a temporary one")
    parser.add_argument("--config", type=Path, help="JSON file, see sandbox/ax/config.py")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    config = load(arguments.config)
    if arguments.state is None:
        with tempfile.TemporaryDirectory(prefix="freshax-ax-") as folder:
            asyncio.run(_run(config, Path(folder), arguments.host, arguments.port))
    else:
        arguments.state.mkdir(parents=True, exist_ok=True)
        asyncio.run(_run(config, arguments.state, arguments.host, arguments.port))


async def _run(config: AxConfig, state: Path, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with AxSystem(config, state, host=host, port=port) as system:
        sys.stdout.write(json.dumps(system.ready()) + "\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    main()
