"""The FreshBooks API over HTTP: one authorised call with deadline, budget, failure class and metrics; lists in pages.

Reads, updates and deletes set a state, so they are retried inside the budget. A POST creates, and FreshBooks has no
idempotency key: it is sent once, and `unclear_outcome` tells the caller to look before it asks again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self

import httpx

from connectors.freshbooks import api_failures
from connectors.freshbooks.api_failures import Method
from connectors.freshbooks.clocks import Clock, utc_now
from connectors.freshbooks.envelopes import Page, business_of, page, single
from connectors.freshbooks.kinds import Family, Kind
from connectors.freshbooks.rate_budget import TokenBucket
from connectors.freshbooks.token_store import TokenStore
from connectors.freshbooks.transport import bounded_body, http_client
from schemas.failures import Failure, FatalError, RetryableError
from streams.runtime import metrics
from streams.runtime.retry import retrying
from streams.runtime.settings import FreshBooksSettings

Json = dict[str, Any]
Params = Sequence[tuple[str, str]]
# Pages of 100: a million entities. A server that never says "last page" is stopped here.
_MAX_PAGES = 10_000


class Tokens(Protocol):
    """Where access tokens come from."""

    async def access_token(self) -> str:
        """A token that should be valid."""

    async def refreshed(self, rejected: str) -> str:
        """Another token than `rejected`, which FreshBooks has refused."""


class FreshBooksClient:
    """Authorised calls for one account. `http` and `tokens` are owned by the caller; `open` makes them.

    One per process: the rate budget is kept here.
    """

    def __init__(self, settings: FreshBooksSettings, *, http: httpx.AsyncClient, tokens: Tokens) -> None:
        self.account_id = settings.account_id
        self._business_id = settings.business_id
        self._http = http
        self._tokens = tokens
        self._deadline = settings.timeout_seconds
        self._retry_budget = settings.retry_budget_seconds
        self._reads = TokenBucket(settings.reads_per_minute, now=time.monotonic)
        self._creates = TokenBucket(settings.writes_per_minute, now=time.monotonic)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: FreshBooksSettings, *, clock: Clock = utc_now) -> AsyncIterator[Self]:
        """A client with its own connections and the account's shared token file; closed on exit."""
        async with http_client(settings) as http:
            yield cls(settings, http=http, tokens=TokenStore(settings, http=http, clock=clock))

    async def get_entity(self, kind: Kind, entity_id: int) -> Json:
        """One entity with its includes; a deleted one comes with vis_state 1. Raises: NotFoundError and the rest."""
        path = kind.entity(await self._owner(kind), entity_id)
        return single(kind, await self.get(path, operation=f"get_{kind.noun}", params=kind.include_params))

    async def put_entity(self, kind: Kind, entity_id: int, fields: Mapping[str, Any]) -> Json:
        """Set `fields` of one entity, leave the others; returns the entity after it, with its includes."""
        path = kind.entity(await self._owner(kind), entity_id)
        body = {kind.single: dict(fields)}
        answer = await self.put(path, body, operation=f"put_{kind.noun}", params=kind.include_params)
        return single(kind, answer)

    async def post_entity(self, kind: Kind, fields: Mapping[str, Any]) -> Json:
        """Create one entity, sent once; returns it, with its includes. `unclear_outcome`: look before you repeat."""
        path = kind.collection(await self._owner(kind))
        body = {kind.single: dict(fields)}
        answer = await self.post(path, body, operation=f"post_{kind.noun}", params=kind.include_params)
        return single(kind, answer)

    async def list_entities(self, kind: Kind, *, search: Params = (), page_size: int = 100) -> AsyncIterator[Json]:
        """Every entity that the list of `kind` has, once each, oldest page first.

        FreshBooks ignores unknown search keys silently and pages by offset over a moving set: the caller checks what
        it got and overlaps its rounds.
        """
        params = [*search, *kind.include_params]
        path = kind.collection(await self._owner(kind))
        async for item in self.list_pages(
            path, kind.plural, kind.ids, operation=kind.noun, params=params, size=page_size
        ):
            yield item

    async def list_page(self, kind: Kind, number: int, *, size: int = 100) -> Page:
        """One page of the whole list of `kind`, from 1. Raises: FatalError (list_endless) far behind any real end."""
        if number > _MAX_PAGES:
            raise FatalError("list_endless", f"listing {kind.plural}: more than {_MAX_PAGES} pages")
        path = kind.collection(await self._owner(kind))
        query = [*kind.include_params, ("page", str(number)), ("per_page", str(size))]
        return page(kind.plural, await self.get(path, operation=f"list_{kind.noun}", params=query), number)

    async def business_id(self) -> int:
        """The business of the account: as set, else as the identity's memberships tell. Raises: FatalError."""
        if self._business_id is None:
            who = await self.get("/auth/api/v1/users/me", operation="get_identity")
            self._business_id = business_of(who, self.account_id)
        return self._business_id

    async def _owner(self, kind: Kind) -> str:
        """What the paths of `kind` hang on."""
        return str(await self.business_id()) if kind.family is Family.PROJECTS else self.account_id

    async def list_pages(
        self, path: str, plural: str, id_fields: Sequence[str], *, operation: str, params: Params = (), size: int = 100
    ) -> AsyncIterator[Json]:
        """The items of a paged list, without repeats of the same id (the first of `id_fields` that an item has).

        Ends at an empty page or at `page >= pages`, never at `page == pages`: an empty list says `pages: 0`.
        """
        seen: set[object] = set()
        for number in range(1, _MAX_PAGES + 1):
            query = [*params, ("page", str(number)), ("per_page", str(size))]
            got = page(plural, await self.get(path, operation=f"list_{operation}", params=query), number)
            for item in got.items:
                identity = next((item[name] for name in id_fields if item.get(name) is not None), None)
                if identity is None or identity not in seen:
                    seen.add(identity)
                    yield item
            if got.is_last:
                return
        raise FatalError("list_endless", f"listing {plural}: more than {_MAX_PAGES} pages")

    async def get(self, path: str, *, operation: str, params: Params = ()) -> Json:
        """GET, retried inside the budget."""
        return await self._retried("GET", path, operation, params, None)

    async def put(self, path: str, body: Json, *, operation: str, params: Params = ()) -> Json:
        """PUT, retried inside the budget: it sets a state."""
        return await self._retried("PUT", path, operation, params, body)

    async def delete(self, path: str, *, operation: str) -> Json:
        """DELETE, retried inside the budget; NotFoundError when it is gone already."""
        return await self._retried("DELETE", path, operation, (), None)

    async def post(self, path: str, body: Json, *, operation: str, params: Params = ()) -> Json:
        """POST, once. RetryableError with code `unclear_outcome` when FreshBooks may have created it all the same."""
        return await self._call("POST", path, operation, params, body)

    async def _retried(self, method: Method, path: str, operation: str, params: Params, body: Json | None) -> Json:
        return await retrying(
            "freshbooks", self._retry_budget, lambda: self._call(method, path, operation, params, body)
        )

    async def _call(self, method: Method, path: str, operation: str, params: Params, body: Json | None) -> Json:
        """One call; after a 401 once more with another token, after a second one FatalError."""
        token = await self._tokens.access_token()
        try:
            return await self._once(method, path, operation, params, body, token)
        except FatalError as error:
            if error.code != "unauthorized":
                raise
        token = await self._tokens.refreshed(token)
        return await self._once(method, path, operation, params, body, token)

    async def _once(
        self, method: Method, path: str, operation: str, params: Params, body: Json | None, token: str
    ) -> Json:
        bucket = self._creates if method == "POST" else self._reads
        await bucket.take()
        action = f"FreshBooks {operation}"
        started = time.monotonic()
        code = "cancelled"
        try:
            with metrics.SINK_IN_FLIGHT.labels("freshbooks").track_inprogress():
                status, content, headers = await self._exchange(method, path, params, body, token, action)
            code = str(status)
            answer = _understood(action, method, status, content, headers.get("Retry-After"))
        except Failure as failure:
            code = failure.code if code == "cancelled" else code
            if failure.code == "throttled" and isinstance(failure, RetryableError):
                self._pause(failure.retry_after_seconds)
            raise
        finally:
            metrics.SINK_REQUESTS.labels("freshbooks", operation, code).inc()
            metrics.SINK_SECONDS.labels("freshbooks", operation).observe(time.monotonic() - started)
        return answer

    async def _exchange(
        self, method: Method, path: str, params: Params, body: Json | None, token: str, action: str
    ) -> tuple[int, bytes, httpx.Headers]:
        try:
            # httpx's own timeouts are per read: a server that drips would never reach them.
            async with (
                asyncio.timeout(self._deadline),
                self._http.stream(
                    method, path, params=list(params), json=body, headers={"Authorization": f"Bearer {token}"}
                ) as answer,
            ):
                content = await bounded_body(answer, action)
        except api_failures.CAUGHT as error:
            raise api_failures.of_exception(action, error, method=method) from error
        remaining = answer.headers.get("X-RateLimit-Remaining", "")
        if remaining.isascii() and remaining.isdigit():
            metrics.RATE_REMAINING.set(int(remaining))
        return answer.status_code, content, answer.headers

    def _pause(self, seconds: float | None) -> None:
        """After a 429 nobody calls until the window is over: the limit's scope is not known, so all wait."""
        for bucket in (self._reads, self._creates):
            bucket.pause(1.0 if seconds is None else seconds)


def _understood(action: str, method: Method, status: int, content: bytes, retry_after: str | None) -> Json:
    """The JSON object of a successful answer. Raises the failure that any other answer stands for."""
    try:
        body = api_failures.decoded(content)
    except ValueError:
        if 200 <= status < 300:
            raise api_failures.failure(
                api_failures.NOT_JSON, f"{action}: HTTP {status}, no JSON", method=method
            ) from None
        body = None
    failure = api_failures.of_answer(action, status, body, method=method, retry_after=retry_after)
    if failure is not None:
        raise failure
    if not isinstance(body, dict):
        raise api_failures.failure(api_failures.UNKNOWN, f"{action}: no JSON object", method=method)
    return body
