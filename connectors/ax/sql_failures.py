"""Engine number → failure class: the one table that decides what a SQL Server error means for us.

pyodbc's exception class and the SQLSTATE depend on the driver (a deadlock is `Error` 40001 with Microsoft's and
`ProgrammingError` 42000 with FreeTDS), so the engine's number decides. ODBC hands it over in one place only, in
parentheses at the end of the diagnostic text; that number is read, the words around it are not. A failure that the
engine never saw (nobody listens, an untrusted certificate) has no number: for those alone the SQLSTATE decides.
A number that is in no row is fatal: an unknown error that is retried for ever looks like a quiet feed.

Source: reference on SQL Server CDC, section 14 (measured with both drivers).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import pyodbc

from schemas.failures import Failure, FatalError, PoisonError, RetryableError

Driver = Literal["microsoft", "freetds"]

# `[…]text (1205) (SQLExecDirectW)`: the first number of a diagnostic is the engine's.
_NUMBER = re.compile(r"\((-?\d+)\) \(SQL")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error means. `remedy` is said to a person; `reconnect` asks for a fresh connection."""

    failure: type[RetryableError] | type[FatalError] | type[PoisonError]
    code: str
    remedy: str
    reconnect: bool = False


def _retry(code: str, remedy: str, *, reconnect: bool = False) -> Verdict:
    return Verdict(RetryableError, code, remedy, reconnect)


def _fatal(code: str, remedy: str) -> Verdict:
    return Verdict(FatalError, code, remedy)


_DEADLOCK = _retry("sql_deadlock", "the whole transaction is repeated")
_CONFLICT = _retry("sql_lock_conflict", "the whole transaction is repeated")
_THROTTLED = _retry("sql_throttled", "the server is busy or fails over; retried with back-off", reconnect=True)
_MEMORY = _retry("sql_out_of_resources", "the server is short of memory or locks; retried with back-off")
_NETWORK = _retry("sql_connection_lost", "a new connection is opened", reconnect=True)
_STARTING = _retry("sql_database_unavailable", "the database is missing or starting; check its name", reconnect=True)
_MOVED = _retry("sql_object_moved", "pages moved under the read; the query is repeated")
_DATA = Verdict(PoisonError, "sql_bad_value", "a value does not fit its column")
_CONSTRAINT = Verdict(PoisonError, "sql_constraint", "a row breaks a constraint")

BY_NUMBER: dict[int, Verdict] = {
    1205: _DEADLOCK,
    1222: _CONFLICT,
    3960: _CONFLICT,
    1204: _MEMORY,
    701: _MEMORY,
    802: _MEMORY,
    8645: _MEMORY,
    8651: _MEMORY,
    601: _MOVED,
    617: _MOVED,
    669: _MOVED,
    40197: _THROTTLED,
    40501: _THROTTLED,
    40613: _THROTTLED,
    49918: _THROTTLED,
    49919: _THROTTLED,
    49920: _THROTTLED,
    10928: _THROTTLED,
    10929: _THROTTLED,
    4221: _THROTTLED,
    64: _NETWORK,
    233: _NETWORK,
    10053: _NETWORK,
    10054: _NETWORK,
    10060: _NETWORK,
    # FreeTDS's own numbers (not the engine's): read failed, write failed, unexpected EOF, connection dead.
    20004: _NETWORK,
    20006: _NETWORK,
    20017: _NETWORK,
    20047: _NETWORK,
    921: _STARTING,
    983: _STARTING,
    4060: _STARTING,
    # A wrong password is not tried again: three tries may lock the account for everybody.
    18456: _fatal("sql_login_failed", "check FRESHAX_AX_SQL__USER and FRESHAX_AX_SQL__PASSWORD"),
    18452: _fatal("sql_login_failed", "the login is from an untrusted domain; use a SQL login"),
    18486: _fatal("sql_login_failed", "the account is locked; unlock it"),
    18487: _fatal("sql_login_failed", "the password has expired; set a new one"),
    18488: _fatal("sql_login_failed", "the password must be changed; set a new one"),
    229: _fatal("sql_no_rights", "grant SELECT on the source tables and on SCHEMA::cdc to the reader's login"),
    230: _fatal("sql_no_rights", "grant SELECT on all captured columns to the reader's login"),
    # A management view without VIEW DATABASE STATE, without VIEW SERVER STATE, and what follows both.
    262: _fatal("sql_no_rights", "grant VIEW DATABASE STATE to the reader's login"),
    300: _fatal("sql_no_rights", "grant VIEW SERVER STATE to the reader's login, or do without"),
    297: _fatal("sql_no_rights", "the login lacks the right to look at this view"),
    916: _fatal("sql_no_rights", "the login has no user in the database; create one"),
    313: _fatal("cdc_range_invalid", "the LSN range is outside the change table's validity; take a new snapshot"),
    208: _fatal("sql_object_missing", "an object is gone or hidden from the login; is CDC enabled on the table?"),
    207: _fatal("sql_column_missing", "a column is gone; compare the capture instance with the schema"),
    22962: _fatal("cdc_two_instances", "the table already has two capture instances; drop the drained one"),
    3951: _fatal("sql_snapshot_chosen_late", "SNAPSHOT was set inside a transaction; this is a defect of freshax"),
    3952: _fatal("sql_snapshot_not_allowed", "ALLOW_SNAPSHOT_ISOLATION is off"),
    2627: _CONSTRAINT,
    2601: _CONSTRAINT,
    515: _CONSTRAINT,
    547: _CONSTRAINT,
    8115: _DATA,
    2628: _DATA,
    8152: _DATA,
    245: _DATA,
    8134: _DATA,
}

