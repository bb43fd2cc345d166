"""Refusals, and the body each endpoint family writes for one (reference §8, §4.1).

accounting, old      {"response": {"errors": [{"errno", "field", "message", "object", "value"}]}}
accounting, new      {"code", "message", "details": [{"@type", "reason", "domain", "metadata"}]}   X-API-VERSION >=
2022-10-31 events               {"errno", "message", "details": [...]}
projects             404 {"error"}; 401 {"message"}; else {"errno", "error": {field: message}}
auth                 {"error", "error_description"}
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

NEW_SHAPE_SINCE: Final = "2022-10-31"
# google.rpc codes; 5 (404) and 3 (422) are recorded, the rest follow the public google.rpc table (inferred).
_RPC_CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 422: 3, 429: 8, 500: 13, 502: 14, 503: 14, 504: 4}

Json = dict[str, Any]


@dataclasses.dataclass(eq=False)
class Refused(Exception):  # noqa: N818 - the field says a call is refused
    """The call is answered with an error; nothing was changed.

    `error` is the OAuth code of the auth family; `details` are the events family's lines.
    """

    status: int
    errno: int
    message: str
    field: str | None = None
    object: str | None = None
    value: str | None = None
    error: str = "invalid_request"
    details: list[str] = dataclasses.field(default_factory=list)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} errno {self.errno} {self.field or ''}: {self.message}"


def family_of(path: str) -> str:
    """Return accounting, events, projects or auth: the family whose error shape `path` answers with."""
    if path.startswith("/accounting/"):
        return "accounting"
    if path.startswith("/events/"):
        return "events"
    if path.startswith("/projects/"):
        return "projects"
    return "auth"


def error_body(family: str, refusal: Refused, api_version: str | None) -> Json:
    """Return the body for `refusal`; `api_version` is the X-API-VERSION in force ("YYYY-MM-DD") or None."""
    if refusal.status == 429:
        return {"message": refusal.message}  # never recorded: deliberately none of the families' shapes
    if refusal.status == 401 and family == "accounting":
        family = "auth"  # refused before the accounting service sees the call (inferred)
    if family == "events":
        body: Json = {"errno": refusal.errno, "message": refusal.message}
        return {**body, "details": refusal.details} if refusal.details else body
    if family == "projects":
        return _projects(refusal)
    if family == "auth":
        return {"error": refusal.error, "error_description": refusal.message}
    if api_version is not None and api_version >= NEW_SHAPE_SINCE:
        return _accounting_new(refusal)
    return {
        "response": {
            "errors": [
                {
                    "errno": refusal.errno,
                    "field": refusal.field or "",
                    "message": refusal.message,
                    "object": refusal.object or "",
                    "value": refusal.value or "",
                }
            ]
        }
    }


def _projects(refusal: Refused) -> Json:
    if refusal.status == 401:
        return {"message": refusal.message}
    if refusal.status == 404:
        return {"error": "The requested resource could not be found."}
    return {"errno": refusal.errno, "error": {refusal.field or "detail": refusal.message}}


def _accounting_new(refusal: Refused) -> Json:
    metadata = {
        "object": refusal.object or "",
        "message": refusal.message,
        "value": refusal.value or "",
        "field": refusal.field or "",
    }
    return {
        "code": _RPC_CODES.get(refusal.status, 2),
        "message": f"Request failed with status_code: {refusal.status}",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": str(refusal.errno),
                "domain": "accounting.api.freshbooks.com",
                "metadata": metadata,
            }
        ],
    }


def unauthenticated(reason: str) -> Refused:
    """Return the 401 of a missing, unknown, expired or revoked access token."""
    return Refused(401, 401, reason, error="unauthenticated")


def required(key: str, kind: str) -> Refused:
    """Return the 422 for a missing required key (errno 1001)."""
    return Refused(422, 1001, f"'{key}' is a required field.", key, kind)


def unknown_resource(title: str, key: str, kind: str, value: object) -> Refused:
    """Return the 404 for an id that does not exist (errno 1012)."""
    return Refused(404, 1012, f"{title} not found.", key, kind, str(value))


def write_denied(key: str, kind: str, value: object) -> Refused:
    """Return the 403 for a known but read-only key (errno 1038)."""
    return Refused(403, 1038, f"Write access denied: '{key}' is read-only.", key, kind, str(value))
