"""Composition roots of the two FreshBooks processes: `freshax listen` and `freshax poll`.

Each runs until SIGTERM or SIGINT, or until something fatal: then it raises that Failure, and the command's exit code is
1. Stopping takes a few seconds at most: a request under way is finished, nothing needs to be saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import timedelta
from typing import Any

import structlog
import uvicorn

from connectors.freshbooks.announce import Announcer
from connectors.freshbooks.callbacks import CallbackKeeper, check_public_url
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.clocks import utc_now
from connectors.freshbooks.kinds import chosen
from connectors.freshbooks.listener import Listener
from connectors.freshbooks.reconciler import Reconciler
from connectors.freshbooks.sealed_file import SealedFile
from connectors.freshbooks.seen import StoresSeen
from connectors.freshbooks.verifiers import Verifiers
from schemas import topics
from schemas.failures import FatalError, PoisonError, RetryableError
from schemas.records import Fetched, Intent
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.health import HealthServer
from streams.runtime.process import Lifetime
from streams.runtime.producer import Producer
from streams.runtime.settings import KafkaSettings, Settings, WebhookSettings
from streams.runtime.store import CompactedStore

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 3.0
_RECOVERY_SECONDS = 300.0
# Requests at once; more are answered 503 by the server. A delivery takes milliseconds.
_MAX_REQUESTS = 200
_MAX_HEADER_BYTES = 16 * 1024


async def run_listener(settings: Settings) -> None:
    """Receive webhooks. Raises: the Failure that ended the process, if one did."""
    settings.require("freshbooks.account_id", "freshbooks.token_key")
    events = [kind.noun for kind in chosen(settings.freshbooks.kinds) if kind.has_event]
    if settings.webhook.register_callbacks:
        settings.require("freshbooks.client_id", "freshbooks.client_secret", "webhook.public_url")
        check_public_url(settings.webhook)
    async with AsyncExitStack() as stack:
        lifetime = Lifetime()
        health = HealthServer(settings.observe)
        codec = stack.enter_context(closing(AvroCodec(registry_client(settings.registry))))
        announcer = await stack.enter_async_context(_announcer(settings.kafka, codec))
        sealed = SealedFile(settings.webhook.verifier_file, settings.freshbooks.token_key)
        verifiers = Verifiers(sealed, clock=utc_now)
        verifiers.all()  # a file that cannot be read ends the process now, not at the first delivery
        keeper = None
        if settings.webhook.register_callbacks:
            client = await stack.enter_async_context(FreshBooksClient.open(settings.freshbooks))
            keeper = CallbackKeeper(
                client, verifiers, public_url=settings.webhook.public_url, clock=utc_now, events=events
            )
            health.ready_when("callbacks", lambda: keeper.settled)
        listener = Listener(
            settings.webhook,
            account_id=settings.freshbooks.account_id,
            verifiers=verifiers,
            announce=announcer.announce,
            clock=utc_now,
            on_handshake=keeper.wake if keeper is not None else lambda: None,
            on_fatal=lifetime.fail,
        )
        health.ready_when("kafka", lambda: listener.kafka_confirms)
        stack.enter_context(health)
        port = await stack.enter_async_context(_serving(settings.webhook, listener, lifetime.fail))
        _log.info("listening", port=port, metrics_port=health.port)
        if keeper is not None:
            await stack.enter_async_context(_running(keeper.run(), lifetime.fail))
        await lifetime.wait()


async def run_poller(settings: Settings) -> None:
    """Run reconciler rounds. Raises: the Failure that ended the process, if one did."""
    settings.require(
        "freshbooks.account_id", "freshbooks.token_key", "freshbooks.client_id", "freshbooks.client_secret"
    )
    kinds = chosen(settings.freshbooks.kinds)
    async with AsyncExitStack() as stack:
        lifetime = Lifetime()
        health = HealthServer(settings.observe)
        codec = stack.enter_context(closing(AvroCodec(registry_client(settings.registry))))
        fetched = CompactedStore(topics.FETCHED, Fetched, kafka=settings.kafka, codec=codec)
        intents = CompactedStore(topics.FRESHBOOKS_INTENTS, Intent, kafka=settings.kafka, codec=codec)
        announcer = await stack.enter_async_context(_announcer(settings.kafka, codec))
        client = await stack.enter_async_context(FreshBooksClient.open(settings.freshbooks))
        progress = Progress()
        reconciler = Reconciler(
            client,
            seen=StoresSeen(fetched, intents),
            announce=announcer.announce,
            clock=utc_now,
            overlap_days=settings.poll.overlap_days,
            grace=timedelta(seconds=settings.poll.interval_seconds),
            kinds=kinds,
            page_size=settings.poll.page_size,
            pages_per_round=settings.poll.pages_per_round,
            on_listed=progress.mark,
        )

        def check() -> None:
            fetched.raise_failure()
            intents.raise_failure()

        poller = Poller(reconciler, interval_seconds=settings.poll.interval_seconds, check=check, progress=progress)
        longest = max(settings.observe.stalled_after_seconds, 3 * settings.poll.interval_seconds)
        health.alive_when("polling", lambda: progress.idle_seconds < longest)
        health.ready_when("polled", lambda: poller.rounds > 0)
        stack.enter_context(health)
        _log.info("poller started", metrics_port=health.port)
        await stack.enter_async_context(_running(_poll(poller, fetched, intents), lifetime.fail))
        await lifetime.wait()


class Progress:
    """When something was last done."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def mark(self) -> None:
        """Something was done now."""
        self._at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last mark, or since the start."""
        return time.monotonic() - self._at


class Poller:
    """Rounds with pauses; a FreshBooks or Kafka that is away is a warning, not an end.

    `check` is called before each round and raises when what the rounds compare with has stopped.
    """

    def __init__(
        self, reconciler: Reconciler, *, interval_seconds: float, check: Callable[[], None], progress: Progress
    ) -> None:
        self._reconciler = reconciler
        self._check = check
        self._interval = interval_seconds
        self._progress = progress
        self.rounds = 0

    async def run(self) -> None:
        """Poll for ever. Raises: FatalError."""
        while True:
            self._check()
            try:
                done = await self._reconciler.round()
            except RetryableError as error:
                metrics.EVENTS.labels("poll", "round", "failed").inc()
                _log.warning("polling failed, next round in time", error=str(error))
            except PoisonError as error:
                raise FatalError(error.code, f"polling FreshBooks: {error.message}") from error
            else:
                self.rounds += 1
                self._progress.mark()
                metrics.EVENTS.labels("poll", "round", "done").inc()
                metrics.LAST_SUCCESS.labels("poll").set_to_current_time()
                if done.backfill or done.announced:
                    _log.info("polled", listed=done.listed, announced=done.announced, backfill=done.backfill)
            await asyncio.sleep(self._interval)


async def _poll(poller: Poller, *stores: CompactedStore[Any]) -> None:
    """Poll once the stores are recovered: before, everything would look unseen."""
    try:
        for store in stores:
            store.start()
        for store in stores:
            await asyncio.to_thread(store.wait_recovered, _RECOVERY_SECONDS)
        await poller.run()
    finally:
        for store in stores:
            store.close()


@asynccontextmanager
async def _announcer(kafka: KafkaSettings, codec: AvroCodec) -> AsyncIterator[Announcer]:
    """An announcer with its own producer, whose schema is known to be registered."""
    await asyncio.to_thread(codec.warm, topics.NOTIFICATIONS)
    producer = Producer(kafka)
    try:
        yield Announcer(producer, codec)
    finally:
        await asyncio.to_thread(producer.close)


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None], fail: Callable[[BaseException], None]) -> AsyncIterator[None]:
    """`work` as a task; what it raises ends the process, leaving cancels it."""
    task = asyncio.create_task(work)

    def over(done: asyncio.Task[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            fail(error)

    task.add_done_callback(over)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process has one way to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _serving(
    settings: WebhookSettings, listener: Listener, fail: Callable[[BaseException], None]
) -> AsyncIterator[int]:
    """Serve the listener; yields the port that is really used."""
    try:
        sock = socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise FatalError(
            "webhook_port_taken",
            f"listening on {settings.host}:{settings.port}: {error.strerror}; set FRESHAX_WEBHOOK__PORT",
        ) from error
    server = _Server(
        uvicorn.Config(
            listener.app(),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=int(_STOP_SECONDS),
            limit_concurrency=_MAX_REQUESTS,
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        )
    )

    task = asyncio.create_task(server.serve(sockets=[sock]))

    def ended(done: asyncio.Task[None]) -> None:
        if not server.should_exit:
            error = None if done.cancelled() else done.exception()
            fail(error or FatalError("listener_ended", "serving webhooks: the HTTP server ended by itself"))

    task.add_done_callback(ended)
    try:
        yield int(sock.getsockname()[1])
    finally:
        server.should_exit = True
        await asyncio.wait([task])
