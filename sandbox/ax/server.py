"""The AIF server over an AX database that exists: the port and the control API on one loopback port."""

import asyncio
import logging
import socket
import threading
from pathlib import Path

import msgspec
import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.ax.app import AifApplication
from sandbox.ax.auth import Authenticator, Connections
from sandbox.ax.capture import CaptureControl
from sandbox.ax.config import AxConfig, Switches
from sandbox.ax.contract import namespaces as ns
from sandbox.ax.control import PREFIX, Control
from sandbox.ax.model.batch import Batch
from sandbox.ax.model.database import AxDatabase
from sandbox.ax.soap.operations import Clock
from sandbox.ax.soap.port import Port

log = logging.getLogger(__name__)

BATCH_INTERVAL_SECONDS = 0.5
"""How often the batch job looks for what is due."""

STOP_SECONDS = 2.0
"""How long running calls may still take at the end; then their connections are cut."""


class AifServer:
    """Serves until `stop`. `folder` takes the credential file; `capture` None means there is no SQL Server stand-in."""

    def __init__(
        self,
        database: AxDatabase,
        config: AxConfig,
        folder: Path,
        clock: Clock,
        capture: CaptureControl | None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._socket = socket.create_server((host, port))
        # asyncio sets this only on sockets that name their protocol; without it each answer waits 40 ms for an ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._address = f"http://{host}:{self._socket.getsockname()[1]}"
        connections = Connections()
        switches = msgspec.structs.replace(config.switches)  # changed while running, the configuration is not
        batch = Batch(database, config, switches, clock)
        self._batch_job = BatchJob(batch, switches)
        self.application = AifApplication(
            Port(database, config, switches, clock, batch),
            switches,
            Authenticator(config.users, folder, connections),
            connections,
            config.max_concurrent_calls,
        )
        control = Control(self.application, database, batch, clock, capture)
        routes = [Route(ns.PATH, self.application.handle, methods=["GET", "POST"]), *control.routes()]
        settings = uvicorn.Config(
            Starlette(routes=routes),
            http=connections.protocol(),
            lifespan="off",
            proxy_headers=False,  # a caller must not choose the address that its login hangs on
            log_level="warning",
            timeout_graceful_shutdown=int(STOP_SECONDS),
        )
        self._server = _Server(settings)
        self._task: asyncio.Task[None] | None = None

    @property
    def aif_url(self) -> str:
        """The port's address; `?wsdl` is its description."""
        return self._address + ns.PATH

    @property
    def control_url(self) -> str:
        """The base of the control API."""
        return self._address + PREFIX

    async def start(self) -> None:
        """Listen; returns when requests are answered. Raises: RuntimeError when the server ends instead."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                raise RuntimeError("the AIF server did not start") from self._task.exception()
            await asyncio.sleep(0.005)
        self._batch_job.start()

    async def stop(self) -> None:
        """Stop listening, let running calls end within `STOP_SECONDS`."""
        await asyncio.to_thread(self._batch_job.stop)
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
        self.application.close()


class BatchJob:
    """Runs the batch job in a thread, as often as it takes to keep `posting_seconds`, while the switch says `timed`."""

    def __init__(self, batch: Batch, switches: Switches) -> None:
        self._batch = batch
        self._switches = switches
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the document that it is posting."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(BATCH_INTERVAL_SECONDS):
            if self._switches.posting == "timed":
                try:
                    self._batch.run(older_than_seconds=self._switches.posting_seconds, stopping=self._stopping)
                except psycopg.Error:
                    log.exception("the batch job failed; it runs again")


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the program decides when to stop."""

    def install_signal_handlers(self) -> None:
        """Install none."""

    def capture_signals(self) -> "_NoSignals":  # type: ignore[override]
        """Capture none."""
        return _NoSignals()


class _NoSignals:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        return None
