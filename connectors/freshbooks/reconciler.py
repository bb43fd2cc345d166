"""Finds by polling what no webhook told: deliveries are lost without a trace, and some changes have no event.

A round goes through all kinds and compares the content of each entity with what the pipeline has seen. How a kind is
listed depends on what its list can be asked for (`kinds.Watch`):

- by day of update, from the newest change seen, minus the overlap: `updated_min` works by the (Eastern) day, paging by
  offset over a moving set can skip rows, and `updated` has a resolution of one second. Lists leave deleted entities
  out, so they are asked for in a second list with `vis_state=1`;
- since an instant (projects), with the same overlap;
- as a whole, where no filter works: at most `pages_per_round` pages a round, the next round goes on behind them. At the
  end of such a walk, what is known to be alive and was not met is asked for by its id: it may be deleted.

The first round lists everything (the backfill) and announces at once; it may be repeated at no cost but reading. Later
on what differs is a suspect first and announced only when it still differs a grace period later: a webhook may just be
on its way through the pipeline. A kind that has no webhook has nothing to wait for.

Content hashes are compared and not times: a client touched by a new invoice, or our own write-back, is no change. The
same content is announced once in a process's life; Kafka does not lose it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import structlog

from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.clocks import Clock, eastern_day
from connectors.freshbooks.entities import entity_id, parse, raw_version
from connectors.freshbooks.kinds import KINDS, Kind, Watch
from schemas import keys
from schemas.failures import PoisonError
from schemas.records import Notification, Origin
from streams.runtime import metrics

_log = structlog.get_logger(__name__)
_DELETED = 1
# Written to Kafka in portions, so that a first load neither fills memory nor waits for its end.
_PORTION = 200
# The content of an entity that a whole list did not show.
_MISSING = "missing"


class Seen(Protocol):
    """What the pipeline knows of an entity."""

    def known(self, key: str) -> bool:
        """True when any content of it was published."""

    def has(self, key: str, content_hash: str) -> bool:
        """True when this content was published, or is what we wrote ourselves."""

    def living(self, account_id: str) -> Mapping[str, AbstractSet[int]]:
        """Per kind, ids of the entities that were not deleted when they were published last."""


class Announce(Protocol):
    """Writes notifications."""

    async def __call__(self, notifications: Sequence[Notification], /) -> None:
        """Return when Kafka has confirmed them."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An entity as a list showed it. `content` is its hash; its version when it could not be read; or `_MISSING`."""

    key: str
    kind: Kind
    entity_id: int
    content: str
    deleted: bool
    updated_at: datetime | None


