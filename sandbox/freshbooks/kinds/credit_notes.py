"""Credit note: credit_notes/credit_notes (fields: official SDK's model and public test data; filters: reference §5.7).

`paid` is what payments have used up of it. No captured reply has a time of change, so none is given. FreshBooks makes
one of type `overpayment` for what a payment exceeds its invoice by (that it makes a credit is recorded, that the credit
is such a note is inferred). Lines are shown on request only, as an invoice's (unverified); sums follow invoices.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.clock import eastern, eastern_day
from sandbox.freshbooks.errors import required
from sandbox.freshbooks.kind import Account, Json, Kind, Record
from sandbox.freshbooks.kinds.invoice_lines import accept_lines, priced_all, settle_lines
from sandbox.freshbooks.kinds.payment_types import payment_type
from sandbox.freshbooks.kinds.references import referred
from sandbox.freshbooks.money import ZERO, money, totals
from sandbox.freshbooks.values import currency, day, integer, invalid_value, note, text

_TYPES: Final = ("goodwill", "overpayment", "prepayment")
# Credit note key ← client key: copied when it is made.
_SNAPSHOT: Final = {
    "organization": "organization",
    "fname": "fname",
    "lname": "lname",
    "street": "p_street",
    "street2": "p_street2",
    "city": "p_city",
    "province": "p_province",
    "code": "p_code",
    "country": "p_country",
    "vat_name": "vat_name",
    "vat_number": "vat_number",
}


def _credit_type(key: str, value: object) -> object:
    if value not in _TYPES:
        raise invalid_value(key, value, "not goodwill, overpayment or prepayment")
    return value


def _optional_type(key: str, value: object) -> object:
    return None if value is None else payment_type(key, value)


def _blank(account: Account) -> Json:
    return {
        "accounting_systemid": account.account_id,
        "clientid": None,
        "sentid": 1,
        "credit_number": None,
        "credit_type": "goodwill",
        "currency_code": None,
        "language": "en",
        "notes": "",
        "terms": None,
        "payment_type": None,
        "dispute_status": None,
        "display_status": "created",
        "status": "created",
        "last_order_status": None,
        "ext_archive": 0,
        "template": "clean-grouped",
        "vis_state": 0,
        **dict.fromkeys(_SNAPSHOT, ""),
    }


def _settle(account: Account, record: Record, sent: frozenset[str], former: Record | None, now: datetime) -> None:
    fields = record.fields
    if fields["clientid"] is None:
        raise required("clientid", "credit_note")
    client = referred(account, "client", "Client", "clientid", fields["clientid"])
    if former is None:
        for key, source in _SNAPSHOT.items():
            if key not in sent:
                fields[key] = client.fields[source]
        fields["current_organization"] = client.fields["organization"]
        name = f"{account.account_id}/credit_note/{record.id}"
        fields["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    fields["currency_code"] = fields["currency_code"] or client.fields["currency_code"]
    fields.setdefault("create_date", eastern_day(now).isoformat())  # today by default (inferred)
    if not fields["credit_number"]:
        fields["credit_number"] = _next_number(account)
    lines = record.parts.setdefault("lines", [])
    settle_lines(lines, record.id, fields["currency_code"], eastern(now), sent="lines" in sent)
    for line in lines:
        line["creditid"] = line.pop("invoiceid")
    fields["description"] = lines[0]["description"] if lines else ""
    settle_amounts(account, record)
    if Decimal(fields["amount"]["amount"]) < used(account, record.id):
        raise invalid_value("lines", fields["amount"]["amount"], "less than has been used of it")


def _next_number(account: Account) -> str:
    taken = {note.fields["credit_number"] for note in account.records("credit_note").values()}
    while True:
        account.last_credit_number += 1
        number = f"{account.last_credit_number:07d}"
        if number not in taken:
            return number


def used(account: Account, credit_id: int) -> Decimal:
    """Return what live payments have used up of a credit."""
    return sum(
        (
            Decimal(payment.fields["amount"]["amount"])
            for payment in account.records("payment").values()
            if payment.fields["creditid"] == credit_id and payment.vis_state != 1
        ),
        ZERO,
    )


def settle_amounts(account: Account, record: Record) -> None:
    """Compute amount and paid of a credit note."""
    fields, code = record.fields, record.fields["currency_code"]
    amount, paid = totals(priced_all(record.parts["lines"]), ZERO, code).amount, used(account, record.id)
    fields["amount"] = money(amount, code)
    fields["paid"] = money(paid, code)
    fields["payment_status"] = "paid" if paid >= amount > 0 else "partial" if paid > 0 else "unpaid"


def remaining(record: Record) -> Decimal:
    """Return what is left of a credit."""
    return Decimal(record.fields["amount"]["amount"]) - Decimal(record.fields["paid"]["amount"])


def make_overpayment(account: Account, payment: Record, amount: Decimal, now: datetime) -> Record:
    """Store the credit for what `payment` paid too much."""
    number = account.next_id(CREDIT_NOTE)
    record = Record(number, {"id": number, "creditid": number, **_blank(account)})
    code = payment.fields["amount"]["code"]
    record.fields |= {
        "clientid": payment.fields["clientid"],
        "credit_type": "overpayment",
        "currency_code": code,
        "create_date": payment.fields["date"],
        "payment_type": payment.fields["type"],
    }
    set_overpayment(account, record, amount, now)
    account.records("credit_note")[number] = record
    return record


def set_overpayment(account: Account, record: Record, amount: Decimal, now: datetime) -> None:
    """Make `amount` the one line of the credit for an overpayment."""
    unit_cost = {"amount": format(amount, "f"), "code": record.fields["currency_code"]}
    record.parts["lines"] = accept_lines("lines", [{"name": "Overpayment", "qty": "1", "unit_cost": unit_cost}])
    former = account.records("credit_note").get(record.id)
    _settle(account, record, frozenset({"lines"}), former, now)


def _sent_lines(_account: Account, record: Record, _now: datetime) -> object:
    return record.parts["lines"]


CREDIT_NOTE: Final = Kind(
    path="credit_notes/credit_notes",
    single="credit_note",
    plural="credit_notes",
    title="Credit note",
    id_keys=("id", "creditid"),
    first_id=30_001,
    noun="credit_note",
    scope="credit_notes",
    keys={
        **dict.fromkeys((*_SNAPSHOT, "credit_number", "language", "template"), text),
        **dict.fromkeys(("notes", "terms"), note),
        "clientid": integer,
        "create_date": day,
        "credit_type": _credit_type,
        "currency_code": currency,
        "payment_type": _optional_type,
        "lines": accept_lines,
    },
    required=("clientid",),
    refused=frozenset(),
    computed=frozenset({"amount", "paid", "payment_status", "display_status", "status", "description"}),
    created_clocks={},
    changed_clocks={},
    filters={
        "clientid": filters.equals("clientid"),
        "date_min": filters.day_from("create_date"),
        "date_max": filters.day_to("create_date"),
        "vis_state": filters.vis_state,
    },
    sorts={},
    includes={"lines": _sent_lines},
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
    part_keys=("lines",),
)
