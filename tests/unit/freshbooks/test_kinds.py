"""Every kind: a parser, recorded fields, a topic; what each reads that the others do not, and what it refuses."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.freshbooks.entities import entity_id, parse, unknown_fields
from connectors.freshbooks.fingerprint import content_hash
from connectors.freshbooks.kinds import EVENTS, KINDS, Watch, chosen
from connectors.freshbooks.recorded_fields import RECORDED
from schemas import topics
from schemas.failures import FatalError, PoisonError
from schemas.records import Entity
from tests.unit.freshbooks.builders import RAW, money, raw_bill_line

NOW = datetime(2026, 7, 1, 17, 0, 0, 123456, tzinfo=UTC)
BOOKKEEPING = {"updated_at", "version", "content_hash", "fetched_at", "ax_reference", "receipt_link"}
UPDATED = datetime(2026, 6, 29, 16, 52, 44, tzinfo=UTC)


def read(noun: str, **changes: Any) -> Any:
    return parse(KINDS[noun], RAW[noun](**changes), account_id="ZyQ04o", fetched_at=NOW)


def other(value: object) -> object:
    """A value of the same type that is not `value`."""
    match value:
        case bool():
            return not value
        case datetime() | date():
            return value.replace(year=value.year - 1)
        case Decimal() | int():
            return value + 1
        case tuple():
            return value[:-1]
        case _:
            return f"{value or ''}x"


def test_every_kind_has_a_parser_its_recorded_fields_and_a_topic() -> None:
    assert set(RAW) == set(KINDS) == set(RECORDED) == set(topics.FRESHBOOKS_ENTITIES)


def test_only_a_bill_payment_has_no_event() -> None:
    assert set(KINDS) - set(EVENTS) == {"bill_payment"}


def test_kinds_are_chosen_by_a_setting_and_come_in_the_order_of_a_first_load() -> None:
    assert [kind.noun for kind in chosen("invoice, client")] == ["client", "invoice"]
    assert chosen("") == tuple(KINDS.values())
    with pytest.raises(FatalError, match="'invoices' is no kind"):
        chosen("invoices")


@pytest.mark.parametrize("noun", list(KINDS))
def test_a_record_survives_avro_and_has_the_id_that_lists_show(noun: str) -> None:
    record = read(noun)
    assert type(record).from_avro(record.to_avro()) == record
    assert entity_id(KINDS[noun], RAW[noun]()) == getattr(record, record.__struct_fields__[1])
    assert unknown_fields(KINDS[noun], RAW[noun](colour="red")) == {"colour"}


@pytest.mark.parametrize("noun", list(KINDS))
def test_every_business_field_counts_and_no_bookkeeping_does(noun: str) -> None:
    entity: Entity = read(noun)
    for name in entity.__struct_fields__:
        changed = msgspec.structs.replace(entity, **{name: other(getattr(entity, name))})
        assert (content_hash(changed) == entity.content_hash) == (name in BOOKKEEPING), name


@pytest.mark.parametrize(
    ("noun", "updated_at", "version"),
    [
        ("payment", datetime(2026, 6, 30, 13, tzinfo=UTC), "2026-06-30 09:00:00"),
        ("bill_vendor", UPDATED, "2026-06-29 16:52:44"),
        ("bill", UPDATED, "2026-06-29 16:52:44"),
        ("expense", UPDATED, "2026-06-29 12:52:44.256995"),
        ("item", UPDATED, "2026-06-29 12:52:44"),
        ("category", UPDATED, "2026-06-29 12:52:44"),
        ("tax", UPDATED, "2026-06-29 12:52:44"),
        ("project", datetime(2026, 6, 29, 16, 50, 50, tzinfo=UTC), "2026-06-29T16:50:50"),
    ],
)
def test_each_kind_is_read_by_its_own_clock(noun: str, updated_at: datetime, version: str) -> None:
    assert (read(noun).updated_at, read(noun).version) == (updated_at, version)


@pytest.mark.parametrize("noun", ["bill_payment", "credit_note"])
def test_without_a_time_of_change_the_content_is_the_version(noun: str) -> None:
    record = read(noun)
    assert record.version == record.content_hash
    assert record.updated_at == record.fetched_at == NOW.replace(microsecond=123000)


def test_a_credit_note_that_has_a_time_of_change_is_read_by_it() -> None:
    assert read("credit_note", updated="2026-06-29 12:52:44").updated_at == UPDATED


@pytest.mark.parametrize(
    ("noun", "field"),
    [
        ("client", "note"),
        ("invoice", "notes"),
        ("invoice", "po_number"),
        ("credit_note", "notes"),
        ("payment", "note"),
        ("bill_vendor", "note"),
        ("expense", "notes"),
        ("bill_payment", "note"),
    ],
)
def test_our_marker_is_read_as_a_reference_and_is_no_change(noun: str, field: str) -> None:
    marked = read(noun, **{field: "[AX:usmf/X-1]"})
    assert marked.ax_reference == "usmf/X-1"
    assert marked.content_hash == read(noun, **{field: None}).content_hash


def test_a_payment_says_what_it_pays_and_what_was_too_much() -> None:
    payment = read("payment", overpaymentid=30948)
    assert (payment.invoice_id, payment.amount, payment.currency_code) == (9001, Decimal(119), "EUR")
    assert (payment.overpayment_id, payment.from_credit, payment.credit_note_id) == (30948, False, None)
    assert read("payment", invoiceid=0).invoice_id is None
    assert read("payment", creditid=30947).from_credit is True


def test_a_refunded_payment_is_one_of_nothing() -> None:
    assert read("payment", amount=money("0.00")).amount == 0


def test_the_taxes_of_an_expense_are_read_by_rate_or_amount() -> None:
    expense = read("expense", taxPercent1=None)
    assert (expense.tax_name1, expense.tax_percent1, expense.tax_amount1) == ("HST", None, Decimal(13))
    expense = read("expense", taxName1="", taxAmount1=None)
    assert (expense.tax_name1, expense.tax_percent1) == (None, None)


def test_the_receipt_of_an_expense_is_a_link_that_is_no_content() -> None:
    expense = read("expense")
    assert (expense.receipt_id, expense.receipt_link) == (88, "/uploads/attachments/ey.1%2F2")
    renewed = read("expense", attachment={"id": 88, "jwt": "ey.3", "media_type": "application/pdf"})
    assert renewed.content_hash == expense.content_hash
    assert read("expense", attachment=None).receipt_link is None


def test_none_is_spelled_null_and_zero() -> None:
    expense = read("expense", projectid=None, clientid="0")
    assert (expense.project_id, expense.client_id) == (None, None)
    assert read("item").tax2_id is None


def test_balances_of_a_vendor_and_postings_to_a_category_are_no_change() -> None:
    assert read("bill_vendor", outstanding_balance=[]).content_hash == read("bill_vendor").content_hash
    assert read("category", transaction_posted=False).content_hash == read("category").content_hash


def test_a_project_that_is_not_active_counts_as_archived() -> None:
    assert (read("project").vis_state, read("project", active=False).vis_state) == (0, 2)


@pytest.mark.parametrize(
    ("noun", "changes", "field"),
    [
        ("payment", {"amount": None}, "payment.amount"),
        ("payment", {"amount": {"amount": "1"}}, "payment.amount.code"),
        ("expense", {"taxPercent1": None, "taxAmount1": None}, "expense.taxPercent1"),
        ("expense", {"taxAmount1": money("13.00", "CAD")}, "expense.taxAmount1"),
        ("expense", {"categoryid": 0}, "expense.categoryid"),
        ("bill", {"lines": None}, "bill.lines"),
        ("bill", {"lines": [raw_bill_line(categoryid=None)]}, "bill.lines[0].categoryid"),
        ("bill", {"lines": [raw_bill_line(amount=money("100.00", "USD"))]}, "bill.lines[0].amount"),
        ("bill", {"vendorid": None}, "bill.vendorid"),
        ("bill_payment", {"payment_type": None}, "bill_payment.payment_type"),
        ("bill_vendor", {"tax_defaults": [{"amount": "19"}]}, "bill_vendor.tax_defaults[0].tax_id"),
        ("credit_note", {"lines": None}, "credit_note.lines"),
        ("project", {"updated_at": "soon"}, "project.updated_at"),
        ("tax", {"amount": "much"}, "tax.amount"),
    ],
)
def test_what_does_not_fit_is_poison_that_names_the_field(noun: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(PoisonError) as failure:
        read(noun, **changes)
    assert (failure.value.code, failure.value.field) == ("freshbooks_shape", field)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_whatever_one_field_holds_it_is_a_record_or_poison(data: st.DataObject) -> None:
    noun = data.draw(st.sampled_from(sorted(KINDS)))
    raw = RAW[noun]()
    inner = [part for value in raw.values() for part in (value if isinstance(value, list) else [value])]
    target = data.draw(st.sampled_from([raw, *(part for part in inner if isinstance(part, dict))]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(json_values)
    try:
        parsed = parse(KINDS[noun], raw, account_id="ZyQ04o", fetched_at=NOW)
    except PoisonError:
        return
    assert type(parsed).from_avro(parsed.to_avro()) == parsed


def test_kinds_without_a_filter_are_walked_through() -> None:
    walked = {kind.noun for kind in KINDS.values() if kind.watch is Watch.WHOLE}
    assert walked == {"bill", "bill_vendor", "bill_payment", "credit_note", "category", "tax"}
