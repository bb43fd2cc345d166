"""What AX documents say, in the part that freshax sets; lengths and XSD names are those of reference ax-aif.

Customers, vendors and free-text invoices have documents of their own. Everything that AX books through a journal
(expense, payment, bill, bill payment) goes over the wire as a `LedgerJournal`; CustomerPayment, VendorInvoice and
VendorPayment are what a flow fills in, and the AX sink turns them into journals (connectors/ax/journals.py).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from schemas.record import Record


class PartyType(StrEnum):
    """Subtype of an AX party."""

    ORGANIZATION = "organization"
    PERSON = "person"


class PostalAddress(Record, frozen=True, kw_only=True):
    """Postal address in AX's terms."""

    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    state: str | None = None
    country_region: str | None = None


class CustomerDocument(Record, frozen=True, kw_only=True):
    """AxdCustomer, the part that freshax sets."""

    account_number: str | None = None
    customer_group: str
    currency_code: str
    payment_terms: str | None = None
    tax_group: str | None = None
    vat_number: str | None = None
    our_account_number: str
    party_type: PartyType
    name: str
    name_alias: str | None = None
    language: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    address: PostalAddress | None = None
    dimensions: dict[str, str]


class FreeTextInvoiceLine(Record, frozen=True, kw_only=True):
    """CustInvoiceLine of AxdFreeTextInvoice; amounts without tax but for `tax_amount`."""

    description: str
    main_account: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    tax_group: str | None = None
    tax_item_group: str | None = None
    tax_amount: Decimal
    dimensions: dict[str, str]


class FreeTextInvoice(Record, frozen=True, kw_only=True):
    """AxdFreeTextInvoice, the part that freshax sets."""

    customer_account: str
    invoice_date: date
    document_date: date
    due_date: date | None = None
    currency_code: str
    invoice_number: str
    customer_purchase_order: str | None = None
    language: str | None = None
    payment_terms: str | None = None
    tax_group: str | None = None
    dimensions: dict[str, str]
    lines: tuple[FreeTextInvoiceLine, ...]
    total: Decimal


class VendorDocument(Record, frozen=True, kw_only=True):
    """AxdVendor, the part that freshax sets. `your_account_number` is the natural key that it is looked up by."""

    account_number: str | None = None
    vendor_group: str
    currency_code: str
    payment_terms: str | None = None
    payment_mode: str | None = None
    tax_group: str | None = None
    vat_number: str | None = None
    your_account_number: str
    party_type: PartyType
    name: str
    name_alias: str | None = None
    language: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    address: PostalAddress | None = None
    dimensions: dict[str, str]


class LedgerAccountType(StrEnum):
    """What an account of a journal line is; AX's LedgerJournalACType has more."""

    LEDGER = "ledger"
    CUSTOMER = "customer"
    VENDOR = "vendor"
    BANK = "bank"


class LedgerJournalLine(Record, frozen=True, kw_only=True):
    """LedgerJournalTrans. Exactly one of `debit` and `credit` is above zero; with an offset the line balances itself.

    `exchange_rate` is AX's ExchRate: accounting currency for 100 units of `currency_code`; None lets AX take its own.
    """

    account_type: LedgerAccountType
    account: str
    dimensions: dict[str, str]
    offset_account_type: LedgerAccountType | None = None
    offset_account: str | None = None
    offset_dimensions: dict[str, str]
    transaction_date: date
    description: str
    debit: Decimal
    credit: Decimal
    currency_code: str
    exchange_rate: Decimal | None = None
    tax_group: str | None = None
    tax_item_group: str | None = None
    document_number: str | None = None
    document_date: date | None = None
    due_date: date | None = None
    invoice_number: str | None = None
    marked_invoice: str | None = None
    payment_terms: str | None = None
    payment_mode: str | None = None
    payment_reference: str | None = None
    posting_profile: str | None = None


class LedgerJournal(Record, frozen=True, kw_only=True):
    """One journal with one voucher: debits and credits of `lines`, offsets included, are equal.

    `includes_tax` says that line amounts hold the tax of their tax groups (LedgerJournalInclTax).
    """

    journal_name: str
    currency_code: str
    includes_tax: bool
    dimensions: dict[str, str]
    lines: tuple[LedgerJournalLine, ...]


class CustomerPayment(Record, frozen=True, kw_only=True):
    """A payment by a customer; a negative `amount` is a refund.

    It settles `marked_invoice` (AX's number of a posted invoice). Where only the FreshBooks invoice is known, its id
    stands in `settles_invoice_id` and the AX sink looks the number up when it sends. Neither: a payment on account.
    """

    journal_name: str
    customer_account: str
    payment_date: date
    amount: Decimal
    currency_code: str
    exchange_rate: Decimal | None = None
    offset_account_type: LedgerAccountType
    offset_account: str
    description: str
    document_number: str | None = None
    payment_mode: str | None = None
    payment_reference: str | None = None
    marked_invoice: str | None = None
    settles_invoice_id: int | None = None
    posting_profile: str | None = None
    dimensions: dict[str, str]


class VendorInvoiceLine(Record, frozen=True, kw_only=True):
    """What a vendor's invoice is for. Tax that must agree to the cent is a line of its own, on the tax account."""

    description: str
    main_account: str
    amount: Decimal
    tax_group: str | None = None
    tax_item_group: str | None = None
    dimensions: dict[str, str]


class VendorInvoice(Record, frozen=True, kw_only=True):
    """A vendor's invoice (a FreshBooks bill) for the vendor invoice journal; negative amounts are a credit note.

    `total` is what the vendor gets. It equals the sum of the lines unless AX computes tax on top of them.
    """

    journal_name: str
    vendor_account: str
    invoice_number: str
    transaction_date: date
    document_date: date | None = None
    due_date: date | None = None
    currency_code: str
    exchange_rate: Decimal | None = None
    description: str
    document_number: str | None = None
    payment_terms: str | None = None
    posting_profile: str | None = None
    includes_tax: bool
    dimensions: dict[str, str]
    lines: tuple[VendorInvoiceLine, ...]
    total: Decimal


class VendorPayment(Record, frozen=True, kw_only=True):
    """A payment to a vendor; a negative `amount` is a refund. `marked_invoice` is the vendor's own invoice number."""

    journal_name: str
    vendor_account: str
    payment_date: date
    amount: Decimal
    currency_code: str
    exchange_rate: Decimal | None = None
    offset_account_type: LedgerAccountType
    offset_account: str
    description: str
    document_number: str | None = None
    payment_mode: str | None = None
    payment_reference: str | None = None
    marked_invoice: str | None = None
    posting_profile: str | None = None
    dimensions: dict[str, str]
