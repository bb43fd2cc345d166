"""The AIF client against the strict simulator: every operation, every fault, every hostile answer."""

import asyncio
import time
import uuid
from decimal import Decimal

import pytest

from connectors.ax.aif_client import AifClient
from connectors.ax.aif_documents import reversal_of
from connectors.ax.aif_failures import UnclearOutcomeError
from connectors.ax.aif_transport import MAX_RESPONSE_BYTES
from schemas.failures import FatalError, PoisonError, RetryableError
from schemas.records import PartyType, PostalAddress
from streams.runtime import metrics
from tests.kit.ax_documents import customer, invoice, line
from tests.kit.ax_port import PASSWORD, USER


@pytest.fixture(scope="session")
def shared_client(ax_system):
    client = AifClient(ax_system.aif_settings())
    yield client
    asyncio.run(client.close())


@pytest.fixture
def call(ax, shared_client):
    """`call(method, *arguments, **settings)`: one call; with settings, of a client of its own."""

    def run(method, *arguments, **settings):
        async def once():
            if not settings:
                return await getattr(shared_client, method)(*arguments)
            client = AifClient(ax.aif_settings(**settings))
            try:
                return await getattr(client, method)(*arguments)
            finally:
                await client.close()

        return asyncio.run(once())

    return run


@pytest.fixture
def ours(invoice_id):
    return f"FBZyQ04o-{invoice_id}"


def new_id():
    return uuid.uuid4()


class TestCustomers:
    def test_a_created_organization_is_stored_and_found(self, ax, call, ours):
        document = customer(
            our_account_number=ours,
            name="Zoë & Söhne <GmbH> 💶",
            name_alias="Zoe",
            vat_number="DE123",
            payment_terms="Net10",
            tax_group="CA",
            language="de",
            email="a@b.example",
            phone="+49 228 1",
            address=PostalAddress(street="Weg 1\nHof", city="Bonn", postal_code="53111", country_region="DEU"),
            dimensions={"Department": "022"},
        )
        account = call("create_customer", "usmf", document, new_id())
        assert account.startswith("C-")
        stored = ax.customers_of(ours)[0]
        assert (stored["account"], stored["name"], stored["vat"]) == (account, document.name, "DE123")
        found = call("find_customers", "usmf", ours)
        assert [row.account_number for row in found] == [account]

    def test_a_created_person_is_stored(self, ax, call, ours):
        document = customer(
            our_account_number=ours,
            party_type=PartyType.PERSON,
            name="Ada Lovelace",
            first_name="Ada",
            last_name="Lovelace",
        )
        call("create_customer", "usmf", document, new_id())
        assert ax.customers_of(ours)[0]["name"] == "Ada Lovelace"

    def test_a_customer_is_found_in_its_company_only(self, ax, call, ours):
        call("create_customer", "demf", customer(our_account_number=ours, currency_code="EUR"), new_id())
        assert call("find_customers", "usmf", ours) == []
        assert len(call("find_customers", "DEMF", ours)) == 1

    def test_nobody_is_found_without_a_hit(self, call):
        assert call("find_customers", "usmf", "FBnobody-1") == []

    def test_a_port_that_refuses_prefixes_gets_the_rewritten_customer(self, ax, call, ours):
        ax.switch(strict_xsi_type=True)
        call("create_customer", "usmf", customer(our_account_number=ours), new_id(), unprefixed_xsi_type=True)
        assert len(ax.customers_of(ours)) == 1

    def test_control_characters_do_not_refuse_the_document(self, ax, call, ours):
        call("create_customer", "usmf", customer(our_account_number=ours, name="Con\x00toso\x0b"), new_id())
        assert ax.customers_of(ours)[0]["name"] == "Contoso"


