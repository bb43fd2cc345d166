"""Payments and vendor invoices as the journals that AX books them with, and what takes a journal back. Pure.

    customer payment   customer credit, offset bank or account debit           settles the invoice that it marks
    vendor invoice     vendor credit, a debit for each line                    in the vendor invoice journal
    vendor payment     vendor debit, offset bank or account credit             general journal: AX has no service for it

Negative amounts change sides: AX takes positive debits and credits only. A line of nothing is left out.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from schemas.failures import PoisonError
from schemas.records import (
    CustomerPayment,
    LedgerAccountType,
    LedgerJournal,
    LedgerJournalLine,
    VendorInvoice,
    VendorPayment,
)

_ZERO = Decimal(0)


def customer_payment_journal(payment: CustomerPayment, marked_invoice: str | None) -> LedgerJournal:
    """The journal of a payment by a customer, or of a refund. Raises: PoisonError for a payment of nothing."""
    return _payment(payment, LedgerAccountType.CUSTOMER, payment.customer_account, -payment.amount, marked_invoice)


def vendor_payment_journal(payment: VendorPayment) -> LedgerJournal:
    """The journal of a payment to a vendor, or of a refund. Raises: PoisonError for a payment of nothing."""
    account = payment.vendor_account
    return _payment(payment, LedgerAccountType.VENDOR, account, payment.amount, payment.marked_invoice)


def _payment(
    payment: CustomerPayment | VendorPayment,
    kind: LedgerAccountType,
    account: str,
    signed: Decimal,
    marked_invoice: str | None,
) -> LedgerJournal:
    """One line that balances itself; `signed` above zero is a debit on the account."""
    if not signed:
        raise PoisonError("amount_zero", "making a payment's journal: the amount is zero", field="amount")
    line = LedgerJournalLine(
        account_type=kind,
        account=account,
        dimensions=payment.dimensions,
        offset_account_type=payment.offset_account_type,
        offset_account=payment.offset_account,
        offset_dimensions=payment.dimensions,
        transaction_date=payment.payment_date,
        description=payment.description,
        debit=max(signed, _ZERO),
        credit=max(-signed, _ZERO),
        currency_code=payment.currency_code,
        exchange_rate=payment.exchange_rate,
        document_number=payment.document_number,
        marked_invoice=marked_invoice,
        payment_mode=payment.payment_mode,
        payment_reference=payment.payment_reference,
        posting_profile=payment.posting_profile,
    )
    return LedgerJournal(
        journal_name=payment.journal_name,
        currency_code=payment.currency_code,
        includes_tax=True,
        dimensions={},
        lines=(line,),
    )


def vendor_invoice_journal(invoice: VendorInvoice) -> LedgerJournal:
    """The journal of a vendor's invoice: the vendor's line first. Raises: PoisonError for an invoice of nothing."""
    if not invoice.total:
        raise PoisonError("amount_zero", "making a vendor invoice's journal: the total is zero", field="total")
    vendor = LedgerJournalLine(
        account_type=LedgerAccountType.VENDOR,
        account=invoice.vendor_account,
        dimensions=invoice.dimensions,
        offset_dimensions={},
        transaction_date=invoice.transaction_date,
        description=invoice.description,
        debit=max(-invoice.total, _ZERO),
        credit=max(invoice.total, _ZERO),
        currency_code=invoice.currency_code,
        exchange_rate=invoice.exchange_rate,
        document_number=invoice.document_number,
        document_date=invoice.document_date,
        due_date=invoice.due_date,
        invoice_number=invoice.invoice_number,
        payment_terms=invoice.payment_terms,
        posting_profile=invoice.posting_profile,
    )
    lines = tuple(
        LedgerJournalLine(
            account_type=LedgerAccountType.LEDGER,
            account=line.main_account,
            dimensions=line.dimensions,
            offset_dimensions={},
            transaction_date=invoice.transaction_date,
            description=line.description,
            debit=max(line.amount, _ZERO),
            credit=max(-line.amount, _ZERO),
            currency_code=invoice.currency_code,
            exchange_rate=invoice.exchange_rate,
            tax_group=line.tax_group,
            tax_item_group=line.tax_item_group,
            document_number=invoice.document_number,
            document_date=invoice.document_date,
        )
        for line in invoice.lines
        if line.amount
    )
    return LedgerJournal(
        journal_name=invoice.journal_name,
        currency_code=invoice.currency_code,
        includes_tax=invoice.includes_tax,
        dimensions=invoice.dimensions,
        lines=(vendor, *lines),
    )


def reversal_of(journal: LedgerJournal) -> LedgerJournal:
    """The same journal with debits and credits exchanged; dates and texts stay.

    A payment that is taken back carries the number of the invoice that it had marked, and marks none: AX cannot
    un-settle through a service, so what it had closed stays closed, and the same amount is open again under the same
    invoice number. The payment that replaces it then settles that.
    """
    lines = tuple(
        msgspec.structs.replace(
            line,
            debit=line.credit,
            credit=line.debit,
            invoice_number=line.marked_invoice or line.invoice_number,
            marked_invoice=None,
        )
        for line in journal.lines
    )
    return msgspec.structs.replace(journal, lines=lines)
