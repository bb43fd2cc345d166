"""Tax: taxes/taxes (reference §6.9). DELETE is for good: the tax is 404 afterwards. It has no vis_state."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sandbox.freshbooks.errors import required
from sandbox.freshbooks.kind import Account, Json, Kind, Record
from sandbox.freshbooks.values import boolean, percent, text


def _blank(account: Account) -> Json:
    return {"accounting_systemid": account.account_id, "name": "", "amount": "0", "number": None, "compound": False}


def _settle(_account: Account, record: Record, _sent: frozenset[str], _former: Record | None, _now: datetime) -> None:
    if not record.fields["name"]:
        raise required("name", "tax")


TAX: Final = Kind(
    path="taxes/taxes",
    single="tax",
    plural="taxes",
    title="Tax",
    id_keys=("id", "taxid"),
    first_id=4_001,
    noun="tax",
    scope="taxes",
    keys={"name": text, "amount": percent, "number": text, "compound": boolean},
    required=("name",),
    refused=frozenset(),
    computed=frozenset({"updated"}),
    created_clocks={"updated": "eastern"},
    changed_clocks={"updated": "eastern"},
    filters={},
    sorts={},
    includes={},
    deletes_by_verb=True,
    deletes_for_good=True,
    blank=_blank,
    settle=_settle,
)
