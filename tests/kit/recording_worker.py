"""A worker process whose one agent appends what it handles to a file, and fails as told; run as a program by tests.

Arguments: bootstrap servers, topic, group prefix, file, what to do (`pass`, or `<failure>:<value>` with a failure of
`fatal`, `unknown`, `poison`, `hang`), the value after which it ends by itself.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from schemas.failures import FatalError, PoisonError
from schemas.topics import Topic
from streams.agents.consumer import Agent
from streams.runtime.dead_letters import DeadLetters, Origin
from streams.runtime.process import Lifetime
from streams.runtime.producer import Producer
from streams.runtime.settings import KafkaSettings, WorkerSettings


async def run(servers: str, topic: str, prefix: str, file: Path, failure: str, last: str) -> None:
    kafka = KafkaSettings(bootstrap_servers=servers)
    lifetime = Lifetime()
    producer = Producer(kafka)
    letters = DeadLetters(producer)
    done = asyncio.Event()
    kind, _, wanted = failure.partition(":")

    async def handle(record: Origin) -> str:
        value = (record.value or b"").decode()
        with file.open("a") as log:
            log.write(f"{value}\n")
        if value == wanted:
            if kind == "fatal":
                raise FatalError("broken", "told to")
            if kind == "unknown":
                raise KeyError(value)
            if kind == "poison":
                raise PoisonError("bad", "told to")
            await asyncio.Event().wait()
        if value == last:
            done.set()
        return "ready"

    async def bury(record: Origin, poison: PoisonError, attempts: int) -> None:
        await letters.publish(record, poison, stage="test", now=datetime.now(UTC), attempts=attempts)

    with tempfile.TemporaryDirectory() as data:
        agent = Agent(
            "recording",
            [Topic(topic, "key", "delete", None, "test", partitions=1)],
            handle,
            bury=bury,
            stop=lifetime.fail,
            kafka=kafka,
            worker=WorkerSettings(
                group_prefix=prefix, commit_interval_seconds=0.1, session_timeout_seconds=6, data_dir=Path(data)
            ),
        )
        await agent.start()
        ended = asyncio.create_task(lifetime.wait())
        last_handled = asyncio.create_task(done.wait())
        await asyncio.wait({ended, last_handled}, return_when=asyncio.FIRST_COMPLETED)
        await agent.close(2)
        producer.close()
        if ended.done():
            ended.result()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:4], Path(sys.argv[4]), sys.argv[5], sys.argv[6]))
