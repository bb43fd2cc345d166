"""Form bodies of webhooks and their signature, X-FreshBooks-Hmac-SHA256 (reference §4.3, §4.4)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

HEADER: Final = "X-FreshBooks-Hmac-SHA256"

# The two orders seen: the docs' sample and a captured delivery. Nothing says that these are all.
FIELD_ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "docs": ("name", "object_id", "account_id", "business_id", "identity_id", "user_id", "verifier"),
    "captured": ("name", "object_id", "user_id", "identity_id", "business_id", "account_id", "verifier"),
}


def signature(verifier: str, fields: Mapping[str, str]) -> str:
    """Return the base64 HMAC-SHA256, keyed by the verifier, of the fields as Python's default json.dumps writes them.

    The order of `fields` is the order in the form: it counts.
    """
    digest = hmac.digest(verifier.encode(), json.dumps(dict(fields)).encode(), "sha256")
    return base64.b64encode(digest).decode()


def ordered(fields: Mapping[str, str], order: str) -> dict[str, str]:
    """Return `fields` in one of FIELD_ORDERS."""
    return {key: fields[key] for key in FIELD_ORDERS[order] if key in fields}


def form_body(fields: Mapping[str, str]) -> bytes:
    """Return the application/x-www-form-urlencoded body, in the order of `fields`."""
    return urlencode(dict(fields)).encode()
