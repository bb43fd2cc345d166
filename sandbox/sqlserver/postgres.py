"""A private PostgreSQL cluster: made from a cached template, started as our child, gone with us.

PostgreSQL refuses to run as root, so under root the server process changes to the account `postgres`. A state
directory below a root-only path (pytest's `tmp_path`) could then not be reached; in that case the process keeps the
capability to traverse it. `fsync` is off: a stand-in has no data worth a disk flush.

`initdb` and the creation of the CDC objects take a second; their result depends only on PostgreSQL's version and our
SQL files, so it is kept as a template in the cache directory and copied (70 ms).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ACCOUNT = "postgres"
_START_DEADLINE_SECONDS = 20.0
_TEMPLATE_KEPT_SECONDS = 86_400.0
# Raised when a template is made in another way; the scripts' contents are part of its name anyhow.
_TEMPLATE_VERSION = 2
# A Unix socket's path may have 107 bytes; "/.s.PGSQL.65535" takes 15 of them.
_SOCKET_DIRECTORY_BYTES = 90

_SETTINGS = {
    "wal_level": "logical",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "max_replication_slots": "4",
    "max_wal_senders": "4",
    # The capture job reads its stream only once per polling interval and never answers in between.
    "wal_sender_timeout": "0",
    "shared_buffers": "64MB",
    "jit": "off",
    "autovacuum_naptime": "60",
    "checkpoint_timeout": "30min",
    "max_wal_size": "512MB",
    "deadlock_timeout": "200ms",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "client_min_messages": "warning",
}


class PostgresUnavailableError(RuntimeError):
    """PostgreSQL 15 is missing or did not start; the message says what to do."""


def binary_directory() -> Path:
    """Return the directory of PostgreSQL's programs (Debian's layout, newest version from 15 on)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    usable = [path.parent for path in found if int(path.parts[4]) >= 15]
    if not usable:
        raise PostgresUnavailableError(
            "starting the SQL Server stand-in: PostgreSQL 15 is not installed; run `apt-get install postgresql-15`"
        )
    return usable[0]


def cache_directory() -> Path:
    """Return the directory for things that are expensive to make again (`FRESHAX_CACHE`, then XDG's)."""
    if explicit := os.environ.get("FRESHAX_CACHE"):
        return Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "freshax"


