"""Steps that the flows of this release do not need: a flow of the operator may, so they hold by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.failures import PoisonError
from schemas.records import AxOperation
from streams.transforms.decisions import Ignored, ParkedFor, Ready
from streams.transforms.declared_yaml import DeclarationError
from streams.transforms.flow import Flow
from streams.transforms.release import compile_flows

ROUTE = """
  - route:
      - branch: small
        when: invoice.amount < 50
        steps:
          - filter: [{when: invoice.amount < 1, ignore: too_small}]
          - derive: {size: '"small"'}
      - branch: euro
        when: invoice.currency_code == "EUR"
        steps:
          - derive: {size: '"euro"'}
"""


def flow_of(files: dict[str, str], *changes: tuple[str, str], file: str = "invoices-to-ax.yaml") -> Flow:
    texts = dict(files)
    for old, new in changes:
        assert old in texts[file], old
        texts[file] = texts[file].replace(old, new, 1)
    return compile_flows(texts)[file.removesuffix(".yaml")]


class TestRoute:
    @pytest.fixture
    def flow(self, declared_files: dict[str, str]) -> Flow:
        return flow_of(declared_files, ("  - price:\n", f"{ROUTE}  - price:\n"))

    @pytest.mark.parametrize(("amount", "branch"), [("10", "small"), ("100", "euro")])
    def test_the_first_branch_that_holds_is_run_then_the_steps_behind(
        self, flow: Flow, build: Any, amount: str, branch: str
    ) -> None:
        record = build.invoice(amount=amount, lines=[{"amount": amount, "unit_cost": amount}])

        shown, decision = flow.explain(record, build.linked(), build.now)

        assert isinstance(decision, Ready)
        route = next(step for step in shown if step.kind == "route")
        assert route.shown["branch"] == branch
        assert [step.kind for step in route.shown["steps"]][-1] == "derive"

    def test_a_branch_can_end_the_record(self, flow: Flow, build: Any) -> None:
        record = build.invoice(amount="0.5", lines=[{"amount": "0.5", "unit_cost": "0.5"}])

        assert flow.decide(record, build.linked(), build.now) == Ignored("too_small")

    def test_no_branch_is_a_refusal(self, flow: Flow, build: Any) -> None:
        with pytest.raises(PoisonError) as caught:
            flow.decide(build.invoice(currency_code="USD"), build.linked(), build.now)
        assert caught.value.code == "no_route"

    def test_a_branch_without_condition_stands_last(self, declared_files: dict[str, str]) -> None:
        route = ROUTE.replace("        when: invoice.amount < 50\n", "")

        with pytest.raises(DeclarationError, match="a branch without condition hides the ones below it"):
            flow_of(declared_files, ("  - price:\n", f"{route}  - price:\n"))

    def test_branches_can_post_documents_of_their_own(self, declared_files: dict[str, str], build: Any) -> None:
        mapping = """
mapping: note
version: 1
target: ax.journal
fields:
  journal_name: {from: "'GenJrn'", required: true}
  currency_code: {from: invoice.currency_code, required: true}
  includes_tax: {from: 'false', type: boolean, required: true}
"""
        line = """
mapping: note-line
version: 1
target: ax.journal_line
fields:
  account_type: {from: "'ledger'", required: true}
  account: {from: settings.revenue_account, required: true}
  transaction_date: {from: invoice.create_date, type: date, required: true}
  description: {from: "'note'", required: true}
  debit: {from: invoice.amount, type: decimal, scale: 2, required: true}
  credit: {from: "0", type: decimal, scale: 2, required: true}
  currency_code: {from: invoice.currency_code, required: true}
  offset_account_type: {from: "'ledger'"}
  offset_account: {from: settings.discount_account}
"""
        files = {**declared_files, "note.mapping.yaml": mapping, "note-line.mapping.yaml": line}
        text = files["invoices-to-ax.yaml"]
        start, end = text.index("  - map:\n"), text.index("tables:\n")
        steps = """
  - route:
      - branch: note
        when: invoice.amount < 50
        steps: [{map: {mapping: note, lines: [{mapping: note-line}]}}, {validate: [{check: balanced}]}, {post: {}}]
      - branch: invoice
        steps:
          - map: {mapping: invoice, lines: [{mapping: invoice-line, for_each: priced}]}
          - post: {}

