"""Lines of an invoice: what is accepted, stored and priced (reference §6.2).

A sent list replaces all lines. Read-only keys of a line (lineid, amount, taxNumber1/2) and unknown ones are dropped
silently: callers send lines back as they read them (inferred; nothing recorded says they are refused).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.money import ZERO, PricedLine, money, price
from sandbox.freshbooks.values import (
    Converter,
    boolean,
    decimal,
    invalid_value,
    mapping_error,
    money_value,
    note,
    optional_day,
    percent,
    text,
    whole_between,
)

Json = dict[str, Any]


def _quantity(key: str, value: object) -> object:
    return format(decimal(key, value), "f")


def _optional_percent(key: str, value: object) -> object:
    return None if value is None else percent(key, value)


_KEYS: Final[dict[str, Converter]] = {
    # 0 normal, 1 rebilled expense, 5 unbilled-time placeholder.
    "type": whole_between(0, 5, "not a line type"),
    "name": text,
    "description": note,
    "qty": _quantity,
    "unit_cost": money_value,
    "taxName1": text,
    "taxAmount1": _optional_percent,
    "taxName2": text,
    "taxAmount2": _optional_percent,
    "compounded_tax": boolean,
    "expenseid": whole_between(0, 2**53, "not an id"),
    "taskno": whole_between(0, 2**53, "not a number"),
    "date": optional_day,
}


def accept_lines(key: str, value: object) -> object:
    """Return the stored form of the sent list; amounts, ids and currency codes are filled by `settle_lines`."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise mapping_error(key, value)
    return [_accept(line) for line in value]


def _accept(sent: object) -> Json:
    if not isinstance(sent, dict):
        raise mapping_error("lines", sent)
    line: Json = {
        "type": 0,
        "name": "",
        "description": "",
        "qty": "1",
        "unit_cost": {"amount": "0.00", "code": None},
        "taxName1": None,
        "taxAmount1": None,
        "taxNumber1": None,
        "taxName2": None,
        "taxAmount2": None,
        "taxNumber2": None,
        "compounded_tax": False,
        "expenseid": 0,
        "taskno": 1,
        "date": None,
        "retainer_id": None,
        "retainer_period_id": None,
    }
    for name, convert in _KEYS.items():
        if name in sent:
            line[name] = convert(name, sent[name])
    if line["unit_cost"] is None:
        raise invalid_value("unit_cost", None, "not an amount")
    return line


def settle_lines(lines: list[Json], invoice_id: int, code: str, updated: str, *, sent: bool) -> None:
    """Number the lines from 1 and compute their amounts in currency `code`.

    A sent line whose unit_cost names another currency than the invoice is 422/1004 (inferred). Lines that were there
    before follow the invoice when its currency is changed (inferred).
    """
    for number, line in enumerate(lines, start=1):
        named = line["unit_cost"]["code"]
        if sent and named not in (None, code):
            raise Refused(422, 1004, f"'unit_cost' is not in {code}.", "unit_cost", "invoice", named)
        line["unit_cost"] = price(Decimal(line["unit_cost"]["amount"]), code)
        line["amount"] = money(priced(line).amount(code), code)
        line["lineid"] = number
        line["invoiceid"] = invoice_id
        if sent:
            line["updated"] = updated


def priced(line: Json) -> PricedLine:
    """Return the pricing view of a stored line: taxes with a rate above 0 only."""
    pairs = ((line["taxName1"], line["taxAmount1"]), (line["taxName2"], line["taxAmount2"]))
    taxes = tuple((name or "", Decimal(rate)) for name, rate in pairs if rate is not None and Decimal(rate) != ZERO)
    return PricedLine(
        Decimal(line["qty"]), Decimal(line["unit_cost"]["amount"]), taxes, compounded=line["compounded_tax"]
    )


def priced_all(lines: Sequence[Json]) -> list[PricedLine]:
    """Return the pricing view of every line, in order."""
    return [priced(line) for line in lines]
