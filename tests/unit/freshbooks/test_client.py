"""The client against a scripted server: authorisation, retries, what a POST may not do, pages, bounded answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from connectors.freshbooks import client as client_module
from connectors.freshbooks import transport
from connectors.freshbooks.api_failures import NotFoundError
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.kinds import CLIENT, INVOICE
from schemas.failures import FatalError, PoisonError, RetryableError
from streams.runtime.settings import FreshBooksSettings
from tests.unit.freshbooks.builders import raw_client

T = TypeVar("T")
Handler = Callable[[httpx.Request], httpx.Response]
Settings = Callable[..., FreshBooksSettings]


class CountedTokens:
    """Tokens `t0`, `t1`, …: each refusal gives the next."""

    def __init__(self) -> None:
        self.refreshes = 0

    async def access_token(self) -> str:
        return f"t{self.refreshes}"

    async def refreshed(self, rejected: str) -> str:
        assert rejected == f"t{self.refreshes}"
        self.refreshes += 1
        return f"t{self.refreshes}"


def call(
    settings: FreshBooksSettings,
    answers: Handler | list[httpx.Response | Exception],
    work: Callable[[FreshBooksClient], Awaitable[T]],
) -> tuple[T, list[httpx.Request], CountedTokens]:
    """What `work` returns, the requests it made, the tokens it used. A list of answers is given in order."""
    requests: list[httpx.Request] = []
    tokens = CountedTokens()

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if not isinstance(answers, list):
            return answers(request)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> T:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url=settings.api_url) as http:
            return await work(FreshBooksClient(settings, http=http, tokens=tokens))

    try:
        return asyncio.run(run()), requests, tokens
    finally:
        call.requests = requests  # type: ignore[attr-defined]


def made() -> list[httpx.Request]:
    """Requests of the last call, also when it raised."""
    return call.requests  # type: ignore[attr-defined,no-any-return]


def ok(result: Any) -> httpx.Response:
    return httpx.Response(200, json={"response": {"result": result}})


async def get_client(client: FreshBooksClient) -> Any:
    return await client.get_entity(CLIENT, 5)


def test_a_get_is_authorised_and_asks_for_what_a_kind_needs(make_settings: Settings) -> None:
    async def work(client: FreshBooksClient) -> Any:
        return await client.get_entity(INVOICE, 9001)

    result, requests, _ = call(make_settings(), [ok({"invoice": {"id": 9001}})], work)
    assert result == {"id": 9001}
    (request,) = requests
    assert request.headers["authorization"] == "Bearer t0"
    assert request.url.path == "/accounting/account/ZyQ04o/invoices/invoices/9001"
    assert request.url.params.multi_items() == [("include[]", "lines")]


def test_a_put_sends_only_the_given_fields_under_the_single_key(make_settings: Settings) -> None:
    async def work(client: FreshBooksClient) -> Any:
        return await client.put_entity(CLIENT, 5, {"note": "n"})

    _, requests, _ = call(make_settings(), [ok({"client": {"id": 5, "note": "n"}})], work)
    assert (requests[0].method, json.loads(requests[0].content)) == ("PUT", {"client": {"note": "n"}})


def test_a_401_is_answered_with_one_refresh(make_settings: Settings) -> None:
    result, requests, tokens = call(make_settings(), [httpx.Response(401), ok({"client": raw_client()})], get_client)
    assert result["id"] == 218192
    assert [request.headers["authorization"] for request in requests] == ["Bearer t0", "Bearer t1"]
    assert tokens.refreshes == 1


def test_a_second_401_is_fatal(make_settings: Settings) -> None:
    with pytest.raises(FatalError) as failure:
        call(make_settings(), [httpx.Response(401), httpx.Response(401)], get_client)
    assert failure.value.code == "unauthorized"
    assert len(made()) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(503),
        httpx.Response(409, json={}),
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(200, text="<html>maintenance</html>"),
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=lambda trouble: str(getattr(trouble, "status_code", type(trouble).__name__)),
)
def test_a_read_is_repeated_after_passing_trouble(make_settings: Settings, trouble: Any) -> None:
    result, requests, _ = call(make_settings(), [trouble, ok({"client": {"id": 5}})], get_client)
    assert result == {"id": 5}
    assert len(requests) == 2


def test_the_last_trouble_is_raised_when_the_budget_is_used_up(make_settings: Settings) -> None:
    with pytest.raises(RetryableError) as failure:
        call(make_settings(), lambda _request: httpx.Response(503), get_client)
    assert failure.value.code == "server_error"
    assert len(made()) == 3


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (httpx.Response(502), "unclear_outcome"),
        (httpx.ReadTimeout("slow"), "unclear_outcome"),
        (httpx.Response(200, text="<html>"), "unclear_outcome"),
        (httpx.ConnectError("refused"), "unreachable"),
        (httpx.Response(429, headers={"Retry-After": "0"}), "throttled"),
    ],
)
def test_a_post_is_sent_once_whatever_happens(make_settings: Settings, trouble: Any, code: str) -> None:
    async def work(client: FreshBooksClient) -> Any:
        return await client.post("/events", {}, operation="create_callback")

    with pytest.raises(RetryableError) as failure:
        call(make_settings(), [trouble], work)
    assert failure.value.code == code
    assert len(made()) == 1


def test_an_unknown_id_is_not_found(make_settings: Settings) -> None:
    with pytest.raises(NotFoundError):
        call(make_settings(), [httpx.Response(404, json={})], get_client)


def test_errors_inside_a_success_are_errors(make_settings: Settings) -> None:
    body = {"response": {"errors": [{"errno": 1012, "message": "Client not found."}]}}
    with pytest.raises(NotFoundError):
        call(make_settings(), [httpx.Response(200, json=body)], get_client)


def test_an_answer_without_the_entity_is_poison(make_settings: Settings) -> None:
    with pytest.raises(PoisonError) as failure:
        call(make_settings(), [ok({})], get_client)
    assert failure.value.code == "freshbooks_shape"


def test_an_answer_that_is_too_large_is_refused_unread(
    make_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_MAX_ANSWER_BYTES", 100)
    with pytest.raises(PoisonError) as failure:
        call(make_settings(), [httpx.Response(200, content=b"x" * 101)], get_client)
    assert failure.value.code == "answer_too_large"


def test_an_answer_that_drips_meets_the_deadline(make_settings: Settings) -> None:
    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    with pytest.raises(RetryableError) as failure:
        call(
            make_settings(timeout_seconds=0.05),
            lambda _request: httpx.Response(200, stream=Dripping()),
            get_client,
        )
    assert failure.value.code == "timeout"


def test_a_redirect_is_not_followed(make_settings: Settings) -> None:
    with pytest.raises(FatalError):
        call(make_settings(), [httpx.Response(302, headers={"Location": "http://elsewhere.test/"})], get_client)
    assert len(made()) == 1


async def list_clients(client: FreshBooksClient) -> list[int]:
    return [item["id"] async for item in client.list_entities(CLIENT, search=[("search[vis_state]", "1")])]


def page(ids: list[int], *, page: int, pages: Any) -> httpx.Response:
    return ok({"clients": [{"id": number} for number in ids], "page": page, "pages": pages, "per_page": 2, "total": 9})


def test_pages_are_read_to_the_last_and_each_id_once(make_settings: Settings) -> None:
    answers: list[httpx.Response | Exception] = [page([1, 2], page=1, pages=2), page([2, 3], page=2, pages=2)]
    ids, requests, _ = call(make_settings(), answers, list_clients)
    assert ids == [1, 2, 3]
    assert [request.url.params["page"] for request in requests] == ["1", "2"]
    assert requests[0].url.params["search[vis_state]"] == "1"
    assert requests[0].url.params["per_page"] == "100"


@pytest.mark.parametrize(("pages", "calls"), [(0, 1), (None, 1), ("3", 1), (1, 1)])
def test_paging_ends_whatever_the_number_of_pages_looks_like(make_settings: Settings, pages: Any, calls: int) -> None:
    call(make_settings(), [page([1], page=1, pages=pages)], list_clients)
    assert len(made()) == calls


def test_an_empty_page_ends_the_list_even_when_more_are_promised(make_settings: Settings) -> None:
    ids, requests, _ = call(make_settings(), [page([1], page=1, pages=9), page([], page=2, pages=9)], list_clients)
    assert (ids, len(requests)) == ([1], 2)


def test_a_list_that_never_ends_is_stopped(make_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_MAX_PAGES", 3)
    with pytest.raises(FatalError) as failure:
        call(make_settings(), lambda _request: page([1], page=1, pages=10**9), list_clients)
    assert failure.value.code == "list_endless"


def test_an_answer_without_the_list_is_fatal_and_not_taken_for_an_empty_one(make_settings: Settings) -> None:
    with pytest.raises(FatalError) as failure:
        call(make_settings(), [ok({"page": 1, "pages": 1})], list_clients)
    assert failure.value.code == "unknown_answer"
