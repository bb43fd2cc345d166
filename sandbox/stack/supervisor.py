"""Several services as one: started together, ended together in reverse order, whatever ends them."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WATCH_SECONDS = 0.2

Handler = Callable[[int, FrameType | None], Any] | int | None


class Supervised(Protocol):
    """What a supervisor runs: Kafka, the registry, a simulator's program."""

    def start(self) -> None:
        """Start without waiting."""

    def wait_ready(self) -> None:
        """Return when it serves. Raises: StackError if it never will."""

    def require_running(self) -> None:
        """Raise StackError if it has ended."""

    def stop(self) -> None:
        """End it and all it started; harmless if it never ran."""


class Supervisor:
    """A `with` block that owns services; all are stopped when it is left: at its end, by an error, Ctrl-C or SIGTERM.

    SIGTERM becomes `SystemExit(143)` inside the block when it runs in the main thread. Further signals are
    ignored while the services stop, so that an impatient second Ctrl-C does not leave half of them; each stop
    has its own limit.
    """

    def __init__(self) -> None:
        self._services: list[Supervised] = []
        self._previous: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> Self:
        if _in_main_thread():
            self._previous = {number: signal.getsignal(number) for number in _SIGNALS}
            signal.signal(signal.SIGTERM, _exit_on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._previous:
            signal.signal(number, signal.SIG_IGN)
        try:
            self.stop_all()
        finally:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def start(self, *services: Supervised) -> None:
        """Start `services` side by side and return when all are ready.

        Raises: StackError of the first that fails; the others are stopped when the block is left.
        """
        for service in services:
            self._services.append(service)
            service.start()
        for service in services:
            service.wait_ready()

    def watch(self) -> None:
        """Block until a signal ends the block, or raise StackError when a service ends by itself."""
        while True:
            for service in self._services:
                service.require_running()
            time.sleep(_WATCH_SECONDS)

    def stop_all(self) -> None:
        """Stop every service, the last started first; a failing stop does not keep the others from theirs."""
        failures: list[OSError] = []
        while self._services:
            try:
                self._services.pop().stop()
            except OSError as failure:
                failures.append(failure)
        if failures:
            raise ExceptionGroup("could not stop every service", failures)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
