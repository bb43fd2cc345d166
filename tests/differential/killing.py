"""`freshax capture` in children that are killed with SIGKILL: after a time, at a size of the topics, at a durable step.

A child is forked from a process that has the imports, so a start costs little; what runs is the service's own
composition root. Durable steps are what reaches Kafka: a kill "at a step" comes when the record before it is delivered
and the record behind it is not yet handed over.
"""

import asyncio
import multiprocessing
import os
import random
import signal
import time
from typing import Any

import confluent_kafka

from connectors.ax import feed_writer
from connectors.ax.services import run_capture
from schemas import headers, topics
from streams.runtime.settings import load_settings
from tests.differential.rig import FEEDS, Rig

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["connectors.ax.services", "connectors.ax.projector", "tests.differential.killing"])
# A child that gets nothing to write is killed after so long: a point of an idle capture.
_IDLE_SECONDS = 1.0
# A step that is not reached in this time never is.
_STEP_SECONDS = 20.0


def capture_child(environment: dict[str, str], log: str, step: str | None) -> None:
    """`freshax capture`, in a child; with `step` it kills itself when it is there."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if step is not None:
        KillingProducer.step = step
        feed_writer.Producer = KillingProducer  # type: ignore[misc]
    asyncio.run(run_capture(load_settings(environment)))


class KillingProducer(confluent_kafka.Producer):
    """Kills its process between two records of a table: "row > checkpoint", "start > row" for its first record.

    `row` is a change, `r` a row of a snapshot. The first is delivered then, the second was never handed over.
    """

    step = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._last: dict[str, str] = {}

    def produce(self, topic: str, value: bytes | None = None, **options: Any) -> None:  # type: ignore[override]
        """Hand a record over, or die."""
        table, kind = _told(topic, options.get("key") or b"", value, dict(options.get("headers") or {}))
        if f"{self._last.get(table, 'start')} > {kind}" == self.step:
            self.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        self._last[table] = kind
        super().produce(topic, value=value, **options)


def _told(topic: str, key: bytes, value: bytes | None, given: dict[str, bytes]) -> tuple[str, str]:
    """The table that a record is about, and what it is."""
    if topic == topics.CDC_POSITIONS.name:
        instance = key.decode()
        return next((table for table in FEEDS if table in instance), instance), "checkpoint"
    table = next((table for table, feed in FEEDS.items() if feed.name == topic), topic)
    if value is None:
        return table, "tombstone"
    return table, "r" if given[headers.CE_TYPE].endswith(b".r") else "row"


class Killer:
    """Starts captures and kills them."""

    def __init__(self, rig: Rig, seed: int, page_rows: int = 20) -> None:
        self._rig = rig
        self._chance = random.Random(seed)
        self._page_rows = page_rows
        self.log = rig.state / "kills.log"
        self.kills = 0
        self.kills_with_progress = 0

    def start(self, name: str = "first", step: str | None = None) -> Any:
        """A capture; with `step` it kills itself when it is there.

        The name lets a killed one take up its lease at once: one that starts under another name waits for it.
        """
        # Small windows and pages: many durable steps.
        environment = self._rig.environment(
            capture__snapshot_chunk_rows=str(self._page_rows),
            capture__max_transactions="3",
            capture__heartbeat_seconds="0.2",
            capture__lease_seconds="2",
            capture__instance_id=name,
        )
        arguments = (environment, str(self.log), step)
        child = _FORK.Process(target=capture_child, args=arguments)
        child.start()
        return child

    def written(self) -> int:
        """Records in the feed's topics, ever."""
        return sum(self._rig.end_offset(topic.name) for topic in FEEDS.values())

    def at_random(self, captures: int = 1, most_records: int = 120) -> list[int | None]:
        """Start, wait for a random point, kill; the exit codes of those that had ended before."""
        begun, started = self.written(), time.monotonic()
        children = [self.start(name) for name in ("first", "second")[:captures]]
        by_time = self._chance.random() < 0.25
        wait = self._chance.uniform(0.0, _IDLE_SECONDS) if by_time else 4.0
        goal = self._chance.randint(1, most_records)
        first = 0.0
        while time.monotonic() - started < wait:
            done = self.written() - begun
            if done and not first:
                first = time.monotonic()
            if not by_time and (done >= goal or (first and time.monotonic() - first > _IDLE_SECONDS)):
                break
            time.sleep(0.002)
        ended = [child.exitcode for child in children]
        for child in children:
            child.kill()
            child.join()
        self.kills += 1
        self.kills_with_progress += self.written() > begun
        return ended

    def at_step(self, step: str) -> None:
        """Start a capture that dies at `step`; return when it has."""
        child = self.start(step=step)
        child.join(_STEP_SECONDS)
        reached = child.exitcode == -signal.SIGKILL
        child.kill()
        child.join()
        assert reached, f"'{step}' is not reached, exit code {child.exitcode}: {self.log.read_text()[-1500:]}"
        self.kills += 1
        self.kills_with_progress += 1
