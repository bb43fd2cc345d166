"""Reads one entity from FreshBooks as a record, for the fetch agent."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from connectors.freshbooks.api_failures import NotFoundError
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.clocks import Clock, utc_now
from connectors.freshbooks.entities import parse, unknown_fields
from connectors.freshbooks.kinds import kind_of
from schemas.records import Entity
from streams.runtime import metrics

_log = structlog.get_logger(__name__)


class EntityFetcher:
    """Fetches entities of the client's account."""

    def __init__(self, client: FreshBooksClient, *, clock: Clock = utc_now) -> None:
        self._client = client
        self._clock = clock
        self._reported: set[str] = set()

    async def fetch(self, kind: str, entity_id: int) -> Entity | None:
        """The entity as it is now; a soft-deleted one has vis_state 1; None when FreshBooks has none of that id.

        Raises: RetryableError (the client's budget is used up), PoisonError (unknown_kind, freshbooks_shape, refused),
        FatalError.
        """
        declared = kind_of(kind)
        try:
            raw = await self._client.get_entity(declared, entity_id)
        except NotFoundError:
            return None
        self._count_unknown(kind, unknown_fields(declared, raw))
        return parse(declared, raw, account_id=self._client.account_id, fetched_at=self._clock())

    def _count_unknown(self, kind: str, names: Iterable[str]) -> None:
        """Count fields that FreshBooks has added, name each once."""
        for name in names:
            metrics.EVENTS.labels("fetch", kind, "unknown_field").inc()
            if name not in self._reported and len(self._reported) < 1000:
                self._reported.add(name)
                _log.info("FreshBooks sends a field that is new", kind=kind, field=name[:100])
