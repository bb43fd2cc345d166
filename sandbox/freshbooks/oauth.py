"""OAuth and identity endpoints: authorize, token, revoke, metadata (reference §2), users/me (§3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.freshbooks.bodies import token_fields
from sandbox.freshbooks.clock import utc_z
from sandbox.freshbooks.config import AppConfig, BusinessConfig, UserConfig
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.grants import invalid_grant
from sandbox.freshbooks.replies import json_reply, world_of
from sandbox.freshbooks.world import World, require_scope

Json = dict[str, Any]


def _invalid_client() -> Refused:
    reason = "Client authentication failed due to unknown client or wrong secret."
    return Refused(401, 401, reason, error="invalid_client")


async def authorize(request: Request) -> Response:
    """GET: redirect back with a code, as if the signed-in person had clicked; he is set by PUT /_control/consent.

    Unknown client or unregistered URI answer here (400) and never redirect. A scope that the app has not enabled
    rejects the whole consent.
    """
    world, query = world_of(request), request.query_params
    app = world.apps.get(query.get("client_id", ""))
    redirect_uri = query.get("redirect_uri", "")
    if app is None or redirect_uri not in app.redirect_uris:
        raise Refused(400, 400, "The client or its redirect URI is unknown.", error="invalid_client")
    answer: dict[str, str] = {}
    scopes = query.get("scope", "").split() or app.scopes
    if query.get("response_type") != "code":
        answer = {"error": "unsupported_response_type", "error_description": "Only response_type=code is supported."}
    elif not set(scopes) <= set(app.scopes):
        answer = {
            "error": "invalid_scope",
            "error_description": "The requested scope is invalid, unknown, or malformed.",
        }
    elif not world.consent.allow:
        answer = {"error": "access_denied", "error_description": "The resource owner denied the request."}
    else:
        granted = list(dict.fromkeys(["user:profile:read", *scopes]))
        answer = {"code": world.grants.authorize(app, world.users[world.consent.identity_id], granted, redirect_uri)}
    if "state" in query:
        answer["state"] = query["state"]
    return RedirectResponse(f"{redirect_uri}?{urlencode(answer)}", 302)


async def token(request: Request) -> Response:
    """POST: exchange a code or a refresh token for a pair. Client secret in the body or as HTTP Basic."""
    world, fields = world_of(request), token_fields(request.headers.get("content-type", ""), await request.body())
    app = _client(world, request, fields)
    grant_type = fields.get("grant_type")
    uri = fields.get("redirect_uri")
    if uri is not None and uri not in app.redirect_uris:
        raise invalid_grant("The redirect URI is not one of the client's.")
    if grant_type == "authorization_code":
        if uri is None or "code" not in fields:
            raise Refused(400, 400, "The request is missing a required parameter: code or redirect_uri.")
        return json_reply(world.grants.exchange(app, fields["code"], uri))
    if grant_type == "refresh_token":
        if "refresh_token" not in fields:
            raise Refused(400, 400, "The request is missing a required parameter: refresh_token.")
        return json_reply(world.grants.refresh(app, fields["refresh_token"]))
    raise Refused(400, 400, "The authorization grant type is not supported.", error="unsupported_grant_type")


async def revoke(request: Request) -> Response:
    """POST: revoke a token; 200 {} also for an unknown one."""
    world, fields = world_of(request), token_fields(request.headers.get("content-type", ""), await request.body())
    world.grants.revoke(_client(world, request, fields), fields.get("token", ""))
    return json_reply({})


def _client(world: World, request: Request, fields: dict[str, str]) -> AppConfig:
    """Return the app that authenticates itself. Raises Refused 401 invalid_client."""
    client_id, secret = fields.get("client_id", ""), fields.get("client_secret", "")
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _invalid_client() from error
    app = world.apps.get(client_id)
    if app is None or app.client_secret != secret:
        raise _invalid_client()
    return app


async def metadata(request: Request) -> Response:
    """GET: the RFC 8414 document of the auth host."""
    base = f"{request.url.scheme}://{request.url.netloc}"
    return json_reply(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/service/auth/oauth/authorize",
            "token_endpoint": f"{base}/service/auth/oauth/token",
            "revocation_endpoint": f"{base}/service/auth/oauth/revoke",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
    )


async def users_me(request: Request) -> Response:
    """GET: the identity and its memberships. The envelope has no `result` level, and an ETag goes with it."""
    world = world_of(request)
    caller = world.grants.check(request.headers.get("authorization"))
    require_scope(caller, "user:profile:read")
    body = {"response": _identity(world, caller.user)}
    etag = hashlib.sha256(msgspec.json.encode(body)).hexdigest()[:32]
    return json_reply(body, headers={"ETag": f'W/"{etag}"'})


def _identity(world: World, user: UserConfig) -> Json:
    identity_uuid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"identity/{user.identity_id}"))
    memberships = [(membership, world.businesses[membership.business_id]) for membership in user.memberships]
    accounts = [(membership, business) for membership, business in memberships if business.account_id is not None]
    return {
        "id": user.identity_id,
        "identity_id": user.identity_id,
        "identity_uuid": identity_uuid,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "language": "en",
        "confirmed_at": "2026-01-05T10:00:00Z",
        "created_at": "2026-01-05T10:00:00Z",
        "timezone": "America/New_York",
        "business_memberships": [
            {
                "id": membership.id,
                "role": membership.role,
                "unacknowledged_change": False,
                "fasttrack_token": f"fasttrack-{membership.id}",
                "business": _business(world, business),
            }
            for membership, business in memberships
        ],
        "roles": [
            {
                "id": number,
                "role": "admin" if membership.role == "owner" else membership.role,
                "systemid": business.id,
                "userid": 1,
                "accountid": business.account_id,
                "created_at": utc_z(world.clock()),
            }
            for number, (membership, business) in enumerate(accounts, start=1)
        ],
        "permissions": {business.account_id: {} for _, business in accounts},
        "subscription_statuses": {business.account_id: "active_subscriber" for _, business in accounts},
        "business_statuses": {},
        "groups": [],
    }


def _business(world: World, business: BusinessConfig) -> Json:
    return {
        "id": business.id,
        "business_uuid": world.business_uuid(business),
        "name": business.name,
        "account_id": business.account_id,
        "active": True,
        "status": "active",
        "timezone": business.timezone,
        "date_format": "mm/dd/yyyy",
        "number_format": "1,234.56",
        "advanced_accounting_enabled": False,
        "address": None,
        "phone_number": None,
        "business_clients": [],
    }
