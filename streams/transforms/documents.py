"""Identity of what is sent: equal documents have equal hashes, whatever the notation of their numbers."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import msgspec

# 64 bits: the hash is part of AX's natural key (CustomerRef, 60 characters) and compared within one invoice only.
HASH_DIGITS = 16


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys, ISO dates and numbers without trailing zeros."""
    plain = msgspec.to_builtins(value, builtin_types=(Decimal,))
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain).encode()


def document_hash(document: object) -> str:
    """First hex digits of the SHA-256 of the document's canonical form."""
    return hashlib.sha256(canonical_json(document)).hexdigest()[:HASH_DIGITS]


def _plain(value: Any) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
