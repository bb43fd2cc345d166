"""Expense: expenses/expenses (reference §6.3), and the names that expenses were paid to (expenses/vendors).

`amount` includes the taxes. A tax is sent by its percentage, by its amount, or by both, which are then kept as they
are; the amount of a percentage is computed from the total (inferred). `isduplicate` is set on a look-alike, which is
stored all the same (recorded). A receipt is attached by its upload's jwt and media type; `attachment` is shown on
request only (docs; its exact shape is unverified), and uploads themselves are not simulated.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.errors import required
from sandbox.freshbooks.kind import Account, Json, Kind, Predicate, Record, Touch
from sandbox.freshbooks.kinds.references import referred
from sandbox.freshbooks.money import money
from sandbox.freshbooks.values import (
    boolean,
    day,
    id_or_none,
    integer,
    invalid_value,
    mapping_error,
    money_value,
    note,
    percent,
    text,
)

_HUNDRED: Final = Decimal(100)


def _optional_percent(key: str, value: object) -> object:
    return None if value is None else percent(key, value)


def _attachment(key: str, value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(value.get(part), str) for part in ("jwt", "media_type")):
        raise mapping_error(key, value)
    return {"jwt": value["jwt"], "media_type": value["media_type"]}


def _blank(account: Account) -> Json:
    return {
        "staffid": None,
        "categoryid": None,
        "clientid": 0,
        "projectid": 0,
        "invoiceid": None,
        "vendor": "",
        "notes": "",
        "account_name": "",
        "bank_name": None,
        **dict.fromkeys(("taxName1", "taxPercent1", "taxAmount1", "taxName2", "taxPercent2", "taxAmount2")),
        "compounded_tax": False,
        "markup_percent": "0",
        "billable": False,
        "status": 0,
        "isduplicate": False,
        "has_receipt": False,
        "include_receipt": False,
        "accountid": None,
        "accounting_systemid": account.account_id,
        "background_jobid": None,
        "bill_matches": [],
        "converse_projectid": None,
        "ext_accountid": None,
        "ext_invoiceid": 0,
        "ext_systemid": 0,
        "from_bulk_import": False,
        "is_cogs": False,
        "modern_projectid": None,
        "potential_bill_payment": False,
        "profileid": None,
        "transactionid": None,
        "vis_state": 0,
    }


def _settle(account: Account, record: Record, sent: frozenset[str], former: Record | None, _now: datetime) -> None:
    fields = record.fields
    for key in ("amount", "categoryid", "staffid", "date"):
        if fields.get(key) is None:
            raise required(key, "expense")
    referred(account, "category", "Category", "categoryid", fields["categoryid"])
    if fields["clientid"]:
        referred(account, "client", "Client", "clientid", fields["clientid"])
    if fields["projectid"]:
        referred(account, "project", "Project", "projectid", fields["projectid"])
    code = fields["amount"]["code"] or account.business.currency_code
    fields["amount"] = money(Decimal(fields["amount"]["amount"]), code)
    for number in ("1", "2"):
        _settle_tax(fields, number, sent, code)
    if former is None:
        fields["status"] = 1 if fields["billable"] and fields["clientid"] else 0  # inferred
        fields["isduplicate"] = _has_look_alike(account, fields)
    attached = record.parts.get("attachment")
    fields["has_receipt"] = attached is not None
    if attached is not None and "id" not in attached:
        attached["id"] = record.id + 100_000


def _settle_tax(fields: Json, number: str, sent: frozenset[str], code: str) -> None:
    """Compute the amount of a tax that only its percentage is known of; the percentage is of the net amount."""
    name, percentage, amount = (f"tax{part}{number}" for part in ("Name", "Percent", "Amount"))
    if not fields[name]:
        fields[percentage] = fields[amount] = None
        return
    if fields[amount] is not None and amount in sent:
        if fields[amount]["code"] not in (None, code):
            raise invalid_value(amount, fields[amount]["code"], f"not in {code}")
        fields[amount] = money(Decimal(fields[amount]["amount"]), code)
    elif fields[percentage] is not None:
        # Both percentages are taken on the same net amount; a compounded second tax is not priced apart (unverified).
        rates = [Decimal(fields[f"taxPercent{n}"]) for n in ("1", "2") if fields[f"taxPercent{n}"] is not None]
        total = Decimal(fields["amount"]["amount"])
        fields[amount] = money(total * Decimal(fields[percentage]) / (_HUNDRED + sum(rates)), code)


def _has_look_alike(account: Account, fields: Json) -> bool:
    looks = [fields[key] for key in ("amount", "date", "vendor", "categoryid")]
    return any(
        other.vis_state != 1 and [other.fields[key] for key in ("amount", "date", "vendor", "categoryid")] == looks
        for other in account.records("expense").values()
    )


def _touches(account: Account, record: Record, _now: datetime) -> list[Touch]:
    """Say that the category changed: an expense was posted to it."""
    account.records("category")[record.fields["categoryid"]].fields["transaction_posted"] = True
    return [Touch("category", record.fields["categoryid"])]


def _shown_attachment(_account: Account, record: Record, _now: datetime) -> object:
    return record.parts.get("attachment")


def _shown_category(account: Account, record: Record, _now: datetime) -> object:
    return account.records("category")[record.fields["categoryid"]].fields


def _has_receipt(_account: Account, _now: datetime) -> Predicate:
    return lambda record: bool(record.fields["has_receipt"])


def vendor_names(account: Account) -> list[str]:
    """Return whom live expenses were paid to, sorted: names without ids (expenses/vendors)."""
    expenses = (record for record in account.records("expense").values() if record.vis_state != 1)
    return sorted({str(record.fields["vendor"]) for record in expenses if record.fields["vendor"]})


EXPENSE: Final = Kind(
    path="expenses/expenses",
    single="expense",
    plural="expenses",
    title="Expense",
    id_keys=("id", "expenseid"),
    first_id=3_001,
    noun="expense",
    scope="expenses",
    keys={
        **dict.fromkeys(("categoryid", "staffid", "invoiceid"), integer),
        **dict.fromkeys(("clientid", "projectid"), id_or_none),
        **dict.fromkeys(("vendor", "account_name", "bank_name", "taxName1", "taxName2"), text),
        **dict.fromkeys(("taxPercent1", "taxPercent2"), _optional_percent),
        **dict.fromkeys(("amount", "taxAmount1", "taxAmount2"), money_value),
        **dict.fromkeys(("billable", "compounded_tax", "include_receipt", "is_cogs"), boolean),
        "markup_percent": percent,
        "notes": note,
        "date": day,
        "attachment": _attachment,
    },
    required=("amount", "categoryid", "staffid", "date"),
    refused=frozenset(),
    computed=frozenset({"updated", "has_receipt", "isduplicate", "status"}),
    created_clocks={"updated": "eastern", "version": "version"},
    changed_clocks={"updated": "eastern", "version": "version"},
    filters={
        "clientid": filters.equals("clientid"),
        "clientids": filters.equals("clientid"),
        "projectid": filters.equals("projectid"),
        "projectids": filters.equals("projectid"),
        "categoryid": filters.equals("categoryid"),
        "categoryids": filters.equals("categoryid"),
        "vendor": filters.equals("vendor"),
        "has_receipt": filters.truth(_has_receipt),
        "amount_min": filters.amount("amount", at_least=True),
        "amount_max": filters.amount("amount", at_least=False),
        "date_min": filters.day_from("date"),
        "date_max": filters.day_to("date"),
        "updated_min": filters.day_from("updated"),
        "updated_max": filters.day_before("updated"),
        "vis_state": filters.vis_state,
    },
    sorts={},
    includes={"attachment": _shown_attachment, "category": _shown_category},
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
    part_keys=("attachment",),
    touches=_touches,
)
