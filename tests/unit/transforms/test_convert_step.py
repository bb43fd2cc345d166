"""The step convert: amounts at the rate that AX would take; rate, date and rule travel with the command."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures import PoisonError
from streams.transforms.decisions import ParkedFor, Ready
from streams.transforms.flow import Flow
from streams.transforms.ledger import Ledger
from streams.transforms.release import compile_flows

RATES = [
    {"from_currency": "EUR", "to_currency": "USD", "rate": "110", "valid_from": "2026-01-01"},
    {"from_currency": "GBP", "to_currency": "USD", "rate": "125", "valid_from": "2026-06-01"},
    {"rate_type": "Budget", "from_currency": "EUR", "to_currency": "USD", "rate": "100", "valid_from": "2026-01-01"},
]
STEP = """
  - convert:
      as: base
      from: invoice.currency_code
      on: invoice.create_date
      for_each: lines
      amount: line.amount
      amounts: {tax: invoice.amount - invoice.amount}
"""


def flow_with(files: dict[str, str], step: str = STEP, description: str = "") -> Flow:
    texts = dict(files)
    texts["invoices-to-ax.yaml"] = texts["invoices-to-ax.yaml"].replace("  - derive:\n", f"{step}\n  - derive:\n", 1)
    if description:
        mapping = texts["invoice.mapping.yaml"]
        texts["invoice.mapping.yaml"] = mapping.replace('from: "null"', f"from: '{description}'")
    return compile_flows(texts)["invoices-to-ax"]


def decide(flow: Flow, build: Any, ledger: bool = True, **invoice: Any) -> tuple[Any, Any]:
    lookups = build.linked()
    if ledger:
        lookups.ledgers = {"usmf": msgspec.convert({"currency": "USD", "rates": RATES}, Ledger, strict=False)}
    shown, result = flow.explain(build.invoice(**invoice), lookups, build.now)
    return next((step.shown for step in shown if step.kind == "convert"), None), result


@pytest.fixture(scope="session")
def flow(declared_files: dict[str, str]) -> Flow:
    # What comes after is not the subject here: the ledger of these tests has rates alone.
    text = declared_files["invoices-to-ax.yaml"]
    checks = "      - check: accounts\n      - check: dimensions\n      - check: period\n"
    assert checks in text
    files = {**declared_files, "invoices-to-ax.yaml": text.replace(checks, "      - check: balanced\n")}
    return flow_with(files)


def test_rate_date_and_rule_travel_with_the_command(flow: Flow, build: Any) -> None:
    shown, result = decide(flow, build)

    assert isinstance(result, Ready)
    assert result.ax_commands[0].master_versions["rate Default EUR/USD"] == "1.100000000000 of 2026-01-01, direct"
    assert (shown["total"], shown["currency"], shown["rule"]) == (Decimal("110.00"), "USD", "direct")
    assert shown["rate_per_hundred"] == 110


def test_a_missing_rate_parks_the_record_for_it(flow: Flow, build: Any) -> None:
    _, result = decide(flow, build, currency_code="CAD")

    assert isinstance(result, ParkedFor)
    assert result.waits_for == "rate usmf:Default:CAD:USD:2026-06-29"
    assert "AX has no Default rate of CAD in USD on 2026-06-29" in result.reason


def test_a_ledger_that_is_not_captured_has_no_rate(flow: Flow, build: Any) -> None:
    assert isinstance(decide(flow, build, ledger=False)[1], ParkedFor)


@pytest.mark.parametrize(("wish", "code"), [("reject", "rate_missing"), ("go_on", None)])
def test_the_flow_says_what_a_missing_rate_means(
    declared_files: dict[str, str], build: Any, wish: str, code: str | None
) -> None:
    flow = flow_with(declared_files, f"{STEP}      on_missing: {wish}\n")

    _, result = decide(flow, build, ledger=False, currency_code="CAD")

    assert (result.code if isinstance(result, PoisonError) else None) == code
    assert isinstance(result, (PoisonError, Ready))


def test_type_target_and_date_are_expressions(declared_files: dict[str, str], build: Any) -> None:
    step = STEP.replace("      on: invoice.create_date\n", "      on: add_days(invoice.create_date, -40)\n")
    step += "      rate_type: '\"Budget\"'\n      to: '\"USD\"'\n"
    _, result = decide(flow_with(declared_files, step), build, currency_code="EUR")
    assert isinstance(result, PoisonError)  # the ledger of these tests has no accounts: the conversion went through

    _, result = decide(flow_with(declared_files, step), build, currency_code="GBP")
    assert isinstance(result, ParkedFor)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("as: base", "as: customer"), "the name customer is taken"),
        (("tax: invoice", "rate: invoice"), "amounts.rate: the name is taken"),
        (("for_each: lines", "for_each: rows"), "the record has no list rows"),
        (("on: invoice.create_date", "on: invoice.day"), "convert.on: position 1: unknown field"),
    ],
)
def test_a_step_that_does_not_hold_is_refused(
    declared_files: dict[str, str], change: tuple[str, str], problem: str
) -> None:
    with pytest.raises(Exception, match="convert") as caught:
        flow_with(declared_files, STEP.replace(*change))
    assert problem in str(caught.value)


@given(amounts=st.lists(st.decimals("-9999.99", "9999.99", places=2), min_size=1, max_size=6))
def test_converted_lines_always_add_up(flow: Flow, build: Any, amounts: list[Decimal]) -> None:
    lines = [{"amount": str(amount), "unit_cost": str(amount)} for amount in amounts]
    record = build.invoice(lines=lines, amount=str(sum(amounts)), currency_code="GBP")
    lookups = build.linked()
    lookups.ledgers = {"usmf": msgspec.convert({"currency": "EUR", "rates": RATES}, Ledger, strict=False)}
    shown, _ = flow.explain(record, lookups, build.now)
    converted = next((step.shown for step in shown if step.kind == "convert"), None)

    # GBP → USD → EUR is through a currency that is not the base here: AX has no rate.
    assert converted is None
    lookups.ledgers = {"usmf": msgspec.convert({"currency": "USD", "rates": RATES}, Ledger, strict=False)}
    shown, result = flow.explain(record, lookups, build.now)
    assert isinstance(result, Ready)
    converted = next(step.shown for step in shown if step.kind == "convert")
    assert abs(converted["total"] - sum(amounts) * Decimal("1.25")) <= Decimal("0.005")