# FreeTDS says of a name that does not resolve and of a certificate that it does not trust the same: nothing.
_NO_HANDSHAKE = _retry(
    "sql_no_handshake",
    "the server's name does not resolve or its certificate is not trusted (FreeTDS does not say which); check "
    "FRESHAX_AX_SQL__SERVER and FRESHAX_AX_SQL__SERVER_CERTIFICATE",
    reconnect=True,
)
# The driver has no name for it and the engine never saw it: mostly a connection that died while nobody used it. Tried a
# few times by new connections (back_off.py): what it says for good is no lost connection.
_UNCLEAR = _retry(
    "sql_connection_unclear", "FreeTDS does not say what happened; a new connection is opened", reconnect=True
)
_HANDSHAKE_ENDED = _retry(
    "sql_no_handshake", "the server hangs up before the login: it starts, is busy, or speaks no TDS", reconnect=True
)
_UNREACHABLE = _retry("sql_unreachable", "nothing answers; check server, port and firewall", reconnect=True)
_TIMEOUT = _retry("sql_timeout", "the query took too long; it is repeated")
_CERTIFICATE = _fatal(
    "sql_certificate_untrusted",
    "the server's certificate is not trusted; name it in FRESHAX_AX_SQL__SERVER_CERTIFICATE or trust its issuer",
)
_DRIVER = _fatal("sql_driver_missing", "the ODBC driver does not load; check FRESHAX_AX_SQL__DRIVER")

BY_STATE: dict[Driver, dict[str, Verdict]] = {
    "microsoft": {
        # The handshake failed: with Microsoft's driver all other connect failures are HYT00.
        "08001": _CERTIFICATE,
        "08S01": _NETWORK,
        "HYT00": _TIMEOUT,
        "HYT01": _TIMEOUT,
        "IMC01": _NETWORK,
        "IMC02": _NETWORK,
        "IMC03": _NETWORK,
        "IMC04": _NETWORK,
        "IMC05": _NETWORK,
        "IMC06": _NETWORK,
        "01000": _DRIVER,
        "IM002": _DRIVER,
        "IM003": _DRIVER,
    },
    "freetds": {
        "08001": _NO_HANDSHAKE,
        "08S01": _NETWORK,
        # "Unknown error (0)": the write failed. An error of the engine has a number, and so never gets here.
        "HY000": _UNCLEAR,
        # "Unexpected EOF from the server"; also what unixODBC says of a library that it cannot open, told apart
        # by `connecting`: before there is a connection there is no EOF.
        "01000": _NETWORK,
        "HYT00": _TIMEOUT,
        "HYT01": _TIMEOUT,
        "IM002": _DRIVER,
        "IM003": _DRIVER,
    },
}

# Beside these two states Microsoft's driver tells the network's number, which the engine uses for other things: Linux's
# errno (EPIPE, ENETUNREACH, ECONNABORTED, ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH), and 26 of its own.
LINK_STATES = ("08S01", "08001")
LINK_NUMBERS: dict[int, Verdict] = dict.fromkeys((32, 101, 103, 104, 110, 111, 113), _NETWORK) | {26: _HANDSHAKE_ENDED}

UNKNOWN = _fatal("sql_unknown_error", "the number is in no row of connectors/ax/sql_failures.py: decide what it means")


def engine_number(error: pyodbc.Error) -> int | None:
    """The engine's error number, None when the failure came from the driver or the network."""
    text = str(error.args[1]) if len(error.args) > 1 else ""
    numbers = [int(found) for found in _NUMBER.findall(text)]
    known = [number for number in numbers if number in BY_NUMBER]
    # A failed login lists several diagnostics (4060 and 18456); the first that means something decides.
    candidates = known or [number for number in numbers if number > 0]
    return candidates[0] if candidates else None


def verdict_of(error: pyodbc.Error, driver: Driver, *, connecting: bool = False) -> Verdict:
    """The row of the table that fits `error`."""
    number = engine_number(error)
    state = str(error.args[0]) if error.args else ""
    if driver == "microsoft" and state in LINK_STATES and number in LINK_NUMBERS:
        return LINK_NUMBERS[number]
    if number is not None and number in BY_NUMBER:
        return BY_NUMBER[number]
    if connecting and state == "01000":
        return _DRIVER
    if connecting and state in ("08S01", "HYT00"):
        return _UNREACHABLE
    by_state = BY_STATE[driver].get(state)
    # A number we do not know is not excused by a state that we do: states are too coarse for that.
    return by_state if by_state is not None and (number is None or connecting) else UNKNOWN


def failure_of(error: pyodbc.Error, action: str, driver: Driver, *, connecting: bool = False) -> Failure:
    """Our failure for `error`: action, number and remedy, never the engine's text (it may quote data)."""
    verdict = verdict_of(error, driver, connecting=connecting)
    number = engine_number(error)
    state = str(error.args[0]) if error.args else "?"
    cause = f"SQL Server error {number}" if number is not None else f"SQLSTATE {state}"
    return verdict.failure(verdict.code, f"{action}: {cause}; {verdict.remedy}")
