"""One record of every kind goes from FreshBooks through the whole pipeline into AX, which posts it; each is taken back.

Judged by what both ends hold: the journals and invoices of AX, its trial balance, and FreshBooks' own amounts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest

from sandbox.demo.ends import ax_config
from sandbox.demo.programs import Simulator
from sandbox.demo.scenario import Scenario
from sandbox.demo.stage import Stage
from sandbox.stack.supervisor import Supervisor

# All kinds are looked up every second, by one account: FreshBooks' limit holds for less than that.
_POLL_SECONDS = "3"
_PATIENCE_SECONDS = 90.0
CUSTOMER = "DE-001"
ACCOUNTS = ("401100", "401190", "606300", "618100", "110110")
SCENARIO = Scenario.model_validate(
    {
        "scenario": "every-kind",
        "ax_call_seconds": 0.0,
        "ax_customers": [{"account": CUSTOMER, "name": "Blumen Käfer GmbH", "currency": "USD"}],
        "clients": [{"ref": "kaefer", "organization": "Blumen Käfer GmbH", "currency": "USD"}],
    }
)


@dataclass
class Ends:
    """Both ends, as a person uses and sees them."""

    freshbooks: dict[str, Any]
    ax: dict[str, Any]

    def post(self, path: str, single: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", path, single, body)

    def put(self, path: str, single: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call("PUT", path, single, body)

    def categories(self) -> dict[str, int]:
        page = self._call("GET", "/expenses/categories?per_page=100", "categories", None)
        return {row["category"]: row["id"] for row in cast("list[dict[str, Any]]", page)}

    def journals(self, document: str) -> list[dict[str, Any]]:
        return [row for row in self.state()["journals"] if f":{document}:" in row["name"]]

    def invoices(self, document: str) -> list[dict[str, Any]]:
        return [row for row in self.state()["free_text_invoices"] if f":{document}:" in row["customer_ref"]]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.ax['control_url']}/state", timeout=20, trust_env=False).json()
        return found

    def run_batch(self) -> None:
        """AX's batch posts what is there."""
        answer = httpx.post(f"{self.ax['control_url']}/post", json={"company": "usmf"}, timeout=20, trust_env=False)
        assert answer.is_success, answer.text

    def balances(self) -> dict[str, Decimal]:
        return {row["account"]: Decimal(row["balance"]) for row in self.state()["trial_balance"]}

    def _call(self, method: str, path: str, single: str, body: dict[str, Any] | None) -> dict[str, Any]:
        url = f"{self.freshbooks['api_url']}/accounting/account/{self.freshbooks['account_id']}{path}"
        answer = httpx.request(
            method,
            url,
            json=None if body is None else {single: body},
            headers={"Authorization": f"Bearer {self.freshbooks['human_token']}"},
            timeout=20,
            trust_env=False,
        )
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()["response"]["result"][single]
        return found


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ends]:
    folder = tmp_path_factory.mktemp("every-kind")
    stage = Stage(SCENARIO, folder)
    config = ax_config(SCENARIO) | {"main_accounts": [{"id": number, "name": number} for number in ACCOUNTS]}
    stage.ax = Simulator("sandbox.ax", folder, config)
    with Supervisor() as supervisor:
        stage.start_ends(supervisor)
        stage.environment |= {"FRESHAX_FRESHBOOKS__KINDS": "", "FRESHAX_POLL__INTERVAL_SECONDS": _POLL_SECONDS}
        stage.deploy()
        stage.start_services(supervisor)
        yield Ends(stage.freshbooks.addresses, stage.ax.addresses)


