"""Client: users/clients (reference §6.1). `signup_date` is UTC, `updated` Eastern."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks import filters
from sandbox.freshbooks.clock import eastern_day
from sandbox.freshbooks.errors import required
from sandbox.freshbooks.kind import Account, Include, Json, Kind, Predicate, Record
from sandbox.freshbooks.money import ZERO, money
from sandbox.freshbooks.values import boolean, currency, integer, note, text

_PLACES: Final = ("street", "street2", "city", "province", "code", "country")
_ADDRESS: Final = tuple(f"{side}_{place}" for side in ("p", "s") for place in _PLACES)
_PHONES: Final = ("bus_phone", "home_phone", "mob_phone", "fax")
_NAMES: Final = ("organization", "fname", "lname", "email")

# Invoices that a client owes something on, by v3_status.
_OPEN: Final = frozenset({"sent", "viewed", "partial", "overdue", "disputed"})


def _blank(account: Account) -> Json:
    return {
        **dict.fromkeys((*_NAMES, *_ADDRESS, *_PHONES), ""),
        "role": "client",
        "vis_state": 0,
        "currency_code": account.business.currency_code,
        "language": "en",
        "note": None,
        "vat_name": None,
        "vat_number": None,
        "accounting_systemid": account.account_id,
        "allow_email_include_pdf": False,
        "allow_late_fees": True,
        "allow_late_notifications": True,
        "company_industry": None,
        "company_size": None,
        "exceeds_client_limit": 0,
        "has_retainer": None,
        "last_activity": None,
        "last_login": None,
        "level": 0,
        "notified": False,
        "num_logins": 0,
        "pref_email": True,
        "pref_gmail": False,
        "retainer_id": None,
        "subdomain": None,
    }


def _settle(account: Account, record: Record, _sent: frozenset[str], former: Record | None, _now: datetime) -> None:
    """Demand one name (only e-mail or only organization suffices; refusing none is inferred); give a username."""
    fields = record.fields
    if not any(fields[key] for key in _NAMES):
        raise required("email", "client")
    if former is None:
        stem = "".join(part for key in ("fname", "lname", "organization") for part in str(fields[key] or "").split())
        number = len(account.records("client")) + 1
        fields["username"] = f"{stem.lower()[:24] or 'client'}{number}"
        name = f"{account.account_id}/client/{number}/{fields['username']}"
        fields["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def balances(account: Account, record: Record, now: datetime) -> dict[str, list[Json]]:
    """Return the client's balances per kind, each a list of {"amount": Money}, one per currency."""
    sums: dict[str, dict[str, Decimal]] = {"outstanding": {}, "overdue": {}, "draft": {}, "grand_total": {}}
    today = eastern_day(now).isoformat()
    for invoice in account.records("invoice").values():
        fields = invoice.fields
        if fields["customerid"] != record.id or invoice.vis_state == 1:
            continue
        code = fields["currency_code"]
        outstanding = Decimal(fields["outstanding"]["amount"])
        names = ["grand_total"]
        if fields["v3_status"] == "draft":
            names.append("draft")
        elif fields["v3_status"] in _OPEN and outstanding > 0:
            names += ["outstanding", "overdue"] if fields["due_date"] < today else ["outstanding"]
        for name in names:
            amount = Decimal(fields["amount"]["amount"]) if name == "grand_total" else outstanding
            sums[name][code] = sums[name].get(code, ZERO) + amount
    return {
        name: [{"amount": money(amount, code)} for code, amount in by_currency.items()]
        for name, by_currency in {**sums, "credit": _credit(account, record)}.items()
    }


def _credit(account: Account, record: Record) -> dict[str, Decimal]:
    """Return what is left of the client's credit notes, by currency."""
    credit: dict[str, Decimal] = {}
    for note_ in account.records("credit_note").values():
        if note_.fields["clientid"] != record.id or note_.vis_state == 1:
            continue
        left = Decimal(note_.fields["amount"]["amount"]) - Decimal(note_.fields["paid"]["amount"])
        if left:
            code = note_.fields["currency_code"]
            credit[code] = credit.get(code, ZERO) + left
    return credit


def _balance(name: str) -> Include:
    return lambda account, record, now: balances(account, record, now)[name]


def _has(name: str) -> Callable[[Account, datetime], Predicate]:
    return lambda account, now: lambda record: bool(balances(account, record, now)[name])


def _full_name(record: Record) -> str:
    return f"{record.fields['fname'] or ''} {record.fields['lname'] or ''}".casefold()


def _sort_by(key: str) -> Callable[[Record], str]:
    return lambda record: str(record.fields[key] or "").casefold()


CLIENT: Final = Kind(
    path="users/clients",
    single="client",
    plural="clients",
    title="Client",
    id_keys=("id", "userid"),
    first_id=218_001,
    noun="client",
    scope="clients",
    keys={
        **dict.fromkeys((*_NAMES, *_ADDRESS, *_PHONES, "vat_name", "vat_number", "language"), text),
        **dict.fromkeys(("company_industry", "company_size"), text),
        **dict.fromkeys(("allow_email_include_pdf", "allow_late_fees", "allow_late_notifications"), boolean),
        **dict.fromkeys(("notified", "pref_email", "pref_gmail"), boolean),
        "currency_code": currency,
        "level": integer,
        "note": note,
    },
    required=(),
    refused=frozenset(),
    computed=frozenset({"updated", "signup_date", "num_logins", "last_login", "last_activity", "exceeds_client_limit"}),
    created_clocks={"signup_date": "utc", "updated": "eastern"},
    changed_clocks={"updated": "eastern"},
    filters={
        "userid": filters.equals("userid"),
        "userids": filters.equals("userid"),
        "username": filters.equals("username"),
        "email": filters.equals("email"),
        "email_like": filters.like("email"),
        "fname_like": filters.like("fname"),
        "lname_like": filters.like("lname"),
        "organization_like": filters.like("organization"),
        "address_like": filters.like(*_ADDRESS),
        "phone_like": filters.like(*_PHONES),
        "note_like": filters.like("note"),
        "user_like": filters.like(*_NAMES, "username"),
        "has_credit": filters.truth(_has("credit")),
        "has_draft": filters.truth(_has("draft")),
        "has_outstanding": filters.truth(_has("outstanding")),
        "has_overdue": filters.truth(_has("overdue")),
        "updated_min": filters.day_from("updated"),
        "updated_max": filters.day_before("updated"),
        "vis_state": filters.vis_state,
    },
    sorts={
        "organization_name": _sort_by("organization"),
        "fullname": _full_name,
        "email": _sort_by("email"),
        "updated": _sort_by("updated"),
    },
    includes={
        f"{name}_balance": _balance(name) for name in ("outstanding", "overdue", "draft", "credit", "grand_total")
    },
    bare_filters=frozenset({"has_credit", "has_draft", "has_outstanding", "has_overdue"}),
    deletes_by_verb=False,
    blank=_blank,
    settle=_settle,
)
