"""Item: items/items (reference §6.7): what invoice lines are made from."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.errors import required
from sandbox.freshbooks.kind import Account, Json, Kind, Record
from sandbox.freshbooks.kinds.references import referred
from sandbox.freshbooks.money import price
from sandbox.freshbooks.values import decimal, id_or_none, money_value, note, text


def _number(key: str, value: object) -> object:
    return None if value is None else format(decimal(key, value), "f")


def _blank(account: Account) -> Json:
    return {
        "accounting_systemid": account.account_id,
        "name": "",
        "description": "",
        "qty": "1",
        "inventory": None,
        "sku": "",
        "tax1": 0,
        "tax2": 0,
        "tax_rule_code": None,
        "unit_cost": {"amount": "0.00", "code": account.business.currency_code},
        "vis_state": 0,
    }


def _settle(account: Account, record: Record, _sent: frozenset[str], _former: Record | None, _now: datetime) -> None:
    fields = record.fields
    if not fields["name"]:
        raise required("name", "item")
    if fields["unit_cost"] is None:
        raise required("unit_cost", "item")
    code = fields["unit_cost"]["code"] or account.business.currency_code
    fields["unit_cost"] = price(Decimal(fields["unit_cost"]["amount"]), code)
    for key in ("tax1", "tax2"):
        if fields[key]:
            referred(account, "tax", "Tax", key, fields[key])


ITEM: Final = Kind(
    path="items/items",
    single="item",
    plural="items",
    title="Item",
    id_keys=("id", "itemid"),
    first_id=40_001,
    noun="item",
    scope="billable_items",
    keys={
        **dict.fromkeys(("name", "sku"), text),
        "description": note,
        "qty": _number,
        "inventory": _number,
        "unit_cost": money_value,
        "tax1": id_or_none,
        "tax2": id_or_none,
    },
    required=("name",),
    refused=frozenset(),
    computed=frozenset({"updated"}),
    created_clocks={"updated": "eastern"},
    changed_clocks={"updated": "eastern"},
    filters={
        "itemid": filters.equals("itemid"),
        "itemids": filters.equals("itemid"),
        "sku": filters.equals("sku"),
        "description": filters.equals("description"),
        "unit_cost_min": filters.amount("unit_cost", at_least=True),
        "unit_cost_max": filters.amount("unit_cost", at_least=False),
        "updated_min": filters.day_from("updated"),
        "updated_max": filters.day_before("updated"),
        "vis_state": filters.vis_state,
    },
    sorts={},
    includes={},
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
)
