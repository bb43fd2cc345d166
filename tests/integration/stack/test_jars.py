"""The cache of jars: complete or not there, fetched once, and clear about what is missing. Maven is a stand-in here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.stack.errors import StackError
from sandbox.stack.jars import cache_folder, fetch
from sandbox.stack.ports import free_port

# Does what our pom makes Maven do, as far as the cache can tell, and counts its runs.
_MAVEN = """#!/bin/bash
echo run >>"$MAVEN_RUNS"
for argument; do case $argument in -Ddestination=*) destination=${argument#*=} ;; esac; done
mkdir -p "$destination/kafka"
touch "$destination/kafka/kafka.jar"
"""
_FAILING_MAVEN = _MAVEN + "echo 'Could not transfer artifact'; exit 1\n"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in for Maven counts its runs."""
    monkeypatch.setenv("MAVEN_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    folder.mkdir()
    (folder / "mvn").write_text(script)
    (folder / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_a_second_fetch_finds_what_the_first_one_brought(
    tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path / "bin", monkeypatch, _MAVEN)
    first = fetch(tmp_path / "cache")
    assert fetch(tmp_path / "cache") == first
    assert [jar.name for jar in first.kafka] == ["kafka.jar"]
    assert runs.read_text() == "run\n"


def test_two_processes_at_once_fetch_once(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(tmp_path / "bin", monkeypatch, _MAVEN)
    monkeypatch.setenv("FRESHAX_CACHE", str(tmp_path / "cache"))
    both = [subprocess.Popen([sys.executable, "-m", "sandbox.stack.jars"], stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert runs.read_text() == "run\n"


def test_a_failed_fetch_leaves_nothing_that_looks_complete(
    tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path / "bin", monkeypatch, _FAILING_MAVEN)
    with pytest.raises(StackError, match="Could not transfer artifact"):
        fetch(tmp_path / "cache")
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == ["jars.lock"]

    put_on_path(tmp_path / "mended", monkeypatch, _MAVEN)
    assert fetch(tmp_path / "cache").kafka


def test_without_maven_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="apt-get install -y --no-install-recommends maven"):
        fetch(tmp_path / "cache")


def test_the_cache_follows_its_own_variable_then_the_desktop_s_then_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("FRESHAX_CACHE", raising=False)
    assert cache_folder() == Path("/home/someone/.cache/freshax")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert cache_folder() == Path("/var/caches/freshax")
    monkeypatch.setenv("FRESHAX_CACHE", "/data/freshax")
    assert cache_folder() == Path("/data/freshax")


def test_ports_are_below_the_ephemeral_range_and_not_handed_out_twice() -> None:
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < first_ephemeral
