"""What FreshBooks holds, one record per kind, as fetched; importers take all records from schemas/records.py.

    kind (noun in keys and webhooks)   record        topic                      told by
    client                             Client        freshbooks.clients         webhook, poll
    invoice                            Invoice       freshbooks.invoices        webhook, poll
    credit_note                        CreditNote    freshbooks.credit-notes    webhook, poll (whole list)
    payment                            Payment       freshbooks.payments        webhook, poll
    bill_vendor                        BillVendor    freshbooks.vendors         webhook, poll (whole list)
    expense                            Expense       freshbooks.expenses        webhook, poll
    bill                               Bill          freshbooks.bills           webhook, poll (whole list)
    bill_payment                       BillPayment   freshbooks.bill-payments   poll (whole list): it has no event
    item                               Item          freshbooks.items           webhook, poll
    project                            Project       freshbooks.projects        webhook, poll
    category                           Category      freshbooks.categories      webhook, poll (whole list)
    tax                                Tax           freshbooks.taxes           webhook, poll (whole list)

Keys are `account:kind:id`. Money is in the record's currency; times are UTC whatever FreshBooks' clock for the field
is. `ax_reference` is what our marker on the record says: set on a record that no cross-reference knows, it means that
the record was made from AX. An expense names its vendor in free text: there is no record of such a vendor.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from schemas.record import Record


class Client(Record, frozen=True, kw_only=True):
    """A FreshBooks client, as fetched."""

    account_id: str
    client_id: int
    organization: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    vat_number: str | None = None
    currency_code: str
    language: str | None = None
    street: str | None = None
    street2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country: str | None = None
    note: str | None = None
    ax_reference: str | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class InvoiceLine(Record, frozen=True, kw_only=True):
    """One line of a FreshBooks invoice."""

    line_id: int
    line_type: int
    name: str | None = None
    description: str | None = None
    quantity: Decimal
    unit_cost: Decimal
    amount: Decimal
    tax_name1: str | None = None
    tax_percent1: Decimal | None = None
    tax_name2: str | None = None
    tax_percent2: Decimal | None = None
    compounded_tax: bool


class Invoice(Record, frozen=True, kw_only=True):
    """A FreshBooks invoice with its lines, as fetched."""

    account_id: str
    invoice_id: int
    client_id: int
    invoice_number: str
    create_date: date
    due_date: date | None = None
    currency_code: str
    language: str | None = None
    amount: Decimal
    outstanding: Decimal
    paid: Decimal
    discount_percent: Decimal
    discount_total: Decimal
    status: str
    payment_status: str | None = None
    po_number: str | None = None
    notes: str | None = None
    terms: str | None = None
    lines: tuple[InvoiceLine, ...]
    ax_reference: str | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class CreditNoteLine(InvoiceLine, frozen=True, kw_only=True):
    """One line of a FreshBooks credit note: as an invoice's."""


class CreditNote(Record, frozen=True, kw_only=True):
    """A FreshBooks credit note with its lines, as fetched. Amounts are positive.

    `credit_type`: `goodwill` a person made it; `overpayment` FreshBooks did, for what a payment paid too much;
    `prepayment` is money that came in before an invoice.
    """

    account_id: str
    credit_note_id: int
    client_id: int
    credit_number: str
    credit_type: str
    create_date: date
    currency_code: str
    language: str | None = None
    amount: Decimal
    paid: Decimal
    status: str | None = None
    payment_status: str | None = None
    payment_type: str | None = None
    notes: str | None = None
    terms: str | None = None
    lines: tuple[CreditNoteLine, ...]
    ax_reference: str | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class Payment(Record, frozen=True, kw_only=True):
    """A payment of a FreshBooks invoice, as fetched.

    `amount` is all that was paid; what exceeds the invoice is in credit note `overpayment_id`. A refund shows as a
    smaller amount (down to 0) or as deleted. `from_credit`: no money moved, credit was used up.
    """

    account_id: str
    payment_id: int
    invoice_id: int | None = None
    client_id: int | None = None
    payment_date: date
    amount: Decimal
    currency_code: str
    payment_type: str
    note: str | None = None
    from_credit: bool
    credit_note_id: int | None = None
    overpayment_id: int | None = None
    gateway: str | None = None
    transaction_id: str | None = None
    ax_reference: str | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class VendorTax(Record, frozen=True, kw_only=True):
    """A tax that new bills of a vendor start with."""

    tax_id: int
    name: str | None = None
    percent: Decimal | None = None
    enabled: bool


