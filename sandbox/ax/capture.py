"""What the control API may do with the SQL Server stand-in: its capture job and its faults."""

import inspect
from typing import Any, Protocol

FAULTS = frozenset({"raise_error", "kill_connection", "kill_after_commit", "delay", "refuse_logins"})
"""Methods of the stand-in's `faults` that a body may name as its kind."""


class CaptureJob(Protocol):
    """The Agent job that moves committed changes into the change tables."""

    interval_seconds: float

    def start(self) -> Any: ...  # noqa: D102
    def stop(self) -> Any: ...  # noqa: D102
    def scan_now(self) -> Any: ...  # noqa: D102


class SqlServerLike(Protocol):
    """The part of `sandbox.sqlserver.SqlServer` that the control API uses."""

    @property
    def capture_job(self) -> CaptureJob: ...  # noqa: D102

    @property
    def faults(self) -> Any: ...  # noqa: D102


class CaptureControl:
    """Starts, stops and hurries the capture job, and passes faults on."""

    def __init__(self, server: SqlServerLike) -> None:
        self._server = server
        self._running = True

    def state(self) -> dict[str, Any]:
        """Return whether the job runs, and how often it polls."""
        return {"running": self._running, "interval_seconds": self._server.capture_job.interval_seconds}

    async def change(self, running: bool | None, interval_seconds: float | None, *, scan: bool) -> None:
        """Apply what is not None; `scan` processes what is committed now, also while the job is stopped."""
        job = self._server.capture_job
        if interval_seconds is not None:
            job.interval_seconds = interval_seconds
        if running is not None and running != self._running:
            await _settled(job.start() if running else job.stop())
            self._running = running
        if scan:
            await _settled(job.scan_now())

    def faults(self) -> list[dict[str, Any]]:
        """Return the stand-in's armed faults."""
        return list(self._server.faults.active())

    def add_fault(self, body: dict[str, Any]) -> None:
        """Arm a fault: `kind` is one of `FAULTS`, the rest are its arguments. Raises: ValueError, TypeError."""
        arguments = dict(body)
        kind = arguments.pop("kind", "")
        if kind not in FAULTS:
            raise ValueError(f"kind: {kind!r} is none of {', '.join(sorted(FAULTS))}")
        getattr(self._server.faults, kind)(**arguments)

    def clear_faults(self) -> None:
        """Disarm all faults of the stand-in."""
        self._server.faults.clear()


async def _settled(result: Any) -> None:
    if inspect.isawaitable(result):
        await result
