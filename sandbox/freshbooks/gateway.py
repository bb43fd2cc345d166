"""What stands before every simulated endpoint: counting, rate limits, faults, and the headers that all replies carry.

An ASGI application. Three listeners, told apart by their port: API host, auth host, control. The control paths are
thus not reachable under the simulated addresses.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.limits import Allowance
from sandbox.freshbooks.replies import refusal_reply
from sandbox.freshbooks.rules import FaultRule
from sandbox.freshbooks.world import World

API_VERSION: Final = "2023-02-20"
_ID_PARTS: Final = ((re.compile(r"/account/[^/]+"), "/account/{account_id}"), (re.compile(r"/\d+(?=/|$)"), "/{id}"))


class Connections:
    """Open connections by peer address, so that a fault can cut one."""

    def __init__(self) -> None:
        self.transports: dict[Any, asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """Return uvicorn's HTTP protocol, which also notes its transport here."""
        transports = self.transports

        class NotedProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                transports[transport.get_extra_info("peername")] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.transport.get_extra_info("peername"), None)
                super().connection_lost(exc)

        return NotedProtocol

    def cut(self, peer: object) -> None:
        """Abort the connection to `peer`: no more bytes are sent, the client sees a reset."""
        transport = self.transports.get(peer)
        if transport is not None:
            transport.abort()


@dataclass(slots=True)
class Ports:
    """Which listener is which; set when the sockets are bound."""

    api: int = 0
    auth: int = 0
    control: int = 0


@dataclass(slots=True)
class _Exchange:
    """One request on its way: what the log and the headers need."""

    method: str
    path: str
    client_id: str
    allowance: Allowance
    request_id: str
    status: int = 0
    rules: list[FaultRule] = field(default_factory=list)


class Gateway:
    """Dispatches by listener and applies limits and faults to the two simulated hosts."""

    def __init__(self, world: World, ports: Ports, api: ASGIApp, auth: ASGIApp, control: ASGIApp) -> None:
        self._world = world
        self._ports = ports
        self._api = api
        self._auth = auth
        self._control = control
        self._request_numbers = itertools.count(1)
        self.connections = Connections()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            return
        port = scope["server"][1]
        if port == self._ports.control:
            await self._control(scope, receive, send)
        else:
            await self._simulated(self._auth if port == self._ports.auth else self._api, scope, receive, send)

    async def _simulated(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._open(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", []), *self._headers(exchange, message)]
            await send(message)

        if exchange.allowance.exceeded:
            await self._refuse(self._throttled(exchange.allowance.retry_after), scope, receive, send_with_headers)
        else:
            await self._with_faults(app, exchange, scope, receive, send_with_headers)
        self._world.requests[exchange.method, _template(exchange.path), exchange.status, exchange.client_id] += 1

    def _open(self, scope: Scope) -> _Exchange:
        world, method, path = self._world, scope["method"], scope["path"]
        token = world.grants.lookup(Headers(scope=scope).get("authorization"))
        client_id = token.app.client_id if token is not None else "-"
        now = world.clock.epoch()
        exempt = token is not None and not token.app.rate_limited
        allowance = world.limits.take(client_id, method, path, now, exempt=exempt)
        request_id = f"{next(self._request_numbers):032x}"
        exchange = _Exchange(method, path, client_id, allowance, request_id)
        if not allowance.exceeded:
            exchange.rules = world.faults.fire(now, lambda rule: rule.matches(method, path, client_id))
        return exchange

    async def _with_faults(self, app: ASGIApp, exchange: _Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        """Apply the rules that fire: all delays, then the first other one."""
        await asyncio.sleep(sum(rule.seconds for rule in exchange.rules if rule.action == "delay"))
        rule = next((rule for rule in exchange.rules if rule.action != "delay"), None)
        if rule is None:
            await app(scope, receive, send)
            return
        if rule.after_commit:
            await app(scope, receive, _discard)
        if rule.action == "drop":
            self.connections.cut(scope["client"])
            while (await receive())["type"] != "http.disconnect":
                pass
        elif rule.html:
            await HTMLResponse("<html><body><h1>Bad gateway</h1></body></html>", rule.status)(scope, receive, send)
        else:
            await self._refuse(self._as_refusal(rule), scope, receive, send)

    def _as_refusal(self, rule: FaultRule) -> Refused:
        if rule.action == "conflict":
            return Refused(409, 409, "The resource is being modified by another request.", error="conflict")
        if rule.status == 429:
            until = self._world.faults.until(rule)
            left = None if until is None else max(1, round(until - self._world.clock.epoch()))
            return self._throttled(rule.retry_after_seconds or left or 60)
        retry = {} if rule.retry_after_seconds is None else {"Retry-After": str(rule.retry_after_seconds)}
        message = "An unexpected error occurred." if rule.status >= 500 else "The request was refused."
        errno = 500 if rule.status >= 500 else rule.status
        return Refused(rule.status, errno, message, error="server_error", headers=retry)

    def _throttled(self, retry_after: int) -> Refused:
        return Refused(429, 429, "Too many requests.", headers={"Retry-After": str(retry_after)})

    async def _refuse(self, refusal: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(Headers(scope=scope))
        reply: Response = refusal_reply(self._world, scope["path"], headers, refusal)
        await reply(scope, receive, send)

    def _headers(self, exchange: _Exchange, message: Message) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in message.get("headers", [])}
        if exchange.status == 429:
            exchange.allowance = replace(exchange.allowance, remaining=0)
        added = [*exchange.allowance.headers(), ("x-api-version", API_VERSION), ("x-request-id", exchange.request_id)]
        return [(name.encode(), value.encode()) for name, value in added if name.lower().encode() not in present]


async def _discard(_message: Message) -> None:
    """Swallow a reply that the caller never gets: the work is done, the answer is lost."""


def _template(path: str) -> str:
    """Return `path` with ids replaced, to count by."""
    for pattern, name in _ID_PARTS:
        path = pattern.sub(name, path)
    return path