"""
        flow = flow_of({**files, "invoices-to-ax.yaml": text[:start] + steps + text[end:]})
        small = build.invoice(amount="10", lines=[{"amount": "10", "unit_cost": "10"}])

        (journal,) = flow.decide(small, build.linked(), build.now).ax_commands
        (invoice,) = flow.decide(build.invoice(), build.linked(), build.now).ax_commands

        assert (journal.operation, journal.invoice) == (AxOperation.UPSERT_JOURNAL, None)
        assert (invoice.operation, invoice.journal) == (AxOperation.UPSERT_INVOICE, None)


class TestLookUp:
    look_up = "  - look_up: {as: customer, in: customers, key: invoice.client_id, through: client}\n"

    def changed(self, files: dict[str, str], extra: str) -> Flow:
        return flow_of(files, (self.look_up, self.look_up.replace("}\n", f", {extra}}}\n")))

    def test_what_is_missing_can_end_the_record(self, declared_files: dict[str, str], build: Any) -> None:
        flow = self.changed(declared_files, "on_missing: {ignore: nobody}")

        assert flow.decide(build.invoice(), build.lookups(), build.now).reason == "nobody"

    def test_what_is_missing_can_be_refused(self, declared_files: dict[str, str], build: Any) -> None:
        flow = self.changed(declared_files, "on_missing: reject")

        with pytest.raises(PoisonError, match="customer_missing: looking up customer: the client has no AX customer"):
            flow.decide(build.invoice(), build.lookups(), build.now)

    def test_a_row_that_is_there_can_end_the_record(self, declared_files: dict[str, str], build: Any) -> None:
        flow = self.changed(declared_files, "on_found: {ignore: known}")

        assert flow.decide(build.invoice(), build.linked(), build.now).reason == "known"

    def test_an_id_of_ax_is_looked_up_as_it_is(self, declared_files: dict[str, str], build: Any) -> None:
        direct = "  - look_up: {as: customer, in: customers, key: '\"C-000001\"'}\n"
        flow = flow_of(declared_files, (self.look_up, direct))

        assert isinstance(flow.decide(build.invoice(), build.lookups([build.customer()]), build.now), Ready)
        assert isinstance(flow.decide(build.invoice(), build.lookups(), build.now), ParkedFor)

    @pytest.mark.parametrize(
        ("file", "old", "new", "problem"),
        [
            ("expenses-to-ax.yaml", "key: expense.category_id}", "key: expense.category_id, through: item}", "through"),
            ("bills-to-ax.yaml", "for_each: lines}", "for_each: rows}", "the record has no list rows"),
            (
                "bills-to-ax.yaml",
                "for_each: lines}",
                "for_each: lines, on_found: {ignore: x}}",
                "a look-up for each element joins with rows",
            ),
        ],
    )
    def test_a_look_up_that_does_not_hold_is_refused(
        self, declared_files: dict[str, str], file: str, old: str, new: str, problem: str
    ) -> None:
        with pytest.raises(DeclarationError) as caught:
            flow_of(declared_files, (old, new), file=file)
        assert problem in caught.value.message


class TestPost:
    def test_a_changed_document_can_be_left_as_it_is(self, declared_files: dict[str, str], build: Any) -> None:
        flow = flow_of(declared_files, ("on_change: correct", "on_change: ignore"))
        lookups = build.linked()
        lookups.links.append(build.link("invoice", document_hash="0" * 16))

        decision = flow.decide(build.invoice(), lookups, build.now)

        assert isinstance(decision, Ignored)
        assert decision.reason == "changed_after_sync"

    def test_a_flow_without_a_command_does_nothing(self, declared_files: dict[str, str], build: Any) -> None:
        flow = flow_of(declared_files, ("  - post: {on_change: correct}\n", ""))

        assert flow.decide(build.invoice(), build.linked(), build.now).reason == "nothing_to_do"

    def test_a_kind_that_cannot_be_taken_back_is_left(self, declared_files: dict[str, str], build: Any) -> None:
        flow = flow_of(
            declared_files,
            ("ignore: deleted_before_sync", "ignore: deleted_before_sync\n        reverse: true"),
            ("on_found: {ignore: linked}, ", ""),
            file="clients-to-ax.yaml",
        )

        assert flow.decide(build.client(vis_state=1), build.linked(), build.now) == Ignored("deleted_before_sync")

    def test_a_document_without_lines_takes_none(self, declared_files: dict[str, str]) -> None:
        with pytest.raises(DeclarationError, match=r"map.lines: ax.customer has no lines"):
            flow_of(
                declared_files,
                ("- map: customer", "- map: {mapping: customer, lines: [{mapping: invoice-line}]}"),
                file="clients-to-ax.yaml",
            )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{check: currency, value: invoice.currency_code}", "{check: currency}", "the check of a currency has a value"),
        ("check: accounts", "{check: accounts, rule: 'true'}", "a check has no rule"),
        ("- price:", "- {}\n  - price:", "a step has one kind"),
    ],
)
def test_a_step_that_does_not_hold_is_refused(declared_files: dict[str, str], old: str, new: str, problem: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        flow_of(declared_files, (old, new))
    assert problem in caught.value.message
