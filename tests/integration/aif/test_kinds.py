"""The AX sink on the whole AX system, for every kind: once in effect, and the books come out right."""

import asyncio
from decimal import Decimal

import pytest

from connectors.ax.aif_client import AifClient
from connectors.ax.lookup import DocumentLookup, FoundDocument
from connectors.ax.sink import AxSink
from schemas.failures import PoisonError, RetryableError
from schemas.records import AxOutcome
from tests.integration.aif.killing import kill_when
from tests.kit.ax_documents import (
    cross_reference,
    customer,
    customer_payment,
    upsert,
    upsert_customer,
    upsert_kind,
    upsert_vendor,
    vendor,
    vendor_invoice,
    vendor_payment,
    with_total,
)
from tests.kit.ax_kinds import ALL, BILL, BILL_PAYMENT, CREDIT_NOTE, EXPENSE, JOURNALS, PAYMENT

KINDS = pytest.mark.parametrize("case", ALL, ids=lambda case: case.kind)


@pytest.fixture(scope="session")
def ends(ax_system):
    """Client and look-up, shared: a sink keeps its memory in neither of them."""
    client, lookup = AifClient(ax_system.aif_settings()), DocumentLookup(ax_system.sql_settings())
    yield client, lookup
    asyncio.run(client.close())
    asyncio.run(lookup.close())


@pytest.fixture
def new_sink(ax, ends):
    """`new_sink()`: a sink as after a start of the process."""
    client, lookup = ends
    return lambda **values: AxSink(client, lookup, ax.aif_settings(**values))


def apply(sink, command, prior=None):
    return asyncio.run(sink.apply(command, prior))


def stored(ax, case, number):
    return ax.invoices(case.name(number)) if case is CREDIT_NOTE else ax.journals(case.name(number))


def trial_balance(ax):
    return {row["account"]: Decimal(row["balance"]) for row in ax.state()["trial_balance"] if row["company"] == "usmf"}


def moved(ax, before):
    now = trial_balance(ax)
    return {key: now[key] - before.get(key, 0) for key in now if now[key] != before.get(key, 0)}


@KINDS
def test_the_life_of_a_document_leaves_nothing_behind(ax, new_sink, invoice_id, case):
    ax.post()
    before = trial_balance(ax)
    sink = new_sink()
    created = apply(sink, case.upsert("10.00", entity_id=invoice_id))
    key = "rec_id" if case is CREDIT_NOTE else "journal_num"
    assert (created.outcome, created.ax_id) == (AxOutcome.CREATED, str(stored(ax, case, invoice_id)[0][key]))
    ax.post()
    once = moved(ax, before)
    corrected = apply(sink, case.upsert("20.00", entity_id=invoice_id, step=1), cross_reference(created))
    assert corrected.outcome is AxOutcome.CORRECTED
    ax.post()
    assert moved(ax, before) != once
    gone = apply(
        sink, case.cancel(cross_reference(corrected), entity_id=invoice_id, step=2), cross_reference(corrected)
    )
    assert gone.outcome is AxOutcome.CANCELLED
    ax.post()
    assert [item["posting_error"] for item in stored(ax, case, invoice_id)] == [""] * 4
    assert moved(ax, before) == {}


@KINDS
def test_a_replay_by_another_process_changes_nothing(ax, new_sink, invoice_id, case):
    first = apply(new_sink(), case.upsert("10.00", entity_id=invoice_id))
    again = apply(new_sink(), case.upsert("10.00", entity_id=invoice_id))
    assert again.outcome is AxOutcome.ALREADY_PRESENT
    assert (again.ax_id, again.reference, again.journal) == (first.ax_id, first.reference, first.journal)
    assert len(stored(ax, case, invoice_id)) == 1


@KINDS
@pytest.mark.parametrize(
    ("trouble", "duplicates"),
    [
        ({"kind": "drop_connection"}, "error"),
        ({"kind": "drop_connection"}, "off"),
        ({"kind": "timeout", "after_commit": True}, "cached_response"),
        ({"kind": "generic"}, "error"),
    ],
    ids=["lost answer", "lost answer, no check", "time-out after the commit", "nothing said"],
)
def test_trouble_ends_with_one_document(ax, new_sink, invoice_id, case, trouble, duplicates):
    ax.switch(duplicates=duplicates)
    ax.fault(operation="create", **trouble)
    confirmation = apply(new_sink(), case.upsert("10.00", entity_id=invoice_id))
    assert (confirmation.outcome, confirmation.revision) == (AxOutcome.CREATED, 1)
    assert len(stored(ax, case, invoice_id)) == 1


