"""Project endpoints under /projects/business/{business_id} (reference §5.1, §5.7, §5.8, §6.10).

The list is plural, all else singular; no response/result level. A PUT without `title` is an error that looks like the
server's own (recorded). Filters are bare keys; `search[...]` is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from sandbox.freshbooks.bodies import wrapped
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.grants import Token
from sandbox.freshbooks.kind import Account, Json, Record
from sandbox.freshbooks.kinds.projects import PROJECT
from sandbox.freshbooks.query import Query, paged, parse_query
from sandbox.freshbooks.replies import json_reply, world_of
from sandbox.freshbooks.world import require_scope

_PER_PAGE = 30
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}
_ABILITIES = [{"name": name, "value": True} for name in ("can_edit", "can_archive", "can_delete")]


def _enter(request: Request, verb: str) -> tuple[Token, Account]:
    """Check token, scope and membership. Raises Refused 401/403."""
    world = world_of(request)
    token = world.grants.check(request.headers.get("authorization"))
    require_scope(token, f"user:{PROJECT.scope}:{verb}")
    return token, world.account_of_business(token, request.path_params["business_id"])


async def listed(request: Request) -> Response:
    """GET …/projects."""
    _, account = _enter(request, "read")
    query = parse_query(request.scope["query_string"])
    page, per_page = query.page(default=_PER_PAGE)
    kept = [record for record in account.records("project").values() if _matches(query, record)]
    items, meta = paged(_sorted(query.sort, kept), page, per_page)
    paging = {key: meta[key] for key in ("total", "per_page", "page", "pages")}
    return _reply({"projects": [record.fields for record in items], "meta": {"sort": query.sort or None, **paging}})


async def create(request: Request) -> Response:
    """POST …/project."""
    world, body = world_of(request), await request.body()
    token, account = _enter(request, "write")
    record, changes = world.entities.create(account, PROJECT, wrapped(body, "project"), world.clock())
    world.publish(account, token, changes)
    return _single(record)


async def single(request: Request) -> Response:
    """GET, PUT, DELETE …/project/{id}."""
    world, body = world_of(request), await request.body()
    token, account = _enter(request, "read" if request.method == "GET" else "write")
    former = world.entities.find(account, PROJECT, request.path_params["id"])
    if request.method == "GET":
        return _single(former)
    if request.method == "DELETE":
        world.publish(account, token, world.entities.delete(account, PROJECT, former, world.clock()))
        return Response(status_code=204)
    sent = wrapped(body, "project")
    if not sent.get("title"):
        raise Refused(500, 500, "An internal error occurred.", "title", "project")
    record, changes = world.entities.update(account, PROJECT, former, sent, world.clock())
    world.publish(account, token, changes)
    return _single(record)


def _matches(query: Query, record: Record) -> bool:
    """Apply the filters that work; a value that they cannot read is 422/2001, other keys are ignored."""
    return all(test(query.bare[key], key, record) for key, test in _FILTERS.items() if key in query.bare)


def _truth(text: str, key: str, record: Record) -> bool:
    if text.lower() not in _TRUTHS:
        raise Refused(422, 2001, "value could not be parsed to a boolean", key, "project")
    return bool(record.fields[key]) is _TRUTHS[text.lower()]


def _client(text: str, key: str, record: Record) -> bool:
    if not text.isdigit():
        raise Refused(422, 2001, "value is not a valid integer", key, "project")
    return bool(record.fields["client_id"] == int(text))


def _updated_since(text: str, key: str, record: Record) -> bool:
    try:
        since = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(422, 2001, "invalid datetime format", key, "project") from error
    since = since.replace(tzinfo=UTC) if since.tzinfo is None else since
    return datetime.fromisoformat(record.fields["updated_at"]).replace(tzinfo=UTC) >= since


_FILTERS: dict[str, Callable[[str, str, Record], bool]] = {
    "active": _truth,
    "internal": _truth,
    "complete": _truth,
    "client_id": _client,
    "updated_since": _updated_since,
}


def _sorted(sort: str, records: list[Record]) -> list[Record]:
    """Sort by title, due_date or created_at; a leading minus is descending. Anything else is ignored."""
    key = sort.removeprefix("-")
    if key not in ("title", "due_date", "created_at"):
        return records
    return sorted(records, key=lambda record: str(record.fields[key] or ""), reverse=sort.startswith("-"))


def _single(record: Record) -> Response:
    fields: Json = {key: value for key, value in record.fields.items() if key != "group_id"}
    group = {"id": record.fields["group_id"], "members": [], "pending_invitations": []}
    return _reply({"project": {**fields, "group": group}, "abilities": _ABILITIES})


def _reply(body: Json) -> Response:
    reply = json_reply(body)
    reply.headers["content-type"] = "application/vnd.api+json"
    return reply
