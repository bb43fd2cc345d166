"""The AIF server over an AX database that exists: the port and the control API on one loopback port."""

import asyncio
import socket
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.ax.app import AifApplication
from sandbox.ax.auth import Authenticator, Connections
from sandbox.ax.capture import CaptureControl
from sandbox.ax.config import AxConfig
from sandbox.ax.contract import namespaces as ns
from sandbox.ax.control import PREFIX, Control
from sandbox.ax.model.database import AxDatabase
from sandbox.ax.soap.port import Clock, Port

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
        self.application = AifApplication(
            Port(database, config, switches, clock),
            switches,
            Authenticator(config.users, folder, connections),
            connections,
            config.max_concurrent_calls,
        )
        control = Control(self.application, database, tuple(config.companies), clock, capture)
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

    async def stop(self) -> None:
        """Stop listening, let running calls end within `STOP_SECONDS`."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
        self.application.close()


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
