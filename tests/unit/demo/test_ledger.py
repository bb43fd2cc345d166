"""The reconciliation believes the two ends only: it names what is lost, doubled or different."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from sandbox.demo.ledger import AxCustomer, AxInvoice, FreshBooksClient, FreshBooksInvoice, Ledger, SetAside, reconcile

CLIENT = FreshBooksClient(1, "Blumen Käfer", "", "", "", "DE1", "[AX:usmf/C-1]", deleted=False)
CUSTOMER = AxCustomer("usmf", "C-1", "Blumen Käfer", "DE1", "FBacc-1")
INVOICE = FreshBooksInvoice(9, 1, "0000009", "EUR", Decimal("119.00"), False, False, "[AX:usmf/500]", "")
AX_INVOICE = AxInvoice("usmf", 500, "C-1", "EUR", "FB:acc:9:1:00ff", Decimal("119.00"))


def ledger(**changes: Any) -> Ledger:
    ends: dict[str, Any] = {
        "clients": [CLIENT],
        "invoices": [INVOICE],
        "customers": [CUSTOMER],
        "ax_invoices": [AX_INVOICE],
        "set_aside": {},
        "company": "usmf",
    }
    return reconcile(**(ends | changes))


def outcome_of(result: Ledger, kind: str = "invoice") -> tuple[str, str]:
    (document,) = [d for d in result.documents if d.kind == kind]
    return document.outcome, document.reason


def test_equal_ends_agree() -> None:
    result = ledger()

    assert result.agrees
    assert [d.outcome for d in result.documents] == ["synced", "synced"]
    assert [(t.customer, t.currency, t.freshbooks, t.ax) for t in result.totals] == [
        ("C-1", "EUR", Decimal("119.00"), Decimal("119.00"))
    ]


def test_an_invoice_that_ax_lacks_is_lost() -> None:
    result = ledger(ax_invoices=[])

    assert outcome_of(result) == ("lost", "AX does not have it")
    assert not result.agrees


def test_the_dead_letter_explains_a_missing_invoice_and_leaves_the_totals() -> None:
    result = ledger(ax_invoices=[], set_aside={("invoice", 9): SetAside("dead_lettered", "unknown_tax: …")})

    assert outcome_of(result) == ("dead_lettered", "unknown_tax: …")
    assert result.totals == []
    assert result.agrees


def test_a_dead_letter_never_excuses_a_wrong_amount() -> None:
    result = ledger(
        ax_invoices=[replace(AX_INVOICE, total=Decimal(1))],
        set_aside={("invoice", 9): SetAside("dead_lettered", "x")},
    )

    assert outcome_of(result)[0] == "mismatched"
    assert not result.agrees


def test_a_parked_document_is_not_agreement() -> None:
    result = ledger(ax_invoices=[], set_aside={("invoice", 9): SetAside("parked", "waits")})

    assert outcome_of(result)[0] == "parked"
    assert not result.agrees


def test_the_same_revision_twice_is_duplicated() -> None:
    result = ledger(ax_invoices=[AX_INVOICE, replace(AX_INVOICE, rec_id=501)])

    assert outcome_of(result)[0] == "duplicated"
    assert result.totals[0].ax == Decimal("238.00")


def test_two_live_revisions_are_duplicated() -> None:
    second = replace(AX_INVOICE, rec_id=501, customer_ref="FB:acc:9:2:00aa")

    assert outcome_of(ledger(ax_invoices=[AX_INVOICE, second]))[0] == "duplicated"


def test_a_corrected_invoice_nets_to_its_newest_revision() -> None:
    reversal = replace(AX_INVOICE, rec_id=501, customer_ref="FB:acc:9:1R:00ff", total=Decimal("-119.00"))
    second = replace(AX_INVOICE, rec_id=502, customer_ref="FB:acc:9:2:00aa", total=Decimal("50.00"))
    invoice = replace(INVOICE, total=Decimal("50.00"), po_number="[AX:usmf/502]")

    result = ledger(invoices=[invoice], ax_invoices=[AX_INVOICE, reversal, second])

    assert outcome_of(result) == ("synced", "")
    assert result.agrees


def test_a_wrong_total_currency_or_customer_is_told() -> None:
    assert outcome_of(ledger(ax_invoices=[replace(AX_INVOICE, total=Decimal("118.99"))]))[1].startswith("total")
    assert outcome_of(ledger(ax_invoices=[replace(AX_INVOICE, currency="USD")]))[1].startswith("currency")
    assert outcome_of(ledger(ax_invoices=[replace(AX_INVOICE, account="C-2")]))[1].startswith("customer")


def test_a_missing_write_back_is_a_difference() -> None:
    assert "reference" in outcome_of(ledger(invoices=[replace(INVOICE, po_number="")]))[1]


def test_a_draft_and_a_deleted_invoice_must_not_be_in_ax() -> None:
    assert outcome_of(ledger(invoices=[replace(INVOICE, draft=True)], ax_invoices=[])) == ("ignored", "draft")
    assert outcome_of(ledger(invoices=[replace(INVOICE, draft=True)]))[0] == "mismatched"
    assert outcome_of(ledger(invoices=[replace(INVOICE, deleted=True)]))[0] == "mismatched"


def test_an_invoice_of_ours_that_freshbooks_lacks_is_a_stranger() -> None:
    result = ledger(invoices=[])

    assert list(result.strangers) == ["FB:acc:9:1:00ff (RecId 500)"]
    assert not result.agrees


def test_an_invoice_that_people_wrote_in_ax_is_none_of_ours() -> None:
    assert ledger(ax_invoices=[AX_INVOICE, replace(AX_INVOICE, rec_id=7, customer_ref="by hand")]).agrees


def test_a_client_without_a_customer_is_lost() -> None:
    assert outcome_of(ledger(clients=[replace(CLIENT, note="")]), "client")[0] == "lost"
    assert outcome_of(ledger(customers=[]), "client")[0] == "lost"


def test_a_client_created_twice_is_duplicated() -> None:
    twin = replace(CUSTOMER, account="C-2")

    assert outcome_of(ledger(customers=[CUSTOMER, twin]), "client")[0] == "duplicated"


def test_another_name_is_a_difference_unless_ax_had_to_cut_it() -> None:
    long = "Gesellschaft " * 10
    cut = (long[:91] + "~1a2b3c4d")[:100]

    assert outcome_of(ledger(customers=[replace(CUSTOMER, name="Other")]), "client")[0] == "mismatched"
    assert len(cut) == 100
    named = {"clients": [replace(CLIENT, organization=long)], "customers": [replace(CUSTOMER, name=cut)]}
    assert outcome_of(ledger(**named), "client")[0] == "synced"