@dataclass(slots=True)
class _Walk:
    """How far the walk through a whole list has come; `met` are the ids on its pages so far."""

    next_page: int = 1
    met: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did."""

    listed: int
    announced: int
    backfill: bool


class Reconciler:
    """Runs rounds; holds between them the watermark, the suspects and what was announced.

    `on_listed` is called for every entity that a list showed: a long backfill is not a stalled one.
    """

    def __init__(
        self,
        client: FreshBooksClient,
        *,
        seen: Seen,
        announce: Announce,
        clock: Clock,
        overlap_days: int,
        grace: timedelta,
        kinds: Sequence[Kind] = tuple(KINDS.values()),
        page_size: int = 100,
        pages_per_round: int = 20,
        on_listed: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._on_listed = on_listed
        self._seen = seen
        self._announce = announce
        self._clock = clock
        self._overlap = timedelta(days=overlap_days)
        self._grace = grace
        self._kinds = kinds
        self._page_size = page_size
        self._pages_per_round = pages_per_round
        self._walks = {kind.noun: _Walk() for kind in kinds if kind.watch is Watch.WHOLE}
        self._newest: dict[str, datetime] = {}
        self._backfilled = False
        self._suspects: dict[str, tuple[str, datetime]] = {}
        self._announced: dict[str, str] = {}

    async def round(self) -> Round:
        """List, compare, announce.

        A round that fails half-way is repeated whole; what it announced is remembered. Raises: Failure.
        """
        listed = announced = 0
        for kind in self._kinds:
            portion: list[Sighting] = []
            async for sighting in self._sightings(kind):
                listed += sighting.content != _MISSING
                self._on_listed()
                self._advance(sighting)
                if self._is_news(sighting):
                    portion.append(sighting)
                if len(portion) >= _PORTION:
                    announced += await self._tell(portion)
                    portion = []
            announced += await self._tell(portion)
        done = Round(listed, announced, not self._backfilled)
        self._backfilled = True
        return done

    async def _sightings(self, kind: Kind) -> AsyncIterator[Sighting]:
        """What a round sees of `kind`, each entity at most once."""
        if kind.watch is Watch.WHOLE:
            async for sighting in self._walk(kind, self._walks[kind.noun]):
                yield sighting
            return
        # Deleted ones of other kinds than these are gone for good, or are missed at the end of a walk.
        for deleted in (False, True) if kind.watch is Watch.BY_DAY else (False,):
            search = self._search(kind, deleted=deleted)
            async for raw in self._client.list_entities(kind, search=search, page_size=self._page_size):
                yield self._sighting(kind, raw)

    def _search(self, kind: Kind, *, deleted: bool) -> list[tuple[str, str]]:
        search = [("search[vis_state]", "1")] if deleted else []
        newest = self._newest.get(kind.noun)
        if self._backfilled and newest is not None:
            since: date = eastern_day(newest) - self._overlap
            text = (newest - self._overlap).strftime("%Y-%m-%dT%H:%M:%S")
            search.append((kind.watch.value, text if kind.watch is Watch.SINCE else since.isoformat()))
        return search

    async def _walk(self, kind: Kind, walk: _Walk) -> AsyncIterator[Sighting]:
        """The next pages of a whole list, in the first round all of them; behind the last, what was not met."""
        last = walk.next_page + self._pages_per_round - 1
        while walk.next_page <= last or not self._backfilled:
            page = await self._client.list_page(kind, walk.next_page, size=self._page_size)
            for sighting in [self._sighting(kind, raw) for raw in page.items]:
                if sighting.entity_id not in walk.met:
                    walk.met.add(sighting.entity_id)
                    yield sighting
            walk.next_page += 1
            if page.is_last:
                met, self._walks[kind.noun] = walk.met, _Walk()
                living = self._seen.living(self._client.account_id).get(kind.noun, frozenset())
                for sighting in self._missing(kind, living - met):
                    yield sighting
                return

    def _missing(self, kind: Kind, ids: Iterable[int]) -> Iterable[Sighting]:
        for number in sorted(ids):
            key = keys.freshbooks_key(self._client.account_id, kind.noun, number)
            yield Sighting(key, kind, number, _MISSING, deleted=True, updated_at=None)

    def _sighting(self, kind: Kind, raw: dict[str, Any]) -> Sighting:
        """An entity that cannot be read is a sighting too: the fetch stage is where it becomes a dead letter."""
        account = self._client.account_id
        number = entity_id(kind, raw)
        key = keys.freshbooks_key(account, kind.noun, number)
        try:
            entity = parse(kind, raw, account_id=account, fetched_at=self._clock())
        except PoisonError:
            deleted = raw.get("vis_state") == _DELETED
            return Sighting(key, kind, number, f"unreadable {raw_version(raw)}", deleted, None)
        return Sighting(key, kind, number, entity.content_hash, entity.vis_state == _DELETED, entity.updated_at)

    def _advance(self, sighting: Sighting) -> None:
        before = self._newest.get(sighting.kind.noun)
        if sighting.updated_at is not None and (before is None or sighting.updated_at > before):
            self._newest[sighting.kind.noun] = sighting.updated_at

    def _is_news(self, sighting: Sighting) -> bool:
        """True when this is to be announced now."""
        key, content = sighting.key, sighting.content
        if self._seen.has(key, content):
            self._suspects.pop(key, None)
            self._announced.pop(key, None)
            return False
        if self._announced.get(key) == content:
            return False
        if sighting.deleted and not self._seen.known(key):
            return False  # came and went before anybody looked: nobody has to be told
        if not self._backfilled or not sighting.kind.has_event:
            return True
        since = self._suspects.get(key)
        if since is None or since[0] != content:
            self._suspects[key] = (content, self._clock())
            return not self._grace
        return self._clock() - since[1] >= self._grace

    async def _tell(self, sightings: Sequence[Sighting]) -> int:
        if not sightings:
            return 0
        now = self._clock()
        await self._announce(
            [
                Notification(
                    account_id=self._client.account_id,
                    kind=sighting.kind.noun,
                    verb="poll",
                    object_id=sighting.entity_id,
                    origin=Origin.POLL,
                    received_at=now,
                )
                for sighting in sightings
            ]
        )
        for sighting in sightings:
            self._announced[sighting.key] = sighting.content
            self._suspects.pop(sighting.key, None)
            if self._backfilled:
                metrics.POLL_FOUND.labels(sighting.kind.noun).inc()
        return len(sightings)
