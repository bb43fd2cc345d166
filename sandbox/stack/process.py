"""One supervised child process: it logs to a file, says when it is ready, and never outlives its parent.

Three things end it: `stop`, `kill`, and the kernel, which sends it SIGKILL when the parent is gone, however
that died (`PR_SET_PDEATHSIG`, set by `setpriv` so that no Python code runs between fork and exec). The kernel
means the *thread* that forked, so children are forked from one thread that lives as long as the interpreter;
`start` may be called from any thread.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.stack.errors import StackError

_FORKING_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fork")  # starts with the first child
_POLL_SECONDS = 0.02
_TAIL_LINES = 15


class Process:
    """A command that runs in its own session, with stdout and stderr appended to `log`.

    `user` runs it as another account (only root may). It can be started again after it ended; the log goes on.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = dict(environment) if environment is not None else None
        self._user = user
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the last start; also its process group and session."""
        if self._child is None:
            raise StackError(f"{self.name} was never started")
        return self._child.pid

    @property
    def running(self) -> bool:
        """True from `start` until the process has ended for whatever reason."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Exit status of the last start, None while it runs or before; negative when a signal ended it."""
        return self._child.poll() if self._child is not None else None

    def start(self) -> None:
        """Start the command and return at once.

        Raises: StackError if it runs already or the program is missing.
        """
        if self.running:
            raise StackError(f"{self.name} runs already (pid {self.pid})")
        for program in ("setpriv", self._command[0]):
            if shutil.which(program) is None:
                raise StackError(f"cannot start {self.name}: {program} is not installed")
        self._child = _FORKING_THREAD.submit(self._fork).result()

    def _fork(self) -> subprocess.Popen[bytes]:
        identity = ["--reuid", self._user, "--regid", self._user, "--init-groups"] if self._user else []
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the command is the caller's, and no shell reads it
                ["setpriv", *identity, "--pdeathsig", "KILL", "--", *self._command],  # noqa: S607 - found on the path
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def wait_ready(self, probe: Callable[[], bool], *, deadline_seconds: float, remedy: str = "") -> None:
        """Return when `probe` says True; it is asked every 20 ms and must itself return soon.

        Raises: StackError, with `remedy` and the end of the log, if the process ends or the deadline passes
        before.
        """
        give_up = time.monotonic() + deadline_seconds
        while True:
            self.require_running(remedy)
            if probe():
                return
            if time.monotonic() >= give_up:
                raise StackError(self._failure(f"was not ready after {deadline_seconds:g} s", remedy))
            time.sleep(_POLL_SECONDS)

    def require_running(self, remedy: str = "") -> None:
        """Raise StackError, with `remedy` and the end of the log, unless the process runs."""
        if not self.running:
            status = self._child.returncode if self._child else None
            raise StackError(self._failure(f"ended with exit status {status}", remedy))

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """End the whole process group: SIGTERM, then SIGKILL after `grace_seconds`. Does nothing if it never ran."""
        if self._child is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            pass  # the kill below is the answer
        finally:
            self.kill()

    def kill(self) -> None:
        """End the whole process group with SIGKILL, as a crash would, and wait until it is gone."""
        if self._child is not None:
            self._signal(signal.SIGKILL)
            self._child.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return  # the whole group has ended already

    def _failure(self, what: str, remedy: str) -> str:
        advice = f" {remedy}" if remedy else ""
        return f"{self.name} {what}.{advice}\nThe end of {self.log}:\n{_tail(self.log)}"


def run_to_end(command: Sequence[str], *, what: str, limit_seconds: float) -> None:
    """Run a command that ends by itself, without input; its output is shown only when it fails.

    Raises: StackError, saying `what` failed, if it exits with another status than 0 or takes longer.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the command is the caller's, and no shell reads it
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise StackError(f"{what} took longer than {limit_seconds:g} s") from late
    if done.returncode != 0:
        output = _last_lines(done.stdout.decode(errors="replace"))
        raise StackError(f"{what} failed with exit status {done.returncode}. The end of its output:\n{output}")


def _tail(log: Path) -> str:
    try:
        return _last_lines(log.read_text(errors="replace"))
    except FileNotFoundError:
        return "  (no log)"


def _last_lines(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines()[-_TAIL_LINES:]) or "  (empty)"
