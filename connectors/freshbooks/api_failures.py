"""Every way a call to FreshBooks fails → a failure class: one table each for exceptions, errno and HTTP status.

An errno says more than a status (403 is a missing scope or a read-only field), so it is looked up first. Decided on
types and numbers, never on message text; what no table names is fatal. A POST whose outcome is open is its own code,
`unclear_outcome`: look before you repeat.
Source: reference of the API, errors; errno table of the official docs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import httpx
import msgspec

from schemas.failures import Failure, FatalError, PoisonError, RetryableError

Method = Literal["GET", "POST", "PUT", "DELETE"]
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_MAX_MESSAGE = 200
_MAX_RETRY_AFTER_SECONDS = 600.0


class NotFoundError(PoisonError):
    """FreshBooks does not have the entity (any more). A fetch takes it as an answer, a write as poison."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means. `remedy` is the last part of the message, for whoever acts."""

    failure: type[Failure]
    code: str
    remedy: str = ""
    # True when FreshBooks may have done the work before the failure: a POST must not simply be repeated.
    may_have_happened: bool = False


# Most specific first: the first class that fits decides.
EXCEPTIONS: tuple[tuple[type[Exception], Verdict], ...] = (
    (httpx.ConnectTimeout, Verdict(RetryableError, "timeout")),
    (httpx.PoolTimeout, Verdict(RetryableError, "timeout")),
    (httpx.TimeoutException, Verdict(RetryableError, "timeout", may_have_happened=True)),
    (httpx.ConnectError, Verdict(RetryableError, "unreachable", "check api_url, name resolution and certificates")),
    (httpx.NetworkError, Verdict(RetryableError, "connection_lost", may_have_happened=True)),
    (httpx.RemoteProtocolError, Verdict(RetryableError, "connection_lost", may_have_happened=True)),
    (httpx.ProxyError, Verdict(RetryableError, "proxy_failed", "check the proxy")),
    (httpx.DecodingError, Verdict(RetryableError, "garbled_answer", may_have_happened=True)),
    (httpx.LocalProtocolError, Verdict(FatalError, "request_invalid", "a header or setting is malformed")),
    (httpx.UnsupportedProtocol, Verdict(FatalError, "request_invalid", "check FRESHAX_FRESHBOOKS__API_URL")),
    (httpx.InvalidURL, Verdict(FatalError, "request_invalid", "check FRESHAX_FRESHBOOKS__API_URL")),
    (httpx.TooManyRedirects, Verdict(FatalError, "redirected", "check FRESHAX_FRESHBOOKS__API_URL")),
    (httpx.HTTPStatusError, Verdict(FatalError, "client_misused")),
    (httpx.CookieConflict, Verdict(FatalError, "client_misused")),
    (httpx.StreamError, Verdict(FatalError, "client_misused")),
    (TimeoutError, Verdict(RetryableError, "timeout", may_have_happened=True)),
)
# What a caller of httpx catches and hands to `of_exception`: the roots of httpx's tree, and our own deadline.
CAUGHT = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError, TimeoutError)

_FORBIDDEN = "grant the application the scope and the user the role, or leave the kind out of FRESHAX_FRESHBOOKS__KINDS"
_INVALID = Verdict(PoisonError, "refused")
BY_ERRNO: Mapping[int, Verdict] = {
    409: Verdict(RetryableError, "conflict"),
    500: Verdict(RetryableError, "server_error", may_have_happened=True),
    1003: Verdict(FatalError, "forbidden", _FORBIDDEN),
    1011: Verdict(PoisonError, "entity_deleted"),
    1012: Verdict(NotFoundError, "entity_not_found"),
    1017: Verdict(PoisonError, "too_long"),
    1038: Verdict(PoisonError, "write_denied", "the field is read-only"),
    1042: Verdict(FatalError, "account_inactive", "activate the FreshBooks account"),
    **dict.fromkeys((1001, 1002, *range(1004, 1011), *range(1013, 1017), *range(1018, 1038)), _INVALID),
    **dict.fromkeys((1039, 1040, *range(1100, 1109), 2001, 8034, 16003), _INVALID),
}
BY_STATUS: Mapping[int, Verdict] = {
    400: Verdict(PoisonError, "bad_request"),
    401: Verdict(FatalError, "unauthorized", "authorise the application again"),
    403: Verdict(FatalError, "forbidden", _FORBIDDEN),
    404: Verdict(NotFoundError, "entity_not_found"),
    408: Verdict(RetryableError, "timeout", may_have_happened=True),
    409: Verdict(RetryableError, "conflict"),
    413: Verdict(PoisonError, "too_large"),
    414: Verdict(PoisonError, "too_large"),
    422: _INVALID,
    429: Verdict(RetryableError, "throttled"),
    **dict.fromkeys(range(500, 600), Verdict(RetryableError, "server_error", may_have_happened=True)),
}
UNKNOWN = Verdict(FatalError, "unknown_answer", "this answer is not known to freshax; report it with the request id")
NOT_JSON = Verdict(RetryableError, "not_json", "a gateway may have answered in its place", may_have_happened=True)


