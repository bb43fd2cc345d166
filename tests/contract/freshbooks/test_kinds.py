"""Every kind against the simulator: fetched as it was typed, with all that FreshBooks says of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.fetch import EntityFetcher
from connectors.freshbooks.kinds import BILL_VENDOR, KINDS
from sandbox.freshbooks.server import FreshBooksSimulator
from schemas.failures import FatalError
from streams.runtime import metrics
from tests.kit.freshbooks import Control, Person

Run = Callable[..., Any]


def fetch(with_client: Run, kind: str, number: int) -> Any:
    return with_client(lambda client: EntityFetcher(client).fetch(kind, number))


@pytest.mark.parametrize("noun", list(KINDS))
def test_every_kind_is_fetched_and_has_no_field_that_was_never_recorded(
    with_client: Run, person: Person, noun: str
) -> None:
    counter = metrics.EVENTS.labels("fetch", noun, "unknown_field")
    before = counter._value.get()
    number = person.new(noun)
    fetched = fetch(with_client, noun, number)
    assert getattr(fetched, fetched.__struct_fields__[1]) == number
    assert abs(fetched.updated_at - datetime.now(UTC)) < timedelta(seconds=60)
    assert counter._value.get() == before


def test_a_bill_and_its_payment(with_client: Run, person: Person) -> None:
    vendor = person.new_vendor()["vendorid"]
    bill = person.new_bill(vendor, bill_number="V-100")["id"]
    payment = fetch(with_client, "bill_payment", person.pay_bill(bill, "19", note="first")["id"])
    fetched = fetch(with_client, "bill", bill)
    assert (fetched.vendor_id, fetched.bill_number, fetched.total_amount) == (vendor, "V-100", Decimal(119))
    assert (fetched.outstanding, fetched.lines[0].tax_amount1) == (Decimal(100), Decimal(19))
    assert (payment.bill_id, payment.amount, payment.note) == (bill, Decimal(19), "first")


def test_an_overpayment_points_to_its_credit_note(with_client: Run, person: Person) -> None:
    client = person.new_client()["id"]
    payment = fetch(with_client, "payment", person.pay(person.new_invoice(client)["id"], "130")["id"])
    credit = fetch(with_client, "credit_note", payment.overpayment_id)
    assert (payment.amount, credit.amount, credit.credit_type) == (Decimal(130), Decimal(30), "overpayment")


def test_an_expense_brings_its_receipt(with_client: Run, person: Person) -> None:
    project = person.new_project()["id"]
    receipt = {"jwt": "ey.1", "media_type": "image/png"}
    expense = fetch(with_client, "expense", person.new_expense(projectid=project, attachment=receipt)["id"])
    assert (expense.has_receipt, expense.receipt_link) == (True, "/uploads/attachments/ey.1")
    assert expense.project_id == project


def test_the_business_of_projects_is_found_by_its_account(with_client: Run, simulator: FreshBooksSimulator) -> None:
    assert with_client(lambda client: client.business_id()) == simulator.ready["business_id"]


def test_a_deleted_project_is_gone(with_client: Run) -> None:
    assert fetch(with_client, "project", 424242) is None


def test_a_kind_that_the_account_has_no_access_to_says_how_to_leave_it_out(with_client: Run, control: Control) -> None:
    control.put("switches", accounts_payable=False)

    async def walk(client: FreshBooksClient) -> None:
        await client.list_page(BILL_VENDOR, 1)

    with pytest.raises(FatalError, match="FRESHAX_FRESHBOOKS__KINDS"):
        with_client(walk)
