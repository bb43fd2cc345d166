"""The control interface under /_control: faults, knobs, clock, tokens, seeds, and the end state for reconciliation.

README.md has an example of each. Bodies are JSON; a wrong key or type is 400 with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.freshbooks.config import AppConfig, BusinessConfig, UserConfig
from sandbox.freshbooks.kind import Account, Kind, Record
from sandbox.freshbooks.kinds import BY_SINGLE, categories
from sandbox.freshbooks.money import Totals
from sandbox.freshbooks.replies import json_reply, world_of
from sandbox.freshbooks.rules import DeliveryRule, FaultRule, Limits, RuleSet
from sandbox.freshbooks.world import World

Json = dict[str, Any]
Body = TypeVar("Body")
Rule = TypeVar("Rule", bound=Limits)


class _Clock(msgspec.Struct, forbid_unknown_fields=True):
    offset_seconds: float | None = None
    frozen_at: datetime | None = None


class _Invalidation(msgspec.Struct, forbid_unknown_fields=True):
    what: str = "access"
    client_id: str | None = None


class _Issue(msgspec.Struct, forbid_unknown_fields=True):
    client_id: str
    identity_id: int
    scopes: list[str] | None = None


class _Consent(msgspec.Struct, forbid_unknown_fields=True):
    identity_id: int
    allow: bool = True


class _Seed(msgspec.Struct, forbid_unknown_fields=True):
    apps: list[AppConfig] = msgspec.field(default_factory=list)
    businesses: list[BusinessConfig] = msgspec.field(default_factory=list)
    users: list[UserConfig] = msgspec.field(default_factory=list)


class _Category(msgspec.Struct, forbid_unknown_fields=True):
    account_id: str
    name: str
    parent_id: int | None = None


async def _decoded(request: Request, kind: type[Body]) -> Body:
    return msgspec.json.decode(await request.body(), type=kind)


def _refusing(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Answer 400 with the reason when a body does not fit."""

    async def checked(request: Request) -> Response:
        try:
            reply = await endpoint(request)
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            return json_reply({"error": f"{type(error).__name__}: {error}"}, 400)
        assert isinstance(reply, Response)  # noqa: S101 - endpoints return responses
        return reply

    return checked


async def _rules(request: Request, rules: RuleSet[Rule], kind: type[Rule]) -> Response:
    """GET all rules, POST one, DELETE one or all."""
    now = world_of(request).clock.epoch()
    rule_id = request.path_params.get("id")
    if request.method == "POST":
        return json_reply({"id": rules.add(await _decoded(request, kind), now)})
    if request.method == "DELETE":
        rules.remove(None if rule_id is None else int(rule_id))
    return json_reply(rules.describe(now))


async def _faults(request: Request) -> Response:
    return await _rules(request, world_of(request).faults, FaultRule)


async def _delivery_rules(request: Request) -> Response:
    return await _rules(request, world_of(request).deliveries.rules, DeliveryRule)


async def _settings(request: Request, settings: msgspec.Struct) -> Response:
    """GET the settings, PUT changes some of them: only the sent keys, in place."""
    if request.method == "PUT":
        sent = msgspec.json.decode(await request.body(), type=dict[str, Any])
        changed = msgspec.convert({**msgspec.to_builtins(settings), **sent}, type(settings))
        for name in sent:
            setattr(settings, name, getattr(changed, name))
    return json_reply(settings)


async def _delivery(request: Request) -> Response:
    return await _settings(request, world_of(request).deliveries.settings)


async def _limits(request: Request) -> Response:
    return await _settings(request, world_of(request).limits.settings)


async def _switches(request: Request) -> Response:
    return await _settings(request, world_of(request).switches)


async def _clock(request: Request) -> Response:
    clock = world_of(request).clock
    if request.method == "PUT":
        sent = await _decoded(request, _Clock)
        if sent.frozen_at is not None:
            if sent.frozen_at.tzinfo is None:
                raise ValueError("frozen_at needs an offset or Z")
            clock.freeze(sent.frozen_at)
        else:
            clock.shift(sent.offset_seconds or 0.0)
    return json_reply(clock.describe())


async def _invalidate(request: Request) -> Response:
    sent = await _decoded(request, _Invalidation)
    if sent.what not in ("access", "refresh", "all"):
        raise ValueError("what: access, refresh or all")
    return json_reply({"invalidated": world_of(request).grants.invalidate(sent.what, sent.client_id)})


