"""The AX sink on the whole AX system: AIF, its database, and everything that can go wrong between them."""

import asyncio
from decimal import Decimal

import pytest

from connectors.ax.aif_client import AifClient
from connectors.ax.lookup import DocumentLookup
from connectors.ax.sink import AxSink
from schemas.failures import FatalError, PoisonError, RetryableError
from schemas.records import AxOutcome
from tests.integration.aif.killing import kill_when
from tests.kit.ax_documents import cancel, cross_reference, customer, invoice, line, upsert, upsert_customer
from tests.kit.poll import poll_until

A, B, C = (invoice(line(price, "2")) for price in ("50.00", "60.00", "70.00"))
DUPLICATE_MODES = ["error", "cached_response", "off"]


@pytest.fixture(scope="session")
def ends(ax_system):
    """Client and look-up, shared: a sink keeps its memory in neither of them."""
    client, lookup = AifClient(ax_system.aif_settings()), DocumentLookup(ax_system.sql_settings())
    yield client, lookup
    asyncio.run(client.close())
    asyncio.run(lookup.close())


@pytest.fixture
def sink_of(ax, ends):
    """`sink_of(**aif_settings)`: a sink as after a start of the process."""
    own = []

    def make(**settings):
        aif = ax.aif_settings(**settings)
        client, lookup = ends
        if settings:
            client = AifClient(aif)
            own.append(client)
        return AxSink(client, lookup, aif)

    yield make
    for client in own:
        asyncio.run(client.close())


def apply(sink, command, prior=None):
    return asyncio.run(sink.apply(command, prior))


def balance(stored):
    lines = [item for document in stored for item in document["lines"]]
    return sum((Decimal(item["amount_cur"]) + Decimal(item["tax_amount"]) for item in lines), Decimal(0))


class TestLifeOfAnInvoice:
    def test_from_creation_over_corrections_to_cancellation(self, ax, sink_of, invoice_id):
        sink = sink_of()
        created = apply(sink, upsert(A, invoice_id=invoice_id))
        assert (created.outcome, created.ax_id) == (AxOutcome.CREATED, str(ax.invoices(invoice_id)[0]["rec_id"]))
        corrected = apply(sink, upsert(B, invoice_id=invoice_id, step=1), cross_reference(created))
        assert (corrected.outcome, corrected.revision) == (AxOutcome.CORRECTED, 2)
        assert balance(ax.invoices(invoice_id)) == B.total
        gone = apply(
            sink, cancel(cross_reference(corrected), invoice_id=invoice_id, step=2), cross_reference(corrected)
        )
        assert gone.outcome is AxOutcome.CANCELLED
        assert balance(ax.invoices(invoice_id)) == 0
        references = [item["customer_ref"].split(":", 3)[3] for item in ax.invoices(invoice_id)]
        assert [reference.split(":")[0] for reference in references] == ["1", "1R", "2", "2R"]

    def test_goes_on_after_ax_has_posted_it(self, ax, sink_of, invoice_id):
        sink = sink_of()
        created = apply(sink, upsert(A, invoice_id=invoice_id))
        ax.control("POST", "/post", {"company": "usmf"})
        assert apply(sink, upsert(A, invoice_id=invoice_id)).outcome is AxOutcome.ALREADY_PRESENT
        apply(sink, upsert(B, invoice_id=invoice_id, step=1), cross_reference(created))
        assert balance(ax.invoices(invoice_id)) == B.total

    def test_a_replay_by_another_process_changes_nothing(self, ax, sink_of, invoice_id):
        first = apply(sink_of(), upsert(A, invoice_id=invoice_id))
        second = apply(sink_of(), upsert(A, invoice_id=invoice_id))
        assert second.outcome is AxOutcome.ALREADY_PRESENT
        assert (second.ax_id, second.reference, second.invoice) == (first.ax_id, first.reference, A)
        assert len(ax.invoices(invoice_id)) == 1

    @pytest.mark.parametrize("key", ["RecId", "InvoiceId"])
    def test_is_known_by_its_record_id_whatever_key_ax_answers(self, ax, sink_of, invoice_id, key):
        ax.switch(invoice_key=key)
        confirmation = apply(sink_of(), upsert(A, invoice_id=invoice_id))
        assert confirmation.ax_id == str(ax.invoices(invoice_id)[0]["rec_id"])


