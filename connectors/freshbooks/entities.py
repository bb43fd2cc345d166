"""FreshBooks' JSON → our records: Decimals, UTC, one spelling of "none".

Strict where a wrong reading would cost money (amounts, currencies, ids, lines), tolerant where FreshBooks may grow:
unknown fields pass, and `unknown_fields` names them so that they can be counted. What does not fit raises PoisonError
`freshbooks_shape` naming the field, never its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.freshbooks import marker
from connectors.freshbooks.clocks import to_millis
from connectors.freshbooks.fields import Fields, wrong
from connectors.freshbooks.fingerprint import with_content_hash
from connectors.freshbooks.kinds import CLIENT, Kind
from connectors.freshbooks.recorded_fields import RECORDED
from schemas.records import Client, Invoice, InvoiceLine

Json = Mapping[str, Any]
# Precision and scale of schemas/avro: what does not fit cannot be written to Kafka.
_MONEY, _QUANTITY, _PERCENT = (19, 4), (19, 6), (9, 4)


def parse(kind: Kind, raw: object, *, account_id: str, fetched_at: datetime) -> Client | Invoice:
    """The record of one entity of `kind`, with its content hash.

    Raises: PoisonError (freshbooks_shape) naming the field.
    """
    if kind.noun == CLIENT.noun:
        return parse_client(raw, account_id=account_id, fetched_at=fetched_at)
    return parse_invoice(raw, account_id=account_id, fetched_at=fetched_at)


def parse_client(raw: object, *, account_id: str, fetched_at: datetime) -> Client:
    """A client. It has no `version`: `updated` (1 s) is the finest marker, the hash tells the rest."""
    fields = Fields("client", raw)
    return with_content_hash(
        Client(
            account_id=account_id,
            client_id=fields.identifier("id", "userid"),
            organization=fields.text("organization"),
            first_name=fields.text("fname"),
            last_name=fields.text("lname"),
            email=fields.text("email"),
            phone=fields.text("bus_phone") or fields.text("home_phone") or fields.text("mob_phone"),
            vat_number=fields.text("vat_number"),
            currency_code=fields.currency("currency_code"),
            language=fields.text("language"),
            street=fields.text("p_street"),
            street2=fields.text("p_street2"),
            city=fields.text("p_city"),
            province=fields.text("p_province"),
            postal_code=fields.text("p_code"),
            country=fields.text("p_country"),
            note=fields.text("note"),
            ax_reference=marker.find(fields.text("note")),
            vis_state=fields.vis_state(),
            updated_at=fields.eastern("updated", not_after=fetched_at),
            version=fields.required_text("updated"),
            content_hash="",
            fetched_at=to_millis(fetched_at),
        )
    )


def parse_invoice(raw: object, *, account_id: str, fetched_at: datetime) -> Invoice:
    """An invoice; its lines must be there, so it must have been asked for with include[]=lines."""
    fields = Fields("invoice", raw)
    currency = fields.currency("currency_code")
    return with_content_hash(
        Invoice(
            account_id=account_id,
            invoice_id=fields.identifier("id", "invoiceid"),
            client_id=fields.identifier("customerid"),
            invoice_number=fields.required_text("invoice_number"),
            create_date=fields.day("create_date"),
            due_date=fields.optional_day("due_date"),
            currency_code=currency,
            language=fields.text("language"),
            amount=fields.money("amount", currency, _MONEY),
            outstanding=fields.money("outstanding", currency, _MONEY),
            paid=fields.money("paid", currency, _MONEY),
            discount_percent=fields.decimal("discount_value", _PERCENT),
            discount_total=abs(fields.money("discount_total", currency, _MONEY, missing_is_zero=True)),
            status=fields.required_text("v3_status"),
            payment_status=fields.text("payment_status"),
            po_number=fields.text("po_number"),
            notes=fields.text("notes"),
            terms=fields.text("terms"),
            lines=tuple(_line(line, currency) for line in fields.objects("lines")),
            ax_reference=marker.find(fields.text("po_number")) or marker.find(fields.text("notes")),
            vis_state=fields.vis_state(),
            updated_at=fields.eastern("updated", not_after=fetched_at),
            version=fields.text("version") or fields.required_text("updated"),
            content_hash="",
            fetched_at=to_millis(fetched_at),
        )
    )


def _line(fields: Fields, currency: str) -> InvoiceLine:
    """One line. A tax without a name does not exist; a tax with a name and no rate is refused: it would be lost."""
    tax_name1, tax_name2 = fields.text("taxName1"), fields.text("taxName2")
    return InvoiceLine(
        line_id=fields.identifier("lineid"),
        line_type=fields.integer("type", missing=0),
        name=fields.text("name"),
        description=fields.text("description"),
        quantity=fields.decimal("qty", _QUANTITY),
        unit_cost=fields.money("unit_cost", currency, _MONEY),
        amount=fields.money("amount", currency, _MONEY),
        tax_name1=tax_name1,
        tax_percent1=fields.decimal("taxAmount1", _PERCENT) if tax_name1 else None,
        tax_name2=tax_name2,
        tax_percent2=fields.decimal("taxAmount2", _PERCENT) if tax_name2 else None,
        compounded_tax=fields.boolean("compounded_tax", missing=False),
    )


def entity_id(kind: Kind, raw: object) -> int:
    """The id of a raw entity of `kind`."""
    return Fields(kind.noun, raw).identifier("id", f"{kind.single}id", "userid")


def raw_version(raw: object) -> str:
    """The finest change marker of a raw entity, "" when it has none; compared for equality only."""
    if not isinstance(raw, Mapping):
        raise wrong("entity", "", "an object")
    return str(raw.get("version") or raw.get("updated") or "")


def unknown_fields(kind: Kind, raw: Json) -> frozenset[str]:
    """Names in `raw` that the recorded shape of the kind does not have: FreshBooks has grown."""
    return frozenset(raw) - RECORDED[kind.noun]
