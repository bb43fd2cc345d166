"""Accounting endpoints, the same for every kind: list, create, get, update, delete (reference §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sandbox.freshbooks.bodies import wrapped
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.grants import Token
from sandbox.freshbooks.kind import Account, Kind, Record
from sandbox.freshbooks.kinds import BY_PATH
from sandbox.freshbooks.kinds.expenses import vendor_names
from sandbox.freshbooks.query import Query, paged, parse_query
from sandbox.freshbooks.replies import json_reply, world_of
from sandbox.freshbooks.world import require_scope

Json = dict[str, Any]


def _enter(request: Request, verb: str) -> tuple[Token, Account, Kind]:
    """Check token, kind, scope and membership, in this order. Raises Refused 401/403, HTTPException 404."""
    world, params = world_of(request), request.path_params
    token = world.grants.check(request.headers.get("authorization"))
    kind = BY_PATH.get(f"{params['group']}/{params['name']}")
    if kind is None:
        raise HTTPException(404)
    require_scope(token, f"user:{kind.scope}:{verb}")
    if kind.payable and not world.switches.accounts_payable:
        raise Refused(403, 1003, "You do not have access to bill vendors.", object=kind.single)
    return token, world.account_for(token, params["account_id"]), kind


async def collection(request: Request) -> Response:
    """GET lists, POST creates."""
    return await _create(request) if request.method == "POST" else _list(request)


async def expense_vendors(request: Request) -> Response:
    """GET the names that expenses were paid to: no ids, nothing to write (reference §5.1)."""
    world = world_of(request)
    token = world.grants.check(request.headers.get("authorization"))
    require_scope(token, "user:expenses:read")
    account = world.account_for(token, request.path_params["account_id"])
    page, per_page = parse_query(request.scope["query_string"]).page()
    names, meta = paged(vendor_names(account), page, per_page)
    return json_reply({"response": {"result": {"vendors": [{"vendor": name} for name in names], **meta}}})


async def single(request: Request) -> Response:
    """GET shows one (deleted ones too), PUT updates, DELETE soft-deletes where the kind has that verb."""
    if request.method == "PUT":
        return await _update(request)
    if request.method == "DELETE":
        return _delete(request)
    world = world_of(request)
    _, account, kind = _enter(request, "read")
    record = world.entities.find(account, kind, request.path_params["id"])
    return _single_reply(request, account, kind, record)


def _list(request: Request) -> Response:
    world = world_of(request)
    _, account, kind = _enter(request, "read")
    query, now = parse_query(request.scope["query_string"]), world.clock()
    page, per_page = query.page()
    kept = _selected(account, kind, query, now)
    records = _sorted(kind, query.sort, kept, newest_first=world.switches.list_order == "id_desc")
    items, meta = paged(records, page, per_page)
    shown = [_shown(account, kind, record, query, now) for record in items]
    return json_reply({"response": {"result": {kind.plural: shown, **meta}}})


async def _create(request: Request) -> Response:
    world, body = world_of(request), await request.body()
    token, account, kind = _enter(request, "write")
    if not kind.writable:
        raise HTTPException(405)
    record, changes = world.entities.create(account, kind, wrapped(body, kind.single), world.clock())
    world.publish(account, token, changes)
    return _single_reply(request, account, kind, record)


async def _update(request: Request) -> Response:
    world, body = world_of(request), await request.body()
    token, account, kind = _enter(request, "write")
    if not kind.writable:
        raise HTTPException(405)
    former = world.entities.find(account, kind, request.path_params["id"])
    record, changes = world.entities.update(account, kind, former, wrapped(body, kind.single), world.clock())
    world.publish(account, token, changes)
    return _single_reply(request, account, kind, record)


def _delete(request: Request) -> Response:
    world = world_of(request)
    token, account, kind = _enter(request, "write")
    if not kind.deletes_by_verb:
        raise HTTPException(405)
    former = world.entities.find(account, kind, request.path_params["id"])
    world.publish(account, token, world.entities.delete(account, kind, former, world.clock()))
    return json_reply({"response": {}})


def _selected(account: Account, kind: Kind, query: Query, now: datetime) -> list[Record]:
    """Return what the known filters keep, unknown ones ignored; deleted records only for a vis_state filter."""
    bare = {key: [value] for key, value in query.bare.items() if key in kind.bare_filters}
    sent = bare | query.search
    tests = [kind.filters[key](account, values, now) for key, values in sent.items() if key in kind.filters]
    records = account.records(kind.single).values()
    if "vis_state" not in sent:
        return [record for record in records if record.vis_state != 1 and all(test(record) for test in tests)]
    return [record for record in records if all(test(record) for test in tests)]


def _sorted(kind: Kind, sort: str, records: list[Record], *, newest_first: bool) -> Sequence[Record]:
    """Sort by a known <key>_asc or <key>_desc; anything else leaves the default order (which is unknown: a switch)."""
    key, _, direction = sort.rpartition("_")
    if key in kind.sorts and direction in ("asc", "desc"):
        return sorted(records, key=kind.sorts[key], reverse=direction == "desc")
    return records[::-1] if newest_first else records


def _shown(account: Account, kind: Kind, record: Record, query: Query, now: datetime) -> Json:
    view = kind.view(account, record, now)
    included = {name: kind.includes[name](account, record, now) for name in query.includes if name in kind.includes}
    return {**view, **included} if included else view


def _single_reply(request: Request, account: Account, kind: Kind, record: Record) -> Response:
    query = parse_query(request.scope["query_string"])
    shown = _shown(account, kind, record, query, world_of(request).clock())
    return json_reply({"response": {"result": {kind.single: shown}}})
