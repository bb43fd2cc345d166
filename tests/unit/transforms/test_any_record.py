"""Whatever a record of the schema says, a flow decides or refuses it; what is posted adds up to FreshBooks' total."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import fastavro
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import avro
from schemas.failures import PoisonError
from schemas.records import AxCommand, Client, Customer, Invoice
from streams.transforms.decisions import Decision, Ignored, ParkedFor, Ready
from streams.transforms.money import EXPONENTS

TEXT = st.text(max_size=120)
OPTIONAL = st.none() | TEXT
COMMAND_SCHEMA = fastavro.parse_schema(avro.load("ax_command"))
AMOUNT = st.decimals(-(10**15) + 1, 10**15 - 1, places=4)
SMALL = st.decimals(-200, 200, places=2)
PERCENT = st.none() | st.sampled_from([Decimal(n) for n in ("0", "5", "7", "9.5", "9.975", "13", "19", "19.5")])
TAX = st.sampled_from([None, "", "VAT", "GST", "PST", "QST", "HST"])
CURRENCY = st.sampled_from(["EUR", "USD", "JPY", "XXX"])
COMMON = {
    "account_id": st.sampled_from(["ZyQ04o", "other"]),
    "vis_state": st.integers(0, 2),
    "version": TEXT,
    "content_hash": TEXT,
}
CLIENTS = st.fixed_dictionaries(
    {
        **COMMON,
        "client_id": st.integers(1, 2**40),
        "currency_code": CURRENCY,
        **dict.fromkeys(
            [
                "organization",
                "first_name",
                "last_name",
                "email",
                "phone",
                "vat_number",
                "language",
                "street",
                "street2",
                "city",
                "province",
                "postal_code",
                "country",
                "note",
            ],
            OPTIONAL,
        ),
    }
)
LINES = st.fixed_dictionaries(
    {
        "line_type": st.integers(0, 5),
        "name": OPTIONAL,
        "description": OPTIONAL,
        "quantity": st.decimals(-(10**12), 10**12, places=6) | SMALL,
        "unit_cost": AMOUNT | SMALL,
        "amount": AMOUNT | SMALL,
        "tax_name1": TAX,
        "tax_percent1": PERCENT,
        "tax_name2": TAX,
        "tax_percent2": PERCENT,
        "compounded_tax": st.booleans(),
    }
)
INVOICES = st.fixed_dictionaries(
    {
        **COMMON,
        "status": st.sampled_from(["draft", "created", "sent", "partial", "disputed", "paid"]),
        "invoice_number": TEXT,
        "currency_code": CURRENCY,
        "amount": AMOUNT | SMALL,
        "discount_percent": st.decimals(0, 100, places=4),
        "discount_total": st.just(Decimal(0)) | AMOUNT | SMALL,
        "language": OPTIONAL,
        "po_number": OPTIONAL,
        "due_date": st.none() | st.dates(),
        "lines": st.lists(LINES, max_size=5),
    }
)


def decided(decide: Callable[[], Decision]) -> Decision | None:
    """The decision, None when the record is refused; any other exception fails the test."""
    try:
        return decide()
    except PoisonError as reason:
        code, message = reason.code, reason.message
    assert code
    assert message
    return None


def assert_fits_its_schema(command: AxCommand) -> None:
    fastavro.schemaless_writer(io.BytesIO(), COMMAND_SCHEMA, command.to_avro())


@given(fields=CLIENTS)
def test_any_client_is_decided_or_refused(flows: Any, build: Any, fields: dict[str, Any]) -> None:
    record = build.client(**fields)
    lookups = build.lookups([build.customer(account_number=number) for number in ("C-1", "C-2")])

    for master in (build.lookups(), build.linked(), lookups):
        decision = decided(lambda master=master: flows["clients-to-ax"].decide(record, master, build.now))
        assert decision is None or isinstance(decision, (Ready, ParkedFor, Ignored))
        if isinstance(decision, Ready) and decision.ax_commands:
            assert_fits_its_schema(decision.ax_commands[0])


@given(fields=INVOICES, linked=st.booleans())
def test_any_invoice_is_decided_or_refused(flows: Any, build: Any, fields: dict[str, Any], linked: bool) -> None:
    record = build.invoice(**fields)
    master = build.linked() if linked else build.lookups()

    decision = decided(lambda: flows["invoices-to-ax"].decide(record, master, build.now))

    assert decision is None or isinstance(decision, (Ready, ParkedFor, Ignored))
    if isinstance(decision, Ready):
        assert_adds_up(record, decision)


def assert_adds_up(record: dict[str, Any], decision: Ready) -> None:
    (command,) = decision.ax_commands
    invoice = command.invoice
    assert sum(line.amount + line.tax_amount for line in invoice.lines) == invoice.total == record["amount"]
    assert_fits_its_schema(command)
    for line in invoice.lines:
        exponent = EXPONENTS.get(record["currency_code"], 2)
        assert -int(line.amount.as_tuple().exponent) == -int(line.tax_amount.as_tuple().exponent) == exponent
        # What AX computes from the price in its three decimals is the amount that is sent.
        product = (line.quantity * line.unit_price).quantize(Decimal(1).scaleb(-exponent), ROUND_HALF_UP)
        assert product == line.amount
        assert line.unit_price == round(line.unit_price, 3)


TAXES = st.sampled_from(
    [
        (None, None, None, None, False),
        ("VAT", "19", None, None, False),
        ("VAT", "7", None, None, False),
        ("GST", "5", "PST", "7", False),
        ("GST", "5", "QST", "9.975", False),
        ("GST", "5", "QST", "9.5", True),
    ]
)


@st.composite
def priced_invoices(draw: Any) -> dict[str, Any]:
    """Invoices whose totals FreshBooks computed: amounts and discount rounded, each tax total rounded."""
    currency = draw(st.sampled_from(["EUR", "USD", "JPY"]))
    step = Decimal(1).scaleb(-EXPONENTS.get(currency, 2))

    def rounded(value: Decimal) -> Decimal:
        return value.quantize(step, ROUND_HALF_UP)

    lines, totals = [], {}
    percent = draw(st.integers(0, 100))
    share = 1 - Decimal(percent) / 100
    for _ in range(draw(st.integers(1, 8))):
        quantity = draw(st.decimals(-20, 1000, places=4))
        unit_cost = draw(st.decimals(0, 5000, places=draw(st.integers(0, 3))))
        name1, percent1, name2, percent2, compounded = draw(TAXES)
        line = {
            "quantity": quantity,
            "unit_cost": unit_cost,
            "amount": rounded(quantity * unit_cost),
            "tax_name1": name1,
            "tax_percent1": percent1,
            "tax_name2": name2,
            "tax_percent2": percent2,
            "compounded_tax": compounded,
        }
        base = line["amount"] * share
        first = base * Decimal(percent1 or 0) / 100
        second = (base + (first if compounded else 0)) * Decimal(percent2 or 0) / 100
        for key, tax in (((name1, percent1), first), ((name2, percent2, compounded), second)):
            totals[key] = totals.get(key, Decimal(0)) + tax
        lines.append(line)
    subtotal = sum((line["amount"] for line in lines), Decimal(0))
    discount = rounded(subtotal * percent / 100)
    amount = subtotal - discount + sum(rounded(total) for total in totals.values())
    return {
        "currency_code": currency,
        "amount": amount,
        "discount_percent": percent,
        "discount_total": discount,
        "lines": lines,
    }


@given(fields=priced_invoices())
def test_an_invoice_that_freshbooks_priced_is_posted_to_the_cent(
    flows: Any, build: Any, fields: dict[str, Any]
) -> None:
    record = build.invoice(**fields)

    decision = flows["invoices-to-ax"].decide(record, build.linked(), build.now)

    assert isinstance(decision, Ready)
    assert_adds_up(record, decision)


@given(
    fields=st.fixed_dictionaries(dict.fromkeys(["name", "vat_number", "account_number"], TEXT)), linked=st.booleans()
)
def test_any_customer_is_decided_or_refused(flows: Any, build: Any, fields: dict[str, Any], linked: bool) -> None:
    links = [build.link(ax_id=fields["account_number"])] if linked else []
    record = build.customer(**fields).to_avro()

    decision = decided(lambda: flows["customers-to-freshbooks"].decide(record, build.lookups(links=links), build.now))

    assert decision is None or isinstance(decision, (Ready, Ignored))


@given(kind=st.sampled_from(["clients-to-ax", "invoices-to-ax", "customers-to-freshbooks"]), data=st.data())
def test_a_record_with_one_field_of_a_wrong_type_is_decided_or_refused(
    flows: Any, build: Any, kind: str, data: st.DataObject
) -> None:
    record = {
        "clients-to-ax": build.client,
        "invoices-to-ax": build.invoice,
        "customers-to-freshbooks": lambda: build.customer().to_avro(),
    }[kind]()
    name = data.draw(st.sampled_from(sorted(record)))
    wrong = data.draw(st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers()))

    decided(lambda: flows[kind].decide({**record, name: wrong}, build.linked(), build.now))
    decided(lambda: flows[kind].decide({k: v for k, v in record.items() if k != name}, build.linked(), build.now))


def test_the_records_of_the_tests_follow_the_schemas(build: Any) -> None:
    for kind, record in ((Client, build.client()), (Invoice, build.invoice()), (Customer, build.customer().to_avro())):
        assert set(record) == set(kind.__struct_fields__)
        assert msgspec.convert(record, kind, builtin_types=(Decimal,)).to_avro() == record
