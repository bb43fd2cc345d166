"""One create in AX, told apart by its MessageId, and what its end means for the next attempt.

What an attempt has sent is in its `Run`; which MessageId a key is at, in `MessageIds`. The rules are those of
message_ids.py; the look-ups before and after are the sink's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from connectors.ax.aif_failures import EXISTS, UNCLEAR, UnclearOutcomeError
from connectors.ax.message_ids import MessageIds, MessageKey
from schemas.failures import Failure, PoisonError
from schemas.records import AxOutcome

T = TypeVar("T")


@dataclass(slots=True)
class Run:
    """One `apply` of the sink: what its attempts have sent so far."""

    planned: AxOutcome | None = None
    key: MessageKey | None = None
    exists: Failure | None = None


class Creation:
    """Sends creates. One per sink."""

    def __init__(self, message_ids: MessageIds) -> None:
        self._message_ids = message_ids

    async def send(self, run: Run, key: MessageKey, outcome: AxOutcome, create: Callable[[UUID], Awaitable[T]]) -> T:
        """Create with the key's current MessageId, and note how it ended.

        Raises: PoisonError `record_exists` when AX said so before and the look-up in between found nothing of ours.
        """
        if run.exists is not None:
            raise PoisonError(EXISTS, run.exists.message) from run.exists
        run.planned, run.key = outcome, key
        try:
            return await create(self._message_ids.current(key))
        except Failure as failure:
            self._message_ids.failed(key, failure)
            if failure.code == EXISTS:
                run.exists = failure
            raise

    def was_unclear(self, key: MessageKey) -> bool:
        """True when an earlier call for this key may have been done unseen."""
        return self._message_ids.was_unclear(key)

    def not_there_yet(self, run: Run, what: str) -> UnclearOutcomeError:
        """AX answered 'created' and the look-up does not show it: an old answer repeated, or a look-up that lags."""
        failure = UnclearOutcomeError(UNCLEAR, f"looking up {what} after its creation: not there yet")
        failure.lost = False
        if run.key is not None:
            self._message_ids.failed(run.key, failure)
        return failure

    def settled(self, run: Run) -> None:
        """Note that AX holds what was to be created."""
        if run.key is not None:
            self._message_ids.done(run.key)
