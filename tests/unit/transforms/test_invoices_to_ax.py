"""The flow of invoices: what AX shall hold for each, what it waits for, what a person must see."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.failures import PoisonError
from schemas.records import AxOperation
from streams import flows as declared
from streams.transforms.decisions import Ignored, ParkedFor, Ready
from streams.transforms.documents import document_hash
from streams.transforms.flow import Flow


@pytest.fixture(scope="session")
def flow(flows: Any) -> Flow:
    return flows["invoices-to-ax"]


def changed(files: dict[str, str], old: str, new: str) -> Flow:
    """The flow with `old` replaced by `new` in its file."""
    assert old in files["invoices-to-ax.yaml"]
    texts = {**files, "invoices-to-ax.yaml": files["invoices-to-ax.yaml"].replace(old, new)}
    return declared.compile_flows(texts)["invoices-to-ax"]


def refused(flow: Flow, record: dict[str, Any], lookups: Any, now: Any) -> PoisonError:
    with pytest.raises(PoisonError) as caught:
        flow.decide(record, lookups, now)
    return caught.value


def held(build: Any, flow: Flow, **fields: Any) -> Any:
    """Lookups of an ordinary invoice that AX holds."""
    (command,) = flow.decide(build.invoice(), build.linked(), build.now).ax_commands
    link = build.link("invoice", document_hash=command.document_hash, invoice=command.invoice)
    lookups = build.linked()
    lookups.links.append(build.link("invoice", **{**_fields(link), **fields}))
    return lookups


def _fields(link: Any) -> dict[str, Any]:
    return {"document_hash": link.document_hash, "invoice": link.invoice}


@pytest.mark.parametrize("status", ["draft", "created"])
def test_a_draft_is_ignored_whatever_else_it_says(flow: Flow, build: Any, status: str) -> None:
    record = build.invoice(status=status, payment_status="paid", lines=[])

    assert flow.decide(record, build.lookups(), build.now) == Ignored("draft")


@pytest.mark.parametrize("status", ["sent", "viewed", "paid", "partial", "autopaid", "overdue", "resolved", "retry"])
def test_an_issued_invoice_is_posted(flow: Flow, build: Any, status: str) -> None:
    decision = flow.decide(build.invoice(status=status), build.linked(), build.now)

    assert isinstance(decision, Ready)
    (command,) = decision.ax_commands
    assert command.operation is AxOperation.UPSERT_INVOICE
    assert command.company == "usmf"
    assert command.document_hash == document_hash(command.invoice)
    assert command.master_versions == {"usmf:customer:C-000001": "v7"}
    assert command.mapping_revision == flow.revision
    assert (command.source.kind, command.source.entity_id) == ("invoice", 9001)


@pytest.mark.parametrize(
    ("state", "reason"), [({"vis_state": 1}, "deleted_before_sync"), ({"status": "disputed"}, "disputed")]
)
def test_an_invoice_that_ax_shall_not_hold_is_cancelled_there_or_ignored(
    flow: Flow, build: Any, state: dict[str, Any], reason: str
) -> None:
    record = build.invoice(**state)
    present = held(build, flow)

    assert flow.decide(record, build.linked(), build.now) == Ignored(reason)
    assert flow.decide(record, held(build, flow, cancelled=True), build.now) == Ignored(reason)
    (command,) = flow.decide(record, present, build.now).ax_commands
    assert command.operation is AxOperation.CANCEL_INVOICE
    assert (command.document_hash, command.invoice) == (present.links[1].document_hash, present.links[1].invoice)


def test_a_cancellation_does_not_need_the_document_or_the_customer(flow: Flow, build: Any) -> None:
    lookups = build.lookups(links=[build.link("invoice")])

    (command,) = flow.decide(build.invoice(vis_state=1, lines=[]), lookups, build.now).ax_commands

    assert (command.document_hash, command.invoice) == ("", None)


def test_an_invoice_waits_for_the_link_of_its_client_and_asks_for_it(flow: Flow, build: Any) -> None:
    decision = flow.decide(build.invoice(), build.lookups(), build.now)

    assert isinstance(decision, ParkedFor)
    assert (decision.waits_for, decision.fetch) == ("xref ZyQ04o:client:218192", ("client", 218192))


@pytest.mark.parametrize("gone", [False, True])
def test_an_invoice_waits_for_the_master_row_of_its_customer(flow: Flow, build: Any, gone: bool) -> None:
    rows = [build.customer(deleted=True)] if gone else []

    decision = flow.decide(build.invoice(), build.lookups(rows, [build.link(company="USMF")]), build.now)

    assert isinstance(decision, ParkedFor)
    assert (decision.waits_for, decision.fetch) == ("master usmf:customer:C-000001", None)


@pytest.mark.parametrize(("blocked", "posted"), [(0, True), (1, False), (2, False), (3, False), (4, False), (5, True)])
def test_a_blocked_customer_gets_no_invoice(flow: Flow, build: Any, blocked: int, posted: bool) -> None:
    lookups = build.linked(blocked=blocked)

    if posted:
        assert isinstance(flow.decide(build.invoice(), lookups, build.now), Ready)
    else:
        assert refused(flow, build.invoice(), lookups, build.now).code == "customer_blocked"


def test_a_client_linked_in_another_company_is_refused(flow: Flow, build: Any) -> None:
    lookups = build.lookups([build.customer()], [build.link(company="demf")])

    assert refused(flow, build.invoice(), lookups, build.now).code == "company_mismatch"


def test_the_same_document_again_is_no_work(flow: Flow, build: Any) -> None:
    touched = build.invoice(version="later", content_hash="e" * 64, paid="100", outstanding="0", status="paid")

    assert flow.decide(touched, held(build, flow), build.now) == Ignored("unchanged")


def test_while_a_command_is_under_way_the_same_document_is_sent_again(flow: Flow, build: Any) -> None:
    """A to B and back to A, before B is confirmed: the cross-reference still says A, and AX will hold B."""
    lookups = held(build, flow)
    lookups.under_way = True

    (command,) = flow.decide(build.invoice(), lookups, build.now).ax_commands

    assert command.operation is AxOperation.UPSERT_INVOICE


def test_an_invoice_deleted_while_its_creation_is_under_way_is_cancelled(flow: Flow, build: Any) -> None:
    lookups = build.linked()
    lookups.under_way = True

    (command,) = flow.decide(build.invoice(vis_state=1), lookups, build.now).ax_commands

    assert (command.operation, command.company) == (AxOperation.CANCEL_INVOICE, "usmf")
    assert (command.document_hash, command.invoice) == ("", None)


def test_a_changed_invoice_is_sent_again_as_another_command(flow: Flow, build: Any) -> None:
    first = flow.decide(build.invoice(), build.linked(), build.now).ax_commands[0]
    record = build.invoice(amount="90", lines=[{"unit_cost": "90", "amount": "90"}])

    (second,) = flow.decide(record, held(build, flow), build.now).ax_commands

    assert second.operation is AxOperation.UPSERT_INVOICE
    assert second.document_hash != first.document_hash
    assert second.command_id != first.command_id


def test_an_invoice_that_returns_to_its_first_content_is_a_new_command(flow: Flow, build: Any) -> None:
    first = flow.decide(build.invoice(), build.linked(), build.now).ax_commands[0]
    lookups = held(build, flow, document_hash="0" * 16, revision=2)

    (third,) = flow.decide(build.invoice(), lookups, build.now).ax_commands

    assert third.document_hash == first.document_hash
    assert third.command_id != first.command_id
    assert third.command_id == flow.decide(build.invoice(), lookups, build.now).ax_commands[0].command_id


def test_a_cancelled_invoice_that_comes_back_is_posted_again(flow: Flow, build: Any) -> None:
    (command,) = flow.decide(build.invoice(), held(build, flow, cancelled=True), build.now).ax_commands

    assert command.operation is AxOperation.UPSERT_INVOICE


def test_a_flow_can_refuse_changes(build: Any, declared_files: dict[str, str]) -> None:
    flow = changed(declared_files, "on_change: correct", "on_change: refuse")
    lookups = held(build, flow)

    assert flow.decide(build.invoice(), lookups, build.now) == Ignored("unchanged")
    assert refused(flow, build.invoice(due_date=None), lookups, build.now).code == "changed_after_sync"


def test_a_flow_can_ignore_a_failure(build: Any, declared_files: dict[str, str]) -> None:
    flow = changed(declared_files, "on_error: {}", "on_error: {currency_not_allowed: ignore, no_lines: dead_letter}")

    decision = flow.decide(build.invoice(currency_code="XXX"), build.linked(), build.now)

    assert isinstance(decision, Ignored)
    assert decision.reason == "currency_not_allowed"
    assert refused(flow, build.invoice(lines=[]), build.linked(), build.now).code == "no_lines"


TAXED = {"tax_name1": "VAT", "tax_percent1": "19"}


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"lines": []}, "no_lines"),
        ({"currency_code": "XXX"}, "currency_not_allowed"),
        ({"account_id": "other"}, "unknown_account"),
        ({"amount": "120", "lines": [{"tax_name1": "VAT", "tax_percent1": "20"}]}, "unknown_tax"),
        ({"amount": "105", "lines": [{"tax_percent1": "5"}]}, "unknown_tax"),
        (
            {"lines": [{"tax_name1": "GST", "tax_percent1": "5", "tax_name2": "PST", "tax_percent2": "8"}]},
            "unknown_tax",
        ),
        ({"amount": "119.02", "lines": [TAXED]}, "totals_do_not_add_up"),
        ({"amount": "100.01"}, "totals_do_not_add_up"),
        ({"amount": "5", "lines": [{"amount": "0", "unit_cost": "0"}]}, "totals_do_not_add_up"),
        ({"amount": "100.005", "lines": [{"amount": "100.005"}]}, "amount_precision"),
        ({"amount": "1e15", "lines": [{"amount": "1e15"}]}, "amount_out_of_range"),
        ({"lines": [{"quantity": "NaN"}]}, "amount_out_of_range"),
        # A discount over groups of opposite signs: its shares grow beyond what the command can carry.
        (
            {"discount_total": "9e14", "amount": "416e12", "lines": [{"amount": "9e14"}, {**TAXED, "amount": "-8e14"}]},
            "amount_out_of_range",
        ),
        ({"invoice_number": " "}, "field_missing"),
    ],
)
def test_an_invoice_that_cannot_be_posted_is_refused(flow: Flow, build: Any, record: dict[str, Any], code: str) -> None:
    assert refused(flow, build.invoice(**record), build.linked(), build.now).code == code


def test_an_unknown_tax_is_named_as_the_table_wants_it(flow: Flow, build: Any) -> None:
    line = {
        "tax_name1": "GST",
        "tax_percent1": "5.5000",
        "tax_name2": "PST",
        "tax_percent2": "8",
        "compounded_tax": True,
    }

    reason = refused(flow, build.invoice(lines=[line]), build.linked(), build.now)

    assert "'GST 5.5 + PST 8 compounded' is not in table tax_item_groups" in reason.message


@pytest.mark.parametrize("line", [{"tax_name2": "VAT", "tax_percent2": "19"}, {**TAXED, "tax_name1": " vat "}])
def test_one_tax_is_found_in_either_place_and_notation(flow: Flow, build: Any, line: dict[str, Any]) -> None:
    (command,) = flow.decide(build.invoice(amount="119", lines=[line]), build.linked(), build.now).ax_commands

    assert command.invoice.lines[0].tax_item_group == "VAT19"


def test_stated_tax_may_differ_by_a_cent_per_line_and_is_what_is_posted(flow: Flow, build: Any) -> None:
    record = build.invoice(amount="119.01", lines=[TAXED])

    (command,) = flow.decide(record, build.linked(), build.now).ax_commands

    assert command.invoice.lines[0].tax_amount == Decimal("19.01")


def test_a_discount_over_groups_that_nearly_cancel_follows_its_percentage(flow: Flow, build: Any) -> None:
    # 50 % of 0.01 is rounded to 0.01; in proportion the groups would get 1000.01 and -1000.00 instead of half of it.
    lines = [{"amount": "1000.01", "unit_cost": "1000.01"}, {**TAXED, "amount": "-1000", "unit_cost": "-1000"}]
    record = build.invoice(amount="-95", discount_percent="50", discount_total="0.01", lines=lines)

    (command,) = flow.decide(record, build.linked(), build.now).ax_commands

    discounts = [(line.amount, line.tax_amount) for line in command.invoice.lines[2:]]
    assert discounts == [(Decimal("-500.01"), Decimal(0)), (Decimal("500.00"), Decimal("95.00"))]


def test_a_discount_that_is_nothing_in_all_can_be_something_in_each_group(flow: Flow, build: Any) -> None:
    lines = [{}, {**TAXED, "amount": "-100", "unit_cost": "-100"}]
    record = build.invoice(amount="-17.10", discount_percent="10", discount_total="0", lines=lines)

    (command,) = flow.decide(record, build.linked(), build.now).ax_commands

    assert [line.amount for line in command.invoice.lines[2:]] == [Decimal("-10"), Decimal("10")]


def test_a_discount_without_percentage_is_shared_in_proportion(flow: Flow, build: Any) -> None:
    lines = [{}, {**TAXED, "unit_cost": "20", "amount": "20"}]
    record = build.invoice(amount="113.48", discount_total="10", lines=lines)

    (command,) = flow.decide(record, build.linked(), build.now).ax_commands

    assert [line.amount for line in command.invoice.lines[2:]] == [Decimal("-8.33"), Decimal("-1.67")]


def test_amounts_below_the_minor_unit_are_rounded_together_and_told(flow: Flow, build: Any) -> None:
    record = build.invoice(
        amount="19.98", discount_total="0.034", lines=[{"amount": "10.005"}, {"amount": "10.005"}, {"amount": "0"}]
    )

    decision = flow.decide(record, build.linked(), build.now)

    amounts = [line.amount for line in decision.ax_commands[0].invoice.lines]
    assert amounts == [Decimal("10.01"), Decimal("10.00"), Decimal("0.00"), Decimal("-0.03")]
    told = [(loss.field, loss.kind) for loss in decision.losses]
    assert told[:3] == [("lines.0.amount", "rounded"), ("lines.1.amount", "rounded"), ("discount_total", "rounded")]


def test_quantities_can_be_kept_only_where_the_product_is_exact(build: Any, declared_files: dict[str, str]) -> None:
    flow = changed(declared_files, "keep_quantity: rounded", "keep_quantity: exact")
    lines = [
        {"quantity": "1.5", "unit_cost": "33.33", "amount": "50"},
        {"quantity": "2", "unit_cost": "25", "amount": "50"},
    ]

    (command,) = flow.decide(build.invoice(lines=lines), build.linked(), build.now).ax_commands

    assert [line.quantity for line in command.invoice.lines] == [1, 2]


def test_zero_lines_can_be_dropped(build: Any, declared_files: dict[str, str]) -> None:
    flow = changed(declared_files, "zero_lines: keep", "zero_lines: drop")
    zero = {"amount": "0", "unit_cost": "0"}

    (command,) = flow.decide(build.invoice(lines=[zero, {}]), build.linked(), build.now).ax_commands
    nothing = build.invoice(amount="0", lines=[zero])

    assert len(command.invoice.lines) == 1
    assert flow.decide(nothing, build.linked(), build.now) == Ignored("nothing_to_post")
    (cancel,) = flow.decide(nothing, held(build, flow), build.now).ax_commands
    assert cancel.operation is AxOperation.CANCEL_INVOICE
    assert refused(flow, build.invoice(lines=[zero]), build.linked(), build.now).code == "totals_do_not_add_up"


def test_accounts_and_dimensions_follow_their_tables(build: Any, declared_files: dict[str, str]) -> None:
    texts = {**declared_files}
    text = texts["invoices-to-ax.yaml"]
    text = text.replace("main_accounts: {}", "main_accounts: {Consulting: '401200'}")
    text = text.replace(
        "derive:\n      dimensions:\n        - value: {}",
        "derive:\n      region: [{when: customer.language == 'de', value: EU}, {from: settings.language}]\n"
        "      dimensions:\n        - {when: invoice.currency_code == 'JPY', value: {BusinessUnit: '002'}}\n"
        "        - {when: customer.customer_group == '10', value: {BusinessUnit: '001'}}",
    )
    text = text.replace(
        '              - value: {Department: "022"}',
        "              - {when: line.name == 'Book', value: {Department: '023'}}\n"
        "              - {when: derived.region == 'EU', value: {Department: '022'}}",
    )
    texts["invoices-to-ax.yaml"] = text
    flow = declared.compile_flows(texts)["invoices-to-ax"]
    record = build.invoice(amount="195", discount_total="5", lines=[{}, {"name": "Book"}])

    (command,) = flow.decide(record, build.linked(), build.now).ax_commands
    (other,) = flow.decide(record, build.linked(language="fr", customer_group="80"), build.now).ax_commands

    lines = command.invoice.lines
    assert command.invoice.dimensions == {"BusinessUnit": "001"}
    assert [line.main_account for line in lines] == ["401200", "401100", "401190"]
    assert [line.dimensions for line in lines] == [{"Department": "022"}, {"Department": "023"}, {"Department": "022"}]
    assert other.invoice.dimensions == {}
    assert other.invoice.lines[0].dimensions == {}


def test_a_computed_answer_of_a_decision_table_must_be_text(build: Any, declared_files: dict[str, str]) -> None:
    flow = changed(
        declared_files,
        "  - derive:\n",
        "  - derive:\n      size: [{when: invoice.amount > 1, from: invoice.amount}, {from: 'null'}]\n",
    )

    assert refused(flow, build.invoice(), build.linked(), build.now).code == "expression_failed"
    assert isinstance(flow.decide(build.invoice(amount="0", lines=[{"amount": "0"}]), build.linked(), build.now), Ready)
