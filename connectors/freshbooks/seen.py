"""What the pipeline has seen of FreshBooks, from its own compacted topics: the reconciler asks before it announces."""

from __future__ import annotations

from typing import Protocol

from schemas.records import Fetched, Intent, IntentState


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
        published = self._fetched.get(key)
        if published is None:
            return False
        if published.content_hash == content_hash:
            return True
        wrote = self._intents.get(key)
        return wrote is not None and wrote.state is IntentState.CONFIRMED and wrote.content_hash == content_hash
