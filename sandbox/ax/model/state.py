"""The end state for reconciliation: what is stored, all companies, no filter. `ledger_state` has the ledger's part."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.ax.model import ledger_state
from sandbox.ax.model.database import AxDatabase, Row
from sandbox.ax.model.json_values import date_text, decimal_text


def snapshot(database: AxDatabase, now: datetime) -> dict[str, Any]:
    """Return everything stored, as JSON values; amounts are decimal text."""
    with database.transaction("", now) as transaction:
        tables = {
            name: transaction.execute(f'SELECT * FROM dbo."{name}" ORDER BY "RECID"')  # noqa: S608 - fixed names
            for name in (
                "CUSTTABLE",
                "DIRPARTYTABLE",
                "CUSTINVOICETABLE",
                "CUSTINVOICELINE",
                "DIMENSIONATTRIBUTE",
                "DIMENSIONATTRIBUTEVALUE",
                "DIMENSIONATTRIBUTEVALUESETITEM",
                "DIMENSIONATTRIBUTEVALUECOMBINATION",
                "VENDTABLE",
                *ledger_state.TABLES,
            )
        }
    parties = {row["RECID"]: row for row in tables["DIRPARTYTABLE"]}
    customers = [_customer(row, parties[row["PARTY"]]) for row in tables["CUSTTABLE"]]
    accounts = {row["RECID"]: row["DISPLAYVALUE"] for row in tables["DIMENSIONATTRIBUTEVALUECOMBINATION"]}
    sets = _dimension_sets(tables)
    lines: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in tables["CUSTINVOICELINE"]:
        lines[row["PARENTRECID"]].append(_line(row, accounts, sets))
    invoices = [_invoice(row, lines[row["RECID"]], sets) for row in tables["CUSTINVOICETABLE"]]
    return {
        "customers": customers,
        "vendors": [_vendor(row, parties[row["PARTY"]]) for row in tables["VENDTABLE"]],
        "free_text_invoices": invoices,
        "totals": _totals(customers, invoices),
        **ledger_state.snapshot(tables),
    }


def _dimension_sets(tables: dict[str, list[Row]]) -> dict[int, dict[str, str]]:
    names = {row["RECID"]: row["NAME"] for row in tables["DIMENSIONATTRIBUTE"]}
    owners = {row["RECID"]: names[row["DIMENSIONATTRIBUTE"]] for row in tables["DIMENSIONATTRIBUTEVALUE"]}
    sets: dict[int, dict[str, str]] = defaultdict(dict)
    for row in tables["DIMENSIONATTRIBUTEVALUESETITEM"]:
        sets[row["DIMENSIONATTRIBUTEVALUESET"]][owners[row["DIMENSIONATTRIBUTEVALUE"]]] = row["DISPLAYVALUE"]
    return sets


def _customer(row: Row, party: Row) -> dict[str, Any]:
    return {
        "company": row["DATAAREAID"],
        "account": row["ACCOUNTNUM"],
        "name": party["NAME"],
        "group": row["CUSTGROUP"],
        "currency": row["CURRENCY"],
        "vat": row["VATNUM"],
        "our_account_number": row["OURACCOUNTNUM"],
        "rec_id": row["RECID"],
        "party": row["PARTY"],
    }


def _vendor(row: Row, party: Row) -> dict[str, Any]:
    return {
        "company": row["DATAAREAID"],
        "account": row["ACCOUNTNUM"],
        "name": party["NAME"],
        "group": row["VENDGROUP"],
        "currency": row["CURRENCY"],
        "vat": row["VATNUM"],
        "your_account_number": row["YOURACCOUNTNUM"],
        "rec_id": row["RECID"],
        "party": row["PARTY"],
    }


def _invoice(row: Row, lines: list[dict[str, Any]], sets: dict[int, dict[str, str]]) -> dict[str, Any]:
    amount = sum((Decimal(line["amount_cur"]) for line in lines), Decimal(0))
    tax = sum((Decimal(line["tax_amount"]) for line in lines), Decimal(0))
    return {
        "company": row["DATAAREAID"],
        "rec_id": row["RECID"],
        "invoice_id": row["INVOICEID"],
        "posted": bool(row["POSTED"]),
        "posting_error": row["LOG"] if not row["POSTED"] else "",
        "customer_account": row["ORDERACCOUNT"],
        "invoice_account": row["INVOICEACCOUNT"],
        "name": row["NAME"],
        "currency": row["CURRENCYCODE"],
        "customer_ref": row["CUSTOMERREF"],
        "purch_order_form_num": row["PURCHORDERFORMNUM"],
        "invoice_date": date_text(row["INVOICEDATE"]),
        "due_date": date_text(row["DUEDATE"]),
        "document_date": date_text(row["DOCUMENTDATE"]),
        "payment": row["PAYMENT"],
        "includes_tax": bool(row["INCLTAX"]),
        "dimensions": sets.get(row["DEFAULTDIMENSION"], {}),
        "lines": lines,
        "amount_cur": decimal_text(amount),
        "tax_amount": decimal_text(tax),
        "total": decimal_text(amount if row["INCLTAX"] else amount + tax),
    }


def _line(row: Row, accounts: dict[int, str], sets: dict[int, dict[str, str]]) -> dict[str, Any]:
    return {
        "rec_id": row["RECID"],
        "line_number": int(row["LINENUM"]),
        "description": row["DESCRIPTION"],
        "quantity": decimal_text(row["QUANTITY"]),
        "unit_price": decimal_text(row["UNITPRICE"]),
        "amount_cur": decimal_text(row["AMOUNTCUR"]),
        "tax_amount": decimal_text(row["TAXAMOUNT"]),
        "main_account": accounts.get(row["LEDGERDIMENSION"], ""),
        "tax_group": row["TAXGROUP"],
        "tax_item_group": row["TAXITEMGROUP"],
        "dimensions": sets.get(row["DEFAULTDIMENSION"], {}),
    }


def _totals(customers: list[dict[str, Any]], invoices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return counts and sums by company and currency, in that order."""
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0), Decimal(0)])
    for invoice in invoices:
        sum_of = sums[(invoice["company"], invoice["currency"])]
        for position, value in enumerate((1, invoice["total"], invoice["tax_amount"])):
            sum_of[position] += Decimal(value)
    return [
        {
            "company": company,
            "currency": currency,
            "customers": sum(1 for customer in customers if customer["company"] == company),
            "invoices": int(count),
            "total": decimal_text(total),
            "tax_amount": decimal_text(tax),
        }
        for (company, currency), (count, total, tax) in sorted(sums.items())
    ]
