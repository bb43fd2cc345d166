"""The program: one line when ready, a clean end, a configuration file that is checked."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "sandbox.freshbooks"]


def test_prints_one_line_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    config = tmp_path / "fb.json"
    config.write_text(json.dumps({"seed": 7, "switches": {"soft_delete_event": "both"}}))
    with subprocess.Popen([*COMMAND, "--config", str(config)], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            assert select.select([program.stdout], [], [], 20)[0], "no ready line"
            ready = json.loads(program.stdout.readline())
            headers = {"Authorization": f"Bearer {ready['human_token']}"}
            me = httpx.get(f"{ready['api_url']}/auth/api/v1/users/me", headers=headers)
            assert me.json()["response"]["email"] == "owner@acme.test"
            assert httpx.get(f"{ready['control_url']}/switches").json()["soft_delete_event"] == "both"
            assert {"account_id", "business_id", "client_id", "client_secret", "refresh_token", "auth_url"} <= set(
                ready
            )
        finally:
            program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=5) == 0
        assert program.stdout.read() == ""


def test_a_misspelt_configuration_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "fb.json"
    config.write_text('{"sead": 7}')
    done = subprocess.run([*COMMAND, "--config", str(config)], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "sead" in done.stderr
    assert done.stdout == ""
