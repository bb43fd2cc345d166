"""The rotating token pair: refreshed when due, once, and never used before it is on disk."""

import asyncio
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors.freshbooks.sealed_file import SealedFile
from connectors.freshbooks.token_store import TokenStore
from schemas.failures import FatalError, RetryableError
from streams.runtime import metrics
from streams.runtime.settings import FreshBooksSettings
from tests.kit.freshbooks import HandClock

Settings = Callable[..., FreshBooksSettings]


class TokenServer:
    """Grants pairs `access-n`/`refresh-n`; a refresh token works once, as at FreshBooks."""

    def __init__(self, clock: HandClock, first: str = "first-refresh") -> None:
        self.clock = clock
        self.valid = first
        self.granted = 0
        self.forms: list[dict[str, str]] = []
        self.trouble: list[httpx.Response | Exception] = []
        self.before_answer: Callable[[], None] = lambda: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/auth/oauth/token"
        form = dict(urllib.parse.parse_qsl(request.content.decode()))
        self.forms.append(form)
        if self.trouble:
            trouble = self.trouble.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        if form["refresh_token"] != self.valid:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "used"})
        self.granted += 1
        self.valid = f"refresh-{self.granted}"
        self.before_answer()
        return httpx.Response(200, json=self.answer())

    def answer(self) -> dict[str, Any]:
        return {
            "access_token": f"access-{self.granted}",
            "token_type": "Bearer",
            "expires_in": 43199,
            "refresh_token": self.valid,
            "scope": "user:profile:read",
            "created_at": int(self.clock.now.timestamp()),
            "direct_buy_tokens": {},
        }


def with_store(
    settings: FreshBooksSettings, server: TokenServer, work: Callable[[TokenStore], Any], clock: HandClock
) -> Any:
    async def run() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(server), base_url="http://fb.test") as http:
            return await work(TokenStore(settings, http=http, clock=clock))

    return asyncio.run(run())


async def token(store: TokenStore) -> str:
    return await store.access_token()


def test_an_empty_file_is_filled_from_the_settings_once(make_settings: Settings, clock: HandClock) -> None:
    settings, server = make_settings(), TokenServer(clock)
    assert with_store(settings, server, token, clock) == "access-1"
    assert server.forms[0] == {
        "grant_type": "refresh_token",
        "client_id": "app",
        "client_secret": "app-secret",
        "refresh_token": "first-refresh",
        "redirect_uri": "https://freshax.test/oauth",
    }
    assert with_store(settings, server, token, clock) == "access-1"
    assert len(server.forms) == 1


def test_a_token_is_used_until_shortly_before_it_expires_then_refreshed(
    make_settings: Settings, clock: HandClock
) -> None:
    server = TokenServer(clock)

    async def work(store: TokenStore) -> list[str]:
        tokens = [await store.access_token()]
        clock.forward(hours=11, minutes=45)
        tokens.append(await store.access_token())
        clock.forward(minutes=10)
        tokens.append(await store.access_token())
        return tokens

    assert with_store(make_settings(), server, work, clock) == ["access-1", "access-1", "access-2"]
    assert server.forms[1]["refresh_token"] == "refresh-1"


def test_expiry_counts_from_created_at_and_is_a_metric(make_settings: Settings, clock: HandClock) -> None:
    server = TokenServer(clock)
    created = int(clock.now.timestamp()) - 3600
    server.answer = lambda: {  # type: ignore[method-assign]
        "access_token": "a",
        "refresh_token": "r",
        "expires_in": 43200,
        "created_at": created,
    }
    with_store(make_settings(), server, token, clock)
    assert metrics.TOKEN_EXPIRES._value.get() == created + 43200


def test_many_that_need_a_token_at_once_cause_one_refresh(make_settings: Settings, clock: HandClock) -> None:
    server = TokenServer(clock)

    async def work(store: TokenStore) -> list[str]:
        return await asyncio.gather(*(store.access_token() for _ in range(20)))

    assert set(with_store(make_settings(), server, work, clock)) == {"access-1"}
    assert len(server.forms) == 1


def test_a_rejected_token_is_replaced_once_for_all_who_were_rejected(make_settings: Settings, clock: HandClock) -> None:
    server = TokenServer(clock)

    async def work(store: TokenStore) -> list[str]:
        old = await store.access_token()
        return await asyncio.gather(*(store.refreshed(old) for _ in range(5)))

    assert set(with_store(make_settings(), server, work, clock)) == {"access-2"}
    assert len(server.forms) == 2


