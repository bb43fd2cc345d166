"""Project (reference §6.10): a family of its own, with its paths, envelope, filters and clock (UTC, ISO)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.kind import Account, Json, Kind, Record
from sandbox.freshbooks.kinds.references import referred
from sandbox.freshbooks.values import Converter, boolean, decimal, integer, invalid_value, note, optional_day, text

_BILLING: Final = ("business_rate", "project_rate", "service_rate", "team_member_rate")


def _one_of(*allowed: str) -> Converter:
    def convert(key: str, value: object) -> object:
        if value is not None and value not in allowed:
            raise invalid_value(key, value, f"not one of {', '.join(allowed)}")
        return value

    return convert


def _price(key: str, value: object) -> object:
    """Return a price as a string with two decimals ("600.00"); it carries no currency."""
    return None if value is None else format(decimal(key, value).quantize(Decimal("0.01")), "f")


def _blank(_account: Account) -> Json:
    return {
        "title": "",
        "description": None,
        "due_date": None,
        "client_id": None,
        "internal": False,
        "budget": None,
        "fixed_price": None,
        "rate": None,
        "billing_method": None,
        "project_type": "hourly_rate",
        "project_manager_id": None,
        "active": True,
        "complete": False,
        "sample": False,
        "logged_duration": None,
        "services": [],
        "billed_amount": "0.00",
        "billed_status": "unbilled",
        "retainer_id": None,
        "expense_markup": "0",
        "service_estimate_type": None,
    }


def _settle(account: Account, record: Record, _sent: frozenset[str], _former: Record | None, _now: datetime) -> None:
    fields = record.fields
    if not fields["title"]:
        raise Refused(422, 2001, "field required", "title", "project")
    if fields["client_id"] is not None:
        referred(account, "client", "Client", "client_id", fields["client_id"])
    fields["internal"] = fields["client_id"] is None if fields["internal"] is False else fields["internal"]
    fields.setdefault("group_id", record.id + 1_000_000)


PROJECT: Final = Kind(
    path="projects",
    single="project",
    plural="projects",
    title="Project",
    id_keys=("id",),
    first_id=2_976_001,
    noun="project",
    scope="projects",
    keys={
        "title": text,
        "description": note,
        "due_date": optional_day,
        "client_id": integer,
        "internal": boolean,
        "budget": integer,
        "fixed_price": _price,
        "rate": _price,
        "billing_method": _one_of(*_BILLING),
        "project_type": _one_of("fixed_price", "hourly_rate"),
        "project_manager_id": integer,
        "active": boolean,
        "complete": boolean,
        "expense_markup": _price,
    },
    required=(),
    refused=frozenset(),
    computed=frozenset(),
    created_clocks={"created_at": "iso", "updated_at": "iso"},
    changed_clocks={"updated_at": "iso"},
    filters={},
    sorts={},
    includes={},
    deletes_by_verb=True,
    deletes_for_good=True,
    blank=_blank,
    settle=_settle,
)
