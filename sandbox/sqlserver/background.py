"""The stand-in for synchronous callers: its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sandbox.sqlserver.server import SqlServer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

_Result = TypeVar("_Result")


class BackgroundSqlServer:
    """A context manager around `SqlServer` (as `.server`), for tests that use blocking drivers.

    Takes `SqlServer`'s options; without `state` a temporary directory is made, and removed at the end.
    """

    def __init__(self, state: Path | None = None, **options: Any) -> None:
        self._temporary = None if state else tempfile.mkdtemp(prefix="sqlserver-")
        self.state = state or Path(str(self._temporary))
        self.server = SqlServer(self.state, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sqlserver", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self.server.start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self.server.stop())
        finally:
            self._end()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run `coroutine` on the server's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Run a plain function on the server's loop, e.g. to arm a fault, and wait for it."""

        async def called() -> _Result:
            return function()

        return self.run(called())

    def execute(self, tsql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """`SqlServer.execute`, blocking."""
        return self.run(self.server.execute(tsql, *parameters))

    def scan(self) -> int:
        """Capture everything that is committed now."""
        return self.run(self.server.capture_job.scan_now())

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
