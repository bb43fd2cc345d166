"""The journal documents over LEDGERJOURNALTABLE and LEDGERJOURNALTRANS: create and read.

A service creates a journal and does not post it (ax-aif.md sections 1.5 and 6.2). References, account structures,
blocked accounts and the marked invoice are checked at once; balance and period by posting, and here too where the
switch `journal_validation` says so: whether the real service does is unverified.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.ax.contract import ledger_entities
from sandbox.ax.contract.entities import Field
from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model import dimensions, faults, journal_posting, references, subledger
from sandbox.ax.model.account_scope import is_set
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.document_hash import document_hash
from sandbox.ax.model.ledger import Books
from sandbox.ax.model.node import Account, Node

TYPES = ENUMS["LedgerJournalType"]
LEDGER, CUSTOMER, VENDOR, BANK = (
    ENUMS["LedgerJournalACType"].index(name) for name in ("Ledger", "Cust", "Vend", "Bank")
)

_AX_OWN = frozenset(
    {"JournalNum", "JournalType", "Log", "NumOfLines", "Posted", "PostedDateTime", "RecId", "RecVersion"}
    | {"WorkflowApprovalStatus", "_DocumentHash", "LineNum"}
)
"""What AX sets itself; a caller's value is dropped silently, as for the free-text invoice."""

_HEADER = ("JournalName", "Name", "DocumentNum", "CurrencyCode", "LedgerJournalInclTax")
_LINE = (
    "AccountType",
    "AmountCurCredit",
    "AmountCurDebit",
    "CurrencyCode",
    "DocumentDate",
    "DocumentNum",
    "Due",
    "ExchRate",
    "Invoice",
    "MarkedInvoice",
    "OffsetAccountType",
    "OffsetTxt",
    "Payment",
    "PaymId",
    "PaymMode",
    "PaymReference",
    "PostingProfile",
    "PurchLedgerPosting",
    "TaxGroup",
    "TaxItemGroup",
    "TransDate",
    "Txt",
    "Voucher",
)
_STORED_HEADER = frozenset(_HEADER) | {"DefaultDimension"}
_STORED_LINE = frozenset(_LINE) | {
    "Company",
    "DefaultDimension",
    "LedgerDimension",
    "OffsetDefaultDimension",
    "OffsetLedgerDimension",
}


@dataclass(frozen=True)
class Kind:
    """A journal service: the journal types that it takes (that it refuses others is unverified)."""

    types: tuple[str, ...]


GENERAL = Kind(("Daily",))
VENDOR_INVOICE = Kind(("VendInvoiceRegister", "PurchaseLedger"))
CUSTOMER_PAYMENT = Kind(("CustPayment",))


def create(transaction: Transaction, kind: Kind, node: Node, books: Books, *, validate: bool) -> Row:
    """Store one journal with its lines, not posted, and return the header's row.

    `validate`: balance and period are checked as posting will check them.

    Raises: AifError F9 (unknown reference), F10 (mandatory field empty), or what a business rule says.
    """
    _refuse_unknown(node, _STORED_HEADER)
    name = transaction.row("LEDGERJOURNALNAME", JOURNALNAME=node.get("JournalName"))
    if not node.get("JournalName"):
        raise faults.must_be_filled(references.JOURNAL_NAME.label)
    if name is None:
        raise faults.not_found(node.get("JournalName"), "Name", references.JOURNAL_NAME.table_label)
    if TYPES[name["JOURNALTYPE"]] not in kind.types:
        raise faults.refused(f"Journal name {name['JOURNALNAME']} has another journal type.", "JournalName")
    references.check(transaction, references.CURRENCY, node.get("CurrencyCode"))
    lines = node.named("LedgerJournalTrans")
    header = {field.upper(): node.get(field) for field in _HEADER if is_set(node, field)}
    header |= {
        "JOURNALNUM": transaction.number("journal"),
        "JOURNALNAME": name["JOURNALNAME"],
        "JOURNALTYPE": name["JOURNALTYPE"],
        "NUMOFLINES": len(lines),
        "ORIGINALCOMPANY": transaction.company,
        "DEFAULTDIMENSION": dimensions.value_set(transaction, node.get("DefaultDimension", {})),
        "CREATEDDATETIME": transaction.now,
        "MODIFIEDDATETIME": transaction.now,
    }
    recid = transaction.insert("LEDGERJOURNALTABLE", header)
    voucher = transaction.number("journal_voucher") if any(not is_set(line, "Voucher") for line in lines) else ""
    for number, line in enumerate(lines, start=1):
        _create_line(transaction, line, header, books, number=number, voucher=voucher)
    if validate:
        journal_posting.check(transaction, header, books)
    return transaction.rows("LEDGERJOURNALTABLE", RECID=recid)[0]


