"""`python -m sandbox.sqlserver` as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time

import pyodbc
import pytest


@pytest.fixture
def program(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps(
            {"setup": ["EXEC sys.sp_cdc_enable_db", "CREATE TABLE dbo.T (ID int PRIMARY KEY, TXT nvarchar(20))"]}
        )
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.sqlserver", "--state", str(tmp_path / "state"), "--config", str(config)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        yield process
        process.kill()


def postmaster(ready, tmp_path):
    return int((tmp_path / "state" / "postgres" / "postmaster.pid").read_text().split()[0])


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_says_where_it_is_serves_and_ends_cleanly(program, tmp_path, microsoft_driver):
    ready = json.loads(program.stdout.readline())
    assert ready["database"] == "AX"
    pid = postmaster(ready, tmp_path)
    connection = pyodbc.connect(
        f"DRIVER={microsoft_driver};SERVER={ready['host']},{ready['port']};DATABASE=AX;UID=sa;PWD={ready['logins']['sa']};Encrypt=no",
        timeout=5, autocommit=True,
    )  # fmt: skip
    cursor = connection.cursor()
    # One message with many calls. It holds Python's lock while it waits: only another process can answer.
    cursor.fast_executemany = True
    cursor.executemany(
        "INSERT INTO dbo.T (ID, TXT) VALUES (?, ?)", [(n, None if n % 5 == 0 else f"row {n}") for n in range(2000)]
    )
    assert tuple(connection.execute("SELECT COUNT(*), COUNT(TXT) FROM dbo.T").fetchone()) == (2000, 1600)
    connection.close()
    program.send_signal(signal.SIGTERM)
    assert program.wait(5) == 0
    assert program.stdout.read() == ""
    assert not alive(pid)


def test_postgresql_goes_with_a_killed_parent(program, tmp_path):
    ready = json.loads(program.stdout.readline())
    pid = postmaster(ready, tmp_path)
    program.kill()
    program.wait(5)
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, "PostgreSQL outlived its parent"
        time.sleep(0.05)