class BillVendor(Record, frozen=True, kw_only=True):
    """A FreshBooks bill vendor, as fetched."""

    account_id: str
    vendor_id: int
    name: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    street: str | None = None
    street2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country: str | None = None
    currency_code: str
    language: str | None = None
    account_number: str | None = None
    is_1099: bool
    tax_defaults: tuple[VendorTax, ...]
    note: str | None = None
    ax_reference: str | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class Expense(Record, frozen=True, kw_only=True):
    """A FreshBooks expense, as fetched. `amount` includes the taxes; `vendor` is free text."""

    account_id: str
    expense_id: int
    category_id: int
    project_id: int | None = None
    client_id: int | None = None
    staff_id: int | None = None
    invoice_id: int | None = None
    vendor: str | None = None
    expense_date: date
    amount: Decimal
    currency_code: str
    tax_name1: str | None = None
    tax_percent1: Decimal | None = None
    tax_amount1: Decimal | None = None
    tax_name2: str | None = None
    tax_percent2: Decimal | None = None
    tax_amount2: Decimal | None = None
    compounded_tax: bool
    notes: str | None = None
    account_name: str | None = None
    bank_name: str | None = None
    markup_percent: Decimal
    billable: bool
    status: int
    is_duplicate: bool
    has_receipt: bool
    receipt_id: int | None = None
    receipt_media_type: str | None = None
    receipt_link: str | None = None
    ax_reference: str | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class BillLine(Record, frozen=True, kw_only=True):
    """One line of a FreshBooks bill; amounts without tax but for `total_amount`."""

    line_id: int
    category_id: int
    description: str | None = None
    quantity: Decimal
    unit_cost: Decimal
    amount: Decimal
    total_amount: Decimal | None = None
    tax_name1: str | None = None
    tax_percent1: Decimal | None = None
    tax_amount1: Decimal | None = None
    tax_name2: str | None = None
    tax_percent2: Decimal | None = None
    tax_amount2: Decimal | None = None


class Bill(Record, frozen=True, kw_only=True):
    """A FreshBooks bill with its lines, as fetched. It has no text that a marker could stand in."""

    account_id: str
    bill_id: int
    vendor_id: int
    bill_number: str | None = None
    issue_date: date
    due_date: date | None = None
    currency_code: str
    language: str | None = None
    amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal
    outstanding: Decimal
    paid: Decimal
    status: str
    lines: tuple[BillLine, ...]
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class BillPayment(Record, frozen=True, kw_only=True):
    """A payment of a FreshBooks bill. It has no time of change there: `updated_at` is `fetched_at`."""

    account_id: str
    bill_payment_id: int
    bill_id: int
    paid_date: date
    amount: Decimal
    currency_code: str
    payment_type: str
    note: str | None = None
    matched_with_expense: bool
    ax_reference: str | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class Item(Record, frozen=True, kw_only=True):
    """A FreshBooks item, as fetched: look-up data."""

    account_id: str
    item_id: int
    name: str
    description: str | None = None
    sku: str | None = None
    quantity: Decimal | None = None
    inventory: Decimal | None = None
    unit_cost: Decimal | None = None
    currency_code: str | None = None
    tax1_id: int | None = None
    tax2_id: int | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class Project(Record, frozen=True, kw_only=True):
    """A FreshBooks project, as fetched: look-up data. Its amounts are in the business's currency."""

    account_id: str
    project_id: int
    title: str
    description: str | None = None
    client_id: int | None = None
    internal: bool
    active: bool
    complete: bool
    project_type: str | None = None
    billing_method: str | None = None
    fixed_price: Decimal | None = None
    rate: Decimal | None = None
    due_date: date | None = None
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class Category(Record, frozen=True, kw_only=True):
    """A FreshBooks expense category, as fetched: look-up data."""

    account_id: str
    category_id: int
    name: str
    parent_id: int | None = None
    is_cogs: bool
    is_editable: bool
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


class Tax(Record, frozen=True, kw_only=True):
    """A FreshBooks tax, as fetched: look-up data. A deleted tax is gone for good, so `vis_state` is 0."""

    account_id: str
    tax_id: int
    name: str
    percent: Decimal
    number: str | None = None
    compound: bool
    vis_state: int
    updated_at: datetime
    version: str
    content_hash: str
    fetched_at: datetime


_Sales: TypeAlias = Client | Invoice | CreditNote | Payment | Item | Project
_Purchases: TypeAlias = BillVendor | Expense | Bill | BillPayment | Category | Tax
# Any record that is fetched from FreshBooks.
Entity: TypeAlias = _Sales | _Purchases
