"""Programs of the demo as supervised services: simulators, which print a line of JSON, and freshax's own commands."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.stack.errors import StackError
from sandbox.stack.ports import LOOPBACK, free_port
from sandbox.stack.process import Process
from sandbox.stack.service import Service, answers_ok

_READY_SECONDS = 60.0
_STOP_SECONDS = 6.0


class Simulator(Service):
    """`python -m <module>`: ready when it has printed its addresses."""

    remedy = "Its log is above; `make setup` mends a missing package."

    def __init__(self, module: str, state: Path, config: Mapping[str, Any]) -> None:
        self.state = state / module
        self.addresses: dict[str, Any] = {}
        self._config = dict(config)
        self._file = self.state / "config.json"
        command = [sys.executable, "-m", module, "--config", str(self._file), "--state", str(self.state / "data")]
        self.process = Process(module, command, self.state / "log")

    def start(self) -> None:
        """Write the configuration and start without waiting."""
        self.state.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self._config, ensure_ascii=False), "utf-8")
        self.process.start()

    def wait_ready(self) -> None:
        """Return when the addresses are known. Raises: StackError."""
        self._await(self._read_addresses, _READY_SECONDS)

    def _read_addresses(self) -> bool:
        for line in self.process.log.read_text("utf-8", "replace").splitlines():
            if line.startswith("{") and "control_url" in line:
                self.addresses = json.loads(line)
                return True
        return False

    def stop(self) -> None:
        """Shut it down."""
        self.process.stop(grace_seconds=_STOP_SECONDS)


class FreshaxService(Service):
    """One long-running `freshax` command: ready when its /readyz says so."""

    remedy = "Its log is above: a setting that does not fit is named there."

    def __init__(self, name: str, arguments: list[str], state: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.port = free_port()
        self.state = state
        own = {
            "FRESHAX_OBSERVE__PORT": str(self.port),
            "FRESHAX_WORKER__DATA_DIR": str(state / name / "worker"),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "streams", *arguments]
        self.process = Process(
            name, command, state / f"{name}.log", environment=dict(os.environ) | dict(environment) | own
        )

    @property
    def url(self) -> str:
        """Where /metrics, /healthz and /readyz are."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start without waiting."""
        self.process.start()

    def wait_ready(self) -> None:
        """Return when it is ready. Raises: StackError."""
        self._await(lambda: answers_ok(self.port, "/readyz"), _READY_SECONDS)

    def stop(self) -> None:
        """Shut it down."""
        self.process.stop(grace_seconds=_STOP_SECONDS)


def run_command(name: str, arguments: list[str], state: Path, environment: Mapping[str, str]) -> Process:
    """Start one `freshax` command that ends by itself; `finish` waits for it."""
    log = state / f"{name.replace(' ', '-')}.log"
    command = [sys.executable, "-m", "streams", *arguments]
    process = Process(name, command, log, environment=dict(os.environ) | dict(environment))
    process.start()
    return process


def finish(process: Process, *, deadline_seconds: float) -> None:
    """Wait for a command's end. Raises: StackError with the end of its log when it failed."""
    give_up = time.monotonic() + deadline_seconds
    while process.running:
        if time.monotonic() > give_up:
            process.kill()
            raise StackError(f"{process.name} did not end within {deadline_seconds:g} s; see {process.log}")
        time.sleep(0.02)
    if process.exit_status != 0:
        raise StackError(f"{process.name} failed:\n{process.log.read_text('utf-8', 'replace')[-2000:]}")
