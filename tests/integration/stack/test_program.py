"""`python -m sandbox.stack` as others start it: one JSON line, a clean end, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from tests.kit.poll import poll_until


def processes_that_name(text: str) -> list[int]:
    """Ids of the processes whose command line holds `text`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.fixture
def program(tmp_path: Path):
    running = subprocess.Popen(
        [sys.executable, "-m", "sandbox.stack", "--state", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        yield running
        running.kill()


def ready_line(program: subprocess.Popen[str]) -> dict[str, Any]:
    assert program.stdout is not None
    return json.loads(program.stdout.readline())


def test_it_says_where_both_are_and_ends_cleanly(program: subprocess.Popen[str], tmp_path: Path) -> None:
    ready = ready_line(program)
    assert set(ready) == {"kafka", "registry", "state"}
    assert AdminClient({"bootstrap.servers": ready["kafka"]}).list_topics(timeout=10).brokers
    assert httpx.get(f"{ready['registry']}/subjects", timeout=10).json() == []

    program.send_signal(signal.SIGTERM)

    assert program.wait(10) == 0
    assert processes_that_name(str(tmp_path)) == []


def test_both_die_with_it_when_it_is_killed(program: subprocess.Popen[str], tmp_path: Path) -> None:
    ready_line(program)
    assert len(processes_that_name(str(tmp_path))) == 3

    os.kill(program.pid, signal.SIGKILL)
    program.wait(10)

    poll_until(lambda: not processes_that_name(str(tmp_path)), 5, "Kafka and the registry have ended")


def test_it_explains_a_service_that_ends_and_stops_the_other(program: subprocess.Popen[str], tmp_path: Path) -> None:
    ready_line(program)
    (broker,) = (pid for pid in processes_that_name("kafka.Kafka") if pid in processes_that_name(str(tmp_path)))

    os.kill(broker, signal.SIGKILL)

    assert program.wait(10) == 1
    assert program.stderr is not None
    assert "Kafka ended with exit status -9" in program.stderr.read()
    assert processes_that_name(str(tmp_path)) == []
