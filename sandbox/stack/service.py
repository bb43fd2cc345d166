"""What Kafka, the registry and Prometheus have in common: one process whose files lie in a state folder."""

import http.client
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from sandbox.stack.ports import LOOPBACK
from sandbox.stack.process import Process

_HTTP_SECONDS = 5.0


class Service(ABC):
    """A process of the stack. It may be stopped or killed and started again on the same state and ports."""

    state: Path
    process: Process
    remedy: str  # what to look at when it does not start

    @abstractmethod
    def start(self) -> None:
        """Start without waiting. Raises: StackError if it runs already."""

    @abstractmethod
    def wait_ready(self) -> None:
        """Return when it serves. Raises: StackError if it ends or its deadline passes before."""

    def require_running(self) -> None:
        """Raise StackError if it has ended."""
        self.process.require_running(self.remedy)

    def stop(self) -> None:
        """Shut it down: SIGTERM, then SIGKILL. Harmless if it never ran."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash would: nothing is flushed, nothing announced."""
        self.process.kill()

    def _await(self, probe: Callable[[], bool], deadline_seconds: float) -> None:
        self.process.wait_ready(probe, deadline_seconds=deadline_seconds, remedy=self.remedy)


def answers_ok(port: int, path: str) -> bool:
    """True when a GET of `path` on `port` of 127.0.0.1 is answered with 200 within five seconds."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_HTTP_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
