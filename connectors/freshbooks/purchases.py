"""JSON → records of what is bought: bill vendor, expense, bill, bill payment."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

from connectors.freshbooks import marker
from connectors.freshbooks.clocks import to_millis
from connectors.freshbooks.fields import MONEY, PERCENT, QUANTITY, Fields
from schemas.records import Bill, BillLine, BillPayment, BillVendor, Expense, VendorTax


def parse_bill_vendor(fields: Fields, account_id: str, fetched_at: datetime) -> BillVendor:
    """A bill vendor. Its balances are left out: they change with every bill and say nothing of the vendor."""
    return BillVendor(
        account_id=account_id,
        vendor_id=fields.identifier("vendorid"),
        name=fields.required_text("vendor_name"),
        first_name=fields.text("primary_contact_first_name"),
        last_name=fields.text("primary_contact_last_name"),
        email=fields.text("primary_contact_email"),
        phone=fields.text("phone"),
        website=fields.text("website"),
        street=fields.text("street"),
        street2=fields.text("street2"),
        city=fields.text("city"),
        province=fields.text("province"),
        postal_code=fields.text("postal_code"),
        country=fields.text("country"),
        currency_code=fields.currency("currency_code"),
        language=fields.text("language"),
        account_number=fields.text("account_number"),
        is_1099=fields.boolean("is_1099", missing=False),
        tax_defaults=tuple(_vendor_tax(tax) for tax in fields.objects("tax_defaults", missing_is_none=True)),
        note=fields.text("note"),
        ax_reference=marker.find(fields.text("note")),
        vis_state=fields.vis_state(),
        updated_at=fields.utc("updated_at"),
        version=fields.required_text("updated_at"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def _vendor_tax(fields: Fields) -> VendorTax:
    return VendorTax(
        tax_id=fields.identifier("tax_id", "system_taxid"),
        name=fields.text("name"),
        percent=fields.optional_decimal("amount", PERCENT),
        enabled=fields.boolean("enabled", missing=True),
    )


def parse_expense(fields: Fields, account_id: str, fetched_at: datetime) -> Expense:
    """An expense, in the currency that its amount names. The receipt comes with include[]=attachment only."""
    currency = fields.currency_of("amount")
    receipt = fields.part("attachment")
    token = receipt.text("jwt") if receipt is not None else None
    tax1, tax2 = (_tax(fields, number, "taxName", "taxPercent", "taxAmount", currency) for number in ("1", "2"))
    return Expense(
        account_id=account_id,
        expense_id=fields.identifier("id", "expenseid"),
        category_id=fields.identifier("categoryid"),
        project_id=fields.optional_identifier("projectid"),
        client_id=fields.optional_identifier("clientid"),
        staff_id=fields.optional_identifier("staffid"),
        invoice_id=fields.optional_identifier("invoiceid"),
        vendor=fields.text("vendor"),
        expense_date=fields.day("date"),
        amount=fields.money("amount", currency, MONEY),
        currency_code=currency,
        tax_name1=tax1[0],
        tax_percent1=tax1[1],
        tax_amount1=tax1[2],
        tax_name2=tax2[0],
        tax_percent2=tax2[1],
        tax_amount2=tax2[2],
        compounded_tax=fields.boolean("compounded_tax", missing=False),
        notes=fields.text("notes"),
        account_name=fields.text("account_name"),
        bank_name=fields.text("bank_name"),
        markup_percent=fields.optional_decimal("markup_percent", PERCENT) or Decimal("0.0000"),
        billable=fields.boolean("billable", missing=False),
        status=fields.integer("status", missing=0),
        is_duplicate=fields.boolean("isduplicate", missing=False),
        has_receipt=fields.boolean("has_receipt", missing=False),
        receipt_id=receipt.optional_identifier("id") if receipt is not None else None,
        receipt_media_type=receipt.text("media_type") if receipt is not None else None,
        receipt_link=f"/uploads/attachments/{quote(token, safe='')}" if token else None,
        ax_reference=marker.find(fields.text("notes")),
        vis_state=fields.vis_state(),
        updated_at=fields.eastern("updated", not_after=fetched_at),
        version=fields.text("version") or fields.required_text("updated"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def _tax(
    fields: Fields, number: str, name: str, percent: str, amount: str, currency: str
) -> tuple[str | None, Decimal | None, Decimal | None]:
    """Name, percentage and amount of a tax. Without a name there is none; with one, a number must say how much."""
    called = fields.text(f"{name}{number}")
    if called is None:
        return None, None, None
    rate = fields.optional_decimal(f"{percent}{number}", PERCENT)
    charged = fields.optional_money(f"{amount}{number}", currency, MONEY)
    if rate is None and charged is None:
        rate = fields.decimal(f"{percent}{number}", PERCENT)  # refused: the tax would be lost
    return called, rate, charged


def parse_bill(fields: Fields, account_id: str, fetched_at: datetime) -> Bill:
    """A bill; its times are UTC. Its payments come as entities of their own."""
    currency = fields.currency("currency_code")
    return Bill(
        account_id=account_id,
        bill_id=fields.identifier("id"),
        vendor_id=fields.identifier("vendorid"),
        bill_number=fields.text("bill_number"),
        issue_date=fields.day("issue_date"),
        due_date=fields.optional_day("due_date"),
        currency_code=currency,
        language=fields.text("language"),
        amount=fields.money("amount", currency, MONEY),
        tax_amount=fields.money("tax_amount", currency, MONEY),
        total_amount=fields.money("total_amount", currency, MONEY),
        outstanding=fields.money("outstanding", currency, MONEY),
        paid=fields.money("paid", currency, MONEY),
        status=fields.required_text("status"),
        lines=tuple(_bill_line(line, currency) for line in fields.objects("lines")),
        vis_state=fields.vis_state(),
        updated_at=fields.utc("updated_at"),
        version=fields.required_text("updated_at"),
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )


def _bill_line(fields: Fields, currency: str) -> BillLine:
    tax1, tax2 = (_tax(fields, number, "tax_name", "tax_percent", "tax_amount", currency) for number in ("1", "2"))
    return BillLine(
        line_id=fields.identifier("id"),
        category_id=fields.identifier("categoryid"),
        description=fields.text("description"),
        quantity=fields.decimal("quantity", QUANTITY),
        unit_cost=fields.money("unit_cost", currency, MONEY),
        amount=fields.money("amount", currency, MONEY),
        total_amount=fields.optional_money("total_amount", currency, MONEY),
        tax_name1=tax1[0],
        tax_percent1=tax1[1],
        tax_amount1=tax1[2],
        tax_name2=tax2[0],
        tax_percent2=tax2[1],
        tax_amount2=tax2[2],
    )


def parse_bill_payment(fields: Fields, account_id: str, fetched_at: datetime) -> BillPayment:
    """A payment of a bill, in the currency that its amount names. Nothing on it tells when it was changed."""
    currency = fields.currency_of("amount")
    return BillPayment(
        account_id=account_id,
        bill_payment_id=fields.identifier("id"),
        bill_id=fields.identifier("billid"),
        paid_date=fields.day("paid_date"),
        amount=fields.money("amount", currency, MONEY),
        currency_code=currency,
        payment_type=fields.required_text("payment_type"),
        note=fields.text("note"),
        matched_with_expense=fields.boolean("matched_with_expense", missing=False),
        ax_reference=marker.find(fields.text("note")),
        vis_state=fields.vis_state(),
        updated_at=to_millis(fetched_at),
        version="",
        content_hash="",
        fetched_at=to_millis(fetched_at),
    )
