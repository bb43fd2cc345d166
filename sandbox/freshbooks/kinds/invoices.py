"""Invoice: invoices/invoices (reference §6.2): numbering, client snapshot, due date, totals, statuses, actions.

`parts`: "lines" (stored, shown by include[]=lines), "totals" (computed sums, for the control state), "emails" (sent
ones).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.clock import eastern, eastern_day
from sandbox.freshbooks.errors import Refused, required, unknown_resource
from sandbox.freshbooks.kind import Account, Json, Kind, Predicate, Record, Touch
from sandbox.freshbooks.kinds.invoice_lines import accept_lines, priced_all, settle_lines
from sandbox.freshbooks.money import ZERO, money, totals
from sandbox.freshbooks.values import (
    boolean,
    currency,
    day,
    integer,
    invalid_value,
    money_value,
    note,
    percent,
    text,
    whole_between,
)

_STATUS_NAMES: Final = {0: "disputed", 1: "draft", 2: "sent", 3: "viewed"}
# Invoice key ← client key: copied when the invoice is made, not followed afterwards.
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


def _blank(account: Account) -> Json:
    return {
        "ownerid": 1,
        "accountid": account.account_id,
        "accounting_systemid": account.account_id,
        "due_offset_days": 0,
        "currency_code": None,
        "language": "en",
        "discount_value": "0",
        "discount_description": None,
        "status": 1,
        "dispute_status": None,
        "autobill_status": None,
        "deposit_amount": None,
        "deposit_percentage": None,
        "deposit_status": "none",
        "date_paid": None,
        "po_number": None,
        "notes": "",
        "terms": None,
        "payment_details": "",
        "address": "",
        "attach_pdf_to_email": False,
        "auto_bill": False,
        "basecampid": 0,
        "estimateid": 0,
        "ext_archive": 0,
        "fulfillment_date": None,
        "generation_date": None,
        "gmail": False,
        "last_order_status": None,
        "lock_status": "unlocked",
        "parent": 0,
        "return_uri": None,
        "sentid": 1,
        "series": "",
        "show_attachments": False,
        "template": "clean-grouped",
        "vis_state": 0,
        **dict.fromkeys(_SNAPSHOT, ""),
    }


def _settle(account: Account, record: Record, sent: frozenset[str], former: Record | None, now: datetime) -> None:
    """Apply the rules of an invoice after the sent keys are in place; see the module docstring."""
    fields = record.fields
    client = account.records("client").get(fields["customerid"])
    if client is None:
        raise unknown_resource("Client", "customerid", "invoice", fields["customerid"])
    if former is None or former.fields["customerid"] != client.id:
        for key, source in _SNAPSHOT.items():
            if key not in sent:
                fields[key] = client.fields[source]
        fields["current_organization"] = client.fields["organization"]
    if fields["currency_code"] is None:
        fields["currency_code"] = client.fields["currency_code"]
    if former is None:
        name = f"{account.account_id}/invoice/{record.id}"
        fields["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    if not fields.get("invoice_number"):
        fields["invoice_number"] = _next_number(account)
    _settle_due_date(fields)
    lines = record.parts.setdefault("lines", [])
    settle_lines(lines, record.id, fields["currency_code"], eastern(now), sent="lines" in sent)
    fields["description"] = lines[0]["description"] if lines else ""
    settle_amounts(record)


def _next_number(account: Account) -> str:
    """Return the account's next free number, 7 digits, zero-padded."""
    taken = {invoice.fields["invoice_number"] for invoice in account.records("invoice").values()}
    while True:
        account.last_invoice_number += 1
        number = f"{account.last_invoice_number:07d}"
        if number not in taken:
            return number


def _settle_due_date(fields: Json) -> None:
    offset = fields["due_offset_days"]
    if offset is None or not 0 <= offset <= 3650:
        raise invalid_value("due_offset_days", offset, "not a number of days")
    try:
        due = date.fromisoformat(fields["create_date"]) + timedelta(days=offset)
    except OverflowError as error:
        raise invalid_value("create_date", fields["create_date"], "out of range") from error
    fields["due_date"] = due.isoformat()


def settle_amounts(record: Record) -> None:
    """Compute sums and statuses from lines, discount and `parts["paid"]` (Decimal, the sum of live payments).

    A part payment leaves `status` and `display_status` as they are and shows in v3_status and payment_status only
    (recorded); full payment makes status 4 (docs), and taking it away returns to 2 (inferred).
    """
    fields, code = record.fields, record.fields["currency_code"]
    sums = totals(priced_all(record.parts["lines"]), Decimal(fields["discount_value"]), code)
    paid = min(record.parts.get("paid", ZERO), max(sums.amount, ZERO))
    record.parts["totals"] = sums
    fields["amount"] = money(sums.amount, code)
    fields["paid"] = fields["net_paid_amount"] = money(paid, code)
    fields["outstanding"] = money(sums.amount - paid, code)
    fields["discount_total"] = money(sums.discount, code)
    fields["discount"] = {"amount": fields["discount_total"], "rate": fields["discount_value"], "type": "percent"}
    settled = paid > 0 and paid >= sums.amount
    if settled:
        fields["status"] = 4
    else:
        fields["date_paid"] = None
        fields["status"] = 2 if fields["status"] == 4 else fields["status"]
    fields["payment_status"] = "paid" if settled else "partial" if paid > 0 else "unpaid"
    fields["display_status"] = "paid" if settled else _STATUS_NAMES[fields["status"]]
    fields["v3_status"] = "partial" if fields["payment_status"] == "partial" else fields["display_status"]


