"""The services of the port and what is ticked on it.

CustomerService, FreeTextInvoiceService, GeneralJournalService, PurchaseInvoiceService and ExchangeRateService are names
seen in clients; VendorService and CustPaymJournalService are formed by the same rule and unverified (ax-aif.md 2.2, 4).
"""

from sandbox.ax.contract.entities import CUSTOMER, FREE_TEXT_INVOICE, VENDOR, Document
from sandbox.ax.contract.ledger_entities import (
    CUSTOMER_PAYMENT_JOURNAL,
    EXCHANGE_RATES,
    GENERAL_JOURNAL,
    PURCHASE_INVOICE,
)

SERVICES: dict[str, tuple[Document, tuple[str, ...]]] = {
    "CustomerService": (CUSTOMER, ("create", "read", "update", "find", "findKeys")),
    "FreeTextInvoiceService": (FREE_TEXT_INVOICE, ("create",)),
    "VendorService": (VENDOR, ("create", "read", "update", "find", "findKeys")),
    "GeneralJournalService": (GENERAL_JOURNAL, ("create", "read")),
    "PurchaseInvoiceService": (PURCHASE_INVOICE, ("create",)),
    "CustPaymJournalService": (CUSTOMER_PAYMENT_JOURNAL, ("create",)),
    "ExchangeRateService": (EXCHANGE_RATES, ("create", "read")),
}
"""Port content: external service name, its document, and the operations that are ticked on the port."""

DOCUMENTS: dict[str, Document] = {
    "cust": CUSTOMER,
    "fti": FREE_TEXT_INVOICE,
    "vend": VENDOR,
    "gj": GENERAL_JOURNAL,
    "pi": PURCHASE_INVOICE,
    "cpj": CUSTOMER_PAYMENT_JOURNAL,
    "er": EXCHANGE_RATES,
}
"""The documents by their prefix in the schema of the operations' wrappers."""
