"""Every way a call can fail has its class, decided by type, errno and status; nothing is left to chance."""

import inspect
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors.freshbooks import api_failures
from connectors.freshbooks.api_failures import ApiError, NotFoundError, api_errors, of_answer, of_exception
from schemas.failures import Failure, FatalError, PoisonError, RetryableError


def httpx_exceptions() -> Iterator[type[Exception]]:
    """Every exception that httpx can raise: the public names of the library."""
    for name in httpx.__all__:
        thing = getattr(httpx, name)
        if inspect.isclass(thing) and issubclass(thing, Exception):
            yield thing


@pytest.mark.parametrize("kind", sorted(httpx_exceptions(), key=lambda kind: kind.__name__))
def test_every_exception_of_httpx_is_caught_and_in_the_table(kind: type[Exception]) -> None:
    assert issubclass(kind, api_failures.CAUGHT)
    abstract = kind in (httpx.HTTPError, httpx.RequestError, httpx.TransportError, httpx.ProtocolError)
    assert abstract or any(issubclass(kind, mapped) for mapped, _ in api_failures.EXCEPTIONS)


def test_a_more_general_exception_never_hides_a_more_special_one() -> None:
    kinds = [kind for kind, _ in api_failures.EXCEPTIONS]
    for index, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:index]), kind


@pytest.mark.parametrize(
    ("error", "method", "expected", "code"),
    [
        (httpx.ReadTimeout("x"), "GET", RetryableError, "timeout"),
        (httpx.ReadTimeout("x"), "POST", RetryableError, "unclear_outcome"),
        (httpx.ConnectTimeout("x"), "POST", RetryableError, "timeout"),
        (httpx.ConnectError("x"), "POST", RetryableError, "unreachable"),
        (httpx.RemoteProtocolError("x"), "POST", RetryableError, "unclear_outcome"),
        (httpx.ReadError("x"), "PUT", RetryableError, "connection_lost"),
        (TimeoutError(), "GET", RetryableError, "timeout"),
        (httpx.UnsupportedProtocol("x"), "GET", FatalError, "request_invalid"),
        (httpx.StreamClosed(), "GET", FatalError, "client_misused"),
    ],
)
def test_exceptions(error: Exception, method: Any, expected: type[Failure], code: str) -> None:
    failure = of_exception("acting", error, method=method)
    assert (type(failure), failure.code) == (expected, code)


def old(errno: object, message: str = "m", field: str = "f") -> Any:
    return {"response": {"errors": [{"errno": errno, "field": field, "message": message, "object": "o", "value": "v"}]}}


def new(reason: str, field: str = "f") -> Any:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "accounting"}
    return {"code": 5, "message": "Request failed", "details": [{**info, "metadata": {"field": field, "message": "m"}}]}


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (401, {"error": "unauthenticated", "error_description": "d"}, FatalError, "unauthorized"),
        (403, old(1038), PoisonError, "write_denied"),
        (403, new("1038"), PoisonError, "write_denied"),
        (403, old(1003), FatalError, "forbidden"),
        (403, {"message": "provided scopes: …"}, FatalError, "forbidden"),
        (404, old(1012), NotFoundError, "entity_not_found"),
        (404, new("1012"), NotFoundError, "entity_not_found"),
        (404, {"errno": 404, "message": "Requested resource could not be found."}, NotFoundError, "entity_not_found"),
        (404, None, NotFoundError, "entity_not_found"),
        (400, {"errno": 422, "message": "m", "details": ["uri: bad"]}, PoisonError, "bad_request"),
        (409, old(409), RetryableError, "conflict"),
        (422, old(1001), PoisonError, "refused"),
        (422, new("1004"), PoisonError, "refused"),
        (422, old(1017), PoisonError, "too_long"),
        (422, old(1011), PoisonError, "entity_deleted"),
        (422, None, PoisonError, "refused"),
        (429, {"message": "slow down"}, RetryableError, "throttled"),
        (429, old(1001), RetryableError, "throttled"),
        (500, None, RetryableError, "server_error"),
        (503, old(1001), RetryableError, "server_error"),
        (200, old(1012), NotFoundError, "entity_not_found"),
        (200, {"response": {"errors": {"errno": "1001"}}}, PoisonError, "refused"),
        (200, old(77777), FatalError, "unknown_answer"),
        (302, None, FatalError, "unknown_answer"),
        (418, None, FatalError, "unknown_answer"),
    ],
)
def test_answers(status: int, body: Any, expected: type[Failure], code: str) -> None:
    failure = of_answer("acting", status, body, method="GET", retry_after="9")
    assert failure is not None
    assert (type(failure), failure.code) == (expected, code)


@pytest.mark.parametrize(
    "body", [{}, {"response": {}}, {"response": {"result": {"client": {"message": "x", "error": "y"}}}}]
)
def test_a_success_is_no_failure(body: Any) -> None:
    assert of_answer("acting", 200, body, method="GET", retry_after="59") is None


def test_retry_after_means_something_on_429_only() -> None:
    throttled = of_answer("acting", 429, None, method="GET", retry_after="59")
    away = of_answer("acting", 503, None, method="GET", retry_after="59")
    assert isinstance(throttled, RetryableError)
    assert isinstance(away, RetryableError)
    assert (throttled.retry_after_seconds, away.retry_after_seconds) == (59.0, None)


@pytest.mark.parametrize(("header", "seconds"), [(None, None), ("soon", None), ("99999999", 600.0), ("-1", None)])
def test_an_odd_retry_after_is_bounded_or_left_out(header: str | None, seconds: float | None) -> None:
    failure = of_answer("acting", 429, None, method="GET", retry_after=header)
    assert isinstance(failure, RetryableError)
    assert failure.retry_after_seconds == seconds


def test_a_5xx_after_a_post_leaves_the_outcome_open() -> None:
    failure = of_answer("acting", 502, None, method="POST", retry_after=None)
    assert failure is not None
    assert failure.code == "unclear_outcome"


def test_the_field_is_named_and_the_value_is_not() -> None:
    failure = of_answer("acting", 422, old(1001, field="email"), method="PUT", retry_after=None)
    assert isinstance(failure, PoisonError)
    assert failure.field == "email"
    assert "errno 1001 (email): m" in failure.message


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (old("1012", "gone"), [ApiError(1012, "f", "gone")]),
        (new("1012"), [ApiError(1012, "f", "m")]),
        ({"errno": 404, "message": "no"}, [ApiError(404, None, "no")]),
        ({"code": 3, "message": "Invalid", "details": [{"@type": "BadRequest"}]}, [ApiError(None, None, "Invalid")]),
        ({"error": "invalid_grant", "error_description": "used"}, [ApiError(None, None, "used")]),
        ({"errno": 2001, "error": {"title": "field required"}}, [ApiError(2001, "title", "field required")]),
        ({"response": {"errors": ["odd"]}}, [ApiError(None, None, "")]),
        ([], []),
        (None, []),
        ({"response": {"result": {}}}, []),
    ],
)
def test_all_recorded_error_shapes_are_read(body: object, errors: list[ApiError]) -> None:
    assert api_errors(body) == errors


@pytest.mark.parametrize("content", [b"<html>", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_json_is_said_so(content: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        api_failures.decoded(content)


def test_an_empty_body_is_an_empty_object() -> None:
    assert api_failures.decoded(b" \n") == {}
