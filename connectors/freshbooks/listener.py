"""The webhook listener: a signed form in, a notification in Kafka, then the answer.

Each check comes before the work that it saves: path, content type, size, time, form, signature. 200 is said only when
Kafka has confirmed the notification; else 503, so that FreshBooks may send it again (whether it does is not documented:
the reconciler finds what is lost). A body is never logged and an answer never says why, since most strangers ask here.

    200  accepted, or signed but about a kind that freshax does not carry
    400  not a form, or a field missing or doubled      408  the body came too slowly
    401  signature of none of our callbacks             413  the body is too large
    404  not one of our callbacks' paths                415  not a form by its content type
    503  not confirmed by Kafka
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.freshbooks.clocks import Clock
from connectors.freshbooks.kinds import KINDS
from connectors.freshbooks.signature import HEADER, signers
from connectors.freshbooks.verifiers import Verifier, Verifiers
from connectors.freshbooks.webhook_form import HANDSHAKE, MalformedError, notification, object_id, parse_form
from schemas.failures import FatalError, RetryableError
from schemas.records import Notification
from streams.runtime import metrics
from streams.runtime.settings import WebhookSettings

_log = structlog.get_logger(__name__)
PATH = "/webhooks/freshbooks/{account_id}/{event}"
_FORM = "application/x-www-form-urlencoded"
# FreshBooks is said to wait 10 s for an answer; a later one is no answer.
_CONFIRM_SECONDS = 8.0
# A delivery may overtake the confirmation of the verifier that signed it: FreshBooks sends as soon as it has taken it.
_SETTLE_SECONDS = 5.0
_SETTLE_POLL_SECONDS = 0.05


class Announce(Protocol):
    """Writes notifications."""

    async def __call__(self, notifications: Sequence[Notification], /) -> None:
        """Return when Kafka has confirmed them."""


class _RefusedError(Exception):
    """The request ends here with `status`; `outcome` is its word in the metric."""

    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome


class Listener:
    """Handles deliveries and handshakes for one account's callbacks.

    `on_handshake` is called when a verifier was stored and now wants to be sent back; `on_fatal` when Kafka refuses for
    good, so that the process ends.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        account_id: str,
        verifiers: Verifiers,
        announce: Announce,
        clock: Clock,
        on_handshake: Callable[[], None],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._account_id = account_id
        self._verifiers = verifiers
        self._announce = announce
        self._clock = clock
        self._on_handshake = on_handshake
        self._on_fatal = on_fatal
        self.kafka_confirms = True

    def app(self) -> Starlette:
        """The ASGI application."""
        app = Starlette(
            routes=[Route(PATH, self._handle, methods=["POST"])],
            exception_handlers={404: _not_here, 405: _not_here},
        )
        app.router.redirect_slashes = False
        return app

    async def _handle(self, request: Request) -> Response:
        try:
            outcome = await self._take(request)
        except _RefusedError as refused:
            return _answer(refused.status, refused.outcome)
        except MalformedError:
            return _answer(400, "malformed")
        except ClientDisconnect:
            return _answer(400, "disconnected")
        return _answer(200, outcome)

    async def _take(self, request: Request) -> str:
        """All checks, then the work. Returns the outcome of a success."""
        event = str(request.path_params["event"])
        if request.path_params["account_id"] != self._account_id or event not in KINDS:
            raise _RefusedError(404, "unknown_path")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise _RefusedError(415, "wrong_type")
        form = parse_form(await self._body(request))
        claimed = request.headers.get(HEADER, "")
        if form.get("name") == HANDSHAKE:
            return await self._shake_hands(event, form, claimed)
        await self._check_signature(event, form, claimed)
        if form.get("account_id") != self._account_id:
            raise MalformedError("account_id is of another account")
        told = notification(form, received_at=self._clock())
        if told.kind not in KINDS:
            return "ignored"
        await self._publish(told)
        return "accepted"

    async def _body(self, request: Request) -> bytes:
        """The body, unless it is too large or too slow. A length that is promised is believed only to refuse."""
        limit = self._settings.max_body_bytes
        promised = request.headers.get("content-length", "0")
        if not promised.isascii() or not promised.isdigit() or int(promised[:12]) > limit:
            raise _RefusedError(413, "too_large")
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_timeout_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise _RefusedError(413, "too_large")
        except TimeoutError:
            raise _RefusedError(408, "too_slow") from None
        return bytes(body)

    async def _check_signature(self, event: str, form: dict[str, str], claimed: str) -> None:
        """Return when one of our confirmed callbacks signed `form`: the path's own first, then the account's others."""
        give_up = asyncio.get_running_loop().time() + _SETTLE_SECONDS
        while (signer := self._signer(event, form, claimed)) is not None:
            if signer.confirmed:
                return
            if asyncio.get_running_loop().time() > give_up:
                break
            await asyncio.sleep(_SETTLE_POLL_SECONDS)
        _log.warning("webhook refused: signature of none of our callbacks", event_path=event, fields=_names(form))
        raise _RefusedError(401, "forged")

    def _signer(self, event: str, form: dict[str, str], claimed: str) -> Verifier | None:
        known = sorted(self._verifiers.all(), key=lambda verifier: (verifier.event != event, not verifier.confirmed))
        matches = signers(claimed, form, (verifier.key for verifier in known))
        return next((verifier for verifier, match in zip(known, matches, strict=True) if match), None)

    async def _shake_hands(self, event: str, form: dict[str, str], claimed: str) -> str:
        """Keep the verifier of a callback that we are registering; durable before the answer."""
        key, account = form.get("verifier", ""), form.get("account_id", self._account_id)
        if not 8 <= len(key) <= 512 or account != self._account_id or not all(signers(claimed, form, [key])):
            raise _RefusedError(401, "handshake_refused")
        try:
            kept = await self._verifiers.offer(event, object_id(form), key)
        except RetryableError:
            raise _RefusedError(503, "unconfirmed") from None
        if not kept:
            _log.warning("handshake refused: no registration under way, or its verifier is known", event_path=event)
            raise _RefusedError(401, "handshake_refused")
        self._on_handshake()
        return "handshake"

    async def _publish(self, told: Notification) -> None:
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await self._announce([told])
        except (RetryableError, TimeoutError):
            self.kafka_confirms = False
            raise _RefusedError(503, "unconfirmed") from None
        except FatalError as error:
            self._on_fatal(error)
            raise _RefusedError(503, "unconfirmed") from None
        self.kafka_confirms = True


def _names(form: dict[str, str]) -> list[str]:
    """Field names for diagnosis, as far as they could be FreshBooks' own: never a value, nothing long."""
    return [name for name in form if len(name) <= 20 and name.isidentifier()][:10]


def _answer(status: int, outcome: str) -> Response:
    metrics.WEBHOOKS.labels(outcome).inc()
    return Response(status_code=status)


async def _not_here(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _answer(status, "unknown_path")