class TestInvoices:
    def test_a_created_invoice_is_stored_as_it_was_meant(self, ax, call, invoice_id):
        reference = f"FB:ZyQ04o:{invoice_id}:1:aa"
        document = invoice(line("50.005", "2"), line("-10.00", "1", tax_amount=Decimal("-0.83")))
        call("create_invoices", "usmf", {reference: document}, new_id())
        (stored,) = ax.invoices(invoice_id)
        assert (stored["customer_ref"], stored["purch_order_form_num"]) == (reference, "PO-77")
        assert (stored["currency"], stored["customer_account"]) == ("USD", "US-001")
        assert (stored["invoice_date"][:10], stored["due_date"][:10]) == ("2026-06-29", "2026-07-29")
        for stored_line, wanted in zip(stored["lines"], document.lines, strict=True):
            assert Decimal(stored_line["amount_cur"]) == wanted.amount
            assert Decimal(stored_line["tax_amount"]) == wanted.tax_amount
            assert stored_line["dimensions"] == wanted.dimensions
            assert stored_line["main_account"] == "401100"

    def test_a_document_and_its_reversal_add_to_nothing(self, ax, call, invoice_id):
        documents = {
            f"FB:ZyQ04o:{invoice_id}:1:aa": invoice(line("33.333", "3", amount=Decimal("100.00"))),
            f"FB:ZyQ04o:{invoice_id}:1R:aa": reversal_of(invoice(line("33.333", "3", amount=Decimal("100.00")))),
        }
        call("create_invoices", "usmf", documents, new_id())
        lines = [item for stored in ax.invoices(invoice_id) for item in stored["lines"]]
        assert sum(Decimal(item["amount_cur"]) + Decimal(item["tax_amount"]) for item in lines) == 0

    def test_several_documents_are_created_together_or_not_at_all(self, ax, call, invoice_id):
        documents = {
            f"FB:ZyQ04o:{invoice_id}:1R:aa": invoice(),
            f"FB:ZyQ04o:{invoice_id}:2:bb": invoice(customer_account="nobody"),
        }
        with pytest.raises(PoisonError):
            call("create_invoices", "usmf", documents, new_id())
        assert ax.invoices(invoice_id) == []

    @pytest.mark.parametrize("key", ["RecId", "InvoiceId"])
    def test_whatever_key_ax_answers_is_accepted(self, ax, call, invoice_id, key):
        ax.switch(invoice_key=key)
        call("create_invoices", "usmf", {f"FB:ZyQ04o:{invoice_id}:1:aa": invoice()}, new_id())
        assert len(ax.invoices(invoice_id)) == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("parts", "code"),
        [
            ({"customer_group": "nope"}, "unknown_reference"),
            ({"currency_code": "XXX"}, "unknown_reference"),
            ({"tax_group": "nope"}, "unknown_reference"),
            ({"account_number": "US-001"}, "record_exists"),
            ({"name": "n" * 101}, "invalid_document"),
        ],
    )
    def test_of_a_customer(self, ax, call, ours, parts, code):
        with pytest.raises((PoisonError, RetryableError)) as caught:
            call("create_customer", "usmf", customer(our_account_number=ours, **parts), new_id())
        assert caught.value.code == code
        assert ax.customers_of(ours) == []

    @pytest.mark.parametrize(
        ("document", "code"),
        [
            (invoice(customer_account="nobody"), "unknown_reference"),
            (invoice(currency_code="XXX"), "unknown_reference"),
            (invoice(line(main_account="999999")), "unknown_reference"),
            (invoice(line(tax_item_group="nope")), "unknown_reference"),
            (invoice(line(description="d" * 61)), "invalid_document"),
        ],
        ids=["customer", "currency", "main account", "tax item group", "length"],
    )
    def test_of_an_invoice(self, ax, call, invoice_id, document, code):
        with pytest.raises(PoisonError) as caught:
            call("create_invoices", "usmf", {f"FB:ZyQ04o:{invoice_id}:1:aa": document}, new_id())
        assert caught.value.code == code
        assert ax.invoices(invoice_id) == []

    def test_of_a_dimension_value_names_it(self, call, invoice_id):
        document = invoice(line(dimensions={"Department": "nope"}))
        with pytest.raises(PoisonError, match="nope"):
            call("create_invoices", "usmf", {f"FB:ZyQ04o:{invoice_id}:1:aa": document}, new_id())

    def test_of_an_unknown_company(self, call):
        with pytest.raises(PoisonError, match="xxxx"):
            call("find_customers", "xxxx", "FBZy-1")

    def test_of_a_repeated_message_id(self, ax, call, ours):
        message_id = new_id()
        call("create_customer", "usmf", customer(our_account_number=ours), message_id)
        with pytest.raises(RetryableError) as caught:
            call("create_customer", "usmf", customer(our_account_number=ours), message_id)
        assert caught.value.code == "duplicate_message"

    def test_a_cached_answer_to_a_repeated_message_id_is_the_first_one(self, ax, call, ours):
        ax.switch(duplicates="cached_response")
        message_id = new_id()
        first, second = (
            call("create_customer", "usmf", customer(our_account_number=ours), message_id) for _ in range(2)
        )
        assert first == second
        assert len(ax.customers_of(ours)) == 1

    def test_of_a_request_over_the_ports_quota(self, ax, call, invoice_id):
        lines = [line(description=f"Line {number}") for number in range(200)]
        with pytest.raises(PoisonError) as caught:
            call("create_invoices", "usmf", {f"FB:ZyQ04o:{invoice_id}:1:aa": invoice(*lines)}, new_id())
        assert caught.value.code == "request_too_large"
        assert ax.invoices(invoice_id) == []


