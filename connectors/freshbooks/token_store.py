"""The OAuth2 token pair of one account, shared by all processes through an encrypted file.

A FreshBooks refresh token works once and gives a new pair: two processes that refresh at the same time lock each other
out. So a refresh is single flight, within the process by an asyncio lock and between processes by the file's lock:

1. take the locks, read the file again: somebody else may have refreshed; then use theirs;
2. ask the token endpoint;
3. write the new pair, durably;
4. only then use it.

The window that stays: the process dies after FreshBooks has answered 2 and before 3 is on disk (milliseconds, once in
twelve hours). The old refresh token is dead then and the new one lost. The stored access token goes on working until it
expires; the next refresh ends with `token_refused`, and a person authorises the application again. A timeout in 2 leads
to the same place when FreshBooks had already answered: the refresh is repeated with the same token, since there is no
look-up for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.freshbooks import api_failures
from connectors.freshbooks.clocks import Clock, utc_now
from connectors.freshbooks.sealed_file import SealedFile
from connectors.freshbooks.transport import bounded_body
from schemas.failures import Failure, FatalError, RetryableError
from streams.runtime import metrics
from streams.runtime.retry import retrying
from streams.runtime.settings import FreshBooksSettings

TOKEN_PATH = "/auth/oauth/token"  # noqa: S105 - a path
# Refresh this long before expiry: longer than any retry budget, so that a token outlives the calls begun with it.
_MARGIN = timedelta(minutes=10)
# Longer than a refresh with all its retries may take in the process that holds the lock.
_LOCK_MARGIN_SECONDS = 30
# Without a sane expires_in the documented life of a token is taken.
_LIFE_SECONDS = 43_200
_REMEDY = (
    "authorise the application again, put the new refresh token into FRESHAX_FRESHBOOKS__REFRESH_TOKEN and remove the "
    "token file"
)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """Access and refresh token; neither is ever shown."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime

    def usable(self, now: datetime) -> bool:
        """True while the access token lives longer than the margin."""
        return now + _MARGIN < self.expires_at


class TokenStore:
    """Gives access tokens, refreshes them when due. Safe to share between tasks."""

    def __init__(self, settings: FreshBooksSettings, *, http: httpx.AsyncClient, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._file = SealedFile(settings.token_file, settings.token_key)
        self._pair: TokenPair | None = None
        self._turn = asyncio.Lock()

    async def access_token(self) -> str:
        """A token that lives longer than the margin.

        Raises: FatalError (token_missing, token_refused) with the remedy, RetryableError when FreshBooks is away.
        """
        if self._pair is not None and self._pair.usable(self._clock()):
            return self._pair.access_token
        return (await self._renewed(rejected=None)).access_token

    async def refreshed(self, rejected: str) -> str:
        """Another token than `rejected`, which FreshBooks refused although it looked valid."""
        return (await self._renewed(rejected)).access_token

    async def _renewed(self, rejected: str | None) -> TokenPair:
        """The stored pair when it will do, else a new one; in single flight."""
        timeout = self._settings.retry_budget_seconds + _LOCK_MARGIN_SECONDS
        async with self._turn, self._file.locked(timeout):
            pair = _pair(self._file.read())
            if pair is None or not pair.usable(self._clock()) or pair.access_token == rejected:
                # Shielded: cancelling here would throw away a pair that FreshBooks has already changed over to.
                pair = await _finished(asyncio.ensure_future(self._refresh(self._refresh_token(pair))))
            self._pair = pair
            metrics.TOKEN_EXPIRES.set(pair.expires_at.timestamp())
            return pair

    def _refresh_token(self, pair: TokenPair | None) -> str:
        token = pair.refresh_token if pair is not None else self._settings.refresh_token.get_secret_value()
        if not token:
            raise FatalError(
                "token_missing", f"authorising at FreshBooks: {self._settings.token_file} holds no token; {_REMEDY}"
            )
        return token

    async def _refresh(self, refresh_token: str) -> TokenPair:
        """Steps 2 and 3."""
        answer = await retrying("freshbooks", self._settings.retry_budget_seconds, lambda: self._ask(refresh_token))
        pair = _granted(answer, self._clock())
        self._file.write(
            {
                "access_token": pair.access_token,
                "refresh_token": pair.refresh_token,
                "expires_at": pair.expires_at.isoformat(),
            }
        )
        return pair

    async def _ask(self, refresh_token: str) -> Mapping[str, Any]:
        action = "FreshBooks refresh_token"
        form = {
            "grant_type": "refresh_token",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "refresh_token": refresh_token,
        }
        if self._settings.redirect_uri:
            form["redirect_uri"] = self._settings.redirect_uri
        code = "failed"
        try:
            async with (
                asyncio.timeout(self._settings.timeout_seconds),
                self._http.stream("POST", TOKEN_PATH, data=form) as answer,
            ):
                content = await bounded_body(answer, action)
            code = str(answer.status_code)
        except api_failures.CAUGHT as error:
            # As for a PUT: repeating is all that can be done, so it is no `unclear_outcome`.
            raise api_failures.of_exception(action, error, method="PUT") from error
        finally:
            metrics.SINK_REQUESTS.labels("freshbooks", "refresh_token", code).inc()
        return _understood(action, answer.status_code, content, answer.headers.get("Retry-After"))


async def _finished(work: asyncio.Future[TokenPair]) -> TokenPair:
    """The result of `work`, waited for to its end even when the waiter is cancelled."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def _understood(action: str, status: int, content: bytes, retry_after: str | None) -> Mapping[str, Any]:
    """The token endpoint's answer. 4xx is `token_refused`: whatever it dislikes, a person must act."""
    try:
        body = api_failures.decoded(content)
    except ValueError:
        body = None
    if 200 <= status < 300 and isinstance(body, Mapping):
        return body
    if 400 <= status < 500 and status not in (408, 409, 429):
        reason = body.get("error") if isinstance(body, Mapping) else None
        known = (
            reason if reason in ("invalid_grant", "invalid_client", "invalid_request", "unauthorized_client") else ""
        )
        raise FatalError("token_refused", f"{action}: HTTP {status} {known}; {_REMEDY}")
    failure: Failure | None = api_failures.of_answer(action, status, {}, method="PUT", retry_after=retry_after)
    raise failure or RetryableError("not_json", f"{action}: HTTP {status}, no JSON object")


def _granted(answer: Mapping[str, Any], now: datetime) -> TokenPair:
    """The pair of a token answer. Expiry counts from `created_at`: a refresh may echo an earlier one."""
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not isinstance(access, str) or not access or not isinstance(refresh, str) or not refresh:
        raise FatalError("token_refused", f"FreshBooks refresh_token: the answer holds no token pair; {_REMEDY}")
    created, life = answer.get("created_at"), answer.get("expires_in")
    seconds = life if isinstance(life, int) and 0 < life < 10**8 else _LIFE_SECONDS
    started = datetime.fromtimestamp(created, UTC) if isinstance(created, int) and 0 < created < 2**33 else now
    return TokenPair(access, refresh, min(started, now) + timedelta(seconds=seconds))


def _pair(document: Mapping[str, Any] | None) -> TokenPair | None:
    if not document:
        return None
    return TokenPair(
        str(document["access_token"]), str(document["refresh_token"]), datetime.fromisoformat(document["expires_at"])
    )
