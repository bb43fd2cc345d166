"""Any record of any kind is decided or refused by its flow; what is sent fits the schema and adds up."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import avro
from schemas.failures import PoisonError
from schemas.records import AxCommand, Category, CustomerPayment, LedgerJournal, Project, Record, VendorInvoice
from streams.transforms.decisions import Decision, Ignored, ParkedFor, Ready
from streams.transforms.examples import MemoryMaster
from streams.transforms.flow import Flow, Flows
from streams.transforms.targets import DOCUMENTS, plain_type

COMMAND_SCHEMA = fastavro.parse_schema(avro.load("ax_command"))
ACCOUNT = "ZyQ04o"
AMOUNT = st.decimals(-(10**11), 10**11, places=2) | st.decimals(-50, 50, places=2) | st.just(Decimal(0))
BY_NAME: dict[str, Any] = {
    "account_id": st.just(ACCOUNT),
    "currency_code": st.sampled_from(["EUR", "USD", "JPY", "XXX"]),
    "vis_state": st.sampled_from([0, 0, 0, 1, 2]),
    "credit_type": st.sampled_from(["goodwill", "goodwill", "overpayment"]),
    "payment_type": st.sampled_from(["Check", "VISA", ""]),
    "from_credit": st.just(False),
    "category_id": st.sampled_from([1, 1, 1, 2]),
    "project_id": st.sampled_from([None, 5, 6]),
    "client_id": st.sampled_from([218192, 218192, 7]),
    "vendor_id": st.sampled_from([61, 61, 62]),
    "invoice_id": st.sampled_from([None, 9001, 9002]),
    "tax_name1": st.sampled_from([None, "VAT", "HST"]),
    "tax_percent1": st.sampled_from([None, Decimal(19), Decimal(13)]),
    "tax_percent2": st.none(),
    "ax_reference": st.none(),
}
FLOWS = [
    "vendors-to-ax",
    "expenses-to-ax",
    "payments-to-ax",
    "bills-to-ax",
    "bill-payments-to-ax",
    "credit-notes-to-ax",
]


def values_of(annotation: Any) -> Any:
    plain = plain_type(annotation)
    if plain is not annotation:
        return st.none() | values_of(plain)
    if getattr(plain, "__origin__", None) is tuple:
        return st.lists(records_of(plain.__args__[0]), max_size=4).map(tuple)
    if isinstance(plain, type) and issubclass(plain, StrEnum):
        return st.sampled_from(list(plain))
    if isinstance(plain, type) and issubclass(plain, Record):
        return records_of(plain)
    return {
        str: st.text(max_size=30),
        int: st.integers(0, 2**40),
        bool: st.booleans(),
        Decimal: AMOUNT,
        date: st.dates(),
        datetime: st.datetimes(timezones=st.just(UTC)),
    }[plain]


def records_of(kind: type[Record]) -> Any:
    fields = {field.name: BY_NAME.get(field.name, values_of(field.type)) for field in msgspec.structs.fields(kind)}
    return st.fixed_dictionaries(fields).map(lambda given: kind(**given))


@pytest.fixture(scope="session")
def master(build: Any) -> MemoryMaster:
    return master_of(build)


def master_of(build: Any) -> MemoryMaster:
    """What records may find: a customer, an invoice, a vendor, a category, a project."""
    common = {"account_id": ACCOUNT, "vis_state": 0, "version": "v", "content_hash": "h"}
    times = {"updated_at": build.now, "fetched_at": build.now}
    links = [
        build.link(),
        build.link("invoice"),
        build.link(kind="bill_vendor", freshbooks_id=61, entity="vendor", ax_id="V-1"),
    ]
    rows: dict[str, list[Any]] = {
        "customers": [build.customer()],
        "categories": [Category(category_id=1, name="Travel", is_cogs=False, is_editable=True, **common, **times)],
        "projects": [
            Project(project_id=5, title="Rebuild", internal=False, active=True, complete=False, **common, **times)
        ],
    }
    return MemoryMaster(links, rows)


def decided(decide: Callable[[], Decision]) -> Decision | None:
    try:
        return decide()
    except PoisonError as reason:
        code, message = reason.code, reason.message
    assert code
    assert message
    return None


def assert_can_be_sent(command: AxCommand) -> None:
    """It fits its schema, and its amounts add up."""
    fastavro.schemaless_writer(io.BytesIO(), COMMAND_SCHEMA, command.to_avro())
    documents = [getattr(command, document.field) for document in DOCUMENTS.values()]
    (document,) = [one for one in documents if one is not None] or [None]
    if isinstance(document, LedgerJournal):
        assert sum(line.debit for line in document.lines) == sum(line.credit for line in document.lines)
    if isinstance(document, VendorInvoice):
        assert sum(line.amount for line in document.lines) == document.total
    if isinstance(document, CustomerPayment):
        assert document.amount


@pytest.mark.parametrize("name", FLOWS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_record_is_decided_or_refused(
    flows: Flows, build: Any, master: Any, name: str, data: st.DataObject
) -> None:
    flow: Flow = flows[name]
    record = data.draw(records_of(flow.source.record)).to_avro()

    decision = decided(lambda: flow.decide(record, master, build.now))

    assert decision is None or isinstance(decision, (Ready, ParkedFor, Ignored))
    if isinstance(decision, Ready):
        for command in decision.ax_commands:
            assert_can_be_sent(command)


@pytest.mark.parametrize("name", FLOWS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_record_with_one_field_of_a_wrong_type_is_decided_or_refused(
    flows: Flows, build: Any, master: Any, name: str, data: st.DataObject
) -> None:
    flow: Flow = flows[name]
    record = data.draw(records_of(flow.source.record)).to_avro()
    field = data.draw(st.sampled_from(sorted(record)))
    wrong = data.draw(st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers()))

    decided(lambda: flow.decide({**record, field: wrong}, master, build.now))
    decided(lambda: flow.decide({k: v for k, v in record.items() if k != field}, master, build.now))
