"""Keeps our callbacks registered at FreshBooks: one per noun, each at its own URI, so that each has its own verifier.

Level-triggered, at the start and every few minutes (FreshBooks may disable a callback without telling):

    what FreshBooks lists for our URI         what is done
    nothing                                   note that a registration begins, then POST
    not verified, verifier offered            PUT the verifier
    not verified, none offered for a minute   ask for the code once more (resend)
    verified, verifier confirmed              nothing
    verified, verifier lost                   delete, register anew: FreshBooks never shows a verifier again
    a second one that works                   delete
    one for a kind that is not wanted         delete

The handshake may arrive before the POST is answered, and at another process: the registration is noted durably first,
and the verifier is sent back under the callback id that the handshake names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import structlog

from connectors.freshbooks.api_failures import NotFoundError
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.clocks import Clock
from connectors.freshbooks.kinds import EVENTS
from connectors.freshbooks.verifiers import REGISTRATION_WINDOW, Verifier, Verifiers
from schemas.failures import FatalError, PoisonError, RetryableError
from streams.runtime.settings import WebhookSettings

_log = structlog.get_logger(__name__)
_RESEND_AFTER = timedelta(minutes=1)
_CHECK_SECONDS = 300.0
_UNSETTLED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback as FreshBooks lists it."""

    id: int
    event: str
    uri: str
    verified: bool


def callback_uri(public_url: str, account_id: str, event: str) -> str:
    """Where FreshBooks delivers `event`."""
    return f"{public_url.rstrip('/')}/webhooks/freshbooks/{quote(account_id, safe='')}/{event}"


def check_public_url(settings: WebhookSettings) -> None:
    """Raises: FatalError (setting_invalid) when FreshBooks could not or should not deliver there."""
    parts = urlsplit(settings.public_url)
    allowed = ("https", "http") if settings.allow_http else ("https",)
    if parts.scheme not in allowed or not parts.hostname or parts.query or parts.fragment:
        raise FatalError(
            "setting_invalid",
            "reading settings: FRESHAX_WEBHOOK__PUBLIC_URL must be an https address without query (given: "
            f"{settings.public_url!r})",
        )


class CallbackKeeper:
    """Registers, verifies and watches the callbacks of one account."""

    def __init__(
        self,
        client: FreshBooksClient,
        verifiers: Verifiers,
        *,
        public_url: str,
        clock: Clock,
        events: Sequence[str] = EVENTS,
    ) -> None:
        self._client = client
        self._verifiers = verifiers
        self._clock = clock
        self._uri_of = partial(callback_uri, public_url, client.account_id)
        self._uris = {event: self._uri_of(event) for event in events}
        self._path = f"/events/account/{client.account_id}/events/callbacks"
        self._wake = asyncio.Event()
        self.settled = False

    def wake(self) -> None:
        """Look now: a handshake brought a verifier."""
        self._wake.set()

    async def run(self) -> None:
        """Keep them for ever. Raises: FatalError; a FreshBooks that is away is asked again."""
        while True:
            self._wake.clear()
            try:
                self.settled = await self.ensure()
            except RetryableError as error:
                self.settled = False
                _log.warning("callbacks not checked", error=str(error))
            except PoisonError as error:
                raise FatalError(
                    "callback_refused", f"registering callbacks: {error.message}; check FRESHAX_WEBHOOK__PUBLIC_URL"
                ) from error
            try:
                async with asyncio.timeout(_CHECK_SECONDS if self.settled else _UNSETTLED_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def ensure(self) -> bool:
        """One look. True when every event has a callback that is verified and whose verifier we hold."""
        await self._send_verifiers()
        listed = await self._list()
        await self._forget_gone(listed)
        for callback in listed:
            if callback.event not in self._uris and callback.uri == self._uri_of(callback.event):
                await self._delete(callback, "its kind is left out by freshbooks.kinds")
        states = [await self._ensure_event(event, uri, listed) for event, uri in self._uris.items()]
        return all(states)

    async def _send_verifiers(self) -> None:
        """PUT every verifier that was offered. What FreshBooks refuses was not its own: forgotten."""
        for verifier in self._verifiers.all():
            if not verifier.confirmed:
                await self._send_verifier(verifier)

    async def _send_verifier(self, verifier: Verifier) -> None:
        body = {"callback": {"verifier": verifier.key}}
        try:
            await self._client.put(self._of(verifier.callback_id), body, operation="verify_callback")
        except PoisonError as error:
            _log.warning("a verifier was refused by FreshBooks", event_noun=verifier.event, code=error.code)
            await self._verifiers.forget(verifier.callback_id)
        else:
            await self._verifiers.confirm(verifier.callback_id)

    async def _ensure_event(self, event: str, uri: str, listed: Sequence[Callback]) -> bool:
        ours = [callback for callback in listed if (callback.event, callback.uri) == (event, uri)]
        held = {verifier.callback_id: verifier for verifier in self._verifiers.all()}
        working = False
        pending = False
        for callback in ours:
            verifier = held.get(callback.id)
            if verifier is not None:
                good = callback.verified and verifier.confirmed
                if verifier.confirmed and not callback.verified:
                    await self._send_verifier(verifier)
                if good and working:
                    await self._delete(callback, "a second callback for the same events")
                working, pending = working or good, pending or not good
            elif callback.verified:
                await self._delete(callback, "its verifier is lost")
            else:
                await self._resend(event, callback)
                pending = True
        if not working and not pending:
            await self._register(event, uri)
        return working

    async def _register(self, event: str, uri: str) -> None:
        """POST. When its outcome is unclear the next look lists before it posts again."""
        began = self._verifiers.registered_at(event)
        await self._verifiers.expect(event)
        _log.info("registering a callback", event_noun=event, again=began is not None)
        await self._client.post(self._path, {"callback": {"event": event, "uri": uri}}, operation="create_callback")

    async def _resend(self, event: str, callback: Callback) -> None:
        """Ask for the code once more, unless the handshake may still be on its way."""
        began = self._verifiers.registered_at(event)
        if began is not None and self._clock() - began < _RESEND_AFTER:
            return
        await self._verifiers.expect(event)
        await self._client.put(self._of(callback.id), {"callback": {"resend": True}}, operation="resend_callback")

    async def _delete(self, callback: Callback, why: str) -> None:
        _log.info("deleting a callback", event_noun=callback.event, why=why)
        try:
            await self._client.delete(self._of(callback.id), operation="delete_callback")
        except NotFoundError:
            _log.info("the callback was gone already", event_noun=callback.event)
        await self._verifiers.forget(callback.id)

    async def _forget_gone(self, listed: Sequence[Callback]) -> None:
        """Drop verifiers of callbacks that no longer exist; a fresh one may be younger than the list."""
        ids = {callback.id for callback in listed}
        for verifier in self._verifiers.all():
            if verifier.callback_id not in ids and self._clock() - verifier.offered_at > REGISTRATION_WINDOW:
                await self._verifiers.forget(verifier.callback_id)

    async def _list(self) -> list[Callback]:
        items = self._client.list_pages(self._path, "callbacks", ("callbackid", "id"), operation="callbacks")
        return [_callback(item) async for item in items]

    def _of(self, callback_id: int) -> str:
        return f"{self._path}/{callback_id}"


def _callback(item: dict[str, Any]) -> Callback:
    """A listed callback; its id has two names. Dates are not read: their form is disputed and nobody needs them."""
    number = item.get("callbackid") or item.get("id")
    if not isinstance(number, int):
        raise FatalError("unknown_answer", "listing callbacks: one has no id")
    return Callback(number, str(item.get("event")), str(item.get("uri")), item.get("verified") is True)
