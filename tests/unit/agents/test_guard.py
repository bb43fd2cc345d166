"""A part of Faust that crashes must end the process: its app stays 'started' and reads nothing for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mode import Service

from schemas.failures import FatalError
from schemas.topics import Topic
from streams.agents.consumer import Agent
from streams.runtime.dead_letters import Origin
from streams.runtime.settings import KafkaSettings, WorkerSettings


class Part(Service):
    """A service below the app, as the fetcher's thread is."""


async def never(_record: Origin, *_arguments: object) -> str:
    raise AssertionError("no record comes in these tests")


@pytest.mark.parametrize("depth", [1, 2])
def test_a_crash_below_the_app_stops_the_process(tmp_path: Path, depth: int) -> None:
    async def scenario() -> list[BaseException]:
        stopped: list[BaseException] = []
        agent = new_agent(tmp_path, stopped)
        part = Part()
        agent.app._children.append(part)
        for _ in range(depth - 1):
            part._children.append(Part())
            part = part._children[-1]
        part._crash(RuntimeError("no codec"))
        await asyncio.wait_for(agent.guard(), 5)
        return stopped

    (failure,) = asyncio.run(scenario())

    assert isinstance(failure, FatalError)
    assert failure.code == "consumer_crashed"
    assert "no codec" in failure.message


def test_an_app_that_runs_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> list[BaseException]:
        stopped: list[BaseException] = []
        agent = new_agent(tmp_path, stopped)
        agent.app._children.append(Part())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(agent.guard(), 0.05)
        return stopped

    assert asyncio.run(scenario()) == []


def new_agent(folder: Path, stopped: list[BaseException]) -> Agent:
    return Agent(
        "guarded",
        [Topic("some.topic", "key", "delete", None, "test")],
        never,
        bury=never,  # type: ignore[arg-type]
        stop=stopped.append,
        kafka=KafkaSettings(),
        worker=WorkerSettings(data_dir=folder),
    )
