"""The content hash changes with everything a business cares about, and with nothing else."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.freshbooks import marker
from connectors.freshbooks.entities import parse
from connectors.freshbooks.fingerprint import content_hash
from connectors.freshbooks.kinds import CLIENT, INVOICE
from schemas.records import Client, Invoice
from tests.unit.freshbooks.builders import raw_client, raw_invoice, raw_line

NOW = datetime(2026, 7, 1, tzinfo=UTC)
BOOKKEEPING = {"updated_at", "version", "content_hash", "fetched_at", "ax_reference"}


def client(**changes: Any) -> Client:
    parsed = parse(CLIENT, raw_client(**changes), account_id="ZyQ04o", fetched_at=NOW)
    assert isinstance(parsed, Client)
    return parsed


def invoice(**changes: Any) -> Invoice:
    parsed = parse(INVOICE, raw_invoice(**changes), account_id="ZyQ04o", fetched_at=NOW)
    assert isinstance(parsed, Invoice)
    return parsed


def other(value: object) -> object:
    """A value of the same type that is not `value`."""
    match value:
        case datetime():
            return value.replace(year=value.year - 1)
        case date():
            return value.replace(year=value.year - 1)
        case Decimal() | int():
            return value + 1
        case tuple():
            return value[:-1]
        case _:
            return f"{value or ''}x"


@pytest.mark.parametrize("entity", [client(), invoice()], ids=["client", "invoice"])
def test_every_business_field_counts_and_no_bookkeeping_does(entity: Client | Invoice) -> None:
    for name in entity.__struct_fields__:
        changed = msgspec.structs.replace(entity, **{name: other(getattr(entity, name))})
        assert (content_hash(changed) == entity.content_hash) == (name in BOOKKEEPING), name


def test_every_field_of_a_line_counts() -> None:
    line = invoice().lines[0]
    for name in line.__struct_fields__:
        value = not line.compounded_tax if name == "compounded_tax" else other(getattr(line, name))
        changed = msgspec.structs.replace(invoice(), lines=(msgspec.structs.replace(line, **{name: value}),))
        assert content_hash(changed) != invoice().content_hash, name


def test_the_order_of_lines_counts() -> None:
    lines = [raw_line(), raw_line(lineid=2, name="Travel")]
    assert invoice(lines=lines).content_hash != invoice(lines=lines[::-1]).content_hash


@given(st.text(max_size=40), st.from_regex(r"[a-z]{4}/[A-Z0-9-]{1,12}", fullmatch=True))
def test_writing_our_marker_is_no_change(text: str, reference: str) -> None:
    assert client(note=marker.put(text, reference)).content_hash == client(note=text).content_hash
    assert invoice(notes=marker.put(text, reference)).content_hash == invoice(notes=text).content_hash


def test_our_marker_in_po_number_is_no_change_but_a_persons_order_number_is() -> None:
    assert invoice(po_number="[AX:usmf/1]").content_hash == invoice().content_hash
    assert invoice(po_number="PO-7").content_hash != invoice().content_hash


@pytest.mark.parametrize(
    ("one", "same"),
    [({"qty": "2"}, {"qty": "2.000"}), ({"name": ""}, {"name": None}), ({"taxName2": "", "taxAmount2": "0"}, {})],
)
def test_two_spellings_of_one_value_are_one_content(one: dict[str, Any], same: dict[str, Any]) -> None:
    assert invoice(lines=[raw_line(**one)]).content_hash == invoice(lines=[raw_line(**same)]).content_hash


def test_a_restart_computes_the_same_hash() -> None:
    # Pinned: a release that computes it otherwise publishes every entity once more, and should say so.
    assert client().content_hash == "2b8650b9515cc476fd9c38784f76a77f29ff16da563918f4ac7df719c22e29e1"
