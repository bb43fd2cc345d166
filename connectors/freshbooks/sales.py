"""JSON → records of what is sold: client, invoice, credit note, payment."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from connectors.freshbooks import marker
from connectors.freshbooks.clocks import to_millis
from connectors.freshbooks.fields import MONEY, PERCENT, QUANTITY, Fields
from schemas.records import Client, CreditNote, CreditNoteLine, Invoice, InvoiceLine, Payment

L = TypeVar("L", bound=InvoiceLine)


def parse_client(fields: Fields, account_id: str, fetched_at: datetime) -> Client:
    """A client. It has no `version`: `updated` (1 s) is the finest marker, the hash tells the rest."""
    return Client(
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


def parse_invoice(fields: Fields, account_id: str, fetched_at: datetime) -> Invoice:
    """An invoice; its lines must be there, so it must have been asked for with include[]=lines."""
    currency = fields.currency("currency_code")
    return Invoice(
        account_id=account_id,
        invoice_id=fields.identifier("id", "invoiceid"),
        client_id=fields.identifier("customerid"),
        invoice_number=fields.required_text("invoice_number"),
        create_date=fields.day("create_date"),
        due_date=fields.optional_day("due_date"),
        currency_code=currency,
        language=fields.text("language"),
        amount=fields.money("amount", currency, MONEY),
        outstanding=fields.money("outstanding", currency, MONEY),
        paid=fields.money("paid", currency, MONEY),
        discount_percent=fields.decimal("discount_value", PERCENT),
        discount_total=abs(fields.money("discount_total", currency, MONEY, missing_is_zero=True)),
        status=fields.required_text("v3_status"),
        payment_status=fields.text("payment_status"),
        po_number=fields.text("po_number"),
        notes=fields.text("notes"),
        terms=fields.text("terms"),
        lines=tuple(_line(InvoiceLine, line, currency) for line in fields.objects("lines")),
        ax_reference=marker.find(fields.text("po_number")) or marker.find(fields.text("notes")),
        vis_state=fields.vis_state(),
        updated_at=fields.eastern("updated", not_after=fetched_at),
        version=fields.text("version") or fields.required_text("updated"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def parse_credit_note(fields: Fields, account_id: str, fetched_at: datetime) -> CreditNote:
    """A credit note with its lines. No recorded one has a time of change; if there is one it is taken for Eastern."""
    currency = fields.currency("currency_code")
    updated = fields.text("updated")
    return CreditNote(
        account_id=account_id,
        credit_note_id=fields.identifier("creditid", "id"),
        client_id=fields.identifier("clientid"),
        credit_number=fields.required_text("credit_number"),
        credit_type=fields.text("credit_type") or "goodwill",
        create_date=fields.day("create_date"),
        currency_code=currency,
        language=fields.text("language"),
        amount=fields.money("amount", currency, MONEY),
        paid=fields.money("paid", currency, MONEY),
        status=fields.text("display_status"),
        payment_status=fields.text("payment_status"),
        payment_type=fields.text("payment_type"),
        notes=fields.text("notes"),
        terms=fields.text("terms"),
        lines=tuple(_line(CreditNoteLine, line, currency) for line in fields.objects("lines")),
        ax_reference=marker.find(fields.text("notes")),
        vis_state=fields.vis_state(),
        updated_at=fields.eastern("updated", not_after=fetched_at) if updated else to_millis(fetched_at),
        version=updated or "",
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def parse_payment(fields: Fields, account_id: str, fetched_at: datetime) -> Payment:
    """A payment, in the currency that its amount names."""
    currency = fields.currency_of("amount")
    credit = fields.optional_identifier("creditid")
    return Payment(
        account_id=account_id,
        payment_id=fields.identifier("id", "logid"),
        invoice_id=fields.optional_identifier("invoiceid"),
        client_id=fields.optional_identifier("clientid"),
        payment_date=fields.day("date"),
        amount=fields.money("amount", currency, MONEY),
        currency_code=currency,
        payment_type=fields.text("type") or "Other",
        note=fields.text("note"),
        from_credit=fields.boolean("from_credit", missing=False) or credit is not None,
        credit_note_id=credit,
        overpayment_id=fields.optional_identifier("overpaymentid"),
        gateway=fields.text("gateway"),
        transaction_id=fields.text("transactionid"),
        ax_reference=marker.find(fields.text("note")),
        vis_state=fields.vis_state(),
        updated_at=fields.eastern("updated", not_after=fetched_at),
        version=fields.required_text("updated"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def _line(record: type[L], fields: Fields, currency: str) -> L:
    """One line. A tax without a name does not exist; a tax with a name and no rate is refused: it would be lost."""
    tax_name1, tax_name2 = fields.text("taxName1"), fields.text("taxName2")
    return record(
        line_id=fields.identifier("lineid"),
        line_type=fields.integer("type", missing=0),
        name=fields.text("name"),
        description=fields.text("description"),
        quantity=fields.decimal("qty", QUANTITY),
        unit_cost=fields.money("unit_cost", currency, MONEY),
        amount=fields.money("amount", currency, MONEY),
        tax_name1=tax_name1,
        tax_percent1=fields.decimal("taxAmount1", PERCENT) if tax_name1 else None,
        tax_name2=tax_name2,
        tax_percent2=fields.decimal("taxAmount2", PERCENT) if tax_name2 else None,
        compounded_tax=fields.boolean("compounded_tax", missing=False),
    )