@dataclass(frozen=True, slots=True)
class ApiError:
    """One error as FreshBooks states it, whatever its shape."""

    errno: int | None
    field: str | None
    message: str


def api_errors(body: object) -> list[ApiError]:
    """The errors in an answer's body; empty when it has none.

    Reads all recorded shapes:
    `{"response": {"errors": [...]}}` (or one object), google.rpc `{"code", "message", "details": [{"reason", …}]}`,
    `{"errno", "message", "details": [text]}`, `{"errno", "error": {field: text}}` (projects),
    `{"error", "error_description"}`, `{"message"}`.
    """
    if not isinstance(body, Mapping):
        return []
    response = body.get("response")
    nested = response.get("errors") if isinstance(response, Mapping) else None
    if nested:
        return [_accounting(item) for item in (nested if isinstance(nested, list) else [nested])]
    if "response" in body:
        return []
    details = body.get("details")
    reasons = [item for item in details if isinstance(item, Mapping)] if isinstance(details, list) else []
    found = [_google(item, body) for item in reasons if "reason" in item]
    if found:
        return found
    by_field = body.get("error")
    if isinstance(by_field, Mapping):
        number = _number(body.get("errno"))
        return [ApiError(number, _name(name), _short(said)) for name, said in by_field.items()]
    if "errno" in body or "error" in body or "message" in body:
        said = body.get("error_description") or body.get("message") or body.get("error")
        return [ApiError(_number(body.get("errno")), None, _short(said))]
    return []


def _accounting(item: object) -> ApiError:
    if not isinstance(item, Mapping):
        return ApiError(None, None, "")
    return ApiError(_number(item.get("errno")), _name(item.get("field")), _short(item.get("message")))


def _google(item: Mapping[str, Any], body: Mapping[str, Any]) -> ApiError:
    metadata = item.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    said = metadata.get("message") or body.get("message")
    return ApiError(_number(item.get("reason")), _name(metadata.get("field")), _short(said))


def _number(value: object) -> int | None:
    """An errno; it may come as a string."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9 else None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _short(value: object) -> str:
    return value[:_MAX_MESSAGE] if isinstance(value, str) else ""


def of_exception(action: str, error: Exception, *, method: str) -> Failure:
    """Our failure for an exception of httpx."""
    verdict = next((verdict for kind, verdict in EXCEPTIONS if isinstance(error, kind)), UNKNOWN)
    return failure(verdict, f"{action}: {type(error).__name__}", method=method)


def of_answer(action: str, status: int, body: object, *, method: str, retry_after: str | None) -> Failure | None:
    """Our failure for an answer, None when it is a success. A success status with `errors` in it is none."""
    errors = api_errors(body) if not 200 <= status < 300 else _hidden_errors(body)
    if 200 <= status < 300 and not errors:
        return None
    first = errors[0] if errors else ApiError(None, None, "")
    verdict = _verdict(status, first.errno)
    number = f" errno {first.errno}" if first.errno is not None else ""
    about = f" ({first.field})" if first.field else ""
    said = f": {first.message}" if first.message else ""
    return failure(
        verdict,
        f"{action}: HTTP {status}{number}{about}{said}",
        method=method,
        field=first.field,
        # Every answer carries Retry-After, successes too: it means something on 429 only.
        retry_after_seconds=_seconds(retry_after) if status == 429 else None,
    )


def _hidden_errors(body: object) -> list[ApiError]:
    """Errors inside a success: only the accounting shape is known to do that."""
    return api_errors(body) if isinstance(body, Mapping) and "response" in body else []


def _verdict(status: int, errno: int | None) -> Verdict:
    """Errno first, but never against a status that speaks about the caller or the server and not the record."""
    if status in (401, 429) or status >= 500:
        return BY_STATUS.get(status, UNKNOWN)
    by_errno = BY_ERRNO.get(errno) if errno is not None else None
    return by_errno or BY_STATUS.get(status, UNKNOWN)


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; None when it is missing or a date (never seen from FreshBooks)."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return min(float(header), _MAX_RETRY_AFTER_SECONDS)


def failure(
    verdict: Verdict,
    message: str,
    *,
    method: str,
    field: str | None = None,
    retry_after_seconds: float | None = None,
) -> Failure:
    """The failure that `verdict` stands for."""
    text = f"{message}; {verdict.remedy}" if verdict.remedy else message
    code = "unclear_outcome" if method == "POST" and verdict.may_have_happened else verdict.code
    if issubclass(verdict.failure, RetryableError):
        return verdict.failure(code, text, retry_after_seconds=retry_after_seconds)
    if issubclass(verdict.failure, PoisonError):
        return verdict.failure(code, text, field=field)
    return verdict.failure(code, text)


def decoded(content: bytes) -> Any:
    """The JSON of a body; an empty body is an empty object. Fractions become Decimal.

    Raises: ValueError when it is no JSON.
    """
    if not content.strip():
        return {}
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("not JSON") from error
