"""What a session needs of the server around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sqlserver.catalog import Catalog
    from sandbox.sqlserver.engine import Engine
    from sandbox.sqlserver.faults import Faults
    from sandbox.sqlserver.results import OwnTypes, Result
    from sandbox.sqlserver.translate import Statement


class Host(Protocol):
    """The server, as its sessions see it."""

    catalog: Catalog
    own_types: OwnTypes
    faults: Faults
    database: str
    snapshot_allowed: bool
    translations: dict[tuple[int, str], list[Statement]]

    async def procedure(self, name: str, arguments: Mapping[str, Any], engine: Engine) -> list[Result] | None:
        """Run a procedure that is Python here; None when there is no such."""

    async def refresh(self, relation: str) -> None:
        """Bring a view up to date that the server fills only on request."""

    async def kill(self, spid: int) -> None:
        """End another session."""

    async def allow_snapshot(self, *, allowed: bool) -> None:
        """ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION."""

    def add_login(self, name: str, password: str) -> None:
        """CREATE LOGIN."""
