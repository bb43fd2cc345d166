"""Journals as AIF documents: LedgerJournalTable with its LedgerJournalTrans, the same for all three journal services.

Rules (reference ax-aif, sections 5, 6.2 and 6.3): debit and credit are two elements, of which one is sent; accounts are
multi-type, with dimensions on ledger accounts only, so those of a customer, vendor or bank line go to DefaultDimension.
The header's Name carries our reference: it has 60 characters, the other candidates (DocumentNum, Invoice) have 20.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.ax.aif_documents import Entity, dimension_set, entity, xml_text
from schemas.records import LedgerAccountType, LedgerJournal, LedgerJournalLine

ACCOUNT_TYPES = {
    LedgerAccountType.LEDGER: "Ledger",
    LedgerAccountType.CUSTOMER: "Cust",
    LedgerAccountType.VENDOR: "Vend",
    LedgerAccountType.BANK: "Bank",
}


def journal_payload(journals: Mapping[str, LedgerJournal], company: str, *, purchase: bool) -> Entity:
    """A document with one LedgerJournalTable per journal, in order; the keys become Name.

    `purchase`: vendor lines are marked as invoices (PurchLedgerPosting), as a live client of that service does.
    """
    return {"LedgerJournalTable": [_journal(name, item, company, purchase) for name, item in journals.items()]}


def _journal(reference: str, journal: LedgerJournal, company: str, purchase: bool) -> Entity:
    header = entity(
        CurrencyCode=journal.currency_code,
        DefaultDimension=dimension_set(journal.dimensions),
        JournalName=journal.journal_name,
        LedgerJournalInclTax="Yes" if journal.includes_tax else "No",
        Name=reference,
    )
    return {**header, "LedgerJournalTrans": [_line(line, company, purchase) for line in journal.lines]}


def _line(line: LedgerJournalLine, company: str, purchase: bool) -> Entity:
    offset = line.offset_account_type
    return entity(
        AccountType=ACCOUNT_TYPES[line.account_type],
        AmountCurCredit=line.credit or None,
        AmountCurDebit=line.debit or None,
        Company=company,
        CurrencyCode=line.currency_code,
        DefaultDimension=_default(line.account_type, line.dimensions),
        DocumentDate=line.document_date,
        DocumentNum=line.document_number,
        Due=line.due_date,
        ExchRate=line.exchange_rate,
        Invoice=line.invoice_number,
        LedgerDimension=_account(line.account_type, line.account, line.dimensions),
        MarkedInvoice=line.marked_invoice,
        OffsetAccountType=ACCOUNT_TYPES[offset] if offset else None,
        OffsetDefaultDimension=_default(offset, line.offset_dimensions) if offset else None,
        OffsetLedgerDimension=_account(offset, line.offset_account or "", line.offset_dimensions) if offset else None,
        Payment=line.payment_terms,
        PaymMode=line.payment_mode,
        PaymReference=line.payment_reference,
        PostingProfile=line.posting_profile,
        PurchLedgerPosting="Vendor" if purchase and line.account_type is LedgerAccountType.VENDOR else None,
        TaxGroup=line.tax_group,
        TaxItemGroup=line.tax_item_group,
        TransDate=line.transaction_date,
        Txt=line.description,
    )


def _account(kind: LedgerAccountType, account: str, dimensions: Mapping[str, str]) -> Entity:
    """AxdType_MultiTypeAccount. DisplayValue is mandatory in the schema; live clients send the account."""
    number = xml_text(account)
    values = dimension_set(dimensions) if kind is LedgerAccountType.LEDGER else None
    return {"DisplayValue": number, "Account": number, **(values or {})}


def _default(kind: LedgerAccountType, dimensions: Mapping[str, str]) -> Entity | None:
    return None if kind is LedgerAccountType.LEDGER else dimension_set(dimensions)
