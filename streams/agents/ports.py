"""What agents need of the two ends, as protocols: connectors implement them, composition roots inject them."""

from __future__ import annotations

from typing import Protocol

from schemas.records import (
    AxCommand,
    AxConfirmation,
    CrossReference,
    Entity,
    FreshBooksCommand,
    FreshBooksConfirmation,
    Intent,
)


class Fetcher(Protocol):
    """Reads one FreshBooks entity."""

    async def fetch(self, kind: str, entity_id: int) -> Entity | None:
        """The entity as it is now, None when FreshBooks does not have it (any more).

        Raises: RetryableError, PoisonError (its answer does not fit), FatalError.
        """


class AxSink(Protocol):
    """Brings AX to the state that a command asks for, once in effect."""

    async def apply(self, command: AxCommand, prior: CrossReference | None) -> AxConfirmation:
        """Compare with what AX holds, do what is missing, say what AX holds now.

        `prior` is the document's cross-reference, which holds the invoice a correction must reverse.
        Raises: RetryableError (budget used up), PoisonError (AX will never take it), FatalError.
        """


class IntentLog(Protocol):
    """Durable memory of writes to FreshBooks, which has no idempotency key."""

    def last(self, key: str) -> Intent | None:
        """The newest intent of an entity."""

    async def record(self, key: str, intent: Intent) -> None:
        """Store `intent`; returns when it is durable."""


class FreshBooksSink(Protocol):
    """Brings a FreshBooks entity to the state that a command asks for, once in effect."""

    async def apply(self, command: FreshBooksCommand, intents: IntentLog) -> FreshBooksConfirmation:
        """Compare with what FreshBooks holds, write what differs, say what it holds now.

        Raises: RetryableError (budget used up), PoisonError, FatalError.
        """
