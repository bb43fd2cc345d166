"""The HTTP transport under every call to FreshBooks: connections, proxy, and an answer size that is bounded."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from schemas.failures import PoisonError
from streams.runtime.settings import FreshBooksSettings

# A page of 100 invoices with long notes and many lines stays below a fifth of this.
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
_CONNECTIONS = 16


def http_client(settings: FreshBooksSettings) -> httpx.AsyncClient:
    """The HTTP client of one process. Follows no redirect; uses the environment's proxy except on loopback."""
    loopback = urlsplit(settings.api_url).hostname in ("127.0.0.1", "localhost", "::1")
    return httpx.AsyncClient(
        base_url=settings.api_url,
        timeout=settings.timeout_seconds,
        limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
        trust_env=not loopback,
        headers={"Accept": "application/json", "User-Agent": "freshax"},
    )


async def bounded_body(answer: httpx.Response, action: str) -> bytes:
    """The body of a streamed answer. Raises PoisonError (answer_too_large) before it has been read whole."""
    parts, size = [], 0
    async for chunk in answer.aiter_bytes():
        size += len(chunk)
        if size > _MAX_ANSWER_BYTES:
            raise PoisonError("answer_too_large", f"{action}: the answer is larger than {_MAX_ANSWER_BYTES} bytes")
        parts.append(chunk)
    return b"".join(parts)