@pytest.mark.parametrize("case", JOURNALS, ids=lambda case: case.kind)
def test_a_kill_after_the_commit_ends_with_one_document(ax, new_sink, invoice_id, case):
    command = case.upsert("10.00", entity_id=invoice_id)
    ax.fault("delay", seconds=1.0, after_commit=True, operation="create")
    kill_when(ax, command, None, lambda: len(ax.journals(case.name(invoice_id))) == 1)
    assert apply(new_sink(), command).outcome is AxOutcome.ALREADY_PRESENT
    assert len(ax.journals(case.name(invoice_id))) == 1


def test_many_documents_of_all_kinds_at_once_are_all_created_once(ax, new_sink, invoice_id):
    ax.fault("drop_connection", count=5, operation="create")
    sink = new_sink()
    commands = [case.upsert("10.00", entity_id=invoice_id * 100 + number) for case in ALL for number in range(6)]

    async def all_of_them():
        return await asyncio.gather(*(sink.apply(command, None) for command in commands))

    assert {item.outcome for item in asyncio.run(all_of_them())} == {AxOutcome.CREATED}
    for case in ALL:
        assert [len(stored(ax, case, invoice_id * 100 + number)) for number in range(6)] == [1] * 6


def test_what_ax_holds_is_read_the_same_by_both_drivers(ax, new_sink, invoice_id, microsoft_driver):
    number = f"A-{invoice_id}"
    command = upsert_kind("bill", BILL.upserts, vendor_invoice(invoice_number=number), entity_id=invoice_id)
    confirmation = apply(new_sink(), command)
    ax.post()
    # Microsoft's driver looks at a pinned certificate in strict mode only, and refuses one elsewhere.
    microsoft = {"driver": microsoft_driver, "encrypt": "no", "server_certificate": None}

    async def look(settings):
        lookup = DocumentLookup(ax.sql_settings(**settings))
        try:
            found = await lookup.journals("USMF", f"FB:ZyQ04o:{BILL.name(invoice_id)}:")
            known = await lookup.vendor_invoice_posted("USMF", "V-001", number)
            return found, known, await lookup.vendor_invoice_posted("USMF", "V-001", "unknown")
        finally:
            await lookup.close()

    for settings in ({"driver": "FreeTDS"}, microsoft):
        expected = [FoundDocument(confirmation.reference, confirmation.ax_id)]
        assert asyncio.run(look(settings)) == (expected, True, False)


class TestVendor:
    def test_is_created_once(self, ax, new_sink, invoice_id):
        document = vendor(your_account_number=f"FBZyQ04o-{invoice_id}")
        created, again = (apply(new_sink(), upsert_vendor(document)) for _ in range(2))
        assert (created.outcome, again.outcome) == (AxOutcome.CREATED, AxOutcome.ALREADY_PRESENT)
        assert created.ax_id == again.ax_id == ax.vendors_of(document.your_account_number)[0]["account"]

    @pytest.mark.parametrize("duplicates", ["error", "cached_response", "off"])
    def test_is_created_once_when_the_connection_breaks_after_the_commit(self, ax, new_sink, invoice_id, duplicates):
        ax.switch(duplicates=duplicates)
        ax.fault("drop_connection", operation="create")
        document = vendor(your_account_number=f"FBZyQ04o-{invoice_id}")
        assert apply(new_sink(), upsert_vendor(document)).outcome is AxOutcome.CREATED
        assert len(ax.vendors_of(document.your_account_number)) == 1

    def test_with_a_number_that_is_taken_is_for_a_person(self, new_sink, invoice_id):
        document = vendor(your_account_number=f"FBZyQ04o-{invoice_id}", account_number="V-001")
        with pytest.raises(PoisonError) as caught:
            apply(new_sink(), upsert_vendor(document))
        assert caught.value.code == "record_exists"


