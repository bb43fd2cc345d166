"""Replies shared by all families, and the handlers that turn a refusal into its family's body."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sandbox.freshbooks.errors import Refused, error_body, family_of
from sandbox.freshbooks.world import World

Json = dict[str, Any]
_ENCODER: Final = msgspec.json.Encoder()


def json_reply(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response; Decimals are written as strings."""
    return Response(_ENCODER.encode(body), status, headers, "application/json")


def world_of(request: Request) -> World:
    """Return the simulated world that this request is about."""
    world = request.app.state.world
    assert isinstance(world, World)  # noqa: S101 - set where the applications are built
    return world


def refusal_reply(world: World, path: str, headers: dict[str, str], refusal: Refused) -> Response:
    """Return the reply for `refusal` in the shape of the family of `path` and the API version in force.

    `headers` are the request's, lower case. The version is X-API-VERSION's, else the app's own default.
    """
    version = headers.get("x-api-version")
    if version is None:
        token = world.grants.lookup(headers.get("authorization"))
        version = token.app.api_version if token is not None else None
    return json_reply(error_body(family_of(path), refusal, version), refusal.status, refusal.headers)


async def on_refused(request: Request, error: Exception) -> Response:
    """Answer a Refused (exception handler of the applications)."""
    assert isinstance(error, Refused)  # noqa: S101 - registered for Refused only
    return refusal_reply(world_of(request), request.url.path, dict(request.headers), error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer an unknown route (404) or method (405), in the family's shape (inferred)."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for HTTPException only
    refusal = Refused(error.status_code, error.status_code, str(error.detail), error="not_found")
    return refusal_reply(world_of(request), request.url.path, dict(request.headers), refusal)
