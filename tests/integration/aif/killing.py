"""Kills a sink process at a moment of our choice."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from tests.kit.poll import poll_until

ROOT = Path(__file__).parents[3]


def kill_when(ax, command, prior, reached):
    """Start a sink process on `command`, SIGKILL it as soon as `reached`."""
    given = {
        "aif": msgspec.to_builtins({**ax.aif_settings().model_dump(exclude={"password"})}),
        "sql": {**ax.sql_settings().model_dump(mode="json"), "password": ax.sql_settings().password.get_secret_value()},
        "command": msgspec.to_builtins(command),
        "prior": msgspec.to_builtins(prior),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.aif.crashing_sink"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    try:
        process.stdin.write(json.dumps(given))
        process.stdin.close()
        assert process.stdout.readline() == "ready\n"
        poll_until(reached, 15, "the killed process did not come so far")
    finally:
        process.kill()
        rest = process.stdout.read()
        process.stdout.close()
        process.wait()
        watchdog.cancel()
    assert rest == "", "the process was to be killed before it knew the outcome"
