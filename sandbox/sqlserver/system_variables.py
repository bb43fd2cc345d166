"""The `@@` variables that drivers and tools ask for."""

from __future__ import annotations

from typing import Any

from sandbox.sqlserver.errors import SqlError


def system_variable(name: str, *, in_transaction: bool, spid: int, rowcount: int) -> Any:
    """The value of `@@name` (`name` in lower case). Raises SqlError 137 for one that is not simulated."""
    known: dict[str, Any] = {
        "trancount": int(in_transaction),
        "spid": spid,
        "rowcount": rowcount,
        "version": "Microsoft SQL Server 2022 (RTM) - 16.0.4135.4 (stand-in)",
        "servername": "STANDIN",
        "max_precision": 38,
        "lock_timeout": -1,
        "error": 0,
    }
    if name not in known:
        raise SqlError(137, f'Must declare the scalar variable "@@{name}".', 15)
    return known[name]
