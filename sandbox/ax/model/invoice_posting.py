"""Posting of a free-text invoice: its number, the invoice journal, the customer transaction, the general journal entry.

Revenue is credited on each line's account with the line's dimensions, tax on the company's tax account, the whole
debited on the customers' account. A negative invoice (credit note, reversal) turns all sides.
"""

from decimal import Decimal

from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model import dimensions, faults, subledger
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.ledger import Books, Voucher, ledger_of, main_account
from sandbox.ax.model.subledger import CUSTOMERS

_SALES = ENUMS["LedgerTransType"].index("Sales")


def post(transaction: Transaction, header: Row, books: Books) -> str:
    """Post the invoice and return its number. Raises: AifError; nothing of it may then be committed.

    Checked here: period, balance, exchange rate, account structures, customer on hold, credit limit.
    """
    lines = transaction.rows("CUSTINVOICELINE", PARENTRECID=header["RECID"])
    account = header["INVOICEACCOUNT"]
    customer = subledger.check_blocked(transaction, CUSTOMERS, account, invoice=True)
    number = transaction.number("free_text_invoice")
    voucher = Voucher(
        transaction.number("free_text_invoice_voucher"),
        header["INVOICEDATE"],
        ledger_of(transaction),
        number,
        header["DOCUMENTDATE"] if header["DOCUMENTDATE"].year > 1900 else None,
    )
    currency = header["CURRENCYCODE"]
    included = bool(header["INCLTAX"])
    total = tax = Decimal(0)
    for line in lines:
        net = line["AMOUNTCUR"] - (line["TAXAMOUNT"] if included else 0)
        revenue = _revenue_account(transaction, line, books)
        voucher.add(revenue, currency, -net, voucher.convert(transaction, -net, currency, None), line["DESCRIPTION"])
        total += net + line["TAXAMOUNT"]
        tax += line["TAXAMOUNT"]
    voucher.add(
        main_account(transaction, books.accounts.sales_tax),
        currency,
        -tax,
        voucher.convert(transaction, -tax, currency, None),
        "Sales tax",
    )
    accounting_total = voucher.convert(transaction, total, currency, None)
    voucher.add(main_account(transaction, books.accounts.receivables), currency, total, accounting_total, number)
    if books.check_credit_limit:
        _check_credit(transaction, customer, accounting_total)
    _write(transaction, header, lines, number, voucher, (total, accounting_total, tax))
    voucher.write(transaction, books)
    change = {"INVOICEID": number, "POSTED": 1, "LOG": "", "MODIFIEDDATETIME": transaction.now}
    transaction.update("CUSTINVOICETABLE", header["RECID"], change)
    return number


def _revenue_account(transaction: Transaction, line: Row, books: Books) -> Row:
    account = dimensions.account_of(transaction, line["LEDGERDIMENSION"])
    values = dimensions.values_of(transaction, line["DEFAULTDIMENSION"])
    return dimensions.ledger_account(transaction, account, values, books.structures, books.dimensions)


def _check_credit(transaction: Transaction, customer: Row, amount: Decimal) -> None:
    """Refuse an invoice that takes the customer's open balance over its limit; 0 is no limit (text unverified)."""
    if not customer["CREDITMAX"] or amount <= 0:
        return
    rows = transaction.rows(CUSTOMERS.open, ACCOUNTNUM=customer["ACCOUNTNUM"])
    if sum((row["AMOUNTMST"] for row in rows), amount) > customer["CREDITMAX"]:
        raise faults.refused(f"The credit limit of customer {customer['ACCOUNTNUM']} has been exceeded.", "CreditMax")


def _write(
    transaction: Transaction,
    header: Row,
    lines: list[Row],
    number: str,
    voucher: Voucher,
    amounts: tuple[Decimal, Decimal, Decimal],
) -> None:
    total, accounting_total, tax = amounts
    same = ("INVOICEDATE", "ORDERACCOUNT", "INVOICEACCOUNT", "CUSTGROUP", "CURRENCYCODE", "CUSTOMERREF", "DOCUMENTDATE")
    more = ("DUEDATE", "LANGUAGEID", "POSTINGPROFILE", "PAYMENT", "INCLTAX")
    transaction.insert(
        "CUSTINVOICEJOUR",
        {name: header[name] for name in same + more}
        | {
            "INVOICEID": number,
            "LEDGERVOUCHER": voucher.number,
            "INVOICEAMOUNT": total,
            "INVOICEAMOUNTMST": accounting_total,
            "SUMTAX": tax,
            "PURCHASEORDER": header["PURCHORDERFORMNUM"],
        },
    )
    for line in lines:
        copied = ("LINENUM", "TAXAMOUNT", "LEDGERDIMENSION", "TAXGROUP", "TAXITEMGROUP")
        transaction.insert(
            "CUSTINVOICETRANS",
            {name: line[name] for name in copied}
            | {
                "INVOICEID": number,
                "INVOICEDATE": header["INVOICEDATE"],
                "NAME": line["DESCRIPTION"],
                "QTY": line["QUANTITY"],
                "SALESPRICE": line["UNITPRICE"],
                "LINEAMOUNT": line["AMOUNTCUR"],
                "CURRENCYCODE": header["CURRENCYCODE"],
            },
        )
    subledger.add(
        transaction,
        CUSTOMERS,
        {
            "ACCOUNTNUM": header["INVOICEACCOUNT"],
            "TRANSDATE": header["INVOICEDATE"],
            "VOUCHER": voucher.number,
            "INVOICE": number,
            "CURRENCYCODE": header["CURRENCYCODE"],
            "AMOUNTCUR": total,
            "AMOUNTMST": accounting_total,
            "DUEDATE": header["DUEDATE"],
            "TRANSTYPE": _SALES,
            "DOCUMENTNUM": header["PURCHORDERFORMNUM"],
            "DOCUMENTDATE": header["DOCUMENTDATE"],
            "PAYMMODE": header["PAYMMODE"],
            "POSTINGPROFILE": header["POSTINGPROFILE"],
        },
    )
