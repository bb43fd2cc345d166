"""One connection to AX's SQL Server: rows as dicts, failures in our three classes.

Autocommit is on and pooling off. With autocommit off both drivers open a new transaction right after every commit: an
idle reader would hold one for ever (a frozen view on a readable secondary, a blocked `sp_cdc_disable_table`), and
SNAPSHOT isolation could not be chosen any more (error 3951). Source: reference on SQL Server CDC, sections 9 and 13.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyodbc

from connectors.ax.sql_failures import Driver, failure_of, verdict_of
from schemas.failures import Failure, FatalError, RetryableError
from streams.runtime import metrics
from streams.runtime.settings import AxSqlSettings

Row = dict[str, Any]

_IDENTIFIER = re.compile(r"^[^\x00-\x1f\]]{1,128}$")
# FREETDSCONF is read by the driver while it connects and belongs to the whole process.
_freetds_environment = threading.Lock()


def driver_kind(settings: AxSqlSettings) -> Driver:
    """Which of the two drivers is meant: by registered name or by the library's file name."""
    name = settings.driver.lower()
    return "freetds" if "freetds" in name or "tdsodbc" in name else "microsoft"


def quoted(identifier: str) -> str:
    """`identifier` in brackets, for a name that cannot be a parameter. Raises ValueError when it is no plain name."""
    if not _IDENTIFIER.match(identifier):
        raise ValueError(f"not an identifier: {identifier!r}")
    return f"[{identifier}]"


def connection_string(settings: AxSqlSettings) -> str:
    """The ODBC connection string for the driver of `settings`; it may hold the password.

    Raises: FatalError for settings that do not go together (see check_settings).
    """
    check_settings(settings)
    parts = _freetds(settings) if driver_kind(settings) == "freetds" else _microsoft(settings)
    return ";".join(f"{key}={_braced(value)}" for key, value in parts.items())


def check_settings(settings: AxSqlSettings) -> None:
    """Refuse what would be ignored, or would connect otherwise than was meant.

    Raises: FatalError (setting_missing) without a password where one is needed, (setting_invalid) naming the settings
    that do not go together.
    """
    password = settings.password.get_secret_value()
    if settings.authentication == "sql" and not password:
        raise FatalError(
            "setting_missing",
            f"connecting to {settings.server}: FRESHAX_AX_SQL__PASSWORD must be set "
            "(or FRESHAX_AX_SQL__AUTHENTICATION=kerberos)",
        )
    freetds = driver_kind(settings) == "freetds"
    kerberos = settings.authentication == "kerberos"
    refused = (
        (
            kerberos and bool(password),
            "PASSWORD",
            "kerberos takes the process's ticket and sends no password; unset it",
        ),
        (not kerberos and settings.server_spn is not None, "SERVER_SPN", "only AUTHENTICATION=kerberos uses it"),
        (
            not kerberos and settings.kerberos_realm is not None,
            "KERBEROS_REALM",
            "only AUTHENTICATION=kerberos uses it",
        ),
        (
            not freetds and settings.kerberos_realm is not None,
            "KERBEROS_REALM",
            "Microsoft's driver takes the realm from krb5.conf or from SERVER_SPN",
        ),
        (
            freetds and settings.hostname_in_certificate is not None,
            "HOSTNAME_IN_CERTIFICATE",
            "FreeTDS compares the certificate with FRESHAX_AX_SQL__SERVER alone; use that name, or Microsoft's driver",
        ),
        (
            freetds and settings.multi_subnet_failover,
            "MULTI_SUBNET_FAILOVER",
            "FreeTDS has no such switch; use Microsoft's driver, or leave it off",
        ),
        (
            not freetds and settings.server_certificate is not None and settings.encrypt != "strict",
            "SERVER_CERTIFICATE",
            "Microsoft's driver looks at it only with ENCRYPT=strict; use that, or trust the issuer (SSL_CERT_FILE)",
        ),
    )
    for wrong, field, reason in refused:
        if wrong:
            action = f"connecting to {settings.server}"
            raise FatalError("setting_invalid", f"{action}: FRESHAX_AX_SQL__{field} does not fit: {reason}")


