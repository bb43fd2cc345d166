"""A whole AX system: the SQL Server stand-in, AX's tables with their master data, change data capture, the AIF port."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.ax.capture import CaptureControl
from sandbox.ax.config import AxConfig
from sandbox.ax.model import seed
from sandbox.ax.model.database import AxDatabase
from sandbox.ax.model.tables import TABLES
from sandbox.ax.server import AifServer
from sandbox.ax.soap.operations import Clock

DATABASE = "AX"
SPARE_CONNECTIONS = 4
"""Connections beside one per concurrent call: the control API's."""

READABLE = (
    "CUSTINVOICETABLE",
    "CUSTINVOICELINE",
    "DIMENSIONATTRIBUTEVALUECOMBINATION",
    "CUSTGROUP",
    "MAINACCOUNT",
    "LEDGERJOURNALTABLE",
    "VENDTRANS",
)
"""Tables that the reader's login may read beside the captured ones: what a look-up by natural key needs."""


def utc_now() -> datetime:
    """Return the time as AX stores it: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


class AxSystem:
    """An async context manager. `state` is an existing folder; nothing outside it is written."""

    def __init__(
        self, config: AxConfig, state: Path, *, host: str = "127.0.0.1", port: int = 0, clock: Clock = utc_now
    ) -> None:
        from sandbox.sqlserver import SqlServer

        self._config = config
        self._state = state
        self._host, self._port = host, port
        self._clock = clock
        self.sql = SqlServer(
            state / "sqlserver",
            database=DATABASE,
            logins={"sa": "Sa-Pass1", config.reader.user: config.reader.password},
            capture_interval_seconds=config.capture_interval_seconds,
        )
        self._server: AifServer | None = None
        self._started = AsyncExitStack()

    async def __aenter__(self) -> "AxSystem":
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def server(self) -> AifServer:
        """The running AIF server."""
        if self._server is None:
            raise RuntimeError("the AX system is not started")
        return self._server

    async def start(self) -> None:
        """Start everything, in order; what has started is stopped again when a later part fails."""
        async with AsyncExitStack() as started:
            started.push_async_callback(self.sql.stop)
            await self.sql.start()
            await self._create_tables()
            connections = self._config.max_concurrent_calls + SPARE_CONNECTIONS
            database = AxDatabase(self.sql.dsn, connections=connections, seed=self._config.seed)
            started.callback(database.close)
            await asyncio.to_thread(self._fill, database)
            server = AifServer(
                database,
                self._config,
                self._state,
                self._clock,
                CaptureControl(self.sql),
                host=self._host,
                port=self._port,
            )
            started.push_async_callback(server.stop)
            await server.start()
            self._server = server
            self._started = started.pop_all()

    async def stop(self) -> None:
        """Stop in the reverse order; each part is stopped even if the one before it fails to."""
        self._server = None
        await self._started.aclose()

    def ready(self) -> dict[str, Any]:
        """Return the line that the program prints when it is ready."""
        return {
            "aif_url": self.server.aif_url,
            "sql": {
                "host": self.sql.host,
                "port": self.sql.port,
                "database": self.sql.database,
                "user": self._config.reader.user,
                "password": self._config.reader.password,
                "ca_file": str(self.sql.ca_file),
            },
            "control_url": self.server.control_url,
        }

    async def _create_tables(self) -> None:
        """Make AX's tables in T-SQL, so that types are SQL Server's; capture and rights come before any row."""
        for table in TABLES.values():
            await self.sql.execute(table.create_statement())
        await self.sql.execute("EXEC sys.sp_cdc_enable_db")
        for name in self._config.cdc_tables:
            await self.sql.execute(
                f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{name}', @role_name = NULL"
            )
        reader = self._config.reader.user
        for name in dict.fromkeys((*self._config.cdc_tables, *READABLE)):
            await self.sql.execute(f"GRANT SELECT ON dbo.{name} TO [{reader}]")
        await self.sql.execute(f"GRANT SELECT ON SCHEMA::cdc TO [{reader}]")
        await self.sql.execute(f"GRANT VIEW DATABASE STATE TO [{reader}]")
        await self.sql.execute(
            f"USE [msdb]; GRANT SELECT ON OBJECT::dbo.cdc_jobs TO [{reader}]; USE [{self.sql.database}]"
        )

    def _fill(self, database: AxDatabase) -> None:
        database.prepare()
        seed.seed(database, self._config, self._clock())


@contextmanager
def running(config: AxConfig, state: Path, *, clock: Clock = utc_now) -> Iterator[AxSystem]:
    """Run an AX system in a thread with its own event loop, for synchronous callers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ax", daemon=True)
    thread.start()
    try:
        system = AxSystem(config, state, clock=clock)
        asyncio.run_coroutine_threadsafe(system.start(), loop).result()
        try:
            yield system
        finally:
            asyncio.run_coroutine_threadsafe(system.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