class TestSettlement:
    """An invoice or a bill, paid in FreshBooks: the same is open in AX, to the cent."""

    @pytest.fixture
    def account(self, new_sink, invoice_id):
        document = customer(our_account_number=f"FBZyQ04o-{invoice_id}")
        return apply(new_sink(), upsert_customer(document)).ax_id

    @pytest.fixture
    def supplier(self, new_sink, invoice_id):
        document = vendor(your_account_number=f"FBZyQ04o-{invoice_id}")
        return apply(new_sink(), upsert_vendor(document)).ax_id

    def open_of(self, ax, account, kind="customer"):
        """What is open by invoice number."""
        totals: dict[str, Decimal] = {}
        for row in ax.state()[f"{kind}_transactions"]:
            if row["account"] == account:
                totals[row["invoice"]] = totals.get(row["invoice"], Decimal(0)) + Decimal(row["open"])
        return {number: amount for number, amount in totals.items() if amount}

    def pay(self, account, amount, number, *, step=0):
        payment = customer_payment(amount, customer_account=account, settles_invoice_id=number)
        return upsert_kind("payment", PAYMENT.upserts, payment, entity_id=number, step=step)

    def invoice(self, sink, account, number, total="100.00"):
        document = type(with_total(total)).from_avro(with_total(total).to_avro() | {"customer_account": account})
        return apply(sink, upsert(document, invoice_id=number))

    def test_a_payment_waits_for_the_batch_and_closes_the_invoice(self, ax, new_sink, account, invoice_id):
        sink = new_sink(retry_budget_seconds=0.2)
        self.invoice(sink, account, invoice_id)
        with pytest.raises(RetryableError) as caught:
            apply(sink, self.pay(account, "100.00", invoice_id))
        assert caught.value.code == "invoice_not_posted"
        ax.post()
        apply(sink, self.pay(account, "100.00", invoice_id))
        ax.post()
        assert self.open_of(ax, account) == {}

    def test_part_and_too_much(self, ax, new_sink, account, invoice_id):
        sink = new_sink()
        self.invoice(sink, account, invoice_id)
        ax.post()
        number = ax.invoices(invoice_id)[0]["invoice_id"]
        prior = cross_reference(apply(sink, self.pay(account, "60.00", invoice_id)))
        ax.post()
        assert self.open_of(ax, account) == {number: Decimal(40)}
        apply(sink, self.pay(account, "130.00", invoice_id, step=1), prior)
        ax.post()
        assert sum(self.open_of(ax, account).values()) == -30

    def test_a_payment_that_is_corrected_after_posting(self, ax, new_sink, account, invoice_id):
        sink = new_sink()
        self.invoice(sink, account, invoice_id)
        ax.post()
        number = ax.invoices(invoice_id)[0]["invoice_id"]
        prior = cross_reference(apply(sink, self.pay(account, "100.00", invoice_id)))
        ax.post()
        changed = cross_reference(apply(sink, self.pay(account, "70.00", invoice_id, step=1), prior))
        ax.post()
        assert self.open_of(ax, account) == {number: Decimal(30)}
        apply(sink, PAYMENT.cancel(changed, entity_id=invoice_id, step=2), changed)
        ax.post()
        assert self.open_of(ax, account) == {number: Decimal(100)}

    def test_a_bill_is_paid_after_it_is_posted(self, ax, new_sink, supplier, invoice_id):
        sink = new_sink(retry_budget_seconds=0.2)
        bill = vendor_invoice(vendor_account=supplier, invoice_number=f"A-{invoice_id}")
        payment = vendor_payment("119.00", vendor_account=supplier, marked_invoice=f"A-{invoice_id}")
        paid = upsert_kind("bill_payment", BILL_PAYMENT.upserts, payment, entity_id=invoice_id)
        apply(sink, upsert_kind("bill", BILL.upserts, bill, entity_id=invoice_id))
        with pytest.raises(RetryableError):
            apply(sink, paid)
        ax.post()
        assert self.open_of(ax, supplier, "vendor") == {f"A-{invoice_id}": Decimal(-119)}
        apply(sink, paid)
        ax.post()
        assert self.open_of(ax, supplier, "vendor") == {}

    def test_a_bill_that_is_corrected_after_posting(self, ax, new_sink, supplier, invoice_id):
        sink = new_sink()
        documents = [vendor_invoice(total, "0.00", vendor_account=supplier) for total in ("100.00", "70.00")]
        first, second = (
            upsert_kind("bill", BILL.upserts, document, entity_id=invoice_id, step=step)
            for step, document in enumerate(documents)
        )
        prior = cross_reference(apply(sink, first))
        ax.post()
        apply(sink, second, prior)
        ax.post()
        assert self.open_of(ax, supplier, "vendor") == {"A-77": Decimal(-70)}

    def test_a_number_that_the_site_lets_nobody_use_twice_stays_unposted(self, ax, new_sink, supplier, invoice_id):
        """A correction repeats the vendor's number: AX's parameter must warn, not reject (README, known limits)."""
        ax.switch(vendor_invoice_numbers="reject")
        sink = new_sink()
        first, second = (vendor_invoice(total, "0.00", vendor_account=supplier) for total in ("100.00", "70.00"))
        prior = cross_reference(apply(sink, upsert_kind("bill", BILL.upserts, first, entity_id=invoice_id)))
        ax.post()
        apply(sink, upsert_kind("bill", BILL.upserts, second, entity_id=invoice_id, step=1), prior)
        ax.post()
        errors = [item["posting_error"] for item in ax.journals(BILL.name(invoice_id))]
        assert errors[0] == ""
        assert all("already used" in error for error in errors[1:])


def test_an_expense_that_ax_will_never_take_is_poison(new_sink, invoice_id):
    command = upsert_kind("expense", EXPENSE.upserts, EXPENSE.document("0.00"), entity_id=invoice_id)
    with pytest.raises(PoisonError) as caught:
        apply(new_sink(), command)
    assert caught.value.code == "ax_refused"
