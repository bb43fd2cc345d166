"""Dead letters: the original key and value bytes untouched, the history in headers.

Headers are Kafka Connect's names plus ours, so that its users' tools read them. Header values never hold a payload,
a token or a stack trace, and are capped.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Protocol

from schemas import headers, topics
from schemas.failures import AmbiguousError, PoisonError
from streams.runtime import metrics
from streams.runtime.producer import OutRecord

# A message longer than this is cut: a header is read in a terminal.
_MAX_MESSAGE = 1000
_VARIABLE_PART = re.compile(r"[0-9a-fA-F-]{8,}|\d+|'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the failing record came from, with its original bytes."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Sender(Protocol):
    """The part of the producer that dead letters need."""

    async def send(self, records: Sequence[OutRecord]) -> None:
        """Return when delivery is confirmed."""


def fingerprint(stage: str, failure: PoisonError) -> str:
    """Groups dead letters by cause: the same for two failures that differ only in ids, numbers and quoted values."""
    text = "|".join((stage, failure.code, failure.field or "", _VARIABLE_PART.sub("#", failure.message)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def dead_letter(origin: Origin, failure: PoisonError, *, stage: str, attempts: int, now: datetime) -> OutRecord:
    """The DLQ record of `origin`."""
    history = {
        headers.ERRORS_TOPIC: origin.topic,
        headers.ERRORS_PARTITION: str(origin.partition),
        headers.ERRORS_OFFSET: str(origin.offset),
        headers.ERRORS_STAGE: stage,
        headers.ERRORS_CLASS_NAME: type(failure).__name__,
        headers.ERRORS_MESSAGE: failure.message[:_MAX_MESSAGE],
        headers.DLQ_CLASS: failure.failure_class,
        headers.DLQ_CODE: failure.code,
        headers.DLQ_STAGE: stage,
        headers.DLQ_FIELD: failure.field or "",
        headers.DLQ_FINGERPRINT: fingerprint(stage, failure),
        headers.DLQ_ATTEMPTS: str(attempts),
        headers.DLQ_FIRST_SEEN: now.isoformat(),
        headers.DLQ_RELEASE: version("freshax"),
    }
    if isinstance(failure, AmbiguousError):
        history[headers.DLQ_CANDIDATES] = ", ".join(failure.candidates)[:_MAX_MESSAGE]
    kept = [(name, value) for name, value in origin.headers if name not in history]
    added = [(name, value.encode()) for name, value in history.items()]
    return OutRecord(topics.DLQ.name, origin.key, origin.value, [*kept, *added])


class DeadLetters:
    """Publishes dead letters and counts them."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def publish(
        self, origin: Origin, failure: PoisonError, *, stage: str, now: datetime, attempts: int = 1
    ) -> None:
        """Write the dead letter; returns when delivery is confirmed."""
        await self._sender.send([dead_letter(origin, failure, stage=stage, attempts=attempts, now=now)])
        metrics.DEAD_LETTERS.labels(stage, failure.failure_class, failure.code).inc()
