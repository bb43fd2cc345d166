"""The documents that go through the ledger: general journal, vendor invoice journal, customer payments, exchange rates.

No WSDL of these is public. Field names and types are those of a custom document over the same tables, the order is
AX's alphabetical one (ax-aif.md sections 6.2, 6.3, 6.6, 6.7 and 6.10). The three journal documents share their two
entities; the root element CustPaymJournal is unverified.
"""

from sandbox.ax.contract.entities import Child, Document, Entity, fields

LEDGER_JOURNAL_TRANS = Entity(
    "AxdEntity_LedgerJournalTrans",
    fields("""
        AccountType LedgerJournalACType, AmountCurCredit AmountCurCredit, AmountCurDebit AmountCurDebit
        Company DataAreaId, CurrencyCode !CurrencyCode, DefaultDimension DimensionAttributeValueSet
        DocumentDate TransDate, DocumentNum DocumentNum, Due TransDate, ExchRate ExchRate
        ExchRateSecond ExchRate, Invoice InvoiceId, JournalNum LedgerJournalId
        LedgerDimension MultiTypeAccount, LineNum LineNum, MarkedInvoice InvoiceId
        OffsetAccountType LedgerJournalACType, OffsetCompany DataAreaId
        OffsetDefaultDimension DimensionAttributeValueSet, OffsetLedgerDimension MultiTypeAccount
        OffsetTxt LedgerJournalTransTxt, Payment CustPaymTermId, PaymId PaymId, PaymMode CustPaymMode
        PaymReference PaymReference, PaymSpec CustPaymSpec, PostingProfile PostingProfile, Prepayment NoYes
        PurchLedgerPosting PurchLedgerPosting, Qty Qty, RecId RecId, RecVersion RecVersion
        SettleVoucher SettlementType, TaxCode TaxCode, TaxGroup TaxGroup, TaxItemGroup TaxItemGroup
        TransactionType LedgerTransType, TransDate TransDate, Txt LedgerJournalTransTxt, Voucher Voucher
    """),
)

LEDGER_JOURNAL_TABLE = Entity(
    "AxdEntity_LedgerJournalTable",
    fields("""
        _DocumentHash string, CurrencyCode CurrencyCode, DefaultDimension DimensionAttributeValueSet
        DocumentNum DocumentNum, JournalName !LedgerJournalNameId, JournalNum LedgerJournalId
        JournalType LedgerJournalType, LedgerJournalInclTax NoYes, Log LogText, Name Name, NumOfLines Days
        OffsetAccountType LedgerJournalACType, OffsetLedgerDimension MultiTypeDefaultAccount, Posted NoYes
        PostedDateTime DateTime, RecId RecId, RecVersion RecVersion, VoucherAllocatedAtPosting NoYes
        WorkflowApprovalStatus LedgerJournalWFApprovalStatus
    """),
    children=(Child("LedgerJournalTrans", LEDGER_JOURNAL_TRANS.type),),
)

EXCHANGE_RATE = Entity(
    "AxdEntity_ExchangeRate",
    fields("""
        ExchangeRate !CurrencyExchangeRate, RecId RecId, RecVersion RecVersion, ValidFrom !TransDate
        ValidTo TransDate
    """),
)

CURRENCY_PAIR = Entity(
    "AxdEntity_CurrencyPair",
    fields("""
        _DocumentHash string, ExchangeRateDisplayFactor ExchangeRateDisplayFactor
        ExchangeRateType ExchangeRateTypeName, FromCurrencyCode !CurrencyCode, RecId RecId
        RecVersion RecVersion, ToCurrencyCode !CurrencyCode
    """),
    children=(Child("ExchangeRate", EXCHANGE_RATE.type),),
)


def _journal(name: str) -> Document:
    return Document(
        name,
        top=Child("LedgerJournalTable", LEDGER_JOURNAL_TABLE.type),
        entities=(LEDGER_JOURNAL_TABLE, LEDGER_JOURNAL_TRANS),
        date_effective=False,
    )


GENERAL_JOURNAL = _journal("LedgerGeneralJournal")
PURCHASE_INVOICE = _journal("PurchaseInvoice")
CUSTOMER_PAYMENT_JOURNAL = _journal("CustPaymJournal")
EXCHANGE_RATES = Document(
    "ExchangeRates",
    top=Child("CurrencyPair", CURRENCY_PAIR.type),
    entities=(CURRENCY_PAIR, EXCHANGE_RATE),
    date_effective=False,
)
