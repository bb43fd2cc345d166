"""The ledger's part of the end state: journals, customer and vendor transactions, trial balance."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from sandbox.ax.contract.types import ENUMS
from sandbox.ax.model.database import Row
from sandbox.ax.model.json_values import date_text, decimal_text

TABLES = (
    "LEDGERJOURNALTABLE",
    "LEDGERJOURNALTRANS",
    "CUSTTRANS",
    "CUSTTRANSOPEN",
    "VENDTRANS",
    "VENDTRANSOPEN",
    "GENERALJOURNALENTRY",
    "GENERALJOURNALACCOUNTENTRY",
)
_KINDS = ENUMS["LedgerJournalACType"]


def snapshot(tables: dict[str, list[Row]]) -> dict[str, Any]:
    """Return `journals`, `customer_transactions`, `vendor_transactions` and `trial_balance`.

    `tables` are rows by table name: `TABLES` and DIMENSIONATTRIBUTEVALUECOMBINATION.
    """
    accounts = {row["RECID"]: row["DISPLAYVALUE"] for row in tables["DIMENSIONATTRIBUTEVALUECOMBINATION"]}
    lines: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in tables["LEDGERJOURNALTRANS"]:
        lines[(row["DATAAREAID"], row["JOURNALNUM"])].append(_line(row, accounts))
    return {
        "journals": [_journal(row, lines) for row in tables["LEDGERJOURNALTABLE"]],
        "customer_transactions": _transactions(tables["CUSTTRANS"], tables["CUSTTRANSOPEN"]),
        "vendor_transactions": _transactions(tables["VENDTRANS"], tables["VENDTRANSOPEN"]),
        "trial_balance": _trial_balance(tables),
    }


def _journal(row: Row, lines: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "company": row["DATAAREAID"],
        "journal_num": row["JOURNALNUM"],
        "journal_name": row["JOURNALNAME"],
        "type": ENUMS["LedgerJournalType"][row["JOURNALTYPE"]],
        "name": row["NAME"],
        "currency": row["CURRENCYCODE"],
        "posted": bool(row["POSTED"]),
        "posting_error": row["LOG"],
        "lines": lines[(row["DATAAREAID"], row["JOURNALNUM"])],
    }


def _line(row: Row, accounts: dict[int, str]) -> dict[str, Any]:
    offset = row["OFFSETLEDGERDIMENSION"]
    return {
        "account_type": _KINDS[row["ACCOUNTTYPE"]],
        "account": accounts.get(row["LEDGERDIMENSION"], ""),
        "offset_account_type": _KINDS[row["OFFSETACCOUNTTYPE"]] if offset else "",
        "offset_account": accounts.get(offset, ""),
        "debit": decimal_text(row["AMOUNTCURDEBIT"]),
        "credit": decimal_text(row["AMOUNTCURCREDIT"]),
        "currency": row["CURRENCYCODE"],
        "exchange_rate": decimal_text(row["EXCHRATE"]),
        "date": date_text(row["TRANSDATE"]),
        "voucher": row["VOUCHER"],
        "text": row["TXT"],
        "document_num": row["DOCUMENTNUM"],
        "invoice": row["INVOICE"],
        "marked_invoice": row["MARKEDINVOICE"],
        "payment_reference": row["PAYMREFERENCE"],
        "tax_group": row["TAXGROUP"],
        "tax_item_group": row["TAXITEMGROUP"],
    }


def _transactions(rows: list[Row], open_rows: list[Row]) -> list[dict[str, Any]]:
    """Return the transactions with what is open of each; positive is owed to us."""
    open_of = {row["REFRECID"]: row for row in open_rows}
    return [
        {
            "company": row["DATAAREAID"],
            "account": row["ACCOUNTNUM"],
            "voucher": row["VOUCHER"],
            "invoice": row["INVOICE"],
            "date": date_text(row["TRANSDATE"]),
            "type": ENUMS["LedgerTransType"][row["TRANSTYPE"]],
            "currency": row["CURRENCYCODE"],
            "amount": decimal_text(row["AMOUNTCUR"]),
            "amount_accounting": decimal_text(row["AMOUNTMST"]),
            "exchange_adjustment": decimal_text(row["EXCHADJUSTMENT"]),
            "settled": decimal_text(row["SETTLEAMOUNTCUR"]),
            "open": decimal_text(open_of[row["RECID"]]["AMOUNTCUR"]) if row["RECID"] in open_of else "0",
            "closed": date_text(row["CLOSED"]),
        }
        for row in rows
    ]


def _trial_balance(tables: dict[str, list[Row]]) -> list[dict[str, str]]:
    """Return debit, credit and balance in accounting currency by company and main account, in that order."""
    companies = {row["RECID"]: row["SUBLEDGERVOUCHERDATAAREAID"] for row in tables["GENERALJOURNALENTRY"]}
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in tables["GENERALJOURNALACCOUNTENTRY"]:
        amount = row["ACCOUNTINGCURRENCYAMOUNT"]
        account = str(row["LEDGERACCOUNT"]).partition("-")[0]
        sums[(companies[row["GENERALJOURNALENTRY"]], account)][int(amount < 0)] += abs(amount)
    return [
        {
            "company": company,
            "account": account,
            "debit": decimal_text(debit),
            "credit": decimal_text(credit),
            "balance": decimal_text(debit - credit),
        }
        for (company, account), (debit, credit) in sorted(sums.items())
    ]
