"""Sending webhooks: a queue, a bounded number of workers, and the knobs (drop, duplicate, delay, reorder, retry).

Deliveries are sent after the reply of the write that caused them, in no guaranteed order. A 2xx within the time limit
is a success; redirects are not followed. Default: no retry, never disabled: real policies are undocumented (reference
§4.3).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.freshbooks.clock import MovableClock, utc_z
from sandbox.freshbooks.config import DeliverySettings
from sandbox.freshbooks.rules import DeliveryRule, RuleSet
from sandbox.freshbooks.signature import HEADER, form_body, ordered, signature

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Callback:
    """A subscription. `verifier` is both the code of the handshake and the HMAC key of every delivery."""

    id: int
    account_id: str
    client_id: str
    event: str
    uri: str
    verifier: str
    updated_at: str
    verified: bool = False
    failures: int = 0


@dataclass(eq=False, slots=True)
class Delivery:
    """One webhook on its way. `outcome`: pending, delivered, failed, dropped."""

    number: int
    callback: Callback
    fields: dict[str, str]
    queued_at: str
    copy_of: int | None = None
    attempts: list[str] = field(default_factory=list)
    outcome: str = "pending"

    def describe(self) -> dict[str, Any]:
        """Return the log entry. `attempts` holds a status code or an error name each."""
        return {
            "number": self.number,
            "callback_id": self.callback.id,
            "uri": self.callback.uri,
            "event": self.fields["name"],
            "object_id": int(self.fields["object_id"]),
            "account_id": self.fields["account_id"],
            "identity_id": int(self.fields["identity_id"]),
            "queued_at": self.queued_at,
            "copy_of": self.copy_of,
            "attempts": self.attempts,
            "outcome": self.outcome,
        }


class Deliveries:
    """The sender. `queue_*` may be called before `start`; nothing is sent until then."""

    def __init__(self, clock: MovableClock, settings: DeliverySettings) -> None:
        self.settings = settings
        self.rules: RuleSet[DeliveryRule] = RuleSet()
        self.log: deque[Delivery] = deque(maxlen=settings.log_size)
        self.outcomes: Counter[str] = Counter()
        self._clock = clock
        self._numbers = itertools.count(1)
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()
        self._held: list[Delivery] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._http: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Start the workers."""
        import ssl

        import httpx

        # Loading the CA bundle costs 30 ms: only if a file is named. Otherwise httpx's own default is used.
        verify = ssl.create_default_context(cafile=self.settings.ca_file) if self.settings.ca_file else True
        self._http = httpx.AsyncClient(verify=verify, timeout=self.settings.timeout_seconds, trust_env=False)
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.settings.concurrency)]

    async def stop(self) -> None:
        """Cancel what is under way; queued deliveries are lost, as the process ends."""
        for timer in self._timers:
            timer.cancel()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()

    def pending(self) -> int:
        """Return how many deliveries of the log have no outcome yet."""
        return sum(delivery.outcome == "pending" for delivery in self.log)

    def queue(self, callback: Callback, fields: Mapping[str, str]) -> Delivery:
        """Queue one webhook to `callback`, subject to the knobs, and return its log entry."""
        delivery = self._new(callback, fields)
        delay, hold = self.settings.delay_seconds, None
        name, account_id = fields["name"], fields["account_id"]
        for rule in self.rules.fire(self._clock.epoch(), lambda rule: rule.matches(name, account_id)):
            if rule.action == "drop":
                self._close(delivery, "dropped")
                return delivery
            if rule.action == "duplicate":
                self._send_in(delay, self._new(callback, fields, copy_of=delivery.number))
            elif rule.action == "delay":
                delay += rule.seconds
            else:
                hold = rule.seconds
        if hold is None:
            self._send_in(delay, delivery)
        else:
            self._held.append(delivery)
            self._call_later(hold, self._release, delivery)
        return delivery

    async def send_now(self, callback: Callback, fields: Mapping[str, str]) -> Delivery:
        """Send one webhook before returning, past queue and knobs: the handshake that precedes the reply."""
        delivery = self._new(callback, fields)
        await self._attempt(delivery)
        return delivery

    def _new(self, callback: Callback, fields: Mapping[str, str], copy_of: int | None = None) -> Delivery:
        number = next(self._numbers)
        order = self.settings.field_order
        if order == "alternate":
            order = "docs" if number % 2 else "captured"
        delivery = Delivery(number, callback, ordered(fields, order), utc_z(self._clock()), copy_of)
        self.log.append(delivery)
        return delivery

    def _send_in(self, seconds: float, delivery: Delivery) -> None:
        if seconds <= 0:
            self._queue.put_nowait(delivery)
        else:
            self._call_later(seconds, self._queue.put_nowait, delivery)

    def _release(self, delivery: Delivery) -> None:
        """Send a held delivery, unless a later one released it already."""
        if delivery in self._held:
            self._held.remove(delivery)
            self._queue.put_nowait(delivery)

    def _call_later(self, seconds: float, act: Callable[[Delivery], None], delivery: Delivery) -> None:
        def due() -> None:
            self._timers.discard(timer)
            act(delivery)

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._timers.add(timer)

    async def _work(self) -> None:
        while True:
            delivery = await self._queue.get()
            await self._attempt(delivery)
            # A held one goes out behind one that was queued after it; those before it do not count.
            for late in [held for held in self._held if held.number < delivery.number]:
                self._held.remove(late)
                self._queue.put_nowait(late)

    async def _attempt(self, delivery: Delivery) -> None:
        import httpx

        assert self._http is not None  # noqa: S101 - workers exist between start and stop only
        callback, fields = delivery.callback, delivery.fields
        headers = {"Content-Type": "application/x-www-form-urlencoded", HEADER: signature(callback.verifier, fields)}
        try:
            reply = await self._http.post(callback.uri, content=form_body(fields), headers=headers)
        except httpx.HTTPError as error:
            delivery.attempts.append(type(error).__name__)
            ok = False
        else:
            delivery.attempts.append(str(reply.status_code))
            ok = reply.is_success
        if ok:
            callback.failures = 0
            self._close(delivery, "delivered")
        elif len(delivery.attempts) <= self.settings.retries:
            self._send_in(max(self.settings.retry_delay_seconds, 0.001), delivery)
        else:
            self._close(delivery, "failed")
            self._count_failure(callback)

    def _close(self, delivery: Delivery, outcome: str) -> None:
        delivery.outcome = outcome
        self.outcomes[outcome] += 1

    def _count_failure(self, callback: Callback) -> None:
        callback.failures += 1
        if (
            self.settings.disable_after_failures is not None
            and callback.failures >= self.settings.disable_after_failures
        ):
            callback.verified = False
            _log.warning("callback %s disabled after %s failures", callback.id, callback.failures)
