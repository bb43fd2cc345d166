"""Payment: payments/payments (reference §6.4): pays an invoice down; what is too much becomes credit.

The invoice is recomputed on create, change, delete and undelete of a payment; only create is recorded, the rest
inferred.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.errors import required, unknown_resource, write_denied
from sandbox.freshbooks.kind import Account, Json, Kind, Record, Touch
from sandbox.freshbooks.kinds.invoices import settle_amounts
from sandbox.freshbooks.money import ZERO, money
from sandbox.freshbooks.values import boolean, day, integer, invalid_value, mapping_error, money_value, note

_TYPES: Final = (
    "Check",
    "Credit",
    "Cash",
    "Bank Transfer",
    "Credit Card",
    "Debit",
    "PayPal",
    "2Checkout",
    "VISA",
    "MASTERCARD",
    "DISCOVER",
    "AMEX",
    "DINERS",
    "JCB",
    "ACH",
    "Other",
)


def _type(key: str, value: object) -> object:
    if not isinstance(value, str):
        raise mapping_error(key, value)
    if value not in _TYPES:
        raise invalid_value(key, value, "not a payment type")
    return value


def _blank(account: Account) -> Json:
    return {
        "type": "Other",
        "note": "",
        "gateway": None,
        "creditid": None,
        "from_credit": False,
        "overpaymentid": None,
        "orderid": None,
        "transactionid": None,
        "transaction_uuid": None,
        "bulk_paymentid": None,
        "send_client_notification": None,
        "accounting_systemid": account.account_id,
        "vis_state": 0,
    }


def _settle(account: Account, record: Record, _sent: frozenset[str], former: Record | None, _now: datetime) -> None:
    fields = record.fields
    invoice = account.records("invoice").get(fields["invoiceid"])
    if invoice is None:
        raise unknown_resource("Invoice", "invoiceid", "payment", fields["invoiceid"])
    code = invoice.fields["currency_code"]
    if former is not None and former.fields["invoiceid"] != invoice.id:
        raise write_denied("invoiceid", "payment", invoice.id)
    if fields["amount"] is None:
        raise required("amount", "payment")
    if fields["amount"]["code"] not in (None, code):
        raise invalid_value("amount", fields["amount"]["code"], f"not in {code}")
    amount = Decimal(fields["amount"]["amount"])
    if amount <= 0:
        raise invalid_value("amount", amount, "must be more than 0")
    fields["amount"] = money(amount, code)
    fields["clientid"] = invoice.fields["customerid"]


def recompute_invoice(account: Account, invoice: Record) -> None:
    """Sum the live payments of `invoice` by id; what exceeds its amount is marked as overpaid (credit)."""
    owed, paid = max(invoice.parts["totals"].amount, ZERO), ZERO
    last_day = None
    for payment in account.records("payment").values():
        if payment.fields["invoiceid"] != invoice.id or payment.vis_state == 1:
            continue
        before = paid
        paid += Decimal(payment.fields["amount"]["amount"])
        over = max(paid - owed, ZERO) - max(before - owed, ZERO)
        payment.parts["overpaid"] = over
        payment.fields["overpaymentid"] = payment.id if over else None
        last_day = payment.fields["date"]
    invoice.parts["paid"] = paid
    settle_amounts(invoice)
    invoice.fields["date_paid"] = last_day if invoice.fields["payment_status"] == "paid" else None


def _touches(account: Account, record: Record) -> list[Touch]:
    """Recompute the paid invoice and say that it changed."""
    recompute_invoice(account, account.records("invoice")[record.fields["invoiceid"]])
    return [Touch("invoice", record.fields["invoiceid"])]


PAYMENT: Final = Kind(
    path="payments/payments",
    single="payment",
    plural="payments",
    title="Payment",
    id_keys=("id", "logid"),
    first_id=701,
    noun="payment",
    scope="payments",
    keys={
        "invoiceid": integer,
        "amount": money_value,
        "date": day,
        "type": _type,
        "note": note,
        "send_client_notification": boolean,
    },
    required=("invoiceid", "amount", "date"),
    refused=frozenset(),
    computed=frozenset({"updated", "clientid", "overpaymentid"}),
    created_clocks={"updated": "eastern"},
    changed_clocks={"updated": "eastern"},
    filters={
        "logid": filters.equals("logid"),
        "logids": filters.equals("logid"),
        "invoiceid": filters.equals("invoiceid"),
        "clientid": filters.equals("clientid"),
        "clientids": filters.equals("clientid"),
        "type": filters.equals("type"),
        "notes": filters.like("note"),
        "amount_min": filters.amount("amount", at_least=True),
        "amount_max": filters.amount("amount", at_least=False),
        "date_min": filters.day_from("date"),
        "date_max": filters.day_to("date"),
        "updated_min": filters.day_from("updated"),
        "updated_max": filters.day_before("updated"),
        "vis_state": filters.vis_state,
    },
    sorts={},
    includes={},
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
    touches=_touches,
    touches_on_change=True,
)
