"""One simulator per module, a fresh authorisation per test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from connectors.freshbooks.client import FreshBooksClient
from sandbox.freshbooks.config import Config
from sandbox.freshbooks.server import FreshBooksSimulator
from streams.runtime.settings import FreshBooksSettings
from tests.kit.freshbooks import Control, Person, settings_for

T = TypeVar("T")


@pytest.fixture(scope="module")
def simulator() -> Iterator[FreshBooksSimulator]:
    with FreshBooksSimulator(Config()) as running:
        yield running


@pytest.fixture
def control(simulator: FreshBooksSimulator) -> Iterator[Control]:
    caller = Control(simulator.ready)
    switches = caller.get("switches")
    caller.put("limits", enforce=False)
    yield caller
    for rules in ("faults", "delivery-rules"):
        caller.delete(rules)
    caller.put("clock", offset_seconds=0)
    caller.put("switches", **switches)
    caller.close()


@pytest.fixture
def person(simulator: FreshBooksSimulator) -> Iterator[Person]:
    someone = Person(simulator.ready)
    yield someone
    someone.close()


@pytest.fixture
def settings(simulator: FreshBooksSimulator, control: Control, tmp_path: Path) -> FreshBooksSettings:
    """Settings with a refresh token that nobody has used."""
    granted = control.post("tokens/issue", client_id=simulator.ready["client_id"], identity_id=88001)
    return settings_for({**simulator.ready, "refresh_token": granted["refresh_token"]}, tmp_path)


@pytest.fixture
def with_client(settings: FreshBooksSettings) -> Callable[[Callable[[FreshBooksClient], Awaitable[Any]]], Any]:
    """Runs async work with a client that is authorised at the simulator."""

    def run(work: Callable[[FreshBooksClient], Awaitable[T]]) -> T:
        async def opened() -> T:
            async with FreshBooksClient.open(settings) as client:
                return await work(client)

        return asyncio.run(opened())

    return run