async def _issue(request: Request) -> Response:
    world, sent = world_of(request), await _decoded(request, _Issue)
    app, user = world.apps[sent.client_id], world.users[sent.identity_id]
    return json_reply(world.grants.issue(app, user, app.scopes if sent.scopes is None else sent.scopes))


async def _consent(request: Request) -> Response:
    world = world_of(request)
    if request.method == "PUT":
        sent = await _decoded(request, _Consent)
        world.consent.identity_id = world.users[sent.identity_id].identity_id
        world.consent.allow = sent.allow
    return json_reply({"identity_id": world.consent.identity_id, "allow": world.consent.allow})


async def _seed(request: Request) -> Response:
    sent = await _decoded(request, _Seed)
    world_of(request).seed(sent.apps, sent.businesses, sent.users)
    return json_reply({"apps": len(sent.apps), "businesses": len(sent.businesses), "users": len(sent.users)})


async def _category(request: Request) -> Response:
    """POST a category that a person made in the browser; tells webhooks."""
    world, sent = world_of(request), await _decoded(request, _Category)
    account = world.accounts[sent.account_id]
    made = categories.add(account, sent.name, sent.parent_id, world.clock(), own=False)
    world.callbacks.announce(account, world.config.users[-1].identity_id, "category", "create", made.id)
    return json_reply({"category": made.fields})


async def _state(request: Request) -> Response:
    """GET everything stored. `?deliveries=0` and `?records=0` leave those parts out."""
    world, query = world_of(request), request.query_params
    body: Json = {
        "now": world.clock.describe()["now"],
        "callbacks": [
            {"id": item.id, "account_id": item.account_id, "client_id": item.client_id, "event": item.event}
            | {"uri": item.uri, "verified": item.verified, "verifier": item.verifier, "failures": item.failures}
            for item in world.callbacks.all()
        ],
        "requests": [
            {"method": method, "path": path, "status": status, "client_id": client_id, "count": count}
            for (method, path, status, client_id), count in sorted(world.requests.items())
        ],
        "delivery_outcomes": {**world.deliveries.outcomes, "pending": world.deliveries.pending()},
    }
    if query.get("records") != "0":
        body |= {kind.plural: _stored(world, kind) for kind in BY_SINGLE.values()}
    if query.get("deliveries") != "0":
        body["deliveries"] = [delivery.describe() for delivery in world.deliveries.log]
    return json_reply(body)


def _stored(world: World, kind: Kind) -> list[Json]:
    """Return all records of a kind in all accounts, deleted ones too, with what replies show only on request."""
    now = world.clock()
    return [
        _whole(account, kind, record, now)
        for account in world.accounts.values()
        for record in account.records(kind.single).values()
    ]


def _whole(account: Account, kind: Kind, record: Record, now: datetime) -> Json:
    parts = {name: _totals(part) if isinstance(part, Totals) else part for name, part in record.parts.items()}
    return {"account_id": account.account_id, **kind.view(account, record, now), **parts, **_paid(record)}


def _paid(record: Record) -> Json:
    """Return the wire form of `paid`, which is a plain sum among the parts."""
    return {"paid": record.fields["paid"]} if "paid" in record.fields else {}


def _totals(sums: Totals) -> Json:
    return {
        "subtotal": str(sums.subtotal),
        "discount": str(sums.discount),
        "taxes": [{"name": tax.name, "rate": str(tax.rate), "amount": str(tax.amount)} for tax in sums.taxes],
        "amount": str(sums.amount),
    }


def _route(path: str, endpoint: Callable[[Request], Any], *methods: str) -> Route:
    return Route(f"/_control/{path}", _refusing(endpoint), methods=list(methods))


ROUTES = [
    _route("state", _state, "GET"),
    _route("faults", _faults, "GET", "POST", "DELETE"),
    _route("faults/{id:int}", _faults, "DELETE"),
    _route("delivery-rules", _delivery_rules, "GET", "POST", "DELETE"),
    _route("delivery-rules/{id:int}", _delivery_rules, "DELETE"),
    _route("delivery", _delivery, "GET", "PUT"),
    _route("limits", _limits, "GET", "PUT"),
    _route("switches", _switches, "GET", "PUT"),
    _route("clock", _clock, "GET", "PUT"),
    _route("consent", _consent, "GET", "PUT"),
    _route("tokens/invalidate", _invalidate, "POST"),
    _route("tokens/issue", _issue, "POST"),
    _route("seed", _seed, "POST"),
    _route("categories", _category, "POST"),
]
