"""Faults on request: errors, killed connections, delays, refused logins. Each fires `count` times and is then gone."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.sqlserver.errors import ConnectionKilledError, SqlError

# Severity that SQL Server gives these numbers; drivers choose the exception class by it.
_SEVERITIES = {
    1205: 13,
    229: 14,
    18456: 14,
    2627: 14,
    4060: 11,
    40197: 17,
    40501: 20,
    40613: 17,
    701: 17,
    9002: 17,
    1204: 19,
}
_TEXTS = {
    1205: "Transaction (Process ID 52) was deadlocked on lock resources with another process and has been chosen as "
    "the deadlock victim. Rerun the transaction.",
    1222: "Lock request time out period exceeded.",
    3960: "Snapshot isolation transaction aborted due to update conflict.",
    9002: "The transaction log for database 'AX' is full due to 'REPLICATION'.",
}


@dataclass
class Fault:
    """One kind of trouble. `matching` is a part of the statement (any case), `login` whose statements are hit."""

    id: int
    kind: str
    count: int
    number: int = 0
    severity: int = 16
    message: str = ""
    seconds: float = 0.0
    matching: str = ""
    login: str = ""
    after_rows: int = -1

    def hits(self, text: str, login: str) -> bool:
        """Return whether this statement of this login is meant."""
        return self.matching.lower() in text.lower() and self.login.lower() in ("", login.lower())


class Faults:
    """The faults that are armed.

    Statements run by `SqlServer.execute` (login `sa`, in process) are hit as well, unless `login` says otherwise.
    """

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._ids = itertools.count(1)

    def raise_error(
        self,
        number: int,
        *,
        count: int = 1,
        severity: int | None = None,
        message: str = "",
        matching: str = "",
        login: str = "",
    ) -> Fault:
        """Let the next statements fail with SQL Server's error `number`. Transactions: 1205 and 3960 end them."""
        chosen = severity if severity is not None else _SEVERITIES.get(number, 16)
        text = message or _TEXTS.get(number, f"Error {number} on request.")
        return self._arm(
            kind="error", count=count, number=number, severity=chosen, message=text, matching=matching, login=login
        )

    def kill_connection(self, *, count: int = 1, after_rows: int = -1, matching: str = "", login: str = "") -> Fault:
        """Drop the connection at the next statements: before they run, or after `after_rows` rows were sent."""
        return self._arm(kind="kill", count=count, after_rows=after_rows, matching=matching, login=login)

    def kill_after_commit(self, *, count: int = 1, login: str = "") -> Fault:
        """Drop the connection after a commit was done, before the client hears of it."""
        return self._arm(kind="kill_after_commit", count=count, login=login)

    def delay(self, seconds: float, *, count: int = 1, matching: str = "", login: str = "") -> Fault:
        """Hold the next statements back for `seconds`."""
        return self._arm(kind="delay", count=count, seconds=seconds, matching=matching, login=login)

    def refuse_logins(self, *, count: int = 1, number: int = 18456, login: str = "") -> Fault:
        """Refuse the next logins: 18456 (wrong password), 4060 (database not open), 40613 (not available), ..."""
        return self._arm(kind="login", count=count, number=number, severity=_SEVERITIES.get(number, 16), login=login)

    def active(self) -> list[dict[str, Any]]:
        """Return the armed faults with the number of times each will still fire."""
        return [asdict(fault) for fault in self._armed]

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def _arm(self, **values: Any) -> Fault:
        fault = Fault(id=next(self._ids), **values)
        if fault.count > 0:
            self._armed.append(fault)
        return fault

    def _take(self, kinds: tuple[str, ...], text: str, login: str, *, mid_result: bool | None = None) -> Fault | None:
        for fault in self._armed:
            if fault.kind not in kinds or not fault.hits(text, login):
                continue
            if mid_result is not None and (fault.after_rows >= 0) != mid_result:
                continue
            fault.count -= 1
            if fault.count <= 0:
                self._armed.remove(fault)
            return fault
        return None

    async def before_statement(self, text: str, login: str) -> None:
        """Fire what is armed for this statement. Raises SqlError or ConnectionKilledError."""
        if not self._armed:
            return
        if fault := self._take(("delay",), text, login):
            await asyncio.sleep(fault.seconds)
        if self._take(("kill",), text, login, mid_result=False):
            raise ConnectionKilledError
        if fault := self._take(("error",), text, login):
            raise SqlError(fault.number, fault.message, fault.severity)

    def rows_before_kill(self, text: str, login: str) -> int | None:
        """Return after how many rows of this statement's result the connection drops; None for not at all."""
        if not self._armed:
            return None
        fault = self._take(("kill",), text, login, mid_result=True)
        return fault.after_rows if fault else None

    def after_commit(self, login: str) -> None:
        """Fire `kill_after_commit`. Raises ConnectionKilledError."""
        if self._armed and self._take(("kill_after_commit",), "", login):
            raise ConnectionKilledError

    def at_login(self, login: str) -> None:
        """Fire `refuse_logins`. Raises SqlError."""
        if self._armed and (fault := self._take(("login",), "", login)):
            raise SqlError(fault.number, fault.message or f"Login failed for user '{login}'.", fault.severity)