def test_a_token_that_another_process_has_refreshed_is_taken_from_the_file(
    make_settings: Settings, clock: HandClock
) -> None:
    settings, server = make_settings(), TokenServer(clock)

    async def work(store: TokenStore) -> str:
        old = await store.access_token()
        async with httpx.AsyncClient(transport=httpx.MockTransport(server), base_url="http://fb.test") as http:
            await TokenStore(settings, http=http, clock=clock).refreshed(old)
        return await store.refreshed(old)

    assert with_store(settings, server, work, clock) == "access-2"
    assert len(server.forms) == 2


def test_the_new_pair_is_on_disk_before_it_is_used(make_settings: Settings, clock: HandClock) -> None:
    settings, server = make_settings(), TokenServer(clock)
    with_store(settings, server, token, clock)
    stored = SealedFile(settings.token_file, settings.token_key).read()
    assert stored is not None
    assert (stored["access_token"], stored["refresh_token"]) == ("access-1", "refresh-1")


def test_a_pair_that_cannot_be_stored_is_not_used(
    make_settings: Settings, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: SealedFile, _document: dict[str, Any]) -> None:
        raise FatalError("sealed_file_unwritable", "no space")

    monkeypatch.setattr(SealedFile, "write", full)
    with pytest.raises(FatalError) as failure:
        with_store(make_settings(), TokenServer(clock), token, clock)
    assert failure.value.code == "sealed_file_unwritable"


def test_cancelling_a_call_in_the_middle_of_a_refresh_loses_no_token(make_settings: Settings, clock: HandClock) -> None:
    settings, server = make_settings(), TokenServer(clock)

    async def work(store: TokenStore) -> str:
        asking = asyncio.create_task(store.access_token())
        server.before_answer = asking.cancel
        with pytest.raises(asyncio.CancelledError):
            await asking
        server.before_answer = lambda: None
        return await store.access_token()

    assert with_store(settings, server, work, clock) == "access-1"
    assert len(server.forms) == 1


@pytest.mark.parametrize("trouble", [httpx.Response(503), httpx.ReadTimeout("slow"), httpx.Response(429)])
def test_passing_trouble_is_retried_with_the_same_token(
    make_settings: Settings, clock: HandClock, trouble: Any
) -> None:
    server = TokenServer(clock)
    server.trouble = [trouble]
    assert with_store(make_settings(), server, token, clock) == "access-1"
    assert [form["refresh_token"] for form in server.forms] == ["first-refresh", "first-refresh"]


def test_lasting_trouble_is_retryable(make_settings: Settings, clock: HandClock) -> None:
    server = TokenServer(clock)
    server.trouble = [httpx.Response(502, text="<html>") for _ in range(3)]
    with pytest.raises(RetryableError):
        with_store(make_settings(), server, token, clock)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": "invalid_grant", "error_description": "used"}),
        httpx.Response(401, json={"error": "invalid_client"}),
        httpx.Response(400, text="<html>"),
        httpx.Response(200, json={"access_token": "a"}),
    ],
)
def test_a_refused_refresh_is_fatal_and_says_what_to_do(
    make_settings: Settings, clock: HandClock, answer: httpx.Response
) -> None:
    server = TokenServer(clock)
    server.trouble = [answer]
    with pytest.raises(FatalError, match="authorise the application again") as failure:
        with_store(make_settings(), server, token, clock)
    assert failure.value.code == "token_refused"
    assert len(server.forms) == 1


def test_no_token_anywhere_says_what_to_do(make_settings: Settings, clock: HandClock) -> None:
    with pytest.raises(FatalError, match="REFRESH_TOKEN") as failure:
        with_store(make_settings(refresh_token=""), TokenServer(clock), token, clock)
    assert failure.value.code == "token_missing"


def test_no_secret_shows_in_failures_or_reprs(make_settings: Settings, clock: HandClock) -> None:
    settings, server = make_settings(), TokenServer(clock, first="other")
    with pytest.raises(FatalError) as failure:
        with_store(settings, server, token, clock)
    shown = f"{failure.value!r} {failure.value} {settings!r} {json.dumps(str(failure.value.__cause__))}"
    assert not any(secret in shown for secret in ("first-refresh", "app-secret"))
