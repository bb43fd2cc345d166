"""The sink on every kind of document and account: the same life, once in effect."""

import asyncio
from collections import deque

import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.ax.document_state import Reference
from connectors.ax.sink import AxSink
from schemas.failures import PoisonError, RetryableError
from schemas.records import AxOperation, AxOutcome
from streams.runtime.settings import AifSettings
from tests.kit.ax_documents import (
    START,
    cross_reference,
    customer_payment,
    upsert,
    upsert_kind,
    upsert_vendor,
    vendor,
    vendor_payment,
    with_total,
)
from tests.kit.ax_kinds import ALL, BILL, BILL_PAYMENT, CREDIT_NOTE, EXPENSE, JOURNALS, PAYMENT, effect
from tests.kit.fake_ax import Crash, FakeAx

IDS = [case.kind for case in ALL]
SERVICES = {
    "expense": "GeneralJournalService",
    "payment": "CustPaymJournalService",
    "bill": "PurchaseInvoiceService",
    "bill_payment": "GeneralJournalService",
}


class Clock:
    """Each look at it costs ten seconds: waits end without waiting."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 10
        return self.now


@pytest.fixture(autouse=True)
def no_back_off():
    with stamina.set_testing(True, attempts=30):
        yield


@pytest.fixture
def ax():
    return FakeAx()


def new_sink(ax, **values):
    return AxSink(ax, ax, AifSettings(url="https://ax", **values), now=lambda: START, clock=Clock())


def apply(sink, command, prior=None):
    return asyncio.run(sink.apply(command, prior))


def references(ax, case):
    return [item.reference for item in (ax.invoices_held if case is CREDIT_NOTE else ax.journals_held)]


def books(ax):
    """What stands in AX: net effect of all journals, total of all invoices."""
    return effect([item.journal for item in ax.journals_held]), ax.balance


@pytest.mark.parametrize("case", ALL, ids=IDS)
class TestLife:
    def test_is_created_corrected_and_cancelled(self, ax, case):
        sink = new_sink(ax)
        created = apply(sink, case.upsert("10.00"))
        assert (created.outcome, created.revision) == (AxOutcome.CREATED, 1)
        assert created.reference == f"FB:ZyQ04o:{case.code}7001:1:{created.document_hash}"
        corrected = apply(sink, case.upsert("20.00", step=1), cross_reference(created))
        assert (corrected.outcome, corrected.revision) == (AxOutcome.CORRECTED, 2)
        alone = FakeAx()
        apply(new_sink(alone), case.upsert("20.00"))
        assert books(ax) == books(alone)
        gone = apply(sink, case.cancel(cross_reference(corrected), step=2), cross_reference(corrected))
        assert (gone.outcome, gone.invoice, gone.journal) == (AxOutcome.CANCELLED, None, None)
        assert books(ax) == ({}, 0)
        assert [Reference.parse(text).revision for text in references(ax, case)] == [1, 1, 2, 2]
        assert len(ax.message_ids) == 3

    def test_that_ax_has_is_left_alone_and_told_in_full(self, ax, case):
        first = apply(new_sink(ax), case.upsert("10.00"))
        again = apply(new_sink(ax), case.upsert("10.00"))
        assert (again.outcome, len(ax.message_ids)) == (AxOutcome.ALREADY_PRESENT, 1)
        assert (again.ax_id, again.invoice, again.journal) == (first.ax_id, first.invoice, first.journal)

    def test_comes_back_after_a_cancellation(self, ax, case):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, case.upsert("10.00")))
        gone = cross_reference(apply(sink, case.cancel(prior, step=1), prior))
        assert apply(sink, case.upsert("10.00", step=2), gone).revision == 2

    def test_command_that_was_overtaken_changes_nothing(self, ax, case):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, case.upsert("10.00")))
        newest = cross_reference(apply(sink, case.upsert("20.00", step=1), prior))
        before = books(ax)
        for replaying in (sink, new_sink(ax)):
            confirmation = apply(replaying, case.upsert("10.00"), newest)
            assert (confirmation.outcome, confirmation.revision) == (AxOutcome.UNCHANGED, 2)
            assert (confirmation.invoice, confirmation.journal) == (newest.invoice, newest.journal)
        assert books(ax) == before

    def test_change_needs_what_is_reversed(self, ax, case):
        apply(new_sink(ax), case.upsert("10.00"))
        with pytest.raises(RetryableError) as caught:
            apply(new_sink(ax), case.upsert("20.00", step=1))
        assert caught.value.code == "cross_reference_behind"

    def test_cancellation_of_what_ax_never_had_writes_nothing(self, ax, case):
        assert apply(new_sink(ax), case.cancel(None)).outcome is AxOutcome.CANCELLED
        assert ax.message_ids == []

    @pytest.mark.parametrize("duplicates", ["error", "cached_response", "off"])
    @pytest.mark.parametrize(
        "end", ["lost_before", "lost_after", "deadlock", "generic_before", "generic_after", "conflict"]
    )
    def test_exists_once_whatever_happened_to_the_first_call(self, ax, case, duplicates, end):
        ax.duplicates, ax.ends = duplicates, deque([end])
        assert apply(new_sink(ax), case.upsert("10.00")).outcome is AxOutcome.CREATED
        assert len(references(ax, case)) == 1

    @pytest.mark.parametrize("end", ["crash_before", "crash_after"])
    def test_exists_once_after_a_crash(self, ax, case, end):
        ax.ends = deque([end])
        with pytest.raises(Crash):
            apply(new_sink(ax), case.upsert("10.00"))
        apply(new_sink(ax), case.upsert("10.00"))
        assert len(references(ax, case)) == len(set(ax.message_ids)) == 1

    def test_command_without_its_document_is_poison(self, ax, case):
        command = case.upsert("10.00")
        empty = dict.fromkeys(("invoice", "journal", "customer_payment", "vendor_invoice", "vendor_payment"))
        with pytest.raises(PoisonError, match="holds no") as caught:
            apply(new_sink(ax), type(command).from_avro({**command.to_avro(), **empty}))
        assert caught.value.field == case.upserts.value.removeprefix("upsert_")


@pytest.mark.parametrize("case", JOURNALS, ids=lambda case: case.kind)
def test_each_kind_goes_to_its_service_and_is_known_by_its_journal_number(ax, case):
    confirmation = apply(new_sink(ax), case.upsert("10.00"))
    assert [item.service for item in ax.journals_held] == [SERVICES[case.kind]]
    assert confirmation.ax_id == ax.journals_held[0].journal_num
    assert confirmation.entity == case.upserts.value.removeprefix("upsert_")


def test_kinds_with_the_same_id_are_different_documents(ax):
    sink = new_sink(ax)
    for case in ALL:
        assert apply(sink, case.upsert("10.00")).outcome is AxOutcome.CREATED
    assert apply(sink, upsert(with_total("10.00"), invoice_id=7001)).outcome is AxOutcome.CREATED
    assert (len(ax.journals_held), len(ax.invoices_held)) == (4, 2)


def pay_invoice(**parts):
    payment = customer_payment("10.00", settles_invoice_id=9001, **parts)
    return upsert_kind("payment", AxOperation.UPSERT_CUSTOMER_PAYMENT, payment)


class TestSettlement:
    def test_a_payment_marks_the_invoice_by_ax_number(self, ax):
        sink = new_sink(ax)
        invoice = apply(sink, upsert(with_total("10.00")))
        apply(sink, pay_invoice())
        assert ax.journals_held[0].journal.lines[0].marked_invoice == f"FTI-{invoice.ax_id}"

    def test_a_number_that_the_flow_knows_goes_before(self, ax):
        apply(new_sink(ax), pay_invoice(marked_invoice="FTI-9"))
        assert ax.journals_held[0].journal.lines[0].marked_invoice == "FTI-9"

    @pytest.mark.parametrize("there", [True, False])
    def test_a_payment_waits_until_ax_has_posted_the_invoice(self, ax, there):
        ax.posted = False
        sink = new_sink(ax)
        if there:
            apply(sink, upsert(with_total("10.00")))
        with pytest.raises(RetryableError) as caught:
            apply(sink, pay_invoice())
        assert caught.value.code == "invoice_not_posted"
        assert ax.journals_held == []

    def test_a_payment_that_ax_has_waits_for_nothing(self, ax):
        apply(new_sink(ax), upsert(with_total("10.00")))
        apply(new_sink(ax), pay_invoice())
        ax.posted = False
        assert apply(new_sink(ax), pay_invoice()).outcome is AxOutcome.ALREADY_PRESENT

    def test_it_marks_the_newest_revision(self, ax):
        sink = new_sink(ax)
        first = apply(sink, upsert(with_total("10.00")))
        second = apply(sink, upsert(with_total("20.00"), step=1), cross_reference(first))
        apply(sink, pay_invoice())
        assert ax.journals_held[0].journal.lines[0].marked_invoice == f"FTI-{second.ax_id}"

    def test_a_bill_payment_waits_until_ax_has_posted_the_bill(self, ax):
        payment = vendor_payment(marked_invoice="A-77")
        command = upsert_kind(BILL_PAYMENT.kind, BILL_PAYMENT.upserts, payment)
        with pytest.raises(RetryableError) as caught:
            apply(new_sink(ax), command)
        assert caught.value.code == "invoice_not_posted"
        apply(new_sink(ax), BILL.upsert("100.00"))
        assert apply(new_sink(ax), command).outcome is AxOutcome.CREATED

    def test_a_corrected_payment_leaves_the_rest_open_under_the_same_number(self, ax):
        sink = new_sink(ax)
        apply(sink, upsert(with_total("10.00")))
        prior = cross_reference(apply(sink, pay_invoice()))
        part = customer_payment("6.00", settles_invoice_id=9001)
        apply(sink, upsert_kind("payment", AxOperation.UPSERT_CUSTOMER_PAYMENT, part, step=1), prior)
        back, again = (item.journal.lines[0] for item in ax.journals_held[1:])
        assert back.invoice_number == again.marked_invoice == ax.journals_held[0].journal.lines[0].marked_invoice
        assert back.marked_invoice is None


class TestVendor:
    def test_is_created_and_known_by_its_number(self, ax):
        confirmation = apply(new_sink(ax), upsert_vendor(vendor()))
        assert (confirmation.outcome, confirmation.ax_id) == (AxOutcome.CREATED, "V-000001")
        assert (confirmation.entity, confirmation.reference, confirmation.revision) == ("vendor", "FBZyQ04o-1", 0)

    def test_that_ax_has_is_left_alone(self, ax):
        ax.vendors.append(("usmf", "V-77", "FBZyQ04o-1"))
        assert apply(new_sink(ax), upsert_vendor(vendor())).ax_id == "V-77"
        assert ax.message_ids == []

    def test_that_ax_has_twice_is_for_a_person(self, ax):
        ax.vendors += [("usmf", "V-1", "FBZyQ04o-1"), ("usmf", "V-2", "FBZyQ04o-1")]
        with pytest.raises(PoisonError, match="V-1, V-2") as caught:
            apply(new_sink(ax), upsert_vendor(vendor()))
        assert (caught.value.code, caught.value.field) == ("vendor_doubled", "your_account_number")

    def test_a_customer_with_the_same_key_is_another(self, ax):
        ax.customers.append(("usmf", "C-1", "FBZyQ04o-1"))
        assert apply(new_sink(ax), upsert_vendor(vendor())).outcome is AxOutcome.CREATED

    @pytest.mark.parametrize("duplicates", ["error", "cached_response", "off"])
    @pytest.mark.parametrize("end", ["lost_before", "lost_after", "deadlock", "generic_after", "conflict"])
    def test_exists_once_whatever_happened_to_the_first_call(self, ax, duplicates, end):
        ax.duplicates, ax.ends = duplicates, deque([end])
        assert apply(new_sink(ax), upsert_vendor(vendor())).outcome is AxOutcome.CREATED
        assert len(ax.vendors) == 1

    def test_command_without_a_document_is_poison(self, ax):
        command = upsert_vendor(vendor())
        with pytest.raises(PoisonError, match="holds no vendor"):
            apply(new_sink(ax), type(command).from_avro({**command.to_avro(), "vendor": None}))


AMOUNTS = st.sampled_from(["10.00", "20.00", "30.00", None])
ENDS = st.lists(
    st.sampled_from(["done", "crash_before", "crash_after", "lost_before", "lost_after", "deadlock", "generic_after"]),
    max_size=10,
)


@settings(max_examples=60, deadline=None)
@given(case=st.sampled_from((EXPENSE, PAYMENT, BILL)), wanted=st.lists(AMOUNTS, min_size=1, max_size=4), ends=ENDS)
def test_any_history_with_crashes_ends_in_the_wanted_state(case, wanted, ends):
    ax, alone = FakeAx(ends=deque(ends)), FakeAx()
    stored, sink = None, new_sink(ax)
    for step, amount in enumerate(wanted):
        command = case.upsert(amount, step=step) if amount else case.cancel(stored, step=step)
        for _ in range(40):
            try:
                stored = cross_reference(apply(sink, command, stored))
                break
            except (Crash, RetryableError):
                sink = new_sink(ax)
    if wanted[-1]:
        apply(new_sink(alone), case.upsert(wanted[-1]))
    assert books(ax) == books(alone)
    assert len(set(references(ax, case))) == len(references(ax, case))
