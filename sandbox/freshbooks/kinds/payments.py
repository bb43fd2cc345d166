"""Payment: payments/payments (reference §6.4): pays an invoice down; what is too much becomes credit.

The invoice is recomputed on create, change, delete and undelete of a payment; only create is recorded, the rest
inferred. Credit is a credit note (`overpaymentid`), which follows the payment; a payment of type Credit that names a
credit note uses it up (`from_credit`; inferred). A refund has no form of its own that we could read of: a payment is
lowered, down to 0 (so the Classic docs; inferred here), or deleted.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.errors import required, write_denied
from sandbox.freshbooks.kind import Account, Json, Kind, Record, Touch
from sandbox.freshbooks.kinds import credit_notes
from sandbox.freshbooks.kinds.invoices import settle_amounts
from sandbox.freshbooks.kinds.payment_types import payment_type
from sandbox.freshbooks.kinds.references import referred
from sandbox.freshbooks.money import ZERO, money
from sandbox.freshbooks.values import boolean, day, integer, invalid_value, money_value, note


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
    invoice = referred(account, "invoice", "Invoice", "invoiceid", fields["invoiceid"])
    code = invoice.fields["currency_code"]
    for key in ("invoiceid", "creditid"):
        if former is not None and former.fields[key] != fields[key]:
            raise write_denied(key, "payment", fields[key])
    if fields["amount"] is None:
        raise required("amount", "payment")
    if fields["amount"]["code"] not in (None, code):
        raise invalid_value("amount", fields["amount"]["code"], f"not in {code}")
    amount = Decimal(fields["amount"]["amount"])
    if amount < 0 or (amount == 0 and former is None):
        raise invalid_value("amount", amount, "must be more than 0")
    fields["amount"] = money(amount, code)
    fields["clientid"] = invoice.fields["customerid"]
    _settle_credit(account, record, former, amount)


def _settle_credit(account: Account, record: Record, former: Record | None, amount: Decimal) -> None:
    """Check that the credit that a payment uses up is there: the client's own, in the invoice's currency, enough."""
    fields = record.fields
    fields["from_credit"] = fields["creditid"] is not None
    if fields["creditid"] is None:
        return
    credit = referred(account, "credit_note", "Credit note", "creditid", fields["creditid"])
    mine = former is not None and former.vis_state != 1
    left = credit_notes.remaining(credit) + (Decimal(former.fields["amount"]["amount"]) if former and mine else ZERO)
    same = (credit.fields["clientid"], credit.fields["currency_code"]) == (fields["clientid"], fields["amount"]["code"])
    if not same or credit.vis_state == 1 or amount > left:
        raise invalid_value("creditid", credit.id, "another client's, in another currency, deleted, or too small")


def _overpaid(account: Account, invoice: Record) -> dict[int, Decimal]:
    """Return what each live payment of `invoice`, by id, pays beyond its amount; set the invoice's sums."""
    owed, paid = max(invoice.parts["totals"].amount, ZERO), ZERO
    last_day, over = None, {}
    for payment in account.records("payment").values():
        if payment.fields["invoiceid"] != invoice.id or payment.vis_state == 1:
            continue
        before = paid
        paid += Decimal(payment.fields["amount"]["amount"])
        over[payment.id] = max(paid - owed, ZERO) - max(before - owed, ZERO)
        last_day = payment.fields["date"]
    invoice.parts["paid"] = paid
    settle_amounts(invoice)
    invoice.fields["date_paid"] = last_day if invoice.fields["payment_status"] == "paid" else None
    return over


def _settle_overpayment(account: Account, payment: Record, over: Decimal, now: datetime) -> Touch | None:
    """Make, change or delete the credit note of a payment; None when it is as it should be."""
    number = payment.fields["overpaymentid"]
    if number is None:
        if over == ZERO:
            return None
        payment.fields["overpaymentid"] = credit_notes.make_overpayment(account, payment, over, now).id
        return Touch("credit_note", payment.fields["overpaymentid"], "create")
    credit = account.records("credit_note")[number]
    if over == ZERO:
        payment.fields["overpaymentid"] = None
        credit.fields["vis_state"] = 1
        return Touch("credit_note", number, "delete")
    if Decimal(credit.fields["amount"]["amount"]) == over:
        return None
    credit_notes.set_overpayment(account, credit, over, now)
    return Touch("credit_note", number)


def _touches(account: Account, record: Record, now: datetime) -> list[Touch]:
    """Recompute the paid invoice and all credit that hangs on it; say that they changed."""
    over = _overpaid(account, account.records("invoice")[record.fields["invoiceid"]])
    touched = [Touch("invoice", record.fields["invoiceid"])]
    payments = [p for p in account.records("payment").values() if p.fields["invoiceid"] == record.fields["invoiceid"]]
    changes = (_settle_overpayment(account, payment, over.get(payment.id, ZERO), now) for payment in payments)
    touched += [change for change in changes if change is not None]
    if record.fields["creditid"] is not None:
        credit_notes.settle_amounts(account, account.records("credit_note")[record.fields["creditid"]])
        touched.append(Touch("credit_note", record.fields["creditid"]))
    return touched


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
        "type": payment_type,
        "creditid": integer,
        "note": note,
        "send_client_notification": boolean,
    },
    required=("invoiceid", "amount", "date"),
    refused=frozenset(),
    computed=frozenset({"updated", "clientid", "overpaymentid", "from_credit"}),
    created_clocks={"updated": "eastern"},
    changed_clocks={"updated": "eastern"},
    filters={
        "logid": filters.equals("logid"),
        "logids": filters.equals("logid"),
        "invoiceid": filters.equals("invoiceid"),
        "clientid": filters.equals("clientid"),
        "clientids": filters.equals("clientid"),
        "customerid": filters.equals("clientid"),
        "from_credit": filters.truth(lambda _account, _now: lambda record: bool(record.fields["from_credit"])),
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
