"""What the pipeline has seen of FreshBooks, from its own compacted topics: the reconciler asks before it announces."""

from __future__ import annotations

from typing import Protocol

from schemas.records import Fetched, Intent
from streams.transforms.echo import is_known


class FetchedRows(Protocol):
    """Rows of `freshbooks.fetched`: a CompactedStore."""

    def get(self, key: str) -> Fetched | None:
        """The row of `key`."""


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
