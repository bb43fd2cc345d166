"""FreshBooks' JSON → our records: Decimals, UTC, one spelling of "none".

Strict where a wrong reading would cost money (amounts, currencies, ids, lines), tolerant where FreshBooks may grow:
unknown fields pass, and `unknown_fields` names them so that they can be counted. What does not fit raises PoisonError
`freshbooks_shape` naming the field, never its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from connectors.freshbooks.fields import Fields, wrong
from connectors.freshbooks.fingerprint import content_hash
from connectors.freshbooks.kinds import Kind
from connectors.freshbooks.look_up_data import parse_category, parse_item, parse_project, parse_tax
from connectors.freshbooks.purchases import parse_bill, parse_bill_payment, parse_bill_vendor, parse_expense
from connectors.freshbooks.recorded_fields import RECORDED
from connectors.freshbooks.sales import parse_client, parse_credit_note, parse_invoice, parse_payment
from schemas.records import Entity

Json = Mapping[str, Any]
_PARSERS: Mapping[str, Callable[[Fields, str, datetime], Entity]] = {
    "client": parse_client,
    "invoice": parse_invoice,
    "credit_note": parse_credit_note,
    "payment": parse_payment,
    "bill_vendor": parse_bill_vendor,
    "expense": parse_expense,
    "bill": parse_bill,
    "bill_payment": parse_bill_payment,
    "item": parse_item,
    "project": parse_project,
    "category": parse_category,
    "tax": parse_tax,
}


def parse(kind: Kind, raw: object, *, account_id: str, fetched_at: datetime) -> Entity:
    """The record of one entity of `kind`, with its content hash, which is its version where FreshBooks gives none.

    Raises: PoisonError (freshbooks_shape) naming the field.
    """
    entity = _PARSERS[kind.noun](Fields(kind.noun, raw), account_id, fetched_at)
    digest = content_hash(entity)
    return msgspec.structs.replace(entity, content_hash=digest, version=entity.version or digest)


def entity_id(kind: Kind, raw: object) -> int:
    """The id of a raw entity of `kind`."""
    return Fields(kind.noun, raw).identifier(*kind.ids)


def raw_version(raw: object) -> str:
    """The finest change marker of a raw entity, "" when it has none; compared for equality only."""
    if not isinstance(raw, Mapping):
        raise wrong("entity", "", "an object")
    return str(raw.get("version") or raw.get("updated") or raw.get("updated_at") or "")


def unknown_fields(kind: Kind, raw: Json) -> frozenset[str]:
    """Names in `raw` that the recorded shape of the kind does not have: FreshBooks has grown."""
    return frozenset(raw) - RECORDED[kind.noun]