class TestCustomer:
    def test_is_created_once(self, ax, sink_of, invoice_id):
        document = customer(our_account_number=f"FBZyQ04o-{invoice_id}")
        created, again = (apply(sink_of(), upsert_customer(document)) for _ in range(2))
        assert (created.outcome, again.outcome) == (AxOutcome.CREATED, AxOutcome.ALREADY_PRESENT)
        assert created.ax_id == again.ax_id == ax.customers_of(document.our_account_number)[0]["account"]

    @pytest.mark.parametrize("duplicates", DUPLICATE_MODES)
    def test_is_created_once_when_the_connection_breaks_after_the_commit(self, ax, sink_of, invoice_id, duplicates):
        ax.switch(duplicates=duplicates)
        ax.fault("drop_connection", operation="create")
        document = customer(our_account_number=f"FBZyQ04o-{invoice_id}")
        assert apply(sink_of(), upsert_customer(document)).outcome is AxOutcome.CREATED
        assert len(ax.customers_of(document.our_account_number)) == 1

    def test_with_a_number_that_is_taken_is_for_a_person(self, sink_of, invoice_id):
        document = customer(our_account_number=f"FBZyQ04o-{invoice_id}", account_number="US-001")
        with pytest.raises(PoisonError) as caught:
            apply(sink_of(), upsert_customer(document))
        assert caught.value.code == "record_exists"


# What happens to the first call. Each must end with one document and the right outcome.
TROUBLE = [
    {"kind": "drop_connection"},
    {"kind": "drop_connection", "after_commit": False},
    {"kind": "unavailable", "count": 2},
    {"kind": "unavailable", "after_commit": True},
    {"kind": "deadlock"},
    {"kind": "timeout", "after_commit": True},
    {"kind": "generic"},
    {"kind": "generic", "after_commit": True},
]


@pytest.mark.parametrize("duplicates", DUPLICATE_MODES)
@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda trouble: "-".join(map(str, trouble.values())))
def test_trouble_ends_with_one_document(ax, sink_of, invoice_id, trouble, duplicates):
    ax.switch(duplicates=duplicates)
    ax.fault(operation="create", **trouble)
    confirmation = apply(sink_of(), upsert(A, invoice_id=invoice_id))
    assert (confirmation.outcome, confirmation.revision) == (AxOutcome.CREATED, 1)
    assert len(ax.invoices(invoice_id)) == 1


@pytest.mark.parametrize("duplicates", DUPLICATE_MODES)
def test_an_answer_that_comes_too_late_ends_with_one_document(ax, sink_of, invoice_id, duplicates):
    ax.switch(duplicates=duplicates)
    ax.fault("delay", seconds=0.6, after_commit=True)
    assert apply(sink_of(timeout_seconds=0.3), upsert(A, invoice_id=invoice_id)).outcome is AxOutcome.CREATED
    assert len(ax.invoices(invoice_id)) == 1


@pytest.mark.parametrize("duplicates", ["error", "cached_response"])
def test_a_call_that_ax_begins_after_we_gave_up_ends_with_one_document(ax, sink_of, invoice_id, duplicates):
    """Ax's own duplicate check is what helps here: the look-up cannot see what has not happened yet."""
    ax.switch(duplicates=duplicates)
    ax.fault("delay", seconds=0.8, operation="create")
    apply(sink_of(timeout_seconds=0.4), upsert(A, invoice_id=invoice_id))
    calls = "FreeTextInvoiceService.create"
    before = sum(number for name, number in ax.control("GET", "/calls").json().items() if name.startswith(calls))
    poll_until(
        lambda: sum(n for name, n in ax.control("GET", "/calls").json().items() if name.startswith(calls)) > before,
        5,
        "the delayed call was not answered",
    )
    assert len(ax.invoices(invoice_id)) == 1


def test_a_failed_message_that_burned_its_id_is_sent_with_a_new_one(ax, sink_of, invoice_id):
    ax.switch(failed_message_consumes_id=True)
    ax.fault("deadlock")
    with pytest.raises(PoisonError):
        apply(sink_of(), upsert(invoice(customer_account="nobody"), invoice_id=invoice_id))
    assert apply(sink_of(), upsert(A, invoice_id=invoice_id)).outcome is AxOutcome.CREATED


def test_a_restart_of_ax_is_waited_for(ax, sink_of, invoice_id):
    ax.control("POST", "/restart", {"for_seconds": 0.8})
    assert apply(sink_of(), upsert(A, invoice_id=invoice_id)).outcome is AxOutcome.CREATED
    assert len(ax.invoices(invoice_id)) == 1


def test_a_port_that_stays_down_holds_the_record(ax, sink_of, invoice_id):
    ax.fault("unavailable", count=1000)
    with pytest.raises(RetryableError) as caught:
        apply(sink_of(retry_budget_seconds=0.5), upsert(A, invoice_id=invoice_id))
    assert caught.value.code == "unclear_outcome"


def test_a_correction_is_all_or_nothing(ax, sink_of, invoice_id):
    sink = sink_of()
    prior = cross_reference(apply(sink, upsert(A, invoice_id=invoice_id)))
    with pytest.raises(PoisonError):
        apply(sink, upsert(invoice(customer_account="nobody"), invoice_id=invoice_id, step=1), prior)
    assert balance(ax.invoices(invoice_id)) == A.total
    apply(sink, upsert(B, invoice_id=invoice_id, step=2), prior)
    assert balance(ax.invoices(invoice_id)) == B.total


