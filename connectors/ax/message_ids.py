"""Which MessageId a create carries, so that AX's own duplicate check helps and never stands in the way.

A MessageId is deterministic: UUIDv5 of (environment, company, service, business key, generation). A crash and a replay
send the same one, and AX refuses the second (or repeats its first answer). Whether a *failed* message burns its id is
not known (reference ax-aif, sections 9.2 and 9.3), hence the generations:

- an unclear outcome keeps the generation: were the call done after all, AX would notice the repeat;
- a definite failure takes the next generation;
- 'duplicate message' for a document that is not there: either the first call is still under way, or a failed call
  burned the id. So the next generation is taken only when no call can be under way any more.

Generations are memory only. After a restart generation 0 is tried again; AX's refusal leads up to the one in use.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from connectors.ax.aif_failures import CONFLICT, DUPLICATE, EXISTS, UnclearOutcomeError
from schemas.failures import Failure, PoisonError
from schemas.keys import COMMAND_NAMESPACE

# Bounds memory: keys that ended in a dead letter are never forgotten otherwise. An evicted key starts at 0 again.
_MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class MessageKey:
    """What a MessageId is for: one document by its natural key."""

    company: str
    service: str
    business_key: str


@dataclass(slots=True)
class _State:
    generation: int = 0
    # True when no call can be under way: AX has ended every one that we know of, and the rest had time to end.
    quiet: bool = False
    # Until when a call that we lost sight of may be under way, by the clock.
    under_way_until: float | None = None
    unclear: bool = False


class MessageIds:
    """The MessageId of each key. Not thread-safe: it belongs to the event loop.

    `under_way_seconds` is the longest time that AX may work on a call that we lost sight of; `clock` is monotonic.
    """

    def __init__(self, environment: str, *, under_way_seconds: float, clock: Callable[[], float]) -> None:
        self._environment = environment
        self._under_way_seconds = under_way_seconds
        self._clock = clock
        self._states: OrderedDict[MessageKey, _State] = OrderedDict()

    def current(self, key: MessageKey) -> uuid.UUID:
        """The id for the next call."""
        state = self._states.get(key, _State())
        parts = (self._environment, key.company.lower(), key.service, key.business_key, str(state.generation))
        return uuid.uuid5(COMMAND_NAMESPACE, "|".join(parts))

    def failed(self, key: MessageKey, failure: Failure) -> None:
        """Note how a call with the current id ended."""
        state = self._states.setdefault(key, _State())
        self._states.move_to_end(key)
        if len(self._states) > _MOST_KEYS:
            self._states.popitem(last=False)
        if isinstance(failure, UnclearOutcomeError):
            state.unclear = True
            if failure.lost:
                state.quiet, state.under_way_until = False, self._clock() + self._under_way_seconds
            elif failure.ended:
                state.quiet = state.quiet or state.under_way_until is None
            elif not self._may_be_under_way(state):
                # AX answers this id without saying why, and the document is not there: F6 may hide F5.
                self._next_generation(state)
        elif failure.code == DUPLICATE:
            state.unclear = True
            if not self._may_be_under_way(state):
                self._next_generation(state)
        elif _is_definite(failure) and (state.under_way_until is None or not self._may_be_under_way(state)):
            self._next_generation(state)

    def was_unclear(self, key: MessageKey) -> bool:
        """True when an earlier call for this key may have been done unseen: verify that there is no double."""
        state = self._states.get(key)
        return state is not None and state.unclear

    def done(self, key: MessageKey) -> None:
        """Forget a key that has reached AX."""
        self._states.pop(key, None)

    def _next_generation(self, state: _State) -> None:
        state.generation += 1
        state.quiet, state.under_way_until = True, None

    def _may_be_under_way(self, state: _State) -> bool:
        """True while an earlier call may be. One that this process did not send may have begun just before it."""
        if state.quiet:
            return False
        if state.under_way_until is None:
            state.under_way_until = self._clock() + self._under_way_seconds
        return self._clock() < state.under_way_until


def _is_definite(failure: Failure) -> bool:
    """True when AX worked on the call and undid it: the id may be burned."""
    return isinstance(failure, PoisonError) or failure.code in (EXISTS, CONFLICT)
