"""The sink against a fake AX: every end that a call can have, every crash, every replay."""

import asyncio
from collections import deque
from decimal import Decimal

import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.ax.aif_failures import UNCLEAR
from connectors.ax.document_state import Reference
from connectors.ax.sink import AxSink
from schemas.failures import PoisonError, RetryableError
from schemas.records import AxOperation, AxOutcome
from streams.runtime.settings import AifSettings
from tests.kit.ax_documents import START, cancel, cross_reference, customer, upsert, upsert_customer, with_total
from tests.kit.fake_ax import Crash, FakeAx, reversal_adds_to_nothing

A, B, C = (with_total(total) for total in ("10.00", "20.00", "30.00"))


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
    """A sink as after a start of the process."""
    return AxSink(ax, ax, AifSettings(url="https://ax", **values), now=lambda: START, clock=Clock())


def apply(sink, command, prior=None):
    return asyncio.run(sink.apply(command, prior))


class TestCustomer:
    def test_is_created_and_its_key_read_back(self, ax):
        confirmation = apply(new_sink(ax), upsert_customer(customer()))
        assert (confirmation.outcome, confirmation.ax_id) == (AxOutcome.CREATED, "C-000001")
        assert (confirmation.entity, confirmation.reference) == ("customer", "FBZyQ04o-1")
        assert confirmation.revision == 0

    def test_that_ax_has_is_left_alone(self, ax):
        ax.customers.append(("usmf", "C-77", "FBZyQ04o-1"))
        confirmation = apply(new_sink(ax), upsert_customer(customer()))
        assert (confirmation.outcome, confirmation.ax_id) == (AxOutcome.ALREADY_PRESENT, "C-77")
        assert ax.message_ids == []

    def test_is_looked_for_in_its_own_company(self, ax):
        ax.customers.append(("demf", "C-77", "FBZyQ04o-1"))
        assert apply(new_sink(ax), upsert_customer(customer())).outcome is AxOutcome.CREATED

    def test_that_ax_has_twice_is_for_a_person(self, ax):
        ax.customers += [("usmf", "C-1", "FBZyQ04o-1"), ("usmf", "C-2", "FBZyQ04o-1")]
        with pytest.raises(PoisonError, match="C-1, C-2") as caught:
            apply(new_sink(ax), upsert_customer(customer()))
        assert caught.value.code == "customer_doubled"

    @pytest.mark.parametrize("duplicates", ["error", "cached_response", "off"])
    @pytest.mark.parametrize("end", ["lost_before", "lost_after", "deadlock", "generic_after", "conflict"])
    def test_exists_once_whatever_happened_to_the_first_call(self, ax, duplicates, end):
        ax.duplicates, ax.ends = duplicates, deque([end])
        confirmation = apply(new_sink(ax), upsert_customer(customer()))
        assert (confirmation.outcome, len(ax.customers)) == (AxOutcome.CREATED, 1)

    def test_whose_number_somebody_else_has_is_for_a_person(self, ax):
        ax.ends = deque(["exists"])
        with pytest.raises(PoisonError) as caught:
            apply(new_sink(ax), upsert_customer(customer()))
        assert caught.value.code == "record_exists"
        assert ax.customers == []

    def test_command_without_a_document_is_poison(self, ax):
        command = upsert_customer(customer())
        with pytest.raises(PoisonError, match="holds no customer"):
            apply(new_sink(ax), type(command).from_avro({**command.to_avro(), "customer": None}))