def _create_line(
    transaction: Transaction, node: Node, header: dict[str, Any], books: Books, *, number: int, voucher: str
) -> None:
    _refuse_unknown(node, _STORED_LINE)
    line: dict[str, Any] = {field.upper(): node.get(field) for field in _LINE if is_set(node, field)}
    line.setdefault("VOUCHER", voucher)
    line.setdefault("TRANSDATE", transaction.now.replace(hour=0, minute=0, second=0))
    line |= {"JOURNALNUM": header["JOURNALNUM"], "LINENUM": Decimal(number), "COMPANY": transaction.company}
    if is_set(node, "Company") and str(node.get("Company")).lower() != transaction.company.lower():
        raise faults.not_simulated("LedgerJournalTrans.Company of another company")
    debit, credit = (Decimal(line.get(name, 0)) for name in ("AMOUNTCURDEBIT", "AMOUNTCURCREDIT"))
    if min(debit, credit) < 0 or (debit > 0) == (credit > 0):
        raise faults.refused("Exactly one of debit and credit must be greater than zero.", "AmountCurDebit")
    if "EXCHRATE" in line and line["EXCHRATE"] <= 0:
        raise faults.refused("The exchange rate must be greater than zero.", "ExchRate")
    kind = int(line.get("ACCOUNTTYPE", LEDGER))
    account = _account(transaction, kind, node.get("LedgerDimension", None), books)
    line["LEDGERDIMENSION"] = account["RECID"]
    line["DEFAULTDIMENSION"] = dimensions.value_set(transaction, node.get("DefaultDimension", {}))
    line["OFFSETDEFAULTDIMENSION"] = dimensions.value_set(transaction, node.get("OffsetDefaultDimension", {}))
    if is_set(node, "OffsetLedgerDimension"):
        offset_kind = int(line.get("OFFSETACCOUNTTYPE", LEDGER))
        line["OFFSETLEDGERDIMENSION"] = _account(
            transaction, offset_kind, node.get("OffsetLedgerDimension"), books, "Offset account"
        )["RECID"]
        _check_party(transaction, offset_kind, node.get("OffsetLedgerDimension").account, credit - debit, line)
    _check_party(transaction, kind, account["DISPLAYVALUE"], debit - credit, line)
    _check_references(transaction, kind, node)
    transaction.insert("LEDGERJOURNALTRANS", line)


def _account(transaction: Transaction, kind: int, account: Account | None, books: Books, label: str = "Account") -> Row:
    """Return the combination of a line's account. Raises: AifError F9, F10 (not there), structure."""
    if account is None or not account.account:
        raise faults.must_be_filled(label)
    if kind == LEDGER:
        return dimensions.ledger_account(
            transaction, account.account, account.dimensions, books.structures, books.dimensions
        )
    if account.dimensions:
        raise faults.refused("Dimensions of the account are for ledger accounts only.", "LedgerDimension")
    known = {
        CUSTOMER: references.CUSTOMER_ACCOUNT,
        VENDOR: references.VENDOR_ACCOUNT,
        BANK: references.BANK_ACCOUNT,
    }
    if kind not in known:
        raise faults.not_simulated(f"account type {ENUMS['LedgerJournalACType'][kind]}")
    references.check(transaction, known[kind], account.account)
    key: dict[str, Any] = {known[kind].column: account.account}
    row = transaction.rows(known[kind].table, **key)[0]
    return dimensions.subledger_account(transaction, row[known[kind].column])


def _check_party(transaction: Transaction, kind: int, account: str, amount: Decimal, line: dict[str, Any]) -> None:
    """Refuse an account on hold, and a marked invoice that is not a posted one of this account."""
    if kind not in (CUSTOMER, VENDOR):
        return
    ledger = subledger.CUSTOMERS if kind == CUSTOMER else subledger.VENDORS
    row = subledger.check_blocked(transaction, ledger, account, invoice=subledger.is_invoice(ledger, amount))
    marked = line.get("MARKEDINVOICE", "")
    if marked and transaction.row(ledger.transactions, ACCOUNTNUM=row["ACCOUNTNUM"], INVOICE=marked) is None:
        raise faults.not_found(marked, "Invoice", f"{ledger.label} transactions")


def _check_references(transaction: Transaction, kind: int, node: Node) -> None:
    vendor = kind == VENDOR
    known = {
        "CurrencyCode": references.CURRENCY,
        "Payment": references.PAYMENT_TERM,
        "PaymMode": references.VENDOR_PAYMENT_MODE if vendor else references.PAYMENT_MODE,
        "PostingProfile": references.VENDOR_PROFILE if vendor else references.CUSTOMER_PROFILE,
        "TaxGroup": references.TAX_GROUP,
        "TaxItemGroup": references.TAX_ITEM_GROUP,
    }
    if not node.get("CurrencyCode"):
        raise faults.must_be_filled(references.CURRENCY.label)
    references.check_all(transaction, known, {name: node.get(name) for name in known})


def _refuse_unknown(node: Node, stored: frozenset[str]) -> None:
    for name in node.values:
        if name not in stored and name not in _AX_OWN and is_set(node, name) and node.values[name] != 0:
            raise faults.not_simulated(f"{node.name}.{name}")


def read(transaction: Transaction, number: str) -> Node:
    """Return the document of a journal. Raises: AifError F1."""
    header = transaction.row("LEDGERJOURNALTABLE", JOURNALNUM=number)
    if header is None:
        raise faults.not_identified()
    node = Node("LedgerJournalTable", ledger_entities.LEDGER_JOURNAL_TABLE.type)
    node.values = _values(transaction, ledger_entities.LEDGER_JOURNAL_TABLE.fields, header)
    lines = transaction.rows("LEDGERJOURNALTRANS", JOURNALNUM=number)
    for row in lines:
        line = Node("LedgerJournalTrans", ledger_entities.LEDGER_JOURNAL_TRANS.type)
        line.values = _values(transaction, ledger_entities.LEDGER_JOURNAL_TRANS.fields, row)
        node.children.append(line)
    node.values["_DocumentHash"] = document_hash([header, *lines])
    return node


def _values(transaction: Transaction, fields: tuple[Field, ...], row: Row) -> dict[str, Any]:
    """Return the fields that are columns; accounts and dimensions by their texts, not their RECIDs."""
    values: dict[str, Any] = {}
    for field in fields:
        column = field.name.upper()
        if field.type == "DimensionAttributeValueSet":
            values[field.name] = dimensions.values_of(transaction, row.get(column, 0))
        elif field.type == "MultiTypeAccount":
            text = dimensions.account_of(transaction, row[column])
            values[field.name] = Account(text.partition("-")[0], display=text) if text else None
        elif column in row:
            values[field.name] = row[column]
    return values