def v3_status(record: Record, today: str) -> str:
    """Return the status as of `today` (Eastern day): overdue is derived from the due date (inferred), never stored."""
    stored = str(record.fields["v3_status"])
    owed = Decimal(record.fields["outstanding"]["amount"]) > 0
    late = stored in {"sent", "viewed", "partial"} and owed and record.fields["due_date"] < today
    return "overdue" if late else stored


def _view(_account: Account, record: Record, now: datetime) -> Json:
    return {**record.fields, "v3_status": v3_status(record, eastern_day(now).isoformat())}


def _mark_as_sent(_account: Account, record: Record, _body: Json, _now: datetime) -> list[str]:
    """Turn a draft into a sent invoice; others stay as they are."""
    if record.fields["status"] == 1:
        record.fields["status"] = 2
        settle_amounts(record)
    return ["update"]


def _email(account: Account, record: Record, body: Json, now: datetime) -> list[str]:
    """Remember an e-mail with the invoice to email_recipients, else to the client's address (inferred)."""
    client = account.records("client").get(record.fields["customerid"])
    address = client.fields["email"] if client is not None else None
    recipients = body.get("email_recipients") or ([address] if address else [])
    if not isinstance(recipients, list) or not recipients:
        raise required("email_recipients", "invoice")
    record.parts.setdefault("emails", []).append(
        {
            "at": eastern(now),
            "recipients": recipients,
            "include_pdf": bool(body.get("email_include_pdf")),
            "customized_email": body.get("invoice_customized_email"),
        }
    )
    _mark_as_sent(account, record, body, now)
    return ["sendByEmail", "update"]


def _status(key: str, value: object) -> object:
    return whole_between(0, 3, "statuses above 3 follow from payments")(key, value)


def _has_v3_status(_account: Account, values: list[str], now: datetime) -> Predicate:
    today, wanted = eastern_day(now).isoformat(), set(values)
    return lambda record: v3_status(record, today) in wanted


def _is_paid(_account: Account, _now: datetime) -> Predicate:
    return lambda record: bool(record.fields["payment_status"] == "paid")


def _is_outstanding(_account: Account, _now: datetime) -> Predicate:
    return lambda record: Decimal(record.fields["outstanding"]["amount"]) > 0


def _client_of(_account: Account, record: Record, _now: datetime) -> list[Touch]:
    return [Touch("client", record.fields["customerid"])]


def _create_date(record: Record) -> str:
    return str(record.fields["create_date"])


def _sent_lines(_account: Account, record: Record, _now: datetime) -> object:
    return record.parts["lines"]


def _required_id(key: str, value: object) -> object:
    number = integer(key, value)
    if number is None:
        raise required(key, "invoice")
    return number


def _required(convert: Callable[[str, object], object]) -> Callable[[str, object], object]:
    def checked(key: str, value: object) -> object:
        if value in (None, ""):
            raise Refused(422, 1001, f"'{key}' is a required field.", key, "invoice")
        return convert(key, value)

    return checked


_TEXTS: Final = ("invoice_number", "po_number", "language", "address", "discount_description", "return_uri", "template")

INVOICE: Final = Kind(
    path="invoices/invoices",
    single="invoice",
    plural="invoices",
    title="Invoice",
    id_keys=("id", "invoiceid"),
    first_id=9_001,
    noun="invoice",
    scope="invoices",
    keys={
        **dict.fromkeys((*_TEXTS, *_SNAPSHOT), text),
        **dict.fromkeys(("notes", "terms", "payment_details"), note),
        **dict.fromkeys(("attach_pdf_to_email", "auto_bill", "show_attachments"), boolean),
        **dict.fromkeys(("estimateid", "ownerid", "due_offset_days"), integer),
        "customerid": _required_id,
        "create_date": _required(day),
        "fulfillment_date": lambda key, value: None if value is None else day(key, value),
        "generation_date": lambda key, value: None if value is None else day(key, value),
        "currency_code": currency,
        "discount_value": percent,
        "deposit_amount": money_value,
        "deposit_percentage": lambda key, value: None if value is None else percent(key, value),
        "lines": accept_lines,
        "status": _status,
    },
    required=("customerid", "create_date"),
    refused=frozenset({"due_date"}),
    computed=frozenset(
        {
            "amount",
            "outstanding",
            "paid",
            "net_paid_amount",
            "discount_total",
            "v3_status",
            "display_status",
            "payment_status",
            "description",
            "date_paid",
            "created_at",
            "updated",
        }
    ),
    created_clocks={"created_at": "eastern", "updated": "eastern", "version": "version"},
    changed_clocks={"updated": "eastern", "version": "version"},
    filters={
        "customerid": filters.equals("customerid"),
        "customerids": filters.equals("customerid"),
        "invoiceid": filters.equals("invoiceid"),
        "invoiceids": filters.equals("invoiceid"),
        "invoice_number": filters.equals("invoice_number"),
        "date_min": filters.day_from("create_date"),
        "date_max": filters.day_to("create_date"),
        "updated_min": filters.day_from("updated"),
        "updated_max": filters.day_before("updated"),
        "v3_status": _has_v3_status,
        "paid": filters.truth(_is_paid),
        "outstanding": filters.truth(_is_outstanding),
        "vis_state": filters.vis_state,
    },
    sorts={"invoice_date": _create_date},
    includes={"lines": _sent_lines},
    bare_filters=frozenset({"paid", "outstanding"}),
    deletes_by_verb=True,
    blank=_blank,
    settle=_settle,
    part_keys=("lines",),
    view=_view,
    actions={"action_email": _email, "action_mark_as_sent": _mark_as_sent},
    touches=_client_of,
)
