"""`setup.sh` on machines that it cannot set up: one line that says what to do, and nothing changed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[3] / "sandbox/stack/setup.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that has only the script, and a folder `bin` that comes first on the path."""
    (tmp_path / "sandbox/stack").mkdir(parents=True)
    shutil.copy(_SCRIPT, tmp_path / "sandbox/stack/setup.sh")
    (tmp_path / "bin").mkdir()
    return tmp_path


def stand_in(checkout: Path, name: str, script: str) -> None:
    (checkout / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (checkout / "bin" / name).chmod(0o755)


def run(checkout: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "sandbox/stack/setup.sh"],
        env={"PATH": f"{checkout / 'bin'}:/usr/bin:/bin", "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_without_root_it_names_the_command_that_root_must_run(checkout: Path) -> None:
    stand_in(checkout, "id", "echo 1000")
    stand_in(checkout, "dpkg-query", "case $4 in maven) printf installed ;; *) exit 1 ;; esac")

    done = run(checkout)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "apt-get install -y --no-install-recommends postgresql-15 unixodbc" in line
    assert "maven" not in line
    assert not (checkout / ".venv").exists()


def test_an_old_python_is_refused_with_the_way_to_name_another(checkout: Path) -> None:
    stand_in(checkout, "python3", "exit 1")

    done = run(checkout, python="python3")

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "3.11" in line
    assert "PYTHON=" in line


def test_a_failing_apt_get_shows_its_own_words(checkout: Path) -> None:
    stand_in(checkout, "id", "echo 0")
    stand_in(checkout, "dpkg-query", "exit 1")
    stand_in(checkout, "apt-get", "echo 'E: Unable to locate package'; exit 100")

    done = run(checkout)

    assert done.returncode == 1
    assert "E: Unable to locate package" in done.stderr
    assert done.stderr.splitlines()[-1] == "setup: apt-get failed; see above"