@pytest.mark.parametrize("fault", ["xml_bomb", "doctype", "external_entity", "unknown_element"])
def test_an_answer_that_cannot_be_trusted_stops_us_and_doubles_nothing(ax, sink_of, invoice_id, fault):
    ax.fault(fault, after_commit=True)
    with pytest.raises(FatalError):
        apply(sink_of(), upsert(A, invoice_id=invoice_id))
    assert apply(sink_of(), upsert(A, invoice_id=invoice_id)).outcome is AxOutcome.ALREADY_PRESENT
    assert len(ax.invoices(invoice_id)) == 1


def test_many_invoices_at_once_are_all_created_once(ax, sink_of, invoice_id):
    ax.fault("drop_connection", count=5, operation="create")
    numbers = range(invoice_id * 1000, invoice_id * 1000 + 20)
    sink = sink_of()

    async def all_of_them():
        return await asyncio.gather(*(sink.apply(upsert(A, invoice_id=number), None) for number in numbers))

    confirmations = asyncio.run(all_of_them())
    assert {item.outcome for item in confirmations} == {AxOutcome.CREATED}
    stored = [
        item["customer_ref"] for item in ax.state()["free_text_invoices"] if f":{invoice_id}0" in item["customer_ref"]
    ]
    assert len(stored) == len(set(stored)) == 20


class TestSql:
    def test_look_up_works_with_both_drivers(self, ax, sink_of, invoice_id, microsoft_driver):
        confirmation = apply(sink_of(), upsert(A, invoice_id=invoice_id))
        # Microsoft's driver looks at a pinned certificate in strict mode only, and refuses one elsewhere.
        microsoft = {"driver": microsoft_driver, "encrypt": "no", "server_certificate": None}
        for settings in ({"driver": "FreeTDS"}, microsoft):
            found = look_up(ax, invoice_id, **settings)
            assert [(item.reference, item.ax_id) for item in found] == [(confirmation.reference, confirmation.ax_id)]

    def test_a_broken_connection_is_opened_again(self, ax, sink_of, invoice_id):
        sink = sink_of()
        apply(sink, upsert(A, invoice_id=invoice_id))
        ax.control("POST", "/sql/faults", {"kind": "kill_connection", "count": 1, "matching": "CUSTINVOICETABLE"})
        assert apply(sink, upsert(A, invoice_id=invoice_id)).outcome is AxOutcome.ALREADY_PRESENT

    def test_a_deadlock_is_read_again(self, ax, sink_of, invoice_id):
        ax.control("POST", "/sql/faults", {"kind": "raise_error", "number": 1205, "matching": "CUSTINVOICETABLE"})
        assert apply(sink_of(), upsert(A, invoice_id=invoice_id)).outcome is AxOutcome.CREATED

    def test_a_wrong_password_is_fatal(self, ax, invoice_id):
        with pytest.raises(FatalError):
            look_up(ax, invoice_id, password="wrong")


def look_up(ax, invoice_id, **settings):
    async def once():
        lookup = DocumentLookup(ax.sql_settings(**settings))
        try:
            return await lookup.invoices("USMF", f"FB:ZyQ04o:{invoice_id}:")
        finally:
            await lookup.close()

    return asyncio.run(once())


class TestKill:
    """SIGKILL at the worst moments of a call, then the same command in a new process."""

    @pytest.mark.parametrize(
        ("correction", "duplicates"), [(False, "error"), (False, "cached_response"), (False, "off"), (True, "off")]
    )
    def test_after_the_commit_and_before_the_answer(self, ax, sink_of, invoice_id, duplicates, correction):
        ax.switch(duplicates=duplicates)
        prior = cross_reference(apply(sink_of(), upsert(C, invoice_id=invoice_id))) if correction else None
        command = upsert(A, invoice_id=invoice_id, step=1)
        ax.fault("delay", seconds=1.5, after_commit=True, operation="create")
        documents = 3 if correction else 1
        kill_when(ax, command, prior, lambda: len(ax.invoices(invoice_id)) == documents)
        confirmation = apply(sink_of(), command, prior)
        assert confirmation.outcome is AxOutcome.ALREADY_PRESENT
        assert len(ax.invoices(invoice_id)) == documents
        assert balance(ax.invoices(invoice_id)) == A.total

    def test_before_ax_begins(self, ax, sink_of, invoice_id):
        command = upsert(A, invoice_id=invoice_id)
        ax.fault("delay", seconds=1.0, operation="create")
        kill_when(ax, command, None, lambda: not ax.control("GET", "/faults").json())
        confirmation = apply(sink_of(timeout_seconds=3), command)
        assert confirmation.outcome is AxOutcome.CREATED
        assert len(ax.invoices(invoice_id)) == 1