class TestInvoice:
    def test_is_created_as_revision_1(self, ax):
        confirmation = apply(new_sink(ax), upsert(A))
        assert (confirmation.outcome, confirmation.revision) == (AxOutcome.CREATED, 1)
        assert confirmation.reference == f"FB:ZyQ04o:9001:1:{confirmation.document_hash}"
        assert confirmation.ax_id == str(ax.invoices_held[0].rec_id)
        assert confirmation.invoice == A

    def test_that_ax_has_is_left_alone(self, ax):
        apply(new_sink(ax), upsert(A))
        confirmation = apply(new_sink(ax), upsert(A))
        assert (confirmation.outcome, len(ax.invoices_held)) == (AxOutcome.ALREADY_PRESENT, 1)
        assert confirmation.invoice == A

    def test_change_reverses_and_creates_in_one_call(self, ax):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, upsert(A)))
        confirmation = apply(sink, upsert(B, step=1), prior)
        assert (confirmation.outcome, confirmation.revision) == (AxOutcome.CORRECTED, 2)
        assert len(ax.message_ids) == 2
        assert reversal_adds_to_nothing(A, ax.invoices_held[1].invoice)
        assert confirmation.ax_id == str(ax.invoices_held[2].rec_id)
        assert ax.balance == B.total

    def test_change_needs_the_document_that_is_reversed(self, ax):
        apply(new_sink(ax), upsert(A))
        sink = new_sink(ax)
        with pytest.raises(RetryableError) as caught:
            apply(sink, upsert(B, step=1), None)
        assert caught.value.code == "cross_reference_behind"
        assert ax.balance == A.total

    def test_whose_cross_reference_never_comes_is_for_a_person(self, ax):
        apply(new_sink(ax), upsert(A))
        sink = new_sink(ax, retry_budget_seconds=15)
        with pytest.raises(RetryableError):
            apply(sink, upsert(B, step=1))
        with pytest.raises(PoisonError) as caught:
            apply(sink, upsert(B, step=1))
        assert caught.value.code == "reversal_unknown"

    def test_is_corrected_when_only_this_process_knows_the_document(self, ax):
        sink = new_sink(ax)
        stale = cross_reference(apply(sink, upsert(A)))
        apply(sink, upsert(B, step=1), stale)
        apply(sink, upsert(C, step=2), stale)
        assert ax.balance == C.total

    def test_cancellation_reverses_it(self, ax):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, upsert(A)))
        confirmation = apply(sink, cancel(prior, step=1), prior)
        assert (confirmation.outcome, confirmation.invoice) == (AxOutcome.CANCELLED, None)
        assert confirmation.ax_id == prior.ax_id
        assert ax.balance == 0

    def test_cancellation_is_cancelled_however_often_it_is_told(self, ax):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, upsert(A)))
        for _ in range(3):
            assert apply(sink, cancel(prior, step=1), prior).outcome is AxOutcome.CANCELLED
        assert len(ax.invoices_held) == 2

    def test_cancellation_carries_the_document_itself(self, ax):
        prior = cross_reference(apply(new_sink(ax), upsert(A)))
        assert apply(new_sink(ax), cancel(prior, step=1), None).outcome is AxOutcome.CANCELLED
        assert ax.balance == 0

    def test_cancellation_of_what_ax_never_had_writes_nothing(self, ax):
        assert apply(new_sink(ax), cancel(None)).outcome is AxOutcome.CANCELLED
        assert ax.invoices_held == []

    def test_comes_back_after_a_cancellation(self, ax):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, upsert(A)))
        gone = cross_reference(apply(sink, cancel(prior, step=1), prior))
        confirmation = apply(sink, upsert(A, step=2), gone)
        assert (confirmation.outcome, confirmation.revision) == (AxOutcome.CREATED, 2)
        assert ax.balance == A.total

    def test_command_that_was_overtaken_changes_nothing(self, ax):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, upsert(A)))
        newest = apply(sink, upsert(B, step=1), prior)
        confirmation = apply(sink, upsert(A), cross_reference(newest))
        assert confirmation.outcome is AxOutcome.UNCHANGED
        assert (confirmation.invoice, confirmation.revision) == (B, 2)
        assert confirmation.command_id == upsert(A).command_id
        assert ax.balance == B.total

    @pytest.mark.parametrize("cancelled", [False, True])
    def test_replay_after_a_restart_is_known_by_the_cross_reference(self, ax, cancelled):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, upsert(A)))
        last = cancel(prior, step=1) if cancelled else upsert(B, step=1)
        newest = cross_reference(apply(sink, last, prior))
        confirmation = apply(new_sink(ax), upsert(A), newest)
        assert confirmation.outcome is (AxOutcome.CANCELLED if cancelled else AxOutcome.UNCHANGED)
        assert cross_reference(confirmation).source_changed_at == newest.source_changed_at
        assert ax.balance == (0 if cancelled else B.total)
        assert len(ax.invoices_held) == (2 if cancelled else 3)

    def test_command_that_a_cancellation_overtook_stays_cancelled(self, ax):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, upsert(A)))
        apply(sink, cancel(prior, step=1), prior)
        assert apply(sink, upsert(A), prior).outcome is AxOutcome.CANCELLED
        assert ax.balance == 0


