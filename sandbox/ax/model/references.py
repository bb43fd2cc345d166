"""Foreign keys of the documents' fields: the table that must hold the value, and AX's labels for the message."""

from dataclasses import dataclass
from typing import Any

from sandbox.ax.model import faults
from sandbox.ax.model.database import Transaction


@dataclass(frozen=True, slots=True)
class Reference:
    """A field's relation: its label, the table and column that hold its values, the table's label."""

    label: str
    table: str
    column: str
    table_label: str


CUSTOMER_ACCOUNT = Reference("Customer account", "CUSTTABLE", "ACCOUNTNUM", "Customers")
CURRENCY = Reference("Currency", "CURRENCY", "CURRENCYCODE", "Currencies")
CUSTOMER_GROUP = Reference("Customer group", "CUSTGROUP", "CUSTGROUP", "Customer groups")
PAYMENT_TERM = Reference("Terms of payment", "PAYMTERM", "PAYMTERMID", "Terms of payment")
PAYMENT_MODE = Reference("Method of payment", "CUSTPAYMMODETABLE", "PAYMMODE", "Methods of payment - customers")
TAX_GROUP = Reference("Sales tax group", "TAXGROUPHEADING", "TAXGROUP", "Sales tax groups")
TAX_ITEM_GROUP = Reference("Item sales tax group", "TAXITEMGROUPHEADING", "TAXITEMGROUP", "Item sales tax groups")
VENDOR_ACCOUNT = Reference("Vendor account", "VENDTABLE", "ACCOUNTNUM", "Vendors")
VENDOR_GROUP = Reference("Vendor group", "VENDGROUP", "VENDGROUP", "Vendor groups")
VENDOR_PAYMENT_MODE = Reference("Method of payment", "VENDPAYMMODETABLE", "PAYMMODE", "Methods of payment - vendors")
BANK_ACCOUNT = Reference("Bank account", "BANKACCOUNTTABLE", "ACCOUNTID", "Bank accounts")
JOURNAL_NAME = Reference("Name", "LEDGERJOURNALNAME", "JOURNALNAME", "Journal names")
CUSTOMER_PROFILE = Reference("Posting profile", "CUSTLEDGER", "POSTINGPROFILE", "Customer posting profiles")
VENDOR_PROFILE = Reference("Posting profile", "VENDLEDGER", "POSTINGPROFILE", "Vendor posting profiles")
RATE_TYPE = Reference("Exchange rate type", "EXCHANGERATETYPE", "NAME", "Exchange rate types")
MAIN_ACCOUNT = Reference("Main account", "MAINACCOUNT", "MAINACCOUNTID", "Main accounts")

CUSTOMER_FIELDS: dict[str, Reference] = {
    "CustGroup": CUSTOMER_GROUP,
    "Currency": CURRENCY,
    "InvoiceAccount": Reference("Invoice account", "CUSTTABLE", "ACCOUNTNUM", "Customers"),
    "PaymTermId": PAYMENT_TERM,
    "PaymMode": PAYMENT_MODE,
    "TaxGroup": TAX_GROUP,
    "DlvMode": Reference("Mode of delivery", "DLVMODE", "CODE", "Modes of delivery"),
    "DlvTerm": Reference("Delivery terms", "DLVTERM", "CODE", "Terms of delivery"),
}

VENDOR_FIELDS: dict[str, Reference] = {
    "VendGroup": VENDOR_GROUP,
    "Currency": CURRENCY,
    "InvoiceAccount": Reference("Invoice account", "VENDTABLE", "ACCOUNTNUM", "Vendors"),
    "PaymTermId": PAYMENT_TERM,
    "PaymMode": VENDOR_PAYMENT_MODE,
    "TaxGroup": TAX_GROUP,
    "DlvMode": Reference("Mode of delivery", "DLVMODE", "CODE", "Modes of delivery"),
    "DlvTerm": Reference("Delivery terms", "DLVTERM", "CODE", "Terms of delivery"),
}

INVOICE_FIELDS: dict[str, Reference] = {
    "OrderAccount": CUSTOMER_ACCOUNT,
    "InvoiceAccount": Reference("Invoice account", "CUSTTABLE", "ACCOUNTNUM", "Customers"),
    "CurrencyCode": CURRENCY,
    "CustGroup": CUSTOMER_GROUP,
    "Payment": PAYMENT_TERM,
    "PaymMode": PAYMENT_MODE,
    "TaxGroup": TAX_GROUP,
    "TaxItemGroup": TAX_ITEM_GROUP,
}

LINE_FIELDS: dict[str, Reference] = {"TaxGroup": TAX_GROUP, "TaxItemGroup": TAX_ITEM_GROUP}


def check(transaction: Transaction, reference: Reference, value: str) -> None:
    """Raise AifError F9 when `value` is set and its table does not hold it (in this company, whatever the case)."""
    if not value or (reference, value) in transaction.checked:
        return
    key: dict[str, Any] = {reference.column: value}
    if transaction.row(reference.table, **key) is None:
        raise faults.not_found(value, reference.label, reference.table_label)
    transaction.checked.add((reference, value))  # the lines of an invoice repeat their groups


def check_all(transaction: Transaction, references: dict[str, Reference], values: dict[str, str]) -> None:
    """Check each field of `values` that has a reference, in the order of `references`."""
    for name, reference in references.items():
        check(transaction, reference, values.get(name, ""))
