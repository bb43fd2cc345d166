"""Bill: bills/bills (reference §6.5): lines always shown, sums, status and due date computed, UTC clocks.

Rounding follows that of invoices, per line (inferred). Changing the vendor or the currency of a bill that is paid is
not refused (unverified).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.clock import eastern_day
from sandbox.freshbooks.errors import Refused, required
from sandbox.freshbooks.kind import Account, Json, Kind, Predicate, Record
from sandbox.freshbooks.kinds.references import referred
from sandbox.freshbooks.money import ZERO, money, price, rounded
from sandbox.freshbooks.values import (
    currency,
    day,
    decimal,
    integer,
    invalid_value,
    mapping_error,
    money_value,
    note,
    percent,
    text,
)

_HUNDRED: Final = Decimal(100)


def _accept_lines(key: str, value: object) -> object:
    if not isinstance(value, list):
        raise mapping_error(key, value)
    return [_accept(line) for line in value]


def _accept(sent: object) -> Json:
    """Return a sent line; its categoryid, quantity and unit_cost must be there, a quantity is a number (recorded)."""
    if not isinstance(sent, dict):
        raise mapping_error("lines", sent)
    for key in ("categoryid", "quantity", "unit_cost"):
        if sent.get(key) is None:
            raise required(key, "bill")
    if isinstance(sent["quantity"], str):
        raise mapping_error("quantity", sent["quantity"])
    line: Json = {
        "categoryid": integer("categoryid", sent["categoryid"]),
        "description": note("description", sent.get("description")),
        "quantity": format(decimal("quantity", sent["quantity"]), "f"),
        "unit_cost": money_value("unit_cost", sent["unit_cost"]),
    }
    for number in ("1", "2"):
        rate = sent.get(f"tax_percent{number}")
        line[f"tax_name{number}"] = text(f"tax_name{number}", sent.get(f"tax_name{number}"))
        line[f"tax_percent{number}"] = None if rate is None else percent(f"tax_percent{number}", rate)
        line[f"tax_authorityid{number}"] = text(f"tax_authorityid{number}", sent.get(f"tax_authorityid{number}"))
    return line


def _blank(_account: Account) -> Json:
    return {
        "vendorid": None,
        "bill_number": None,
        "due_offset_days": None,
        "currency_code": None,
        "language": None,
        "attachment": None,
        "bill_payments": [],
        "lines": [],
        "vis_state": 0,
    }


def _settle(account: Account, record: Record, _sent: frozenset[str], _former: Record | None, _now: datetime) -> None:
    fields = record.fields
    for key in ("vendorid", "issue_date", "due_offset_days", "currency_code", "language", "lines"):
        if fields.get(key) in (None, "", []):
            raise required(key, "bill")
    referred(account, "bill_vendor", "Bill vendor", "vendorid", fields["vendorid"])
    if not 0 <= fields["due_offset_days"] <= 3650:
        raise invalid_value("due_offset_days", fields["due_offset_days"], "not a number of days")
    try:
        due = date.fromisoformat(fields["issue_date"]) + timedelta(days=fields["due_offset_days"])
    except OverflowError as error:
        raise invalid_value("issue_date", fields["issue_date"], "out of range") from error
    fields["due_date"] = due.isoformat()
    for number, line in enumerate(fields["lines"], start=1):
        _settle_line(account, line, number, fields["currency_code"])
    fields["overall_description"] = fields["lines"][0]["description"]
    fields["overall_category"] = fields["lines"][0]["category"]["category"]
    settle_amounts(account, record)


def _settle_line(account: Account, line: Json, number: int, code: str) -> None:
    category = referred(account, "category", "Category", "categoryid", line["categoryid"])
    if line["unit_cost"]["code"] not in (None, code):
        raise Refused(422, 1004, f"'unit_cost' is not in {code}.", "unit_cost", "bill", line["unit_cost"]["code"])
    line["id"] = line["list_index"] = number
    line["category"] = dict(category.fields)
    line["unit_cost"] = price(Decimal(line["unit_cost"]["amount"]), code)
    amount = rounded(Decimal(line["quantity"]) * Decimal(line["unit_cost"]["amount"]), code)
    total = amount
    for tax in ("1", "2"):
        rate = line[f"tax_percent{tax}"]
        charged = bool(line[f"tax_name{tax}"]) and rate is not None
        tax_amount = rounded(amount * Decimal(rate) / _HUNDRED, code) if charged else ZERO
        line[f"tax_amount{tax}"] = money(tax_amount, code) if charged else None
        total += tax_amount
    line["amount"] = money(amount, code)
    line["total_amount"] = money(total, code)


def settle_amounts(account: Account, record: Record) -> None:
    """Compute sums, status and the list of payments from the lines and the live payments."""
    fields, code = record.fields, record.fields["currency_code"]
    net = sum((Decimal(line["amount"]["amount"]) for line in fields["lines"]), ZERO)
    total = sum((Decimal(line["total_amount"]["amount"]) for line in fields["lines"]), ZERO)
    payments = [
        payment
        for payment in account.records("bill_payment").values()
        if payment.fields["billid"] == record.id and payment.vis_state != 1
    ]
    paid = sum((Decimal(payment.fields["amount"]["amount"]) for payment in payments), ZERO)
    fields["amount"] = money(net, code)
    fields["tax_amount"] = money(total - net, code)
    fields["total_amount"] = money(total, code)
    fields["paid"] = money(paid, code)
    fields["outstanding"] = money(total - paid, code)
    fields["bill_payments"] = [dict(payment.fields) for payment in payments]
    fields["status"] = "paid" if paid >= total > 0 else "partial" if paid > 0 else "unpaid"


def _status(record: Record, today: str) -> str:
    """Return the status as of `today`: overdue is derived from the due date (inferred), never stored."""
    stored = str(record.fields["status"])
    return "overdue" if stored != "paid" and record.fields["due_date"] < today else stored


def _view(_account: Account, record: Record, now: datetime) -> Json:
    return {**record.fields, "status": _status(record, eastern_day(now).isoformat())}


def _in_statuses(_account: Account, values: list[str], now: datetime) -> Predicate:
    today, wanted = eastern_day(now).isoformat(), set(values)
    return lambda record: _status(record, today) in wanted


def _vendor(account: Account, record: Record, _now: datetime) -> object:
    return account.records("bill_vendor")[record.fields["vendorid"]].fields


BILL: Final = Kind(
    path="bills/bills",
    single="bill",
    plural="bills",
    title="Bill",
    id_keys=("id",),
    first_id=501,
    noun="bill",
    scope="bills",
    keys={
        "vendorid": integer,
        "bill_number": text,
        "issue_date": day,
        "due_offset_days": integer,
        "currency_code": currency,
        "language": text,
        "lines": _accept_lines,
    },
    required=("vendorid", "issue_date", "due_offset_days", "currency_code", "language", "lines"),
    refused=frozenset({"due_date", "amount", "overall_description"}),
    computed=frozenset(
        {"tax_amount", "total_amount", "outstanding", "paid", "status", "overall_category", "bill_payments"}
        | {"created_at", "updated_at"}
    ),
    created_clocks={"created_at": "utc", "updated_at": "utc"},
    changed_clocks={"updated_at": "utc"},
    filters={
        "ids": filters.equals("id"),
        "vendorid": filters.equals("vendorid"),
        "statuses": _in_statuses,
        "currency_code": filters.equals("currency_code"),
        "vis_state": filters.vis_state,
    },
    sorts={},
    includes={"vendor": _vendor},
    payable=True,
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
    view=_view,
)
