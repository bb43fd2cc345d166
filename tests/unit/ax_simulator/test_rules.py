"""Small rules: amounts, message ids, actions, provoked faults, configuration, rendered faults."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sandbox.ax import chaos, config
from sandbox.ax.contract.schema import load_schema
from sandbox.ax.model import faults, invoices, messages
from sandbox.ax.model.faults import AifError
from sandbox.ax.model.node import Node
from sandbox.ax.soap import envelope
from sandbox.ax.soap import faults as soap_faults
from sandbox.ax.soap.validation import next_elements
from tests.kit import aif


def line(**values):
    return Node("CustInvoiceLine", "AxdEntity_CustInvoiceLine", values=values)


@pytest.mark.parametrize(
    ("values", "currency", "amount"),
    [
        ({"Quantity": Decimal(3), "UnitPrice": Decimal("0.335")}, "USD", "1.01"),
        ({"Quantity": Decimal(-3), "UnitPrice": Decimal("0.335")}, "USD", "-1.01"),
        ({"Quantity": Decimal(3), "UnitPrice": Decimal("0.5")}, "JPY", "2"),
        ({"Quantity": Decimal(3), "AmountCur": Decimal(9)}, "USD", "0.00"),
        ({"AmountCur": Decimal("9.99")}, "USD", "9.99"),
        ({}, "USD", "0"),
    ],
)
def test_line_amounts(values, currency, amount):
    assert invoices.line_amount(line(**values), currency) == Decimal(amount)


@given(
    st.decimals(min_value=0, max_value=10_000, places=2), st.sampled_from([Decimal("8.25"), Decimal(25), Decimal(0)])
)
def test_tax_taken_out_of_a_gross_amount_is_the_tax_on_the_net_one(gross, rate):
    tax = invoices.tax_amount(gross, rate, "USD", included=True)
    assert abs(invoices.tax_amount(gross - tax, rate, "USD", included=False) - tax) <= Decimal("0.01")


@pytest.mark.parametrize("text", ["0A1B2C3D-0000-4000-8000-000000000001", "{0a1b2c3d-0000-4000-8000-000000000001}"])
def test_message_ids_are_normalised(text):
    assert messages.normalised(text) == "0a1b2c3d-0000-4000-8000-000000000001"


@pytest.mark.parametrize("text", ["", "1", "not-a-guid", "{}"])
def test_other_message_ids_are_refused(text):
    with pytest.raises(AifError):
        messages.normalised(text)


def test_an_action_names_service_and_operation():
    assert envelope.operation_of(f'"{aif.SERVICES}/CustomerService/findKeys"') == ("CustomerService", "findKeys")


@given(st.text())
def test_any_other_action_is_not_supported(action):
    with pytest.raises(soap_faults.ProtocolError):
        envelope.operation_of(action)


def test_the_next_elements_end_at_the_mandatory_one():
    root = etree.fromstring(aif.customer(aif.cust_table("<Currency>USD</Currency>", "<DirParty/>")))
    table = root[0]
    assert [name for _, name in next_elements(table, table[1])] == [
        "CustClassificationId",
        "CustExcludeCollectionFee",
        "CustExcludeInterestCharges",
        "CustFinalUser_BR",
        "CustGroup",
    ]
    assert next_elements(root, None) == []


class TestProvokedFaults:
    def test_the_first_that_matches_is_taken(self):
        declared = chaos.Faults()
        declared.add(chaos.Fault(kind="delay", service="FreeTextInvoiceService"))
        declared.add(chaos.Fault(kind="deadlock", operation="find", count=2))
        assert declared.take("CustomerService", "create") is None
        assert declared.take("CustomerService", "find").kind == "deadlock"
        assert declared.take("FreeTextInvoiceService", "create").kind == "delay"
        assert [(fault.id, fault.count) for fault in declared.pending()] == [(2, 1)]
        declared.clear()
        assert declared.pending() == []

    @pytest.mark.parametrize(
        ("kind", "after"), [("drop_connection", True), ("unknown_element", True), ("delay", False)]
    )
    def test_each_kind_has_its_usual_moment(self, kind, after):
        assert chaos.Fault(kind=kind).is_after_commit == after
        assert chaos.Fault(kind=kind, after_commit=not after).is_after_commit != after


class TestConfiguration:
    def test_the_default_is_a_working_company(self):
        assert list(config.load(None).companies) == ["usmf"]

    def test_json_is_read(self, tmp_path):
        path = tmp_path / "ax.json"
        path.write_text('{"companies": {"demf": {"currency": "EUR"}}, "switches": {"call_seconds": 0}}')
        loaded = config.load(path)
        assert (loaded.companies["demf"].currency, loaded.switches.call_seconds) == ("EUR", 0)

    @pytest.mark.parametrize("text", ['{"compannies": {}}', '{"switches": {"auth": "none at all"}}', '{"users": 1}'])
    def test_what_is_not_known_is_refused(self, tmp_path, text):
        path = tmp_path / "ax.json"
        path.write_text(text)
        with pytest.raises(msgspec.ValidationError):
            config.load(path)


ERRORS = [
    faults.not_identified(),
    faults.stale_hash(),
    faults.already_exists("Customers", "CustTable", "Customer account: A"),
    faults.duplicate_message(),
    faults.not_found("X\x01", "Currency", "Currencies"),
    faults.SchemaError("a report", "CustGroup"),
    faults.deadlock(),
    faults.timeout(),
]


@pytest.mark.parametrize("detail", ["generic", "with_exceptions"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__ + error.code)
def test_rendered_faults_fit_the_schema(error, detail):
    text = soap_faults.render_aif(error, soap_faults.Origin("Customer", "CustomerService", "create"), detail=detail)
    rendered = etree.fromstring(text).find(f".//{{{aif.FAULT}}}AifFault")
    schema = load_schema()
    assert schema.validate(etree.fromstring(etree.tostring(rendered))), schema.error_log
