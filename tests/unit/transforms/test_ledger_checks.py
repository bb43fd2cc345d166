"""Validation against AX's ledger: what is wrong is named by field, value, rule and remedy before anything is sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.failures import PoisonError
from streams.transforms.decisions import Ready
from streams.transforms.examples import decided, example_of
from streams.transforms.flow import Flow, Flows
from streams.transforms.ledger import Ledger

LEDGER: dict[str, Any] = {
    "currency": "USD",
    "accounts": {"401100": True, "401190": True, "606300": True, "618100": True, "110110": True, "999": False},
    "dimensions": {"Department": {"022": True, "023": False}, "BusinessUnit": {"001": True}},
    "structures": [
        {
            "name": "P&L",
            "first": "400000",
            "last": "699999",
            "dimensions": {"Department": "required", "BusinessUnit": "optional"},
        },
        {"name": "Balance sheet", "first": "100000", "last": "399999"},
    ],
    "periods": [
        {"first": "2026-05-01", "last": "2026-05-31", "status": "closed"},
        {"first": "2026-06-01", "last": "2026-06-30"},
        {"first": "2026-07-01", "last": "2026-07-31", "status": "on_hold"},
    ],
}


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    return msgspec.convert(LEDGER, Ledger, strict=False)


def outcome(flow: Flow, build: Any, **invoice: Any) -> Any:
    lookups = build.linked()
    lookups.ledgers = {"usmf": msgspec.convert(LEDGER, Ledger, strict=False)}
    return flow.explain(build.invoice(**invoice), lookups, build.now)[1]


def overridden(texts: dict[str, str], old: str, new: str) -> Flow:
    from streams.transforms.release import compile_flows

    assert old in texts["invoices-to-ax.yaml"]
    return compile_flows({**texts, "invoices-to-ax.yaml": texts["invoices-to-ax.yaml"].replace(old, new)})[
        "invoices-to-ax"
    ]


def test_a_document_that_fits_the_ledger_is_posted(flows: Flows, build: Any) -> None:
    assert isinstance(outcome(flows["invoices-to-ax"], build), Ready)


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        (
            'revenue_account: "401100"',
            'revenue_account: "401500"',
            "account_unknown",
            "checking lines.0.account: main account '401500' is not in AX's chart of accounts; create it in AX, or",
        ),
        ('revenue_account: "401100"', 'revenue_account: "999"', "account_suspended", "main account '999' is suspended"),
        ('Department: "022"', 'Department: "023"', "dimension_value_suspended", "Department '023' is suspended in AX"),
        ('Department: "022"', 'Department: "024"', "dimension_value_unknown", "Department has no value '024' in AX"),
        ('Department: "022"', 'CostCenter: "1"', "dimension_unknown", "AX has no dimension 'CostCenter'"),
        ('{Department: "022"}', "{}", "dimension_missing", "main account '401100' needs a Department (structure P&L)"),
        (
            'revenue_account: "401100"',
            'revenue_account: "110110"',
            "dimension_not_allowed",
            "main account '110110' takes no Department (structure Balance sheet)",
        ),
    ],
)
def test_what_the_ledger_does_not_take_is_named(
    declared_files: dict[str, str], build: Any, old: str, new: str, code: str, message: str
) -> None:
    reason = outcome(overridden(declared_files, old, new), build)

    assert isinstance(reason, PoisonError)
    assert reason.code == code
    assert message in reason.message
    assert reason.field.startswith("lines.0.")
    assert reason.message.endswith(", and redrive")


@pytest.mark.parametrize(
    ("day", "code"),
    [("2026-05-31", "period_closed"), ("2026-07-01", "period_on_hold"), ("2027-01-01", "period_missing")],
)
def test_a_date_without_an_open_period_is_refused(flows: Flows, build: Any, day: str, code: str) -> None:
    reason = outcome(flows["invoices-to-ax"], build, create_date=day)

    assert isinstance(reason, PoisonError)
    assert (reason.code, reason.field) == (code, "invoice_date")
    assert day in reason.message


def test_header_dimensions_count_for_every_line(declared_files: dict[str, str], build: Any) -> None:
    text = declared_files["invoices-to-ax.yaml"]
    text = text.replace("        - value: {}", '        - value: {Department: "022"}')
    text = text.replace('              - value: {Department: "022"}', "              - value: {}")
    flow = overridden({**declared_files, "invoices-to-ax.yaml": text}, "flow:", "flow:")

    assert isinstance(outcome(flow, build), Ready)


def test_without_a_ledger_ax_checks_when_it_posts(flows: Flows, build: Any) -> None:
    shown, result = flows["invoices-to-ax"].explain(build.invoice(), build.linked(), build.now)

    assert isinstance(result, Ready)
    assert "AX checks this when it posts" in [step.shown for step in shown if step.kind == "validate"][-1]


def journal_example(**more: Any) -> dict[str, Any]:
    record = {
        "account_id": "ZyQ04o",
        "expense_id": 1,
        "category_id": 5,
        "expense_date": "2026-06-29",
        "amount": "10",
        "currency_code": "EUR",
        "compounded_tax": False,
        "markup_percent": "0",
        "billable": False,
        "status": 0,
        "is_duplicate": False,
        "has_receipt": False,
        "vis_state": 0,
        "updated_at": "2026-06-29T16:48:49Z",
        "version": "v1",
        "content_hash": "h1",
        "fetched_at": "2026-06-29T16:48:50Z",
    }
    category = {
        **{key: record[key] for key in ("account_id", "vis_state", "updated_at", "version", "content_hash")},
        "fetched_at": record["fetched_at"],
        "category_id": 5,
        "name": "Travel",
        "is_cogs": False,
        "is_editable": False,
    }
    return {"record": {**record, **more}, "rows": {"categories": [category]}, "ledgers": {"usmf": LEDGER}}


@pytest.mark.parametrize(("day", "code"), [("2026-06-29", None), ("2026-05-29", "period_closed")])
def test_the_lines_of_a_journal_are_checked_too(flows: Flows, day: str, code: str | None) -> None:
    flow = flows["expenses-to-ax"]

    _, result = decided(flow, example_of(flow, journal_example(expense_date=day)))

    assert result.get("code") == code
    assert result["decision"] == ("refused" if code else "ready")


def test_a_payment_is_checked_by_its_offset_account(ledger: Ledger, flows: Flows, build: Any) -> None:
    flow = flows["payments-to-ax"]
    assert flow.source.kind == "payment"
    with pytest.raises(PoisonError, match="account_suspended"):
        ledger.check_account("999", "offset_account")
    ledger.check_account("110110", "offset_account")
    assert ledger.structure_of("700000") is None
    ledger.check_dimensions("700000", {"Department": "022"}, "lines.0")
