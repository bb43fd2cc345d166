"""Bill vendor: bill_vendors/bill_vendors (reference §6.6). No filter works, times are UTC (disputed), no `id` key."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks.clock import eastern_day, utc_plain
from sandbox.freshbooks.errors import required
from sandbox.freshbooks.kind import Account, Json, Kind, Record
from sandbox.freshbooks.kinds.references import referred
from sandbox.freshbooks.money import ZERO, money
from sandbox.freshbooks.values import boolean, currency, integer, mapping_error, note, text

_NAMES: Final = ("vendor_name", "primary_contact_first_name", "primary_contact_last_name", "primary_contact_email")
_PLACES: Final = ("phone", "website", "street", "street2", "city", "province", "postal_code", "country")


def _tax_defaults(key: str, value: object) -> object:
    """Return [{"tax_id", "enabled"}]; the rest is filled in from the tax (inferred)."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise mapping_error(key, value)
    return [
        {
            "tax_id": integer("tax_id", item.get("tax_id")),
            "enabled": boolean("enabled", item.get("enabled", True)),
        }
        for item in value
    ]


def _blank(account: Account) -> Json:
    return {
        **dict.fromkeys((*_NAMES, *_PLACES), ""),
        "currency_code": account.business.currency_code,
        "language": None,
        "account_number": "",
        "is_1099": False,
        "note": None,
        "tax_defaults": [],
        "vis_state": 0,
    }


def _settle(account: Account, record: Record, _sent: frozenset[str], _former: Record | None, now: datetime) -> None:
    fields = record.fields
    for key in ("vendor_name", "language"):
        if not fields[key]:
            raise required(key, "bill_vendor")
    for default in fields["tax_defaults"]:
        tax = referred(account, "tax", "Tax", "tax_id", default["tax_id"])
        default |= {
            "vendorid": record.id,
            "system_taxid": tax.id,
            "name": tax.fields["name"],
            "amount": tax.fields["amount"],
            "tax_authorityid": tax.fields["number"],
            "created_at": default.get("created_at", utc_plain(now)),
            "updated_at": utc_plain(now),
        }


def _view(account: Account, record: Record, now: datetime) -> Json:
    """Return the fields with the balances, a list of {"amount": Money}, one per currency (as captured)."""
    today = eastern_day(now).isoformat()
    owed: dict[str, Decimal] = {}
    late: dict[str, Decimal] = {}
    for bill in account.records("bill").values():
        open_amount = Decimal(bill.fields["outstanding"]["amount"])
        if bill.fields["vendorid"] != record.id or bill.vis_state == 1 or open_amount == 0:
            continue
        code = bill.fields["currency_code"]
        owed[code] = owed.get(code, ZERO) + open_amount
        if bill.fields["due_date"] < today:
            late[code] = late.get(code, ZERO) + open_amount
    return {
        **record.fields,
        "outstanding_balance": [{"amount": money(amount, code)} for code, amount in owed.items()],
        "overdue_balance": [{"amount": money(amount, code)} for code, amount in late.items()],
    }


BILL_VENDOR: Final = Kind(
    path="bill_vendors/bill_vendors",
    single="bill_vendor",
    plural="bill_vendors",
    title="Bill vendor",
    id_keys=("vendorid",),
    first_id=61,
    noun="bill_vendor",
    scope="bill_vendors",
    keys={
        **dict.fromkeys((*_NAMES, *_PLACES, "language", "account_number"), text),
        "currency_code": currency,
        "is_1099": boolean,
        "note": note,
        "tax_defaults": _tax_defaults,
    },
    required=("vendor_name", "language"),
    refused=frozenset(),
    computed=frozenset({"outstanding_balance", "overdue_balance", "created_at", "updated_at"}),
    created_clocks={"created_at": "utc", "updated_at": "utc"},
    changed_clocks={"updated_at": "utc"},
    filters={},
    sorts={},
    includes={},
    payable=True,
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
    view=_view,
)
