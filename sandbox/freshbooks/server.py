"""The simulator as a server: three listeners in one process, in a thread of its own or in the caller's event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from sandbox.freshbooks import accounting, control, events, oauth, projects
from sandbox.freshbooks.clock import Clock, system_clock
from sandbox.freshbooks.config import Config
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.gateway import Gateway, Ports
from sandbox.freshbooks.replies import on_http_error, on_refused
from sandbox.freshbooks.world import World

_ACCOUNTING = "/accounting/account/{account_id}/{group}/{name}"
_PROJECTS = "/projects/business/{business_id}"
_CALLBACKS = "/events/account/{account_id}/events/callbacks"

_API = [
    Route("/auth/oauth/token", oauth.token, methods=["POST"]),
    Route("/auth/oauth/revoke", oauth.revoke, methods=["POST"]),
    Route("/auth/api/v1/users/me", oauth.users_me, methods=["GET"]),
    Route(_CALLBACKS, events.collection, methods=["GET", "POST"]),
    Route(_CALLBACKS + "/{id}", events.single, methods=["GET", "PUT", "DELETE"]),
    Route("/accounting/account/{account_id}/expenses/vendors", accounting.expense_vendors, methods=["GET"]),
    Route(_ACCOUNTING, accounting.collection, methods=["GET", "POST"]),
    Route(_ACCOUNTING + "/{id}", accounting.single, methods=["GET", "PUT", "DELETE"]),
    Route(_PROJECTS + "/projects", projects.listed, methods=["GET"]),
    Route(_PROJECTS + "/project", projects.create, methods=["POST"]),
    Route(_PROJECTS + "/project/{id}", projects.single, methods=["GET", "PUT", "DELETE"]),
]
_AUTH = [
    Route("/oauth/authorize", oauth.authorize, methods=["GET"]),
    Route("/oauth/authorize/", oauth.authorize, methods=["GET"]),
    Route("/service/auth/oauth/authorize", oauth.authorize, methods=["GET"]),
    Route("/service/auth/oauth/token", oauth.token, methods=["POST"]),
    Route("/service/auth/oauth/revoke", oauth.revoke, methods=["POST"]),
    Route("/.well-known/oauth-authorization-server", oauth.metadata, methods=["GET"]),
]


def _application(world: World, routes: list[Route]) -> Starlette:
    app = Starlette(routes=routes, exception_handlers={Refused: on_refused, HTTPException: on_http_error})
    app.router.redirect_slashes = False
    app.state.world = world
    return app


class FreshBooksSimulator:
    """A running simulator. Use as a context manager, or call `start` and `stop`; `world` is for reading in tests only.

    `clock` is the base clock; control calls shift it. Everything else is in `config`.
    """

    def __init__(
        self, config: Config | None = None, *, host: str = "127.0.0.1", port: int = 0, clock: Clock = system_clock
    ) -> None:
        self.world = World(config if config is not None else Config(), clock)
        self._host = host
        self._port = port
        self._ports = Ports()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.ready: dict[str, Any] = {}

    def start(self) -> dict[str, Any]:
        """Bind, serve in a thread, and return the ready line's object when requests are answered."""
        sockets = self._bind()
        self._thread = threading.Thread(target=self._run, args=(sockets,), name="freshbooks-simulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise RuntimeError("the FreshBooks simulator did not start") from self._failure
        return self.ready

    def stop(self) -> None:
        """End the server and wait for its thread. Deliveries under way are lost."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bind(self) -> list[socket.socket]:
        sockets = [self._listener(self._port), self._listener(0), self._listener(0)]
        self._ports.api, self._ports.auth, self._ports.control = (bound.getsockname()[1] for bound in sockets)
        self.ready = {
            "api_url": f"http://{self._host}:{self._ports.api}",
            "auth_url": f"http://{self._host}:{self._ports.auth}",
            "control_url": f"http://{self._host}:{self._ports.control}/_control",
            **self.world.ready(),
        }
        return sockets

    def _listener(self, port: int) -> socket.socket:
        # asyncio switches Nagle off only where the protocol is named; with it a reply of two writes takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._host, port))
        return listener

    def _run(self, sockets: list[socket.socket]) -> None:
        try:
            asyncio.run(self._serve(sockets))
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._ready.set()
            for bound in sockets:
                bound.close()

    async def _serve(self, sockets: list[socket.socket]) -> None:
        world = self.world
        gateway = Gateway(
            world,
            self._ports,
            api=_application(world, _API),
            auth=_application(world, _AUTH),
            control=_application(world, control.ROUTES),
        )
        config = uvicorn.Config(
            gateway,
            log_level="warning",
            lifespan="off",
            access_log=False,
            http=gateway.connections.protocol(),
            loop="asyncio",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        await world.deliveries.start()
        try:
            serving = asyncio.create_task(self._server.serve(sockets))
            while not self._server.started and not serving.done():  # noqa: ASYNC110 - uvicorn offers only a flag
                await asyncio.sleep(0.005)
            self._ready.set()
            await serving
        finally:
            await world.deliveries.stop()
