"""The stand-in put together: cluster, catalog, sessions, capture job, TDS listener."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

from sandbox.sqlserver import batch, certificates, procedures, scan_sessions
from sandbox.sqlserver.capture_job import CaptureJob
from sandbox.sqlserver.catalog import Catalog
from sandbox.sqlserver.engine import Engine
from sandbox.sqlserver.errors import SqlError
from sandbox.sqlserver.faults import Faults
from sandbox.sqlserver.postgres import Cluster
from sandbox.sqlserver.results import OwnTypes, Result
from sandbox.sqlserver.tds.session import serve_connection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

    from sandbox.sqlserver.tds.login import Login
    from sandbox.sqlserver.translate import Statement

DEFAULT_LOGINS: Mapping[str, str] = {"sa": "Sandbox-sa-1", "reader": "Sandbox-reader-1"}
_SCRIPTS = Path(__file__).parent / "sql"
_SUPERUSER = "sa"
_FIRST_SPID = 51
_SYSTEM_DATABASES = ("master", "msdb", "")


class SqlServer:
    """A SQL Server with one database, on a loopback port. An async context manager; or `start()` and `stop()`.

    `state` is the directory for everything it writes. `dsn` (after start) reaches the same database as PostgreSQL, as
    superuser: tables are in schema `dbo`, with quoted upper-case names. `logins` are created as server logins; `sa` is
    sysadmin, the others have no rights until they are granted some. The capture job starts with the server.
    """

    def __init__(
        self,
        state: Path,
        *,
        database: str = "AX",
        host: str = "127.0.0.1",
        port: int = 0,
        logins: Mapping[str, str] = DEFAULT_LOGINS,
        capture_interval_seconds: float = 5.0,
        time_zone: str = "UTC",
        require_encryption: bool = False,
    ) -> None:
        self.database = database
        self.host = host
        self.port = port
        self.require_encryption = require_encryption
        self.snapshot_allowed = True
        self.catalog = Catalog()
        self.faults = Faults()
        self.translations: dict[tuple[int, str], list[Statement]] = {}
        self.own_types: OwnTypes
        self.tls: ssl.SSLContext
        self._state = state
        self._logins = dict(logins)
        self._cluster = Cluster(state, database=database, scripts=sorted(_SCRIPTS.glob("*.sql")), time_zone=time_zone)
        self.capture_job = CaptureJob(self._cluster, interval_seconds=capture_interval_seconds, time_zone=time_zone)
        self._sessions: dict[int, tuple[Engine, asyncio.Task[Any] | None]] = {}
        self._spids = itertools.count(_FIRST_SPID)
        self._listener: asyncio.Server | None = None
        self._own: Engine | None = None
        self._own_lock = asyncio.Lock()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def dsn(self) -> str:
        """A psycopg conninfo of the superuser for the same database."""
        return self._cluster.dsn

    @property
    def ca_file(self) -> Path:
        """The certificate authority that signed the server's certificate, in PEM."""
        return self._state / "ca.pem"

    @property
    def server_certificate_file(self) -> Path:
        """The server's own certificate, in PEM, for the driver's `ServerCertificate`."""
        return self._state / "server.pem"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything; afterwards clients can connect. On failure nothing stays behind."""
        self._state.mkdir(parents=True, exist_ok=True)
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        files = certificates.ensure(self._state)
        self.tls = files.server_context()
        await self._cluster.start()
        connection = await psycopg.AsyncConnection.connect(self.dsn, autocommit=True)
        async with connection:
            self.own_types = await OwnTypes.read(connection)
            await self.catalog.load(connection)
        self._own = await self._engine(_SUPERUSER)
        for name, password in self._logins.items():
            if name.lower() != _SUPERUSER:
                escaped = password.replace("'", "''")
                await self.execute(f"CREATE LOGIN [{name}] WITH PASSWORD = N'{escaped}'")
        await self.capture_job.start()
        self._listener = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop everything, whatever state it is in. The state directory stays (the owner removes it)."""
        if self._listener:
            self._listener.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self.capture_job.close()
        if self._own:
            await self._own.close()
            self._own = None
        await self._cluster.stop()

    async def execute(self, tsql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a batch as `sa`, with `?` for parameters; returns the rows of its last result set.

        Raises SqlError, with SQL Server's number.
        """
        if self._own is None:
            raise RuntimeError("executing T-SQL: the server is not started")
        text = batch.number_placeholders(tsql, len(parameters)) if parameters else tsql
        values = {f"p{number}": value for number, value in enumerate(parameters, 1)}
        rows: list[tuple[Any, ...]] = []
        async with self._own_lock:
            async for result in self._own.execute(text, values):
                if result.columns is not None:
                    rows = result.rows
        return rows

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve_connection(self, reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _engine(self, login: str) -> Engine:
        role = "postgres" if login.lower() == _SUPERUSER else login
        connection = await psycopg.AsyncConnection.connect(
            self._cluster.dsn_for(role), autocommit=True, cursor_factory=psycopg.AsyncRawCursor
        )
        self.own_types.register(connection.adapters)
        await connection.execute("SET search_path = dbo, sys, public; SET client_min_messages = error")
        return Engine(self, connection, login, next(self._spids))

    async def open_session(self, login: Login) -> Engine:
        """Check name and password, then the database. Raises SqlError 18456 or 4060."""
        self.faults.at_login(login.user)
        known = {name.lower(): (name, password) for name, password in self._logins.items()}
        name, password = known.get(login.user.lower(), ("", None))
        if password is None or password != login.password:
            raise SqlError(18456, f"Login failed for user '{login.user}'.", 14)
        if login.database.lower() not in (self.database.lower(), *_SYSTEM_DATABASES):
            text = f'Cannot open database "{login.database}" requested by the login. The login failed.'
            raise SqlError(4060, text, 11)
        engine = await self._engine(name)
        self._sessions[engine.spid] = (engine, asyncio.current_task())
        return engine

    def session_closed(self, engine: Engine) -> None:
        """Forget a session."""
        self._sessions.pop(engine.spid, None)

    def rows_before_kill(self, text: str, login: str) -> int | None:
        """A fault: drop the connection after this many rows."""
        return self.faults.rows_before_kill(text, login)

    async def procedure(self, name: str, arguments: Mapping[str, Any], engine: Engine) -> list[Result] | None:
        """Run a procedure that is Python; None when it is a database function."""
        return await procedures.run(self, name, arguments, engine)

    async def refresh(self, relation: str) -> None:
        """Fill a management view that is only written when somebody asks."""
        if relation in ("dm_cdc_log_scan_sessions", "dm_server_services"):
            await scan_sessions.publish(self.dsn, relation, self.capture_job)
        elif relation == "dm_exec_connections":
            encrypted = {spid: engine.encrypted for spid, (engine, _) in self._sessions.items()}
            await scan_sessions.publish_connections(self.dsn, encrypted)

    async def kill(self, spid: int) -> None:
        """KILL: end another session."""
        if spid not in self._sessions:
            raise SqlError(6106, f"Process ID {spid} is not an active process ID.")
        task = self._sessions[spid][1]
        if task:
            task.cancel()

    async def allow_snapshot(self, *, allowed: bool) -> None:
        """ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await connection.execute(
                "UPDATE sys.options SET is_on = %s WHERE name = 'allow_snapshot_isolation'", [allowed]
            )
        self.snapshot_allowed = allowed

    def add_login(self, name: str, password: str) -> None:
        """CREATE LOGIN."""
        if not re.fullmatch(r"[\w$.-]{1,63}", name):
            raise SqlError(15006, f"'{name}' is not a valid name.")
        self._logins[name] = password
