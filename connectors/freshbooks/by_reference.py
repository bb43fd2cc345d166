"""Finds the entity that carries our reference: FreshBooks has no idempotency key, so this comes before every create.

    client        search[note_like], which looks into the note
    payment       search[invoiceid]: the payments of one invoice; to delete one, search[notes], which looks into notes
    invoice       search[customerid]: the invoices of one client; to delete one, the whole list
    bill_vendor   the whole list: no filter works
Whatever the filter, each candidate is checked for the exact marker: unknown filters are ignored without a word, and
`note_like` takes a part for the whole. Deleted entities are in no list: what a person has deleted is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.freshbooks import marker
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.kinds import Kind
from schemas.failures import PoisonError
from schemas.records import FreshBooksCommand

Json = dict[str, Any]


async def find(client: FreshBooksClient, kind: Kind, command: FreshBooksCommand) -> Json | None:
    """The entity of `kind` that carries `command.reference`, None when there is none.

    Raises: PoisonError (reference_ambiguous) when several do; a person has to say which is meant.
    """
    reference = command.reference or ""
    listed = client.list_entities(kind, search=_search(command))
    found = [raw async for raw in listed if reference in _references(kind, raw)]
    if len(found) > 1:
        raise PoisonError(
            "reference_ambiguous",
            f"looking for {kind.noun} {reference} in FreshBooks: {len(found)} carry its marker; leave it on one only",
            field="reference",
        )
    return found[0] if found else None


def _search(command: FreshBooksCommand) -> Sequence[tuple[str, str]]:
    if command.kind == "client":
        return [("search[note_like]", marker.marker(command.reference or ""))]
    if command.payment is not None:
        return [("search[invoiceid]", str(command.payment.invoice_id))]
    if command.kind == "payment":
        return [("search[notes]", marker.marker(command.reference or ""))]
    if command.invoice is not None:
        return [("search[customerid]", str(command.invoice.client_id))]
    return []


def _references(kind: Kind, raw: Json) -> set[str | None]:
    texts = (raw.get(name) for name in marker.fields_of(kind.noun))
    return {marker.find(text) for text in texts if isinstance(text, str)}
