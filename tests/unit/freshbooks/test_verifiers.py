"""Verifiers are kept durably, count only when FreshBooks has taken them, and come only when we asked."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from connectors.freshbooks.sealed_file import SealedFile
from connectors.freshbooks.verifiers import Verifiers
from tests.kit.freshbooks import KEY, HandClock


@pytest.fixture
def make(tmp_path: Path, clock: HandClock) -> Callable[[], Verifiers]:
    """Verifiers over the same file: each one is another process."""
    return lambda: Verifiers(SealedFile(tmp_path / "verifiers", KEY), clock=clock)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_an_offer_without_a_registration_is_refused(make: Callable[[], Verifiers]) -> None:
    assert run(make().offer("client", 2001, "verifier-1")) is False
    assert make().all() == []


def test_an_offer_within_a_registration_is_kept_for_every_process(make: Callable[[], Verifiers]) -> None:
    run(make().expect("client"))
    assert run(make().offer("client", 2001, "verifier-1")) is True
    (kept,) = make().all()
    assert (kept.callback_id, kept.event, kept.key, kept.confirmed) == (2001, "client", "verifier-1", False)
    assert "verifier-1" not in repr(kept)


def test_a_registration_is_for_its_event_only(make: Callable[[], Verifiers]) -> None:
    run(make().expect("client"))
    assert run(make().offer("invoice", 2001, "verifier-1")) is False


def test_a_registration_is_over_after_its_window(make: Callable[[], Verifiers], clock: HandClock) -> None:
    run(make().expect("client"))
    clock.forward(minutes=10)
    assert run(make().offer("client", 2001, "verifier-1")) is False


def test_a_registration_is_over_when_its_verifier_is_confirmed(make: Callable[[], Verifiers]) -> None:
    verifiers = make()
    run(verifiers.expect("client"))
    run(verifiers.offer("client", 2001, "verifier-1"))
    run(verifiers.confirm(2001))
    assert [verifier.confirmed for verifier in verifiers.all()] == [True]
    assert run(verifiers.offer("client", 2002, "verifier-2")) is False


def test_the_same_handshake_twice_is_fine_another_key_for_the_same_callback_is_not(
    make: Callable[[], Verifiers],
) -> None:
    verifiers = make()
    run(verifiers.expect("client"))
    assert run(verifiers.offer("client", 2001, "verifier-1")) is True
    assert run(verifiers.offer("client", 2001, "verifier-1")) is True
    assert run(verifiers.offer("client", 2001, "verifier-x")) is False
    assert [verifier.key for verifier in make().all()] == ["verifier-1"]


def test_a_flood_of_offers_is_bounded(make: Callable[[], Verifiers]) -> None:
    verifiers = make()
    run(verifiers.expect("client"))
    taken = [run(verifiers.offer("client", number, "verifier-1")) for number in range(1, 12)]
    assert taken.count(True) == 8


def test_a_forgotten_verifier_is_gone(make: Callable[[], Verifiers]) -> None:
    verifiers = make()
    run(verifiers.expect("client"))
    run(verifiers.offer("client", 2001, "verifier-1"))
    run(verifiers.forget(2001))
    assert verifiers.all() == []


def test_confirming_what_is_not_there_does_nothing(make: Callable[[], Verifiers]) -> None:
    run(make().confirm(1))
    assert make().all() == []


def test_another_process_sees_a_change_at_once(make: Callable[[], Verifiers]) -> None:
    one, two = make(), make()
    assert two.all() == []
    run(one.expect("client"))
    run(one.offer("client", 2001, "verifier-1"))
    assert len(two.all()) == 1
