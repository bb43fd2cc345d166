"""Callback endpoints under /events/account/{account_id}/events/callbacks (reference §4.1)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sandbox.freshbooks.bodies import json_object
from sandbox.freshbooks.callbacks import EVENTS, Json, callback_json, scope_for
from sandbox.freshbooks.deliveries import Callback
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.grants import Token
from sandbox.freshbooks.kind import Account
from sandbox.freshbooks.query import paged, parse_query
from sandbox.freshbooks.replies import json_reply, world_of
from sandbox.freshbooks.world import require_scope


def _enter(request: Request) -> tuple[Token, Account]:
    world = world_of(request)
    token = world.grants.check(request.headers.get("authorization"))
    return token, world.account_for(token, request.path_params["account_id"])


def _body(raw: bytes) -> Json:
    """Return the object under "callback". Raises Refused 400/422 without one (inferred)."""
    inner = json_object(raw).get("callback")
    if not isinstance(inner, dict):
        raise Refused(400, 422, "The request had semantic errors.", details=["callback: This field is required."])
    return inner


def _reply(callback: Callback) -> Response:
    return json_reply({"response": {"result": {"callback": callback_json(callback)}}})


async def collection(request: Request) -> Response:
    """GET lists the app's callbacks, POST registers one. The scope is that of the subscribed object."""
    world, raw = world_of(request), await request.body()
    token, account = _enter(request)
    if request.method == "POST":
        body = _body(raw)
        if body.get("event") in EVENTS:
            require_scope(token, scope_for(body["event"]))
        identity_id = token.user.identity_id
        return _reply(await world.callbacks.create(account, token.app.client_id, identity_id, body))
    query = parse_query(request.scope["query_string"])
    page, per_page = query.page(status=400)
    found = world.callbacks.owned(account, token.app.client_id, query.search.get("event"))
    items, meta = paged(found, page, per_page)
    return json_reply({"response": {"result": {"callbacks": [callback_json(item) for item in items], **meta}}})


async def single(request: Request) -> Response:
    """GET shows, PUT verifies, resends or edits, DELETE removes (204 without a body)."""
    world, raw = world_of(request), await request.body()
    token, account = _enter(request)
    callback = world.callbacks.find(account, token.app.client_id, request.path_params["id"])
    if request.method == "PUT":
        body = _body(raw)
        if body.get("event") in EVENTS:
            require_scope(token, scope_for(body["event"]))
        await world.callbacks.update(account, callback, token.user.identity_id, body)
    elif request.method == "DELETE":
        world.callbacks.delete(callback)
        status = world.switches.callback_delete_status
        return Response(status_code=204) if status == 204 else json_reply({"response": {"result": {}}})
    return _reply(callback)
