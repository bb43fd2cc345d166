"""Content hash of an entity: equal hashes mean that nothing a business cares about has changed.

Covered: every field of the record but FreshBooks' own bookkeeping (times, version) and ours (hash, fetch time). Our
marker is taken out first, so that writing a reference back does not look like a change. Null and the empty text are the
same, and so are 1.0 and 1.00.
"""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal

import msgspec

from connectors.freshbooks import marker
from schemas.records import Entity

# `ax_reference` is our marker, and the link of a receipt ends in a token that FreshBooks may renew.
_BOOKKEEPING = frozenset({"updated_at", "version", "content_hash", "fetched_at", "ax_reference", "receipt_link"})
_MARKED = frozenset({"note", "notes", "po_number"})


def content_hash(entity: Entity) -> str:
    """SHA-256 (hex) over the business fields of `entity`; its own `content_hash` is not looked at."""
    fields = {name: value for name, value in msgspec.structs.asdict(entity).items() if name not in _BOOKKEEPING}
    for name in _MARKED & fields.keys():
        fields[name] = marker.strip(fields[name])
    return hashlib.sha256(msgspec.json.encode(_canonical(fields), order="sorted")).hexdigest()


def _canonical(value: object) -> object:
    """`value` in the one form that equal values share."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_canonical(part) for part in value]
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, date):
        return value.isoformat()
    return None if value == "" else value