def _microsoft(settings: AxSqlSettings) -> dict[str, str]:
    parts = {
        "DRIVER": settings.driver,
        "SERVER": f"{settings.server},{settings.port}",
        "DATABASE": settings.database,
        **_credentials(settings),
        "Encrypt": settings.encrypt,
        "TrustServerCertificate": "yes" if settings.trust_server_certificate else "no",
        "ApplicationIntent": settings.application_intent,
        # We reconnect ourselves, and must know that it happened: a transaction does not survive it.
        "ConnectRetryCount": "0",
        "APP": "freshax",
    }
    if settings.server_spn is not None:
        parts["ServerSPN"] = settings.server_spn
    if settings.multi_subnet_failover:
        parts["MultiSubnetFailover"] = "yes"
    if settings.hostname_in_certificate is not None:
        parts["HostnameInCertificate"] = settings.hostname_in_certificate
    if settings.server_certificate is not None:
        parts["ServerCertificate"] = str(settings.server_certificate)
    return parts


def _freetds(settings: AxSqlSettings) -> dict[str, str]:
    return {
        "DRIVER": settings.driver,
        # A section of the private freetds.conf: certificate and Kerberos settings exist only there.
        "Servername": _SECTION,
        "DATABASE": settings.database,
        **_credentials(settings),
        "ApplicationIntent": settings.application_intent,
        "APP": "freshax",
    }


def _credentials(settings: AxSqlSettings) -> dict[str, str]:
    """Both drivers take a ticket when they are told so and no UID is given."""
    if settings.authentication == "kerberos":
        return {"Trusted_Connection": "yes"}
    return {"UID": settings.user, "PWD": settings.password.get_secret_value()}


_SECTION = "freshax"


def freetds_conf(settings: AxSqlSettings) -> str:
    """A freetds.conf with our one server.

    FreeTDS checks a certificate only when a `ca file` is named; without one the system's store is used, so that
    encryption never goes unchecked unless `trust_server_certificate` says so.
    """
    lines = [
        f"[{_SECTION}]",
        f"host = {settings.server}",
        f"port = {settings.port}",
        # TDS 8.0 is TLS before anything else; `encryption = strict` asks for it.
        "tds version = 7.4",
        "client charset = UTF-8",
        # Longer texts are cut silently at the default of 64 KiB.
        "text size = 2147483647",
        f"encryption = {_FREETDS_ENCRYPTION[settings.encrypt]}",
    ]
    if settings.encrypt != "no" and not settings.trust_server_certificate:
        lines.append(f"ca file = {settings.server_certificate or 'system'}")
    if settings.server_spn is not None:
        lines.append(f"spn = {settings.server_spn}")
    if settings.kerberos_realm is not None:
        lines.append(f"realm = {settings.kerberos_realm}")
    if any("\n" in line or "\r" in line for line in lines):
        raise FatalError("setting_invalid", "writing freetds.conf: a setting of FRESHAX_AX_SQL__ holds a line break")
    return "\n".join(lines) + "\n"


_FREETDS_ENCRYPTION = {"yes": "require", "no": "off", "strict": "strict"}


def _braced(value: str) -> str:
    """`value` for a connection string: in braces when it holds a character with a meaning there."""
    return "{" + value.replace("}", "}}") + "}" if any(sign in value for sign in ";{}[]=,() ") else value


