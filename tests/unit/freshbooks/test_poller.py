"""Polling outlives a FreshBooks or a Kafka that is away, and ends at what nobody expects."""

import asyncio
from collections.abc import Callable

import pytest

from connectors.freshbooks.reconciler import Round
from connectors.freshbooks.services import Poller, Progress
from schemas.failures import Failure, FatalError, PoisonError, RetryableError


class ScriptedRounds:
    """A reconciler whose rounds succeed or fail as told; the last one ends the test."""

    def __init__(self, *outcomes: Failure | None) -> None:
        self.outcomes = [*outcomes, FatalError("over", "the script is over")]
        self.rounds = 0

    async def round(self) -> Round:
        self.rounds += 1
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return Round(listed=1, announced=0, backfill=False)


def run(rounds: ScriptedRounds, check: Callable[[], None] = lambda: None) -> tuple[FatalError, Poller]:
    poller = Poller(rounds, interval_seconds=0.0, check=check, progress=Progress())  # type: ignore[arg-type]
    with pytest.raises(FatalError) as failure:
        asyncio.run(poller.run())
    return failure.value, poller


def test_a_round_that_failed_for_now_is_followed_by_the_next() -> None:
    rounds = ScriptedRounds(None, RetryableError("timeout", "away"), RetryableError("not_delivered", "away"), None)
    failure, poller = run(rounds)
    assert (failure.code, rounds.rounds, poller.rounds) == ("over", 5, 2)


def test_a_list_that_cannot_be_read_ends_the_process() -> None:
    failure, _ = run(ScriptedRounds(PoisonError("freshbooks_shape", "no id")))
    assert failure.code == "freshbooks_shape"


def test_a_store_that_has_stopped_ends_the_process_before_the_next_round() -> None:
    def stopped() -> None:
        raise FatalError("store_failed", "reading freshbooks.fetched: gone")

    rounds = ScriptedRounds(None)
    failure, _ = run(rounds, stopped)
    assert (failure.code, rounds.rounds) == ("store_failed", 0)
