"""Financial dimensions: default dimensions as value sets, and ledger accounts as value combinations.

A record points by RECID to a set (DEFAULTDIMENSION) or a combination (LEDGERDIMENSION); equal contents share
one row, as in AX.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.ax.config import AccountStructure
from sandbox.ax.model import faults
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.references import MAIN_ACCOUNT

LEDGER_ACCOUNT = 0
DEFAULT_ACCOUNT = 2
SUBLEDGER_ACCOUNT = 3
"""LEDGERDIMENSIONTYPE: an account with its dimensions; a default account, which is a main account without dimensions;
the number of a customer, vendor or bank account (ordinals unverified)."""


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


def default_account(transaction: Transaction, number: str) -> int:
    """Return the RECID of the combination that stands for a main account alone, made if it is new.

    Raises: AifError F10 for an empty account, F9 for one that is not in the chart of accounts.
    """
    account = main_account(transaction, number)
    key = {"MAINACCOUNT": account["RECID"], "LEDGERDIMENSIONTYPE": DEFAULT_ACCOUNT}
    found = _shared(transaction, "DIMENSIONATTRIBUTEVALUECOMBINATION", key)
    if found is not None:
        return int(found["RECID"])
    return transaction.insert("DIMENSIONATTRIBUTEVALUECOMBINATION", key | {"DISPLAYVALUE": account["MAINACCOUNTID"]})


def main_account(transaction: Transaction, account: str) -> Row:
    """Return the row of a main account. Raises: AifError F10 for an empty one, F9 for one that is not in the chart."""
    if not account:
        raise faults.must_be_filled(MAIN_ACCOUNT.label)
    row = transaction.row("MAINACCOUNT", MAINACCOUNTID=account)
    if row is None:
        raise faults.not_found(account, MAIN_ACCOUNT.label, MAIN_ACCOUNT.table_label)
    return row


def ledger_account(
    transaction: Transaction,
    account: str,
    values: Mapping[str, str],
    structures: Sequence[AccountStructure],
    order: Sequence[str],
) -> Row:
    """Return the combination of a main account and dimension values, made if it is new.

    Its text is the account and the values of `order` (of the structure's dimensions, where one holds the account).

    Raises: AifError F10, F9, or one that names the account structure that does not allow the combination.
    """
    row = main_account(transaction, account)
    for name, value in values.items():
        _value(transaction, name, value)
    names = check_structure(account, values, structures, order)
    text = "-".join([row["MAINACCOUNTID"], *(values.get(name, "") for name in names)]).rstrip("-")
    key = {"MAINACCOUNT": row["RECID"], "DISPLAYVALUE": text, "LEDGERDIMENSIONTYPE": LEDGER_ACCOUNT}
    return _combination(transaction, key)


def check_structure(
    account: str, values: Mapping[str, str], structures: Sequence[AccountStructure], order: Sequence[str]
) -> Sequence[str]:
    """Return the dimensions of the account's structure, in order; `order` when AX has no structures (texts unverified).

    Raises: AifError when no structure holds the account, a required value is missing, or a dimension is not in it.
    """
    if not structures:
        return order
    structure = next((item for item in structures if item.first <= account <= item.last), None)
    if structure is None:
        raise faults.invalid_combination(account, "no account structure holds the main account", "Main account")
    for name in values:
        if name not in structure.dimensions:
            raise faults.invalid_combination(account, f"'{name}' is not a part of '{structure.name}'", name)
    for name, use in structure.dimensions.items():
        if use == "required" and not values.get(name):
            raise faults.invalid_combination(account, f"'{structure.name}' requires a value for '{name}'", name)
    return tuple(structure.dimensions)


def subledger_account(transaction: Transaction, account: str) -> Row:
    """Return the combination that stands for the number of a customer, vendor or bank account."""
    return _combination(transaction, {"DISPLAYVALUE": account, "LEDGERDIMENSIONTYPE": SUBLEDGER_ACCOUNT})


def _combination(transaction: Transaction, key: Mapping[str, Any]) -> Row:
    found = _shared(transaction, "DIMENSIONATTRIBUTEVALUECOMBINATION", key)
    if found is not None:
        return found
    return dict(key) | {"RECID": transaction.insert("DIMENSIONATTRIBUTEVALUECOMBINATION", key)}


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