class SqlConnection:
    """An open connection; a context manager. Not for use by two threads at once."""

    def __init__(self, settings: AxSqlSettings) -> None:
        """Connect.

        Raises: FatalError for a refused login, an untrusted certificate or a missing driver; RetryableError when the
        server does not answer.
        """
        self._driver = driver_kind(settings)
        self._lost = False
        # Microsoft's warning: pooling must be decided before the first connection of the process.
        pyodbc.pooling = False
        try:
            with _driver_configuration(settings):
                self._connection = pyodbc.connect(
                    connection_string(settings), autocommit=True, timeout=settings.login_timeout_seconds
                )
        except pyodbc.Error as error:
            action = f"connecting to {settings.server}:{settings.port}/{settings.database}"
            raise failure_of(error, action, self._driver, connecting=True) from None
        self._connection.timeout = settings.query_timeout_seconds

    def _cursor(self, action: str) -> pyodbc.Cursor:
        """A cursor. A lost connection is not asked again: drivers then say all kinds of things (24000, HY000)."""
        if self._lost:
            raise RetryableError("sql_connection_lost", f"{action}: the connection was lost before; open a new one")
        try:
            return self._connection.cursor()
        except pyodbc.Error as error:
            raise self._failure(error, action) from error

    def _failure(self, error: pyodbc.Error, action: str) -> Failure:
        self._lost = self._lost or verdict_of(error, self._driver).reconnect
        return failure_of(error, action, self._driver)

    @property
    def driver_version(self) -> str:
        """File name and version of the driver that was loaded."""
        name = self._connection.getinfo(pyodbc.SQL_DRIVER_NAME)
        return f"{name} {self._connection.getinfo(pyodbc.SQL_DRIVER_VER)}"

    def rows(self, sql: str, *parameters: Any, action: str) -> list[Row]:
        """All rows of one query. `action` opens the message of a failure: "reading capture instances"."""
        return [row for block in self.blocks(sql, *parameters, action=action, block_rows=10_000) for row in block]

    def row(self, sql: str, *parameters: Any, action: str) -> Row | None:
        """The first row of one query, None when there is none."""
        found = self.rows(sql, *parameters, action=action)
        return found[0] if found else None

    def blocks(self, sql: str, *parameters: Any, action: str, block_rows: int) -> Iterator[list[Row]]:
        """The rows of one query in blocks, as they arrive: memory holds one block. Close it to drop the rest."""
        cursor = self._cursor(action)
        try:
            cursor.execute(sql, *parameters)
            metrics.AX_SQL_LAST_ANSWER.set_to_current_time()
            names = [column[0] for column in cursor.description]
            while block := cursor.fetchmany(block_rows):
                metrics.AX_SQL_LAST_ANSWER.set_to_current_time()
                yield [dict(zip(names, values, strict=True)) for values in block]
        except pyodbc.Error as error:
            raise self._failure(error, action) from error
        finally:
            _close_cursor(cursor)

    def execute(self, sql: str, *parameters: Any, action: str) -> None:
        """Run a statement that gives no rows."""
        cursor = self._cursor(action)
        try:
            cursor.execute(sql, *parameters)
        except pyodbc.Error as error:
            raise self._failure(error, action) from error
        finally:
            _close_cursor(cursor)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A transaction with SNAPSHOT isolation: all reads in it see one moment.

        The level is set before BEGIN, never inside: 3951. The reset to READ COMMITTED matters, since the level stays
        with the connection.
        """
        self.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT", action="choosing SNAPSHOT isolation")
        self.execute("BEGIN TRANSACTION", action="beginning a snapshot transaction")
        yield
        # After a failure the connection is closed by its owner, which ends the transaction too.
        self.execute("COMMIT TRANSACTION", action="ending a snapshot transaction")
        self.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", action="leaving SNAPSHOT isolation")

    def close(self) -> None:
        """Close; a connection that is already broken is no news."""
        try:
            self._connection.close()
        except pyodbc.Error:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def _close_cursor(cursor: pyodbc.Cursor) -> None:
    """Close; what it raises on a broken connection would hide the failure that broke it."""
    try:
        cursor.close()
    except pyodbc.Error:
        return


@contextmanager
def _driver_configuration(settings: AxSqlSettings) -> Iterator[None]:
    """Show FreeTDS its private freetds.conf while it connects; nothing to do for Microsoft's driver."""
    if driver_kind(settings) != "freetds":
        yield
        return
    with _freetds_environment, tempfile.TemporaryDirectory(prefix="freshax-tds-") as directory:
        path = Path(directory) / "freetds.conf"
        path.write_text(freetds_conf(settings), "utf-8")
        before = os.environ.get("FREETDSCONF")
        os.environ["FREETDSCONF"] = str(path)
        try:
            yield
        finally:
            if before is None:
                del os.environ["FREETDSCONF"]
            else:
                os.environ["FREETDSCONF"] = before
