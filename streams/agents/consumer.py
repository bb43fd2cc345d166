"""One agent as one Faust app: own consumer group, raw bytes in, acknowledged by the lanes.

Each agent is its own app so that a slow AX cannot stall what FreshBooks needs, and so that any set of agents can run
in one process without changing a consumer group. `noack_take` hands out a batch without acknowledging it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any, cast

import faust

from schemas.failures import FatalError
from schemas.topics import Topic
from streams.agents.lanes import Bury, Handler, Lanes
from streams.runtime.dead_letters import Origin
from streams.runtime.settings import KafkaSettings, WorkerSettings

# Bounds memory and the number of records that a crash repeats.
MAX_IN_FLIGHT = 256
_GUARD_SECONDS = 0.5


class Agent:
    """A Faust app with one agent over `topics`. Create it inside the running event loop."""

    def __init__(
        self,
        name: str,
        topics: Sequence[Topic],
        handle: Handler,
        *,
        bury: Bury,
        stop: Callable[[BaseException], None],
        kafka: KafkaSettings,
        worker: WorkerSettings,
        coalesce: bool = False,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self.name = name
        self.topics = tuple(topics)
        self.group = f"{worker.group_prefix}.{name}"
        self._stop = stop
        self._worker = worker
        self.lanes = Lanes(name, handle, bury, stop, max_in_flight=max_in_flight, coalesce=coalesce)
        self.app = faust.App(
            self.group,
            broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")],
            broker_credentials=_credentials(kafka),
            broker_commit_interval=worker.commit_interval_seconds,
            broker_session_timeout=worker.session_timeout_seconds,
            broker_heartbeat_interval=worker.session_timeout_seconds / 4,
            consumer_auto_offset_reset="earliest",
            # Topics are declared by `freshax topics apply`; Faust must not make its own.
            topic_allow_declare=False,
            topic_disable_leader=True,
            store="memory://",
            web_enabled=False,
            autodiscover=False,
            datadir=str(worker.data_dir / name),
            stream_wait_empty=False,
        )
        self._declare()

    def assigned(self, topic: str, partition: int) -> bool:
        """True while this process owns that partition."""
        consumer = self.app.consumer
        return consumer is not None and any(
            tp.topic == topic and tp.partition == partition for tp in consumer.assignment()
        )

    @property
    def ready(self) -> bool:
        """True when the group has given partitions (or has none left) and the stream runs."""
        return bool(self.app.started and not self.app.rebalancing)

    async def guard(self) -> None:
        """Tell the process to stop when a part of Faust has crashed, until cancelled.

        Faust's fetcher runs in a thread of its own: when that crashes, the app stays 'started' and reads nothing for
        ever. Silence must not be taken for health.
        """
        while True:
            reason = _crash_reason(self.app)
            if reason is not None:
                self._stop(FatalError("consumer_crashed", f"consuming as {self.group}: {reason!r}"))
                return
            await asyncio.sleep(_GUARD_SECONDS)

    async def start(self) -> None:
        """Join the group and consume."""
        (self._worker.data_dir / self.name).mkdir(parents=True, exist_ok=True)
        self.app.finalize()
        await self.app.start()

    async def close(self, drain_seconds: float) -> None:
        """Finish what is under way, commit, leave the group."""
        await self.lanes.drain(drain_seconds)
        await self.app.stop()

    def _declare(self) -> None:
        source: Any = self.app.topic(
            *(topic.name for topic in self.topics),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )

        async def consume(stream: Any) -> None:
            try:
                async for batch in stream.noack_take(self._worker.batch_max, within=self._worker.batch_within_seconds):
                    for event in batch:
                        await self.lanes.submit(_origin(event), _ack(stream, event))
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - raising into Faust would acknowledge the event
                self._stop(error)
                await asyncio.Event().wait()

        self.app.agent(source, name=self.name, concurrency=1)(consume)


def _crash_reason(service: Any) -> BaseException | None:
    """What crashed a service or one that it started, None when all run."""
    if service.crashed:
        return cast("BaseException", service.crash_reason or RuntimeError(f"{service.label} crashed"))
    return next((reason for child in service._children if (reason := _crash_reason(child))), None)  # noqa: SLF001 - mode has no public way down


def _origin(event: Any) -> Origin:
    message = event.message
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Origin(
        message.topic, message.partition, message.offset, message.key, message.value, tuple((n, v) for n, v in pairs)
    )


def _ack(stream: Any, event: Any) -> Callable[[], Any]:
    return lambda: stream.ack(event)


def _credentials(kafka: KafkaSettings) -> Any:
    """Faust's form of the connection security, None for a plain connection."""
    if kafka.security_protocol == "PLAINTEXT":
        return None

    context = ssl.create_default_context(cafile=str(kafka.ssl_ca_file) if kafka.ssl_ca_file else None)
    if kafka.security_protocol == "SSL":
        return faust.SSLCredentials(context)
    password = kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
    return faust.SASLCredentials(
        username=kafka.sasl_username,
        password=password,
        mechanism=kafka.sasl_mechanism,
        ssl_context=context if kafka.security_protocol == "SASL_SSL" else None,
    )
