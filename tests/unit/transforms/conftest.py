"""Records and master data to decide about, as the Avro reader and the agents' stores would give them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from schemas.records import Client, CrossReference, Customer, Invoice
from streams import flows as declared
from streams.flows import load_flows
from streams.transforms.examples import MemoryMaster
from streams.transforms.flow import Flows

# A loaded machine is slow, not wrong: time limits of single examples would make these tests flicker.
settings.register_profile("transforms", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("transforms")

NOW = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
ACCOUNT = "ZyQ04o"

CLIENT: dict[str, Any] = {
    "account_id": ACCOUNT,
    "client_id": 218192,
    "organization": "Blumen Kaefer GmbH",
    "currency_code": "EUR",
    "vis_state": 0,
    "updated_at": "2026-06-29T16:48:49Z",
    "version": "2026-06-29 12:48:49",
    "content_hash": "c" * 64,
    "fetched_at": "2026-06-29T16:48:50Z",
}
LINE: dict[str, Any] = {
    "line_id": 1,
    "line_type": 0,
    "name": "Consulting",
    "quantity": "1",
    "unit_cost": "100",
    "amount": "100",
    "compounded_tax": False,
}
INVOICE: dict[str, Any] = {
    "account_id": ACCOUNT,
    "invoice_id": 9001,
    "client_id": 218192,
    "invoice_number": "0000008",
    "create_date": "2026-06-29",
    "due_date": "2026-07-29",
    "currency_code": "EUR",
    "amount": "100",
    "outstanding": "100",
    "paid": "0",
    "discount_percent": "0",
    "discount_total": "0",
    "status": "sent",
    "lines": [LINE],
    "vis_state": 0,
    "updated_at": "2026-06-29T16:52:44Z",
    "version": "2026-06-29 12:52:44.256995",
    "content_hash": "d" * 64,
    "fetched_at": "2026-06-29T16:52:45Z",
}
CUSTOMER: dict[str, Any] = {
    "company": "usmf",
    "account_number": "C-000001",
    "name": "Blumen Kaefer GmbH",
    "name_alias": "",
    "customer_group": "10",
    "currency_code": "EUR",
    "payment_terms": "Net30",
    "tax_group": "",
    "vat_number": "",
    "our_account_number": "",
    "language": "de",
    "blocked": 0,
    "rec_id": 5637144576,
    "party_rec_id": 5637144577,
    "version": "v7",
    "changed_at": "2026-06-29T16:48:49Z",
}


class Builder:
    """Makes records from what a test says about them; everything else is ordinary."""

    now = NOW

    def client(self, **fields: Any) -> dict[str, Any]:
        return msgspec.convert({**CLIENT, **fields}, Client, strict=False).to_avro()

    def line(self, **fields: Any) -> dict[str, Any]:
        return {**LINE, **fields}

    def invoice(self, **fields: Any) -> dict[str, Any]:
        lines = [self.line(line_id=place, **line) for place, line in enumerate(fields.pop("lines", [{}]), 1)]
        return msgspec.convert({**INVOICE, **fields, "lines": lines}, Invoice, strict=False).to_avro()

    def customer(self, **fields: Any) -> Customer:
        return msgspec.convert({**CUSTOMER, **fields}, Customer, strict=False)

    def link(self, kind: str = "client", **fields: Any) -> CrossReference:
        is_client = kind == "client"
        given = {
            "account_id": ACCOUNT,
            "kind": kind,
            "freshbooks_id": 218192 if is_client else 9001,
            "company": "usmf",
            "entity": "customer" if is_client else "invoice",
            "ax_id": "C-000001" if is_client else "5637144601",
            "linked_by": "created",
            "revision": 0 if is_client else 1,
            "linked_at": NOW,
        }
        return CrossReference(**{**given, **fields})

    def lookups(self, customers: Sequence[Customer] = (), links: Sequence[CrossReference] = ()) -> MemoryMaster:
        return MemoryMaster(links, {"customers": customers})

    def linked(self, **customer: Any) -> MemoryMaster:
        """Lookups in which the invoice's client is linked to a customer of AX."""
        return MemoryMaster([self.link()], {"customers": [self.customer(**customer)]})


@pytest.fixture(scope="session")
def build() -> Builder:
    return Builder()


@pytest.fixture(scope="session")
def flows() -> Flows:
    return load_flows()


@pytest.fixture(scope="session")
def declared_files() -> dict[str, str]:
    """Texts of the files of this release, to be changed by a test."""
    return {file.name: file.read_text() for file in Path(declared.__file__).parent.glob("*.yaml")}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@pytest.fixture(scope="session")
def plain() -> Callable[[Any], Any]:
    """A record as texts, numbers without trailing zeros, fields without value left out."""

    def convert(record: Any) -> Any:
        value = _plain(msgspec.to_builtins(record, builtin_types=(Decimal,)))
        return {key: item for key, item in value.items() if item not in (None, {})}

    return convert
