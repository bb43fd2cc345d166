"""Exchange rates: the ExchangeRates document, and the rate that AX takes for a currency on a date.

EXCHANGERATE holds what 100 units cost, whatever the pair's display factor, which only says how a document shows the
rate (unverified per site, ax-aif.md section 13). A new rate ends the open one before it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.ax.contract import ledger_entities
from sandbox.ax.model import faults, references
from sandbox.ax.model.database import Row, Transaction
from sandbox.ax.model.node import Node

HUNDRED = Decimal(100)
NO_END = datetime(2154, 12, 31)  # noqa: DTZ001 - AX's 'never' (ax-aif.md section 5)
_RATE_DIGITS = Decimal("0.000000000001")  # ExchRate has 12 decimals
_LABEL = "Exchange rates"


def create(transaction: Transaction, node: Node) -> dict[str, str]:
    """Store the rates of one currency pair and return the pair's key.

    Raises: AifError F9 (unknown type or currency), F10, F3 (a rate from that day exists).
    """
    rate_type = node.get("ExchangeRateType")
    if not rate_type:
        raise faults.must_be_filled(references.RATE_TYPE.label)
    references.check(transaction, references.RATE_TYPE, rate_type)
    for name in ("FromCurrencyCode", "ToCurrencyCode"):
        references.check(transaction, references.CURRENCY, node.get(name))
    pair = _pair(transaction, node, rate_type)
    for rate in node.named("ExchangeRate"):
        shown = Decimal(rate.get("ExchangeRate"))
        factor = Decimal(10) ** pair["EXCHANGERATEDISPLAYFACTOR"]
        add(transaction, pair["RECID"], shown * HUNDRED / factor, rate.get("ValidFrom"), rate.get("ValidTo", None))
    return {
        "ExchangeRateType": rate_type,
        "FromCurrencyCode": pair["FROMCURRENCYCODE"],
        "ToCurrencyCode": pair["TOCURRENCYCODE"],
    }


def _pair(transaction: Transaction, node: Node, rate_type: str) -> Row:
    kind = transaction.rows("EXCHANGERATETYPE", NAME=rate_type)[0]["RECID"]
    key = {
        "EXCHANGERATETYPE": kind,
        "FROMCURRENCYCODE": node.get("FromCurrencyCode"),
        "TOCURRENCYCODE": node.get("ToCurrencyCode"),
    }
    transaction.serialize("exchange rates")
    found = transaction.row("EXCHANGERATECURRENCYPAIR", **key)
    if found is not None:
        return found
    row = key | {"EXCHANGERATEDISPLAYFACTOR": node.get("ExchangeRateDisplayFactor", 0) or 0}
    return row | {"RECID": transaction.insert("EXCHANGERATECURRENCYPAIR", row)}


def add(transaction: Transaction, pair: int, rate: Decimal, first: datetime, last: datetime | None) -> None:
    """Add a rate for 100 units, valid from `first` to `last`; None means until the next one."""
    if rate <= 0:
        raise faults.refused("The exchange rate must be greater than zero.", "ExchangeRate")
    until = last or NO_END
    for row in transaction.rows("EXCHANGERATE", EXCHANGERATECURRENCYPAIR=pair):
        if row["VALIDFROM"] == first:
            raise faults.already_exists(_LABEL, "ExchangeRate", f"Start date: {first:%Y-%m-%d}")
        if row["VALIDFROM"] < first <= row["VALIDTO"]:
            transaction.update("EXCHANGERATE", row["RECID"], {"VALIDTO": first - timedelta(days=1)})
        elif first < row["VALIDFROM"] <= until:
            until = row["VALIDFROM"] - timedelta(days=1)
    row = {"EXCHANGERATECURRENCYPAIR": pair, "EXCHANGERATE": rate, "VALIDFROM": first, "VALIDTO": until}
    transaction.insert("EXCHANGERATE", row | {"MODIFIEDDATETIME": transaction.now})


def read(transaction: Transaction, key: Mapping[str, str]) -> Node:
    """Return the document of a pair. Raises: AifError F1."""
    kind = transaction.row("EXCHANGERATETYPE", NAME=key.get("ExchangeRateType", ""))
    pair = kind and transaction.row(
        "EXCHANGERATECURRENCYPAIR",
        EXCHANGERATETYPE=kind["RECID"],
        FROMCURRENCYCODE=key.get("FromCurrencyCode", ""),
        TOCURRENCYCODE=key.get("ToCurrencyCode", ""),
    )
    if kind is None or pair is None:
        raise faults.not_identified()
    node = Node("CurrencyPair", ledger_entities.CURRENCY_PAIR.type)
    factor = Decimal(10) ** pair["EXCHANGERATEDISPLAYFACTOR"]
    node.values = {
        "ExchangeRateDisplayFactor": pair["EXCHANGERATEDISPLAYFACTOR"],
        "ExchangeRateType": kind["NAME"],
        "FromCurrencyCode": pair["FROMCURRENCYCODE"],
        "RecId": pair["RECID"],
        "RecVersion": pair["RECVERSION"],
        "ToCurrencyCode": pair["TOCURRENCYCODE"],
    }
    for row in transaction.rows("EXCHANGERATE", EXCHANGERATECURRENCYPAIR=pair["RECID"]):
        rate = Node("ExchangeRate", ledger_entities.EXCHANGE_RATE.type)
        rate.values = {"ExchangeRate": row["EXCHANGERATE"] * factor / HUNDRED, "RecId": row["RECID"]}
        rate.values |= {"RecVersion": row["RECVERSION"], "ValidFrom": row["VALIDFROM"], "ValidTo": row["VALIDTO"]}
        node.children.append(rate)
    return node


def rate_of(transaction: Transaction, ledger: Row, currency: str, day: datetime) -> Decimal:
    """Return what 100 units of `currency` are in the ledger's accounting currency: by the pair, or by the reverse one.

    Triangulation through a third currency is not simulated.

    Raises: AifError when there is no rate on that day (F13; text unverified).
    """
    home = ledger["ACCOUNTINGCURRENCY"]
    if currency.upper() == home.upper():
        return HUNDRED
    direct = _valid(transaction, ledger["DEFAULTEXCHANGERATETYPE"], currency, home, day)
    if direct is not None:
        return direct
    reverse = _valid(transaction, ledger["DEFAULTEXCHANGERATETYPE"], home, currency, day)
    if reverse is not None:
        return (HUNDRED * HUNDRED / reverse).quantize(_RATE_DIGITS)
    raise faults.refused(f"No exchange rate exists for currency {currency} on {day:%Y-%m-%d}.", "ExchRate")


def _valid(transaction: Transaction, kind: int, source: str, target: str, day: datetime) -> Decimal | None:
    pair = transaction.row(
        "EXCHANGERATECURRENCYPAIR", EXCHANGERATETYPE=kind, FROMCURRENCYCODE=source, TOCURRENCYCODE=target
    )
    if pair is None:
        return None
    validity = ("VALIDFROM", "VALIDTO")
    rows = transaction.valid_on("EXCHANGERATE", validity, day, EXCHANGERATECURRENCYPAIR=pair["RECID"])
    return Decimal(rows[0]["EXCHANGERATE"]) if rows else None
