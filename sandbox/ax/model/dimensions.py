"""Financial dimensions: default dimensions as value sets, and ledger accounts as value combinations.

A record points by RECID to a set (DEFAULTDIMENSION) or a combination (LEDGERDIMENSION); equal contents share
one row, as in AX.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from sandbox.ax.model import faults
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.references import MAIN_ACCOUNT

DEFAULT_ACCOUNT = 2
"""LEDGERDIMENSIONTYPE of a default account: a main account without dimensions (ordinal unverified)."""


def value_set(transaction: Transaction, values: Mapping[str, str]) -> int:
    """Return the RECID of the set with these dimension values, made if it is new; 0 for no values.

    Raises: AifError F9 for a dimension or a value that AX does not know.
    """
    items: list[tuple[int, str]] = []
    for name, value in sorted(values.items()):
        items.append((_value(transaction, name, value), value))
    if not items:
        return 0
    key = {"HASH": hashlib.sha256(repr(items).encode()).hexdigest()}
    found = _shared(transaction, "DIMENSIONATTRIBUTEVALUESET", key)
    if found is not None:
        return int(found["RECID"])
    recid = transaction.insert("DIMENSIONATTRIBUTEVALUESET", key)
    for value_recid, text in items:
        row = {"DIMENSIONATTRIBUTEVALUESET": recid, "DIMENSIONATTRIBUTEVALUE": value_recid, "DISPLAYVALUE": text}
        transaction.insert("DIMENSIONATTRIBUTEVALUESETITEM", row)
    return recid


def values_of(transaction: Transaction, recid: int) -> dict[str, str]:
    """Return dimension name to value of a set; {} for RECID 0."""
    if not recid:
        return {}
    names = {row["RECID"]: row["NAME"] for row in transaction.rows("DIMENSIONATTRIBUTE")}
    found: dict[str, str] = {}
    for item in transaction.rows("DIMENSIONATTRIBUTEVALUESETITEM", DIMENSIONATTRIBUTEVALUESET=recid):
        value = transaction.row("DIMENSIONATTRIBUTEVALUE", RECID=item["DIMENSIONATTRIBUTEVALUE"])
        if value is not None:
            found[names[value["DIMENSIONATTRIBUTE"]]] = item["DISPLAYVALUE"]
    return found


def default_account(transaction: Transaction, main_account: str) -> int:
    """Return the RECID of the combination that stands for a main account alone, made if it is new.

    Raises: AifError F10 for an empty account, F9 for one that is not in the chart of accounts.
    """
    if not main_account:
        raise faults.must_be_filled(MAIN_ACCOUNT.label)
    account = transaction.row("MAINACCOUNT", MAINACCOUNTID=main_account)
    if account is None:
        raise faults.not_found(main_account, MAIN_ACCOUNT.label, MAIN_ACCOUNT.table_label)
    key = {"MAINACCOUNT": account["RECID"], "LEDGERDIMENSIONTYPE": DEFAULT_ACCOUNT}
    found = _shared(transaction, "DIMENSIONATTRIBUTEVALUECOMBINATION", key)
    if found is not None:
        return int(found["RECID"])
    return transaction.insert("DIMENSIONATTRIBUTEVALUECOMBINATION", key | {"DISPLAYVALUE": account["MAINACCOUNTID"]})


def account_of(transaction: Transaction, recid: int) -> str:
    """Return the text of a ledger dimension; '' for RECID 0."""
    found = transaction.row("DIMENSIONATTRIBUTEVALUECOMBINATION", RECID=recid) if recid else None
    return str(found["DISPLAYVALUE"]) if found else ""


def _shared(transaction: Transaction, table: str, key: Mapping[str, Any]) -> Row | None:
    """Return the row that all records with these contents share; None means that this transaction is to make it.

    Only then is it the one maker: a second transaction that misses the row waits here until this one ends. One
    lock for all contents, so that two invoices with the same accounts in another order cannot wait for each
    other.
    """
    found = transaction.row(table, **key)
    if found is None:
        transaction.serialize("dimensions")
        found = transaction.row(table, **key)
    return found


def _value(transaction: Transaction, name: str, value: str) -> int:
    attribute = transaction.row("DIMENSIONATTRIBUTE", NAME=name)
    if attribute is None:
        raise faults.not_found(name, "Name", "Financial dimensions")
    for tag in transaction.rows("DIMENSIONFINANCIALTAG", VALUE=value):
        key = {"DIMENSIONATTRIBUTE": attribute["RECID"], "ENTITYINSTANCE": tag["RECID"]}
        found = transaction.row("DIMENSIONATTRIBUTEVALUE", **key)
        if found is not None and not found["ISSUSPENDED"]:
            return int(found["RECID"])
    raise faults.not_found(value, name, "Financial dimension values")