def awaited(what: str, find: Callable[[], Any]) -> Any:
    """What `find` finds, once it finds anything."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < give_up:
        found = find()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come within {_PATIENCE_SECONDS:g} s")


def dollars(amount: str) -> dict[str, str]:
    return {"amount": amount, "code": "USD"}


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_one_record_of_every_kind_is_booked_and_can_be_taken_back(ends: Ends) -> None:
    categories = ends.categories()
    client = ends.post("/users/clients", "client", {"organization": "Blumen Käfer GmbH", "currency_code": "USD"})
    vendor = ends.post(
        "/bill_vendors/bill_vendors",
        "bill_vendor",
        {"vendor_name": "Papier Müller KG", "language": "en", "currency_code": "USD"},
    )
    lines = [{"name": "Consulting", "qty": "2", "unit_cost": dollars("150.00")}]
    invoice = ends.post(
        "/invoices/invoices", "invoice", {"customerid": client["id"], "create_date": today(), "lines": lines}
    )
    ends.put(f"/invoices/invoices/{invoice['id']}", "invoice", {"action_mark_as_sent": True})
    expense = ends.post(
        "/expenses/expenses",
        "expense",
        {
            "amount": dollars("113.00"),
            "categoryid": categories["Airfare"],
            "staffid": 1,
            "date": today(),
            "vendor": "Lufthansa",
            "taxName1": "HST",
            "taxAmount1": dollars("13.00"),
        },
    )
    bill = ends.post(
        "/bills/bills",
        "bill",
        {
            "vendorid": vendor["vendorid"],
            "issue_date": today(),
            "due_offset_days": 30,
            "currency_code": "USD",
            "language": "en",
            "bill_number": "V-100",
            "lines": [
                {
                    "categoryid": categories["Office Supplies"],
                    "quantity": 4,
                    "unit_cost": dollars("25.00"),
                    "description": "Paper",
                }
            ],
        },
    )
    credit = ends.post(
        "/credit_notes/credit_notes",
        "credit_note",
        {
            "clientid": client["id"],
            "create_date": today(),
            "credit_type": "goodwill",
            "currency_code": "USD",
            "lines": [{"name": "Consulting", "qty": "1", "unit_cost": dollars("40.00")}],
        },
    )
    awaited("the invoice", lambda: ends.invoices(str(invoice["id"])))
    ends.run_batch()
    payment = ends.post(
        "/payments/payments",
        "payment",
        {"invoiceid": invoice["id"], "amount": dollars("300.00"), "date": today(), "type": "Check"},
    )
    awaited("the bill", lambda: ends.journals(f"BL{bill['id']}"))
    ends.run_batch()
    bill_payment = ends.post(
        "/bill_payments/bill_payments",
        "bill_payment",
        {"billid": bill["id"], "amount": dollars("60.00"), "payment_type": "Check", "paid_date": today()},
    )
    documents = {
        "expense": lambda: ends.journals(f"EX{expense['id']}"),
        "bill": lambda: ends.journals(f"BL{bill['id']}"),
        "credit note": lambda: ends.invoices(f"CN{credit['id']}"),
        "bill payment": lambda: ends.journals(f"BP{bill_payment['id']}"),
        "payment": lambda: ends.journals(f"PM{payment['id']}"),
    }
    for name, find in documents.items():
        assert len(awaited(f"the {name}", find)) == 1, name
    ends.run_batch()

    booked = ends.balances()
    assert {account: booked[account] for account in ("606300", "618100", "202100", "401100")} == {
        "606300": Decimal("100.00"),
        "618100": Decimal("100.00"),
        "202100": Decimal("13.00"),
        "401100": Decimal("-260.00"),
    }
    # 100.00 billed, 60.00 of it paid.
    assert booked["200100"] == Decimal("-40.00")
    # 300.00 invoiced, 40.00 credited, 300.00 paid.
    assert booked["130100"] == Decimal("-40.00")
    # 300.00 came in, 113.00 and 60.00 went out.
    assert booked["110110"] == Decimal("127.00")

    ends.put(f"/expenses/expenses/{expense['id']}", "expense", {"vis_state": 1})
    ends.put(f"/bill_payments/bill_payments/{bill_payment['id']}", "bill_payment", {"vis_state": 1})
    awaited("the reversal of the bill payment", lambda: len(documents["bill payment"]()) == 2)
    ends.put(f"/bills/bills/{bill['id']}", "bill", {"vis_state": 1})
    ends.put(f"/payments/payments/{payment['id']}", "payment", {"vis_state": 1})
    for name in ("expense", "bill", "payment"):
        awaited(f"the reversal of the {name}", lambda name=name: len(documents[name]()) == 2)
    ends.run_batch()
    left = {account: balance for account, balance in ends.balances().items() if balance}
    assert left == {"401100": Decimal("-260.00"), "130100": Decimal("260.00")}
