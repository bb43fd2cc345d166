"""Whatever is sent for a key: stored in a form that a reply can carry, or refused as a client error. Never a crash."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sandbox.freshbooks.config import BusinessConfig, Switches
from sandbox.freshbooks.entities import Entities
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.kind import Account
from sandbox.freshbooks.kinds import BY_SINGLE, categories

NOW = datetime(2026, 6, 29, 16, 0, tzinfo=UTC)
HOSTILE: list[Any] = [
    None,
    True,
    -1,
    2**80,
    float("nan"),
    "",
    "\u0000",
    "é😀",
    "1e999999",
    "x" * 70_000,
    [],
    [None],
    [{"qty": None}],
    [{"unit_cost": {"amount": "1e-999999"}}],
    {},
    {"amount": "NaN"},
    {"amount": None, "code": 5},
]


MONEY = {"amount": "1"}


def good_bodies(account: Account, entities: Entities) -> dict[str, dict[str, Any]]:
    """A body per kind that is accepted, again and again; what it refers to is made on the way."""
    category = categories.add(account, "Paper", None, NOW, own=False)

    def make(single: str, body: dict[str, Any]) -> int:
        return entities.create(account, BY_SINGLE[single], body, NOW)[0].id

    line = {"categoryid": category.id, "quantity": 1, "unit_cost": {"amount": "999999"}}
    bodies: dict[str, dict[str, Any]] = {
        "client": {"email": "a@b.test"},
        "tax": {"name": "VAT", "amount": "19"},
        "item": {"name": "Hour"},
        "project": {"title": "Relaunch"},
        "bill_vendor": {"vendor_name": "Müller", "language": "de"},
        "expense": {"amount": MONEY, "categoryid": category.id, "staffid": 1, "date": "2026-06-29"},
    }
    client = make("client", bodies["client"])
    bodies["credit_note"] = {"clientid": client, "lines": [{"unit_cost": MONEY}]}
    bodies["invoice"] = {"customerid": client, "create_date": "2026-06-29", "lines": [{"unit_cost": {"amount": "9"}}]}
    bodies["payment"] = {"invoiceid": make("invoice", bodies["invoice"]), "amount": MONEY, "date": "2026-06-29"}
    bodies["bill"] = {
        "vendorid": make("bill_vendor", bodies["bill_vendor"]),
        "issue_date": "2026-06-29",
        "due_offset_days": 30,
        "currency_code": "USD",
        "language": "en",
        "lines": [line],
    }
    bill = make("bill", bodies["bill"])
    bodies["bill_payment"] = {"billid": bill, "amount": MONEY, "payment_type": "Check", "paid_date": "2026-06-29"}
    return bodies


@pytest.mark.parametrize("single", sorted(single for single, kind in BY_SINGLE.items() if kind.writable))
def test_hostile_values_are_stored_or_refused(single: str) -> None:
    account = Account("ZyQ04o", BusinessConfig(77001, "Acme", "ZyQ04o"))
    entities = Entities(BY_SINGLE, Switches())
    good, kind = good_bodies(account, entities)[single], BY_SINGLE[single]
    statuses = []
    for key in [*kind.keys, *kind.computed, "vis_state", "email_recipients"]:
        for value in HOSTILE:
            record, _ = entities.create(account, kind, dict(good), NOW)
            try:
                record, _ = entities.update(account, kind, record, {key: value}, NOW)
            except Refused as refusal:
                statuses.append(refusal.status)
            msgspec.json.encode(kind.view(account, record, NOW))
    assert len(statuses) > len(HOSTILE)
    assert set(statuses) <= {403, 404, 422}
