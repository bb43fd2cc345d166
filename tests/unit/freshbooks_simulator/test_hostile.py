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
from sandbox.freshbooks.kinds import BY_SINGLE

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


@pytest.mark.parametrize("single", sorted(BY_SINGLE))
def test_hostile_values_are_stored_or_refused(single: str) -> None:
    account = Account("ZyQ04o", BusinessConfig(77001, "Acme", "ZyQ04o"))
    entities = Entities(BY_SINGLE, Switches())
    client, _ = entities.create(account, BY_SINGLE["client"], {"email": "a@b.test"}, NOW)
    invoice_body = {"customerid": client.id, "create_date": "2026-06-29", "lines": [{"unit_cost": {"amount": "9"}}]}
    invoice, _ = entities.create(account, BY_SINGLE["invoice"], invoice_body, NOW)
    payment_body = {"invoiceid": invoice.id, "amount": {"amount": "1"}, "date": "2026-06-29"}
    good = {"client": {"email": "a@b.test"}, "invoice": invoice_body, "payment": payment_body}[single]
    kind = BY_SINGLE[single]
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
