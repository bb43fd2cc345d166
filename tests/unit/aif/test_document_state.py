"""Which documents are missing in AX, decided from the references that are there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.document_state import (
    KIND_CODES,
    Cancel,
    Correct,
    Create,
    Decision,
    Nothing,
    Reference,
    Unknown,
    decide,
    document_of,
    reference_prefix,
)
from schemas.failures import PoisonError
from schemas.records import FreeTextInvoice
from tests.kit.ax_documents import with_total

A, B, C = (with_total(total) for total in ("10.00", "20.00", "30.00"))
DOCUMENTS = {"aaaa": A, "bbbb": B, "cccc": C}


def plan(wanted: str | None, *found: str, known: dict[str, FreeTextInvoice] | None = None) -> Decision:
    return decide(
        account_id="Zy",
        document="7",
        wanted_hash=wanted,
        found=found,
        known=DOCUMENTS if known is None else known,
    )


def ref(revision: int, document_hash: str, *, reversal: bool = False) -> Reference:
    return Reference("Zy", "7", revision, document_hash, reversal)


class TestKinds:
    def test_an_invoice_keeps_the_references_that_it_always_had(self):
        assert document_of("invoice", 9001) == "9001"

    def test_no_two_kinds_share_a_document(self):
        documents = {document_of(kind, 7) for kind in KIND_CODES}
        assert len(documents) == len(KIND_CODES)

    def test_a_kind_without_documents_is_refused(self):
        with pytest.raises(PoisonError) as caught:
            document_of("client", 7)
        assert caught.value.code == "kind_unsupported"

    def test_another_kind_with_the_same_id_is_not_seen(self):
        assert plan("aaaa", "FB:Zy:CN7:1:aaaa", "FB:Zy:EX7:1:aaaa") == Create(ref(1, "aaaa"))


class TestReference:
    def test_says_account_invoice_revision_and_hash(self):
        assert str(ref(1, "aaaa")) == "FB:Zy:7:1:aaaa"

    def test_of_a_reversal_names_the_revision_that_it_reverses(self):
        assert str(ref(3, "aaaa").reversed()) == "FB:Zy:7:3R:aaaa"

    @given(
        account=st.text("abcXYZ0189:_%", min_size=1),
        document=st.from_regex(r"\A(|CN|EX|PM|BL|BP)[0-9]{1,12}\Z"),
        revision=st.integers(1, 9999),
        digest=st.text("0123456789abcdef", min_size=1, max_size=16),
        reversal=st.booleans(),
    )
    def test_is_read_back_from_its_text(self, account, document, revision, digest, reversal):
        reference = Reference(account, document, revision, digest, reversal)
        assert Reference.parse(str(reference)) == reference
        assert str(reference).startswith(reference_prefix(account, document))

    @pytest.mark.parametrize("text", ["", "PO-77", "FB:Zy:7", "FB:Zy:7:0:aaaa", "FB:Zy:x:1:aaaa", "FB:Zy:7:1:"])
    def test_of_somebody_else_is_none(self, text):
        assert Reference.parse(text) is None


class TestWantedDocument:
    def test_is_created_when_ax_has_none(self):
        assert plan("aaaa") == Create(ref(1, "aaaa"))

    def test_needs_nothing_when_the_newest_revision_is_it(self):
        assert plan("aaaa", "FB:Zy:7:1:aaaa") == Nothing(ref(1, "aaaa"), 1)

    def test_corrects_another_one_in_one_step(self):
        decision = plan("bbbb", "FB:Zy:7:1:aaaa")
        assert decision == Correct(ref(1, "aaaa", reversal=True), A, ref(2, "bbbb"))

    def test_follows_the_highest_revision_whatever_the_order_in_ax(self):
        decision = plan("cccc", "FB:Zy:7:2:bbbb", "FB:Zy:7:1R:aaaa", "FB:Zy:7:1:aaaa")
        assert decision == Correct(ref(2, "bbbb", reversal=True), B, ref(3, "cccc"))

    def test_that_was_corrected_before_is_a_new_revision(self):
        decision = plan("aaaa", "FB:Zy:7:1:aaaa", "FB:Zy:7:1R:aaaa", "FB:Zy:7:2:bbbb")
        assert decision == Correct(ref(2, "bbbb", reversal=True), B, ref(3, "aaaa"))

    def test_comes_back_after_a_cancellation_as_a_new_revision(self):
        assert plan("aaaa", "FB:Zy:7:1:aaaa", "FB:Zy:7:1R:aaaa") == Create(ref(2, "aaaa"))

    def test_is_not_created_over_one_that_nobody_knows(self):
        decision = plan("bbbb", "FB:Zy:7:1:aaaa", known={})
        assert decision == Unknown(ref(1, "aaaa"))
        assert decision.failure().code == "reversal_unknown"

    def test_is_found_whoever_knows_the_document(self):
        assert plan("aaaa", "FB:Zy:7:1:aaaa", known={}) == Nothing(ref(1, "aaaa"), 1)

    def test_is_not_confused_by_other_invoices(self):
        found = ("PO 4711", "", "FB:Zy:70:1:aaaa", "FB:Zz:7:1:aaaa", "FB:Zy:7:1:bbbb")
        assert plan("bbbb", *found) == Nothing(ref(1, "bbbb"), 1)

    def test_with_a_reference_that_ax_would_cut_is_refused(self):
        with pytest.raises(PoisonError, match="longer than 60") as caught:
            decide(account_id="Z" * 40, document=str(10**9), wanted_hash="0" * 16, found=(), known={})
        assert caught.value.code == "reference_too_long"


class TestCancellation:
    def test_needs_nothing_when_ax_has_none(self):
        assert plan(None) == Nothing(None, 0)

    def test_reverses_the_open_document(self):
        assert plan(None, "FB:Zy:7:1:aaaa") == Cancel(ref(1, "aaaa", reversal=True), A)

    def test_needs_nothing_the_second_time(self):
        assert plan(None, "FB:Zy:7:1:aaaa", "FB:Zy:7:1R:aaaa") == Nothing(None, 1)

    def test_of_a_document_that_nobody_knows_is_for_a_person(self):
        assert plan(None, "FB:Zy:7:1:aaaa", known={"bbbb": B}) == Unknown(ref(1, "aaaa"))


class TestDoubles:
    @pytest.mark.parametrize(
        "found",
        [
            ("FB:Zy:7:1:aaaa", "FB:Zy:7:1:aaaa"),
            ("FB:Zy:7:1:aaaa", "FB:Zy:7:1:bbbb"),
            ("FB:Zy:7:1:aaaa", "FB:Zy:7:1R:aaaa", "FB:Zy:7:1R:aaaa"),
            ("FB:Zy:7:1:aaaa", "FB:Zy:7:2:bbbb"),
        ],
        ids=["one revision twice", "two with one number", "reversed twice", "two open"],
    )
    def test_are_told_and_nothing_is_added(self, found):
        with pytest.raises(PoisonError) as caught:
            plan("cccc", *found)
        assert caught.value.code == "document_doubled"


def apply(found: list[str], wanted: str | None) -> None:
    """Do in `found` what is decided, as AX would."""
    decision = plan(wanted, *found)
    if isinstance(decision, Correct | Cancel):
        found.append(str(decision.reversal))
    if isinstance(decision, Create | Correct):
        found.append(str(decision.reference))


HISTORIES = st.lists(st.sampled_from(["aaaa", "bbbb", "cccc", None]), min_size=1, max_size=8)


@given(HISTORIES, st.lists(st.integers(1, 3), min_size=8, max_size=8))
def test_repeating_each_command_leaves_the_same_documents(history, repeats):
    once: list[str] = []
    often: list[str] = []
    for wanted, times in zip(history, repeats, strict=False):
        apply(once, wanted)
        for _ in range(times):
            apply(often, wanted)
    assert often == once


@given(HISTORIES, st.lists(st.integers(0, 8), max_size=4))
def test_replaying_prefixes_ends_with_the_same_open_document(history, prefixes):
    found: list[str] = []
    for length in (*prefixes, len(history)):
        for wanted in history[:length]:
            apply(found, wanted)
    references = [Reference.parse(text) for text in found]
    reversed_ones = {reference.revision for reference in references if reference.reversal}
    still_open = [item.document_hash for item in references if not item.reversal and item.revision not in reversed_ones]
    assert still_open == ([history[-1]] if history[-1] else [])
