"""One connection to SQL Server, used by one thread, awaited by the capture.

The drivers block, and a query that hangs cannot be ended from outside: so each connection has a daemon thread, which a
process that stops leaves behind. The connection is opened when it is first needed and closed after any failure, since
after most of them it is of no use; the next call opens another one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from connectors.ax.sql import SqlConnection
from streams.runtime.settings import AxSqlSettings

T = TypeVar("T")
Job = Callable[[SqlConnection], Any]


class SqlWorker:
    """Runs queries one after the other. `close` ends the thread behind the query that it runs."""

    def __init__(self, settings: AxSqlSettings, name: str) -> None:
        self._settings = settings
        self._jobs: SimpleQueue[tuple[Job, Future[Any]] | None] = SimpleQueue()
        self._connection: SqlConnection | None = None
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def start(self, job: Callable[[SqlConnection], T]) -> Future[T]:
        """Queue `job`; it gets the connection. A job that is cancelled in time is not run."""
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    async def run(self, job: Callable[[SqlConnection], T]) -> T:
        """The result of `job`. Raises what connecting or the job raises."""
        return await asyncio.wrap_future(self.start(job))

    async def each(self, query: Callable[[SqlConnection], Iterator[T]]) -> AsyncGenerator[T, None]:
        """What `query` yields, one ahead: the thread fetches the next block while the caller works on this one.

        Closed early, it drops the connection: a half read result or an open transaction must not meet the next query.
        """
        blocks = await self.run(query)
        ended = False
        ahead = self.start(lambda _: next(blocks, None))
        try:
            while (block := await asyncio.wrap_future(ahead)) is not None:
                ahead = self.start(lambda _: next(blocks, None))
                yield block
            ended = True
        finally:
            if not ended:
                self.start(lambda _: self._abandon(blocks))

    def close(self) -> None:
        """End the thread when what is queued is done."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (queued := self._jobs.get()) is not None:
            job, future = queued
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if self._connection is None:
                    self._connection = SqlConnection(self._settings)
                result = job(self._connection)
            except BaseException as error:  # noqa: BLE001 - handed to who awaits it
                self._drop()
                future.set_exception(error)
            else:
                future.set_result(result)
        self._drop()

    def _abandon(self, blocks: Iterator[Any]) -> None:
        try:
            # Its type is Iterator, but what SqlConnection gives are generators: closing one closes its cursor.
            getattr(blocks, "close", lambda: None)()
        finally:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
