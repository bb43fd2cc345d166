"""`python -m sandbox.ax`: one line when ready, a clean end on a signal."""

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest


@pytest.fixture
def program(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps(
            {
                "switches": {"auth": "none", "call_seconds": 0},
                "companies": {
                    "usmf": {"customers": [{"account": "A1", "name": "Seeded", "group": "10", "currency": "USD"}]}
                },
            }
        )
    )
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.ax", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(temporary)},
        text=True,
    )
    yield process, temporary
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_leaves_nothing(program, number):
    process, temporary = program
    ready = json.loads(process.stdout.readline())
    assert set(ready) == {"aif_url", "sql", "control_url"}
    assert set(ready["sql"]) == {"host", "port", "database", "user", "password", "ca_file"}
    assert httpx.get(f"{ready['control_url']}/state").json()["customers"][0]["name"] == "Seeded"
    process.send_signal(number)
    output, errors = process.communicate(timeout=5)
    assert (process.returncode, output, errors) == (0, "", "")
    assert list(temporary.iterdir()) == []


def test_a_misspelt_key_is_refused(tmp_path):
    config = tmp_path / "config.json"
    config.write_text('{"compannies": {}}')
    command = [sys.executable, "-m", "sandbox.ax", "--config", str(config)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode != 0
    assert "compannies" in result.stderr
