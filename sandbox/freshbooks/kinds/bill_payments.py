"""Bill payment: bill_payments/bill_payments (reference §6.5). No event, no filter and no time of change.

Its bill is recomputed and says that it changed (a bill.update is inferred: reference §13k). More than is owed is
refused (inferred: nothing says that a vendor has credit).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks.errors import required, write_denied
from sandbox.freshbooks.kind import Account, Json, Kind, Record, Touch
from sandbox.freshbooks.kinds.bills import settle_amounts
from sandbox.freshbooks.kinds.payment_types import payment_type
from sandbox.freshbooks.kinds.references import referred
from sandbox.freshbooks.money import ZERO, money
from sandbox.freshbooks.values import boolean, day, integer, invalid_value, money_value, note


def _blank(_account: Account) -> Json:
    return {"billid": None, "note": "", "matched_with_expense": False, "vis_state": 0}


def _settle(account: Account, record: Record, _sent: frozenset[str], former: Record | None, _now: datetime) -> None:
    fields = record.fields
    for key in ("billid", "amount", "payment_type", "paid_date"):
        if fields.get(key) is None:
            raise required(key, "bill_payment")
    bill = referred(account, "bill", "Bill", "billid", fields["billid"])
    if former is not None and former.fields["billid"] != bill.id:
        raise write_denied("billid", "bill_payment", bill.id)
    code = bill.fields["currency_code"]
    if fields["amount"]["code"] not in (None, code):
        raise invalid_value("amount", fields["amount"]["code"], f"not in {code}")
    amount = Decimal(fields["amount"]["amount"])
    others = sum(
        (
            Decimal(payment.fields["amount"]["amount"])
            for payment in account.records("bill_payment").values()
            if payment.fields["billid"] == bill.id and payment.vis_state != 1 and payment.id != record.id
        ),
        ZERO,
    )
    if not 0 < amount <= Decimal(bill.fields["total_amount"]["amount"]) - others:
        raise invalid_value("amount", amount, "not more than 0, or more than is owed")
    fields["amount"] = money(amount, code)


def _touches(account: Account, record: Record, _now: datetime) -> list[Touch]:
    settle_amounts(account, account.records("bill")[record.fields["billid"]])
    return [Touch("bill", record.fields["billid"])]


BILL_PAYMENT: Final = Kind(
    path="bill_payments/bill_payments",
    single="bill_payment",
    plural="bill_payments",
    title="Bill payment",
    id_keys=("id",),
    first_id=901,
    noun="bill_payment",
    scope="bill_payments",
    keys={
        "billid": integer,
        "amount": money_value,
        "payment_type": payment_type,
        "paid_date": day,
        "note": note,
        "matched_with_expense": boolean,
    },
    required=("billid", "amount", "payment_type", "paid_date"),
    refused=frozenset(),
    computed=frozenset(),
    created_clocks={},
    changed_clocks={},
    filters={},
    sorts={},
    includes={},
    payable=True,
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
    touches=_touches,
    touches_on_change=True,
)