class Cluster:
    """One PostgreSQL server process on a loopback port.

    `scripts` are SQL files run once, in order, in `database` when the template is made.
    """

    def __init__(self, state: Path, *, database: str, scripts: Sequence[Path], time_zone: str = "UTC") -> None:
        self._state = state.resolve()
        self._database = database
        self._scripts = scripts
        self._time_zone = time_zone
        self._data = self._state / "postgres"
        self._process: asyncio.subprocess.Process | None = None
        self._sockets = ""
        self.port = 0

    @property
    def dsn(self) -> str:
        """Return a psycopg conninfo for the superuser."""
        return f"host={self.host} port={self.port} dbname={self._database} user={_ACCOUNT}"

    @property
    def host(self) -> str:
        """Return the socket directory, or the loopback address where the path is too long for a socket."""
        return self._sockets or "127.0.0.1"

    @property
    def database(self) -> str:
        """Return the name of the database."""
        return self._database

    def dsn_for(self, user: str) -> str:
        """Return a conninfo for another role of the same database."""
        return psycopg.conninfo.make_conninfo(self.dsn, user=user)

    async def start(self) -> None:
        """Make the data directory if it is new, start the server and wait until it answers."""
        programs = binary_directory()
        if not (self._data / "PG_VERSION").exists():
            template = await self._template(programs)
            await _run("cp", "-a", str(template), str(self._data))
        self._sockets = str(self._data) if len(str(self._data)) <= _SOCKET_DIRECTORY_BYTES else ""
        await self._launch(programs, self._data, self._database)

    async def stop(self) -> None:
        """Stop the server (fast shutdown), at the latest by SIGKILL after five seconds."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
        self._process = None

    async def _launch(self, programs: Path, data: Path, database: str) -> None:
        self.port = self.port or _free_port()
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": self._sockets}
        settings["timezone"] = settings["log_timezone"] = self._time_zone
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        log = data.parent / f"{data.name}.log"
        with log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *_as_server_account(data, die_with_us=True),
                str(programs / "postgres"),
                "-D",
                str(data),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        await self._wait_ready(self._process, log, database)

    async def _wait_ready(self, process: asyncio.subprocess.Process, log: Path, database: str) -> None:
        deadline = asyncio.get_running_loop().time() + _START_DEADLINE_SECONDS
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    f"host={self.host} port={self.port} dbname={database} user={_ACCOUNT}", autocommit=True
                )
            except psycopg.OperationalError as error:
                late = asyncio.get_running_loop().time() > deadline
                if late or process.returncode is not None:
                    tail = _tail(log)
                    raise PostgresUnavailableError(f"starting PostgreSQL on port {self.port}: {tail}") from error
                await asyncio.sleep(0.02)
            else:
                await connection.close()
                return

    async def _template(self, programs: Path) -> Path:
        """Return the cached template directory for this PostgreSQL and these scripts, made if it is missing."""
        digest = hashlib.sha256(f"{_TEMPLATE_VERSION}|{programs}|{self._database}|{os.geteuid()}".encode())
        for script in self._scripts:
            digest.update(script.read_bytes())
        home = cache_directory() / "sqlserver"
        home.mkdir(parents=True, exist_ok=True)
        final = home / f"template-{digest.hexdigest()[:16]}"
        with _exclusive(home / "lock"):
            if not _exists(final):
                _remove_old_templates(home)
                with tempfile.TemporaryDirectory(dir=home, prefix="making-") as made:
                    await self._make_template(programs, Path(made) / "data")
                    _move(Path(made) / "data", final)
        return final

    async def _make_template(self, programs: Path, data: Path) -> None:
        _make_directory(data)
        account_flags = ("-U", _ACCOUNT, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        log_flags = ("--wal-segsize=4",)  # megabytes; the template is copied at every start
        initdb = (str(programs / "initdb"), "-D", str(data), *account_flags, *log_flags, "--no-instructions")
        await _run(*_as_server_account(data, die_with_us=True), *initdb)
        maker = Cluster(data.parent, database=self._database, scripts=self._scripts)
        await maker._launch(programs, data, "postgres")
        try:
            await maker._install()
        finally:
            await maker.stop()

    async def _install(self) -> None:
        """Create the database and run the scripts in it."""
        admin = f"host={self.host} port={self.port} dbname=postgres user={_ACCOUNT}"
        async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as connection:
            name = psycopg.sql.Identifier(self._database)
            await connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(name))
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            for script in self._scripts:
                await connection.execute(script.read_text().encode())
            # Only one database is used; the others would be copied at every start.
            await connection.execute("ALTER DATABASE template1 IS_TEMPLATE false")
            await connection.execute("ALTER DATABASE template0 IS_TEMPLATE false")
            for unused in ("template0", "template1", "postgres"):
                await connection.execute(
                    psycopg.sql.SQL("DROP DATABASE {} (FORCE)").format(psycopg.sql.Identifier(unused))
                )


def _as_server_account(data: Path, *, die_with_us: bool) -> list[str]:
    """Return the `setpriv` prefix that gives the child its account and ties its life to ours."""
    command = ["setpriv"]
    if die_with_us:
        command += ["--pdeathsig", "INT"]
    if os.geteuid() != 0:
        return [*command, "--"]
    command += [f"--reuid={_ACCOUNT}", f"--regid={_ACCOUNT}", "--init-groups"]
    if not _reachable_by_others(data):
        command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*command, "--"]


def _reachable_by_others(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise PostgresUnavailableError(f"running {command[0]}: {output.decode(errors='replace')[-800:]}")


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold a file lock, so that two programs do not make the same template at once."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def _make_directory(data: Path) -> None:
    """Make the data directory, owned by the account that will run the server."""
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        account = pwd.getpwnam(_ACCOUNT)
        os.chown(data, account.pw_uid, account.pw_gid)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-800:]


def _exists(path: Path) -> bool:
    return path.exists()


def _move(made: Path, final: Path) -> None:
    """Put a finished template in place in one step."""
    made.rename(final)


def _remove_old_templates(home: Path) -> None:
    """Forget templates of other versions, unless somebody may be copying them just now."""
    for template in home.glob("template-*"):
        if time.time() - template.stat().st_mtime > _TEMPLATE_KEPT_SECONDS:
            shutil.rmtree(template, ignore_errors=True)
