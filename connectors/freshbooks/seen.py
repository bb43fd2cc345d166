"""What the pipeline has seen of FreshBooks, from its own compacted topics: the reconciler asks before it announces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from schemas.records import Fetched, Intent
from streams.transforms.echo import is_known

_DELETED = 1


class FetchedRows(Protocol):
    """Rows of `freshbooks.fetched`: a CompactedStore."""

    def get(self, key: str) -> Fetched | None:
        """The row of `key`."""

    def items(self) -> Iterable[tuple[str, Fetched]]:
        """A copy of all rows."""


class IntentRows(Protocol):
    """Rows of `freshbooks.intents`: a CompactedStore."""

    def get(self, key: str) -> Intent | None:
        """The row of `key`."""


class StoresSeen:
    """Seen, by what the fetch stage published and by what the FreshBooks sink wrote."""

    def __init__(self, fetched: FetchedRows, intents: IntentRows) -> None:
        self._fetched = fetched
        self._intents = intents

    def known(self, key: str) -> bool:
        """True when any content of it was published."""
        return self._fetched.get(key) is not None

    def has(self, key: str, content_hash: str) -> bool:
        """True when this content was published, or is what we wrote ourselves."""
        return is_known(content_hash, self._fetched.get(key), self._intents.get(key))

    def living(self, account_id: str) -> Mapping[str, AbstractSet[int]]:
        """Per kind, ids of the entities that were not deleted when they were published last."""
        found: dict[str, set[int]] = defaultdict(set)
        for key, row in self._fetched.items():
            account, _, rest = key.partition(":")
            kind, _, number = rest.partition(":")
            if account == account_id and row.vis_state != _DELETED and number.isdigit():
                found[kind].add(int(number))
        return found
