"""Supervision: what is started is ready or explained, and ends with whoever started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.stack.errors import StackError
from sandbox.stack.process import Process
from sandbox.stack.supervisor import Supervisor
from tests.kit.poll import poll_until

_SLEEP = ["sleep", "60"]
_STUBBORN = ["bash", "-c", "trap '' TERM; echo deaf; while true; do sleep 0.1; done"]


def alive(pid: int) -> bool:
    """False when there is no such process, or only its unread exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def group_members(group: int) -> list[int]:
    """The living processes of a process group."""
    members = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(int(entry.name))
    return members


def test_a_process_that_ends_before_it_is_ready_is_explained_by_its_log(tmp_path: Path) -> None:
    process = Process("Greeter", ["bash", "-c", "echo the port is taken; exit 3"], tmp_path / "log")
    process.start()
    with pytest.raises(StackError) as failure:
        process.wait_ready(lambda: False, deadline_seconds=10, remedy="Free the port.")
    for part in ("Greeter", "exit status 3", "Free the port.", "the port is taken", str(tmp_path / "log")):
        assert part in str(failure.value)


def test_a_process_that_never_gets_ready_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    process = Process("Sleeper", _SLEEP, tmp_path / "log")
    process.start()
    try:
        with pytest.raises(StackError, match=r"Sleeper was not ready after 0\.1 s"):
            process.wait_ready(lambda: False, deadline_seconds=0.1)
    finally:
        process.stop()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no-such-program is not installed"):
        Process("Nothing", ["no-such-program"], tmp_path / "log").start()


def test_it_is_not_started_twice(tmp_path: Path) -> None:
    process = Process("Sleeper", _SLEEP, tmp_path / "log")
    process.start()
    try:
        with pytest.raises(StackError, match="runs already"):
            process.start()
    finally:
        process.stop()


def test_stop_ends_the_children_too_and_one_that_ignores_sigterm(tmp_path: Path) -> None:
    process = Process("Stubborn", _STUBBORN, tmp_path / "log")
    process.start()
    process.wait_ready(lambda: "deaf" in (tmp_path / "log").read_text(), deadline_seconds=10)
    process.stop(grace_seconds=0.2)
    poll_until(lambda: not group_members(process.pid), 5, "the whole group has ended")


def test_a_stopped_process_can_be_started_again_and_its_log_goes_on(tmp_path: Path) -> None:
    process = Process("Greeter", ["bash", "-c", "echo hello; sleep 60"], tmp_path / "log")
    for count in (1, 2):
        process.start()
        process.wait_ready(lambda: (tmp_path / "log").read_text().count("hello") == count, deadline_seconds=10)  # noqa: B023
        process.stop()
        assert not process.running


_PARENT = """
import pathlib, sys, threading
from sandbox.stack.process import Process
process = Process("Sleeper", ["sleep", "60"], pathlib.Path(sys.argv[1]) / "log")
starter = threading.Thread(target=process.start)  # its end must not be taken for the parent's
starter.start()
starter.join()
print(process.pid, flush=True)
sys.stdin.read()
"""


def test_a_child_dies_with_a_parent_that_is_killed_and_not_with_the_thread_that_started_it(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            poll_until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n", 5, "the child runs")
            assert parent.poll() is None
        finally:
            parent.kill()
    poll_until(lambda: not alive(child), 5, "the child has ended")


class RecordingService:
    """Appends what is done to it to a shared journal; `fails` makes it never ready."""

    def __init__(self, name: str, journal: list[str], *, fails: bool = False) -> None:
        self._name, self._journal, self._fails = name, journal, fails

    def start(self) -> None:
        self._journal.append(f"start {self._name}")

    def wait_ready(self) -> None:
        self._journal.append(f"wait {self._name}")
        if self._fails:
            raise StackError(f"{self._name} is never ready")

    def require_running(self) -> None:
        raise StackError(f"{self._name} has ended")

    def stop(self) -> None:
        self._journal.append(f"stop {self._name}")


def test_services_start_side_by_side_and_stop_in_reverse_order() -> None:
    journal: list[str] = []
    with Supervisor() as supervisor:
        supervisor.start(RecordingService("a", journal), RecordingService("b", journal))
    assert journal == ["start a", "start b", "wait a", "wait b", "stop b", "stop a"]


def test_a_service_that_does_not_start_ends_the_others() -> None:
    journal: list[str] = []
    with pytest.raises(StackError, match="b is never ready"), Supervisor() as supervisor:
        supervisor.start(RecordingService("a", journal), RecordingService("b", journal, fails=True))
    assert journal[-2:] == ["stop b", "stop a"]


def test_watching_notices_a_service_that_ends_by_itself() -> None:
    journal: list[str] = []
    with Supervisor() as supervisor:
        supervisor.start(RecordingService("a", journal))
        with pytest.raises(StackError, match="a has ended"):
            supervisor.watch()
    assert journal[-1] == "stop a"


def interrupted_by(number: signal.Signals, journal: list[str]) -> None:
    with Supervisor() as supervisor:
        supervisor.start(RecordingService("a", journal))
        os.kill(os.getpid(), number)
        poll_until(lambda: False, 5, "the signal arrives")


@pytest.mark.parametrize(("number", "becomes"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_leaves_the_block_and_stops_everything(number: signal.Signals, becomes: type[BaseException]) -> None:
    journal: list[str] = []
    # A test run that was started in the background has SIGINT ignored, which children inherit.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        before = signal.getsignal(number)
        with pytest.raises(becomes):
            interrupted_by(number, journal)
        assert journal[-1] == "stop a"
        assert signal.getsignal(number) == before
    finally:
        signal.signal(signal.SIGINT, inherited)