class TestUnclearOutcomes:
    @pytest.mark.parametrize(
        ("fault", "committed"),
        [
            ({"kind": "drop_connection"}, 1),
            ({"kind": "drop_connection", "after_commit": False}, 0),
            ({"kind": "unavailable"}, 0),
            ({"kind": "unavailable", "after_commit": True}, 1),
            ({"kind": "deadlock"}, 0),
            ({"kind": "timeout", "after_commit": True}, 1),
            ({"kind": "generic"}, 0),
            ({"kind": "generic", "after_commit": True}, 1),
        ],
        ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
    )
    def test_are_marked_whether_ax_did_it_or_not(self, ax, call, ours, fault, committed):
        ax.fault(**fault)
        with pytest.raises(UnclearOutcomeError):
            call("create_customer", "usmf", customer(our_account_number=ours), new_id())
        assert len(ax.customers_of(ours)) == committed

    def test_of_an_answer_that_does_not_come_in_time(self, ax, call, ours):
        ax.fault("delay", seconds=1.0, after_commit=True)
        with pytest.raises(UnclearOutcomeError):
            call("create_customer", "usmf", customer(our_account_number=ours), new_id(), timeout_seconds=0.5)
        assert len(ax.customers_of(ours)) == 1

    def test_of_a_port_that_hides_its_exceptions(self, ax, call, ours):
        ax.switch(detail="generic")
        with pytest.raises(UnclearOutcomeError):
            call("create_customer", "usmf", customer(our_account_number=ours, customer_group="nope"), new_id())

    def test_a_port_that_is_down_was_not_reached(self, call):
        with pytest.raises(RetryableError) as caught:
            call("find_customers", "usmf", "x", url="http://127.0.0.1:1/port.svc")
        assert caught.value.code == "ax_unreachable"


class TestAnswersThatStopTheProcess:
    @pytest.mark.parametrize("kind", ["xml_bomb", "doctype", "external_entity"])
    def test_a_dtd_is_never_expanded(self, ax, call, ours, kind):
        ax.fault(kind)
        began = time.monotonic()
        with pytest.raises(FatalError) as caught:
            call("find_customers", "usmf", ours)
        assert caught.value.code == "response_forbidden"
        assert time.monotonic() - began < 2

    @pytest.mark.parametrize("operation", ["create", "find"])
    def test_an_element_that_the_contract_does_not_know(self, ax, call, ours, operation):
        if operation == "find":
            call("create_customer", "usmf", customer(our_account_number=ours), new_id())
        ax.fault("unknown_element", operation=operation)
        arguments = {
            "find": ("find_customers", "usmf", ours),
            "create": ("create_customer", "usmf", customer(our_account_number=ours), new_id()),
        }[operation]
        with pytest.raises(FatalError, match="HotfixField") as caught:
            call(*arguments)
        assert caught.value.code == "response_schema_drift"

    def test_an_address_that_is_no_document_service(self, ax, call):
        with pytest.raises(FatalError) as caught:
            call("find_customers", "usmf", "x", url=f"{ax.control_url}/nothing")
        assert caught.value.code == "ax_endpoint_missing"


class TestAuthentication:
    def test_ntlm(self, ax, call):
        ax.switch(auth="negotiate")
        assert call("find_customers", "usmf", "nobody", auth="ntlm", user=USER, password=PASSWORD) == []

    def test_ntlm_shakes_hands_once_per_connection(self, ax):
        ax.switch(auth="negotiate")
        settings = ax.aif_settings(auth="ntlm", user=USER, password=PASSWORD, max_concurrent_calls=1)

        async def calls():
            client = AifClient(settings)
            try:
                for _ in range(3):
                    await client.find_customers("usmf", "nobody")
            finally:
                await client.close()

        before = ax.control("GET", "/calls").json()
        asyncio.run(calls())
        after = ax.control("GET", "/calls").json()
        assert sum(after.values()) - sum(before.values()) == 3

    def test_basic(self, ax, call):
        ax.switch(auth="basic")
        assert call("find_customers", "usmf", "nobody", auth="basic", user=USER, password=PASSWORD) == []

    @pytest.mark.parametrize(("scheme", "auth"), [("negotiate", "ntlm"), ("basic", "basic"), ("negotiate", "none")])
    def test_that_fails_is_fatal(self, ax, call, scheme, auth):
        ax.switch(auth=scheme)
        with pytest.raises(FatalError) as caught:
            call("find_customers", "usmf", "nobody", auth=auth, user=USER, password="wrong")
        assert caught.value.code == "ax_unauthorized"


def test_calls_run_side_by_side_up_to_the_limit(ax):
    ax.switch(call_seconds=0.3)

    async def calls(limit, number):
        client = AifClient(ax.aif_settings(max_concurrent_calls=limit))
        began = time.monotonic()
        try:
            await asyncio.gather(*(client.find_customers("usmf", "nobody") for _ in range(number)))
        finally:
            await client.close()
        return time.monotonic() - began

    assert asyncio.run(calls(8, 8)) < 8 * 0.3
    assert asyncio.run(calls(1, 3)) >= 3 * 0.3


def test_each_call_is_counted_and_timed(ax, call):
    def value(code):
        return metrics.SINK_REQUESTS.labels("ax", "CustomerService.find", code)._value.get()

    ok, held = value("ok"), value("unclear_outcome")
    call("find_customers", "usmf", "nobody")
    ax.fault("unavailable")
    with pytest.raises(UnclearOutcomeError):
        call("find_customers", "usmf", "nobody")
    assert (value("ok") - ok, value("unclear_outcome") - held) == (1, 1)
    assert metrics.SINK_IN_FLIGHT.labels("ax")._value.get() == 0


def test_the_limit_of_an_answer_is_far_above_axs_own():
    assert MAX_RESPONSE_BYTES >= 4 * 65_536
