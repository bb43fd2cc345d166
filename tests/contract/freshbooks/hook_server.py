"""A real HTTP server around the listener, in the caller's event loop, for the simulator to deliver to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette


@asynccontextmanager
async def serving(sock: socket.socket, app: Starlette) -> AsyncIterator[None]:
    """Serve `app` on `sock` until left."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


class _NoSignals:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_exc: object) -> None:
        pass


def _no_signals() -> _NoSignals:
    return _NoSignals()