class TestUnclearOutcome:
    @pytest.mark.parametrize("duplicates", ["error", "cached_response", "off"])
    @pytest.mark.parametrize("consumed", [False, True], ids=["failed id is free", "failed id is burned"])
    @pytest.mark.parametrize(
        "end", ["lost_before", "lost_after", "deadlock", "generic_before", "generic_after", "conflict"]
    )
    def test_ends_with_one_document(self, ax, duplicates, consumed, end):
        ax.duplicates, ax.failure_consumes_id, ax.ends = duplicates, consumed, deque([end])
        confirmation = apply(new_sink(ax), upsert(A))
        assert confirmation.outcome is AxOutcome.CREATED
        assert [Reference.parse(item.reference).revision for item in ax.invoices_held] == [1]

    @pytest.mark.parametrize("end", ["lost_before", "lost_after", "deadlock", "generic_after"])
    def test_repeats_the_same_message_id(self, ax, end):
        ax.ends = deque([end])
        apply(new_sink(ax), upsert(A))
        assert len(set(ax.message_ids)) == 1

    @pytest.mark.parametrize("end", ["crash_before", "crash_after"])
    @pytest.mark.parametrize("duplicates", ["error", "cached_response", "off"])
    def test_of_a_crash_ends_with_one_document(self, ax, end, duplicates):
        ax.duplicates, ax.ends = duplicates, deque([end])
        with pytest.raises(Crash):
            apply(new_sink(ax), upsert(A))
        apply(new_sink(ax), upsert(A))
        assert ax.balance == A.total
        assert len(ax.invoices_held) == 1
        assert len(set(ax.message_ids)) == 1

    def test_of_a_correction_ends_with_one_correction(self, ax):
        sink = new_sink(ax)
        prior = cross_reference(apply(sink, upsert(A)))
        ax.ends = deque(["lost_after"])
        assert apply(sink, upsert(B, step=1), prior).outcome is AxOutcome.CORRECTED
        assert len(ax.invoices_held) == 3
        assert ax.balance == B.total

    def test_that_lasts_is_held(self, ax):
        ax.ends = deque(["lost_before"] * 30)
        with pytest.raises(RetryableError) as caught:
            apply(new_sink(ax), upsert(A))
        assert caught.value.code == UNCLEAR
        assert apply(new_sink(ax), upsert(A)).outcome is AxOutcome.CREATED

    def test_that_ax_answers_and_did_not_do_is_not_believed(self, ax):
        """A cached answer to a message whose document somebody has deleted in AX since."""
        ax.duplicates = "cached_response"
        apply(new_sink(ax), upsert(A))
        ax.invoices_held.clear()
        confirmation = apply(new_sink(ax), upsert(A))
        assert confirmation.outcome is AxOutcome.CREATED
        assert ax.balance == A.total

    def test_that_doubled_all_the_same_is_told(self, ax):
        apply(new_sink(ax), upsert(A))
        ax.invoices_held.append(ax.invoices_held[0])
        with pytest.raises(PoisonError) as caught:
            apply(new_sink(ax), upsert(A))
        assert caught.value.code == "document_doubled"


ENDS = st.lists(
    st.sampled_from(["done", "crash_before", "crash_after", "lost_before", "lost_after", "deadlock", "generic_after"]),
    max_size=12,
)
WANTED = st.lists(st.sampled_from([A, B, C, None]), min_size=1, max_size=5)


def command_for(document, step, prior):
    return cancel(prior, step=step) if document is None else upsert(document, step=step)


@settings(max_examples=120, deadline=None)
@given(
    wanted=WANTED,
    ends=ENDS,
    duplicates=st.sampled_from(["error", "cached_response", "off"]),
    consumed=st.booleans(),
    replays=st.lists(st.integers(0, 4), max_size=3),
)
def test_any_history_with_crashes_and_replays_ends_in_the_wanted_state(wanted, ends, duplicates, consumed, replays):
    """The cross-reference is stored after each confirmation, as the agent does; a crash loses the sink's memory."""
    ax = FakeAx(duplicates=duplicates, failure_consumes_id=consumed, ends=deque(ends))
    stored = None
    commands = []
    sink = new_sink(ax)

    def settle(command):
        nonlocal stored, sink
        while True:
            try:
                stored = cross_reference(apply(sink, command, stored))
            except (Crash, RetryableError):
                sink = new_sink(ax)
            else:
                return

    for step, document in enumerate(wanted):
        commands.append(command_for(document, step, stored))
        settle(commands[-1])
    for start in replays:
        sink = new_sink(ax)
        for command in commands[min(start, len(commands) - 1) :]:
            settle(command)
    last = wanted[-1]
    assert ax.balance == (last.total if last else Decimal(0))
    references = [item.reference for item in ax.invoices_held]
    assert len(set(references)) == len(references)


def test_the_history_covers_all_operations():
    assert {AxOperation.UPSERT_INVOICE, AxOperation.CANCEL_INVOICE} == {upsert(A).operation, cancel(None).operation}
