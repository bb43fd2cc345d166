"""A webhook's body: a flat form. Parsed strictly, since the signature is over what was parsed.

A field that comes twice is refused: which of the two is signed and which is used must not differ. Bytes that are not
UTF-8, an empty name, or a part without `=` are refused too.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl

from schemas.records import Notification, Origin

HANDSHAKE = "callback.verify"
# FreshBooks sends six or seven.
_MAX_FIELDS = 32
_MAX_ID_DIGITS = 18


class MalformedError(ValueError):
    """The body is not what FreshBooks sends."""


def parse_form(body: bytes) -> dict[str, str]:
    """Fields in the order in which they came. Raises MalformedError."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as error:
        raise MalformedError("not a form") from error
    form = dict(pairs)
    if not form or len(form) != len(pairs) or "" in form:
        raise MalformedError("no field, a field that comes twice, or one without a name")
    return form


def number(form: dict[str, str], name: str) -> int | None:
    """The id in a field, None when it is missing or none."""
    text = form.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_ID_DIGITS else None


def object_id(form: dict[str, str]) -> int:
    """The id of what changed (or of the callback, in a handshake). Raises MalformedError."""
    found = number(form, "object_id")
    if not found:
        raise MalformedError("object_id is no id")
    return found


def notification(form: dict[str, str], *, received_at: datetime) -> Notification:
    """What a delivery announces. Raises MalformedError."""
    noun, dot, verb = form.get("name", "").partition(".")
    if not noun or not dot or not verb:
        raise MalformedError("name is no event")
    return Notification(
        account_id=form["account_id"],
        kind=noun,
        verb=verb,
        object_id=object_id(form),
        business_id=number(form, "business_id"),
        identity_id=number(form, "identity_id"),
        origin=Origin.WEBHOOK,
        received_at=received_at,
    )
