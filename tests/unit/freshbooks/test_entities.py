"""FreshBooks' JSON becomes our records: exactly, or refused with the name of the field that is to blame."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.freshbooks.entities import entity_id, parse, raw_version, unknown_fields
from connectors.freshbooks.kinds import CLIENT, INVOICE, Kind
from schemas.failures import PoisonError
from schemas.records import Client, Invoice
from tests.unit.freshbooks.builders import money, raw_client, raw_invoice, raw_line

NOW = datetime(2026, 6, 29, 17, 0, 0, 123456, tzinfo=UTC)


def client(**changes: Any) -> Client:
    parsed = parse(CLIENT, raw_client(**changes), account_id="ZyQ04o", fetched_at=NOW)
    assert isinstance(parsed, Client)
    return parsed


def invoice(**changes: Any) -> Invoice:
    parsed = parse(INVOICE, raw_invoice(**changes), account_id="ZyQ04o", fetched_at=NOW)
    assert isinstance(parsed, Invoice)
    return parsed


def test_a_client_as_recorded() -> None:
    parsed = client()
    assert (parsed.client_id, parsed.organization, parsed.email) == (218192, "Blumen Käfer GmbH", "ann@kaefer.test")
    assert (parsed.street, parsed.street2, parsed.postal_code) == ("Hauptstr. 1", None, "50667")
    assert parsed.updated_at == datetime(2026, 6, 29, 16, 48, 49, tzinfo=UTC)
    assert parsed.version == "2026-06-29 12:48:49"
    assert parsed.fetched_at.microsecond == 123000


def test_an_invoice_as_recorded() -> None:
    parsed = invoice()
    assert (parsed.invoice_id, parsed.client_id, parsed.status) == (9001, 218192, "sent")
    assert (parsed.create_date, parsed.due_date) == (date(2026, 6, 29), date(2026, 7, 29))
    assert (parsed.amount, parsed.discount_percent) == (Decimal("107.10"), Decimal(10))
    assert parsed.version == "2026-06-29 12:52:44.256995"
    (line,) = parsed.lines
    assert (line.quantity, line.unit_cost, line.amount) == (Decimal(2), Decimal(50), Decimal(100))
    assert (line.tax_name1, line.tax_percent1, line.tax_name2, line.tax_percent2) == ("VAT", Decimal(19), None, None)


def test_records_survive_avro_unchanged() -> None:
    for record in (client(), invoice()):
        assert type(record).from_avro(record.to_avro()) == record


def test_a_discount_is_never_negative_whatever_sign_freshbooks_gives_it() -> None:
    assert invoice(discount_total=money("-10.00")).discount_total == Decimal(10)
    assert invoice(discount_total=money("10.00")).discount_total == Decimal(10)
    assert invoice(discount_total=None).discount_total == Decimal(0)


def test_numbers_may_come_as_json_numbers_too() -> None:
    parsed = invoice(lines=[raw_line(qty=2, unit_cost={"amount": Decimal("50.5"), "code": "EUR"}, amount=money("101"))])
    assert parsed.lines[0].unit_cost == Decimal("50.5")


def test_the_first_phone_there_is_is_taken() -> None:
    assert client(bus_phone="", home_phone=None, mob_phone="0170").phone == "0170"


def test_an_invoice_without_version_has_its_time_of_update_as_version() -> None:
    assert invoice(version=None).version == "2026-06-29 12:52:44"


def test_an_invoice_without_due_date_is_fine() -> None:
    assert invoice(due_date=None).due_date is None


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        (INVOICE, {"lines": None}, "invoice.lines"),
        (INVOICE, {"lines": ["x"]}, "invoice.lines[0]"),
        (INVOICE, {"lines": [raw_line(), raw_line(qty="two")]}, "invoice.lines[1].qty"),
        (INVOICE, {"lines": [raw_line(qty="NaN")]}, "invoice.lines[0].qty"),
        (INVOICE, {"lines": [raw_line(qty="1e3")]}, "invoice.lines[0].qty"),
        (INVOICE, {"lines": [raw_line(unit_cost=money("0.00001"))]}, "invoice.lines[0].unit_cost"),
        (INVOICE, {"lines": [raw_line(unit_cost=money("1", "USD"))]}, "invoice.lines[0].unit_cost"),
        (INVOICE, {"lines": [raw_line(taxAmount1=None)]}, "invoice.lines[0].taxAmount1"),
        (INVOICE, {"amount": "107.10"}, "invoice.amount"),
        (INVOICE, {"amount": money("1" * 16)}, "invoice.amount"),
        (INVOICE, {"amount": money("107.10", "USD")}, "invoice.amount"),
        (INVOICE, {"customerid": 0}, "invoice.customerid"),
        (INVOICE, {"create_date": None}, "invoice.create_date"),
        (INVOICE, {"create_date": "29/06/2026"}, "invoice.create_date"),
        (INVOICE, {"v3_status": None}, "invoice.v3_status"),
        (INVOICE, {"vis_state": 7}, "invoice.vis_state"),
        (CLIENT, {"id": None, "userid": "x"}, "client.userid"),
        (CLIENT, {"currency_code": "euro"}, "client.currency_code"),
        (CLIENT, {"updated": "yesterday"}, "client.updated"),
        (CLIENT, {"updated": None}, "client.updated"),
        (CLIENT, {"organization": {"a": 1}}, "client.organization"),
        (CLIENT, {"note": "x" * 100_001}, "client.note"),
    ],
)
def test_what_does_not_fit_is_poison_that_names_the_field_and_not_its_value(
    kind: Kind, changes: dict[str, Any], field: str
) -> None:
    raw = (raw_invoice if kind is INVOICE else raw_client)(**changes)
    with pytest.raises(PoisonError) as failure:
        parse(kind, raw, account_id="ZyQ04o", fetched_at=NOW)
    assert (failure.value.code, failure.value.field) == ("freshbooks_shape", field)
    assert "xxx" not in failure.value.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_whatever_one_field_holds_it_is_a_record_or_poison(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([CLIENT, INVOICE]))
    raw = raw_invoice() if kind is INVOICE else raw_client()
    target = data.draw(st.sampled_from([raw, *raw.get("lines", [])]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(json_values)
    try:
        parsed = parse(kind, raw, account_id="ZyQ04o", fetched_at=NOW)
    except PoisonError:
        return
    assert type(parsed).from_avro(parsed.to_avro()) == parsed


def test_fields_that_freshbooks_adds_are_named_and_do_no_harm() -> None:
    raw = raw_client(favourite_colour="green")
    assert unknown_fields(CLIENT, raw) == {"favourite_colour"}
    assert client(favourite_colour="green") == client()
    assert unknown_fields(INVOICE, raw_invoice()) == frozenset()


def test_ids_and_versions_of_raw_entities() -> None:
    assert entity_id(CLIENT, {"userid": "5"}) == 5
    assert entity_id(INVOICE, {"invoiceid": 6}) == 6
    assert raw_version(raw_client()) == "2026-06-29 12:48:49"
    assert raw_version({}) == ""
