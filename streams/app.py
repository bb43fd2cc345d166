"""Composition root of the workers: reads settings, builds real clients, wires agents, runs them.

`worker(settings, agents)` runs any of the agents in one process; more processes with the same agents share the
partitions. Each agent has its own consumer group, so a process can be given other agents without moving offsets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import structlog

from connectors.ax.aif_client import AifClient
from connectors.ax.lookup import DocumentLookup
from connectors.ax.sink import AxSink
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.fetch import EntityFetcher
from connectors.freshbooks.sink import RestSink
from schemas import topics
from schemas.failures import FatalError, PoisonError
from schemas.records import CrossReference, Fetched, Intent, Parked, Record
from schemas.topics import Topic
from streams.agents.ax_sink import AxSinkHandler
from streams.agents.confirmations import ConfirmationHandler
from streams.agents.consumer import Agent
from streams.agents.fetch import FetchHandler
from streams.agents.flow import FlowHandler, triggers
from streams.agents.freshbooks_sink import FreshBooksSinkHandler
from streams.agents.lanes import Handler
from streams.agents.lookups import MasterData
from streams.agents.outbox import Outbox
from streams.agents.parking import Parking
from streams.flows import load_flows
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.dead_letters import DeadLetters, Origin
from streams.runtime.health import HealthServer
from streams.runtime.lag import LagMonitor
from streams.runtime.process import Lifetime
from streams.runtime.producer import Producer
from streams.runtime.settings import FlowSettings, Settings
from streams.runtime.store import CompactedStore
from streams.transforms.declared_yaml import DeclarationError
from streams.transforms.flow import Flow

_log = structlog.get_logger(__name__)
R = TypeVar("R", bound=Record)
AGENTS = ("fetch", "flow", "ax-sink", "confirmations", "freshbooks-sink")
# A store of a million rows recovers in some ten seconds; past this something is wrong.
_RECOVERY_SECONDS = 300.0
# What is under way gets so long at SIGTERM; the rest comes again, since it was never acknowledged.
_DRAIN_SECONDS = 4.0
_GUARD_SECONDS = 1.0


async def run_worker(settings: Settings, agents: Sequence[str] = AGENTS) -> None:
    """Run `agents` until SIGTERM or SIGINT. Raises the Failure that ended the process, if one did."""
    lifetime = Lifetime()
    async with AsyncExitStack() as stack:
        worker = Worker(settings, agents, lifetime.fail, stack)
        await worker.start()
        _log.info("worker started", agents=list(agents), metrics_port=worker.health.port)
        try:
            await lifetime.wait()
        finally:
            await worker.stop()
    _log.info("worker stopped")


class Worker:
    """The wiring of one worker process."""

    def __init__(
        self, settings: Settings, names: Sequence[str], stop: Callable[[BaseException], None], stack: AsyncExitStack
    ) -> None:
        self._settings = settings
        self._names = names
        self._stop = stop
        self._stack = stack
        self.health = stack.enter_context(HealthServer(settings.observe))
        self._codec = AvroCodec(registry_client(settings.registry))
        stack.callback(self._codec.close)
        self._producer = Producer(settings.kafka)
        stack.callback(self._producer.close)
        self._outbox = Outbox(self._producer, self._codec)
        self._letters = DeadLetters(self._producer)
        self._stores: dict[str, CompactedStore[Any]] = {}
        self._agents: list[Agent] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._wake: Callable[[str], None] = lambda _what: None
        self._client: FreshBooksClient | None = None
        self._started = False
        self.health.ready_when("started", lambda: self._started)

    async def start(self) -> None:
        """Recover the stores, then join the groups: no record is decided on half of the master data."""
        await asyncio.to_thread(self._codec.warm, *topics.ALL)
        builders = {
            "fetch": self._fetch,
            "flow": self._flow,
            "ax-sink": self._ax_sink,
            "confirmations": self._confirmations,
            "freshbooks-sink": self._freshbooks_sink,
        }
        # The flow agent first: its stores also keep indexes, and the others share them.
        for name in sorted(self._names, key=lambda name: name != "flow"):
            self._agents.append(await builders[name]())
        for store in self._stores.values():
            await asyncio.to_thread(store.wait_recovered, _RECOVERY_SECONDS)
        await asyncio.gather(*(agent.start() for agent in self._agents))
        self._observe()
        self._started = True

    async def stop(self) -> None:
        """Finish what is under way, commit, leave the groups."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(agent.close(_DRAIN_SECONDS) for agent in self._agents))

    async def _fetch(self) -> Agent:
        handler = FetchHandler(
            account_id=self._settings.freshbooks.account_id,
            fetcher=EntityFetcher(await self._freshbooks_client()),
            codec=self._codec,
            outbox=self._outbox,
            fetched=self._store(topics.FETCHED, Fetched),
            intents=self._store(topics.FRESHBOOKS_INTENTS, Intent),
        )
        return self._agent("fetch", (topics.NOTIFICATIONS,), handler, coalesce=True, max_in_flight=64)

    async def _flow(self) -> Agent:
        flows = _flows_by_topic(self._settings.flow)
        tables = {table for flow in flows.values() for table in flow.tables}
        master = MasterData(self._settings.kafka, self._codec, lambda what: self._wake(what), sorted(tables))
        for store in master.stores:
            self._add_store(store)
        parked = self._store(topics.PARKED, Parked)
        handler = FlowHandler(
            flows=flows,
            codec=self._codec,
            outbox=self._outbox,
            master=master,
            fetched=self._store(topics.FETCHED, Fetched),
            parked=parked,
        )
        agent = self._agent("flow", triggers(flows), handler)
        parking = Parking(parked=parked, master=master, outbox=self._outbox, assigned=agent.assigned)
        self._wake = parking.wake
        self._background(parking.run())
        return agent

    async def _ax_sink(self) -> Agent:
        settings = self._settings.require("aif.url")
        services = AifClient(settings.aif)
        documents = DocumentLookup(settings.ax_sql, partition_key=settings.aif.partition_key)
        sink = AxSink(services, documents, settings.aif)
        self._stack.push_async_callback(sink.close)
        xrefs = self._store(topics.XREF, CrossReference)
        handler = AxSinkHandler(sink=sink, codec=self._codec, outbox=self._outbox, xrefs=xrefs)
        return self._agent("ax-sink", (topics.AX_COMMANDS,), handler)

    async def _confirmations(self) -> Agent:
        flows = _flows_by_topic(self._settings.flow)
        silent = frozenset(flow.source.kind for flow in flows.values() if not flow.writes_back)
        handler = ConfirmationHandler(codec=self._codec, outbox=self._outbox, silent_kinds=silent)
        return self._agent("confirmations", (topics.AX_CONFIRMATIONS,), handler)

    async def _freshbooks_sink(self) -> Agent:
        handler = FreshBooksSinkHandler(
            sink=RestSink(await self._freshbooks_client()),
            codec=self._codec,
            outbox=self._outbox,
            intents=self._store(topics.FRESHBOOKS_INTENTS, Intent),
        )
        return self._agent("freshbooks-sink", (topics.FRESHBOOKS_COMMANDS,), handler, max_in_flight=64)

    async def _freshbooks_client(self) -> FreshBooksClient:
        """The process's one client: its agents share the account's rate budget."""
        if self._client is None:
            settings = self._settings.require("freshbooks.account_id", "freshbooks.token_key").freshbooks
            self._client = await self._stack.enter_async_context(FreshBooksClient.open(settings))
        return self._client

    def _agent(
        self, name: str, sources: Sequence[Topic], handler: Handler, *, coalesce: bool = False, max_in_flight: int = 256
    ) -> Agent:
        async def bury(record: Origin, poison: PoisonError, attempts: int) -> None:
            await self._letters.publish(record, poison, stage=name, now=datetime.now(UTC), attempts=attempts)

        return Agent(
            name,
            sources,
            handler,
            bury=bury,
            stop=self._stop,
            kafka=self._settings.kafka,
            worker=self._settings.worker,
            coalesce=coalesce,
            max_in_flight=max_in_flight,
        )

    def _store(self, topic: Topic, record: type[R]) -> CompactedStore[R]:
        """The process's one store of `topic`."""
        if topic.name not in self._stores:
            self._add_store(CompactedStore(topic, record, kafka=self._settings.kafka, codec=self._codec))
        return self._stores[topic.name]

    def _add_store(self, store: CompactedStore[Any]) -> None:
        if store.topic.name in self._stores:
            raise AssertionError(f"two stores of {store.topic.name}: build the flow agent first")
        self._stores[store.topic.name] = store
        store.start()
        self._stack.callback(store.close)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._task_ended)
        self._tasks.append(task)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._stop(task.exception() or FatalError("task_ended", "a background task ended"))

    def _observe(self) -> None:
        lag = LagMonitor(self._settings.kafka, {agent.group: agent.topics for agent in self._agents})
        stalled = self._settings.observe.stalled_after_seconds
        loop = asyncio.get_running_loop()
        for agent in self._agents:
            progresses = partial(_progresses, agent, lag, loop.time, stalled)
            self.health.alive_when(f"{agent.name} progressing", progresses)
            self.health.ready_when(f"{agent.name} assigned", partial(getattr, agent, "ready"))
            self._background(agent.guard())
        for store in self._stores.values():
            self.health.ready_when(f"{store.topic.name} recovered", partial(getattr, store, "recovered"))
        self._background(self._guard_stores())
        self._background(lag.run())

    async def _guard_stores(self) -> None:
        """End the process when a store has stopped reading: deciding on old master data would be silent harm."""
        while True:
            for store in self._stores.values():
                store.raise_failure()
            await asyncio.sleep(_GUARD_SECONDS)


def _progresses(agent: Agent, lag: LagMonitor, clock: Callable[[], float], stalled_after_seconds: float) -> bool:
    """False when records wait or are under way, and nothing has moved for so long."""
    idle = not agent.lanes.busy and lag.waiting(agent.group) == 0
    return idle or clock() - agent.lanes.last_progress < stalled_after_seconds


def _flows_by_topic(settings: FlowSettings) -> dict[str, Flow]:
    """The compiled flows by the topic that triggers them. Raises FatalError (flow_invalid) naming every problem."""
    try:
        flows = load_flows(settings.directory, settings.overrides)
    except DeclarationError as error:
        raise FatalError("flow_invalid", str(error)) from error
    by_topic: dict[str, Flow] = {}
    for flow in flows.values():
        other = by_topic.setdefault(flow.trigger, flow)
        if other is not flow:
            names = f"{other.name} and {flow.name}"
            raise FatalError("flow_invalid", f"flows {names} are triggered by {flow.trigger}: a topic has one flow")
    return by_topic
