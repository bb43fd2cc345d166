"""`python -m sandbox.sqlserver`: run the stand-in until SIGTERM; one JSON line says where it is."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import tempfile
from pathlib import Path

from sandbox.sqlserver.server import DEFAULT_LOGINS, SqlServer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.sqlserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, help="directory to keep; without it a temporary one")
    parser.add_argument("--config", type=Path, help='JSON: {"database", "logins", "capture_interval_seconds", "setup"}')
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace, state: Path) -> None:
    config = json.loads(arguments.config.read_text()) if arguments.config else {}
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = SqlServer(
        state,
        database=config.get("database", "AX"),
        host=arguments.host,
        port=arguments.port,
        logins=config.get("logins", DEFAULT_LOGINS),
        capture_interval_seconds=config.get("capture_interval_seconds", 0.1),
    )
    async with server:
        for statement in config.get("setup", []):
            await server.execute(statement)
        ready = {
            "host": server.host,
            "port": server.port,
            "database": server.database,
            "dsn": server.dsn,
            "ca_file": str(server.ca_file),
            "logins": dict(config.get("logins", DEFAULT_LOGINS)),
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    """Parse the arguments and serve."""
    arguments = _arguments()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    if arguments.state:
        asyncio.run(_serve(arguments, arguments.state))
        return
    with tempfile.TemporaryDirectory(prefix="sqlserver-") as state:
        asyncio.run(_serve(arguments, Path(state)))


if __name__ == "__main__":
    main()
