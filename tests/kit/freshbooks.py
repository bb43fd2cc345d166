"""Kit of the FreshBooks connector's tests: a clock set by hand, a key, settings for a simulator, a person at work."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr

from schemas.failures import RetryableError
from schemas.records import Intent, IntentState
from streams.runtime.settings import FreshBooksSettings

KEY = SecretStr(Fernet.generate_key().decode())


class HandClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


def settings_for(ready: dict[str, Any], folder: Path, **changes: Any) -> FreshBooksSettings:
    """Settings that reach the simulator of this ready line; the token file lies in `folder`."""
    values = {
        "api_url": ready["api_url"],
        "account_id": ready["account_id"],
        "client_id": ready["client_id"],
        "client_secret": ready["client_secret"],
        "refresh_token": ready["refresh_token"],
        "redirect_uri": "https://freshax.test/oauth/callback",
        "token_file": folder / "token",
        "token_key": KEY,
        "reads_per_minute": 100_000,
        "writes_per_minute": 100_000,
    }
    return FreshBooksSettings.model_validate({**values, **changes})


class Person:
    """Somebody who works in FreshBooks: clients and invoices by plain HTTP, apart from our client."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self._http = httpx.Client(
            base_url=ready["api_url"], headers={"Authorization": f"Bearer {ready['human_token']}"}
        )
        self._projects = f"/projects/business/{ready['business_id']}"
        self._accounting = f"/accounting/account/{ready['account_id']}"

    def close(self) -> None:
        self._http.close()

    def new_client(self, **fields: Any) -> dict[str, Any]:
        return self._send("POST", "users/clients", "client", {"organization": "Acme", **fields})

    def change_client(self, number: int, **fields: Any) -> dict[str, Any]:
        return self._send("PUT", f"users/clients/{number}", "client", fields)

    def client(self, number: int) -> dict[str, Any]:
        return self._send("GET", f"users/clients/{number}", "client")

    def new_invoice(self, customer: int, **fields: Any) -> dict[str, Any]:
        lines = [{"name": "Work", "qty": "2", "unit_cost": {"amount": "50.00"}}]
        body = {"customerid": customer, "create_date": "2026-06-29", "lines": lines, **fields}
        return self._send("POST", "invoices/invoices", "invoice", body)

    def change_invoice(self, number: int, **fields: Any) -> dict[str, Any]:
        return self._send("PUT", f"invoices/invoices/{number}", "invoice", fields)

    def invoice(self, number: int) -> dict[str, Any]:
        return self._send("GET", f"invoices/invoices/{number}?include[]=lines", "invoice")

    def category(self) -> int:
        """The first of FreshBooks' own categories."""
        answer = self._http.get(f"{self._accounting}/expenses/categories").raise_for_status()
        number: int = answer.json()["response"]["result"]["categories"][0]["id"]
        return number

    def new_vendor(self, **fields: Any) -> dict[str, Any]:
        body = {"vendor_name": "Papier Müller KG", "language": "de", "currency_code": "EUR", **fields}
        return self._send("POST", "bill_vendors/bill_vendors", "bill_vendor", body)

    def new_bill(self, vendor: int, **fields: Any) -> dict[str, Any]:
        line = {"categoryid": self.category(), "quantity": 2, "unit_cost": {"amount": "50"}}
        taxed = {**line, "tax_name1": "VAT", "tax_percent1": "19"}
        dates = {"issue_date": "2026-06-01", "due_offset_days": 30, "currency_code": "EUR", "language": "de"}
        return self._send("POST", "bills/bills", "bill", {"vendorid": vendor, "lines": [taxed], **dates, **fields})

    def pay_bill(self, bill: int, amount: str, **fields: Any) -> dict[str, Any]:
        body = {"billid": bill, "amount": {"amount": amount}, "payment_type": "Check", "paid_date": "2026-06-30"}
        return self._send("POST", "bill_payments/bill_payments", "bill_payment", {**body, **fields})

    def pay(self, invoice: int, amount: str, **fields: Any) -> dict[str, Any]:
        body = {"invoiceid": invoice, "amount": {"amount": amount}, "date": "2026-06-30", "type": "Check"}
        return self._send("POST", "payments/payments", "payment", {**body, **fields})

    def new_expense(self, **fields: Any) -> dict[str, Any]:
        body = {"categoryid": self.category(), "staffid": 1, "date": "2026-06-29", "amount": {"amount": "113"}}
        return self._send("POST", "expenses/expenses", "expense", {**body, **fields})

    def new_credit_note(self, client: int, **fields: Any) -> dict[str, Any]:
        body = {"clientid": client, "lines": [{"name": "Late", "qty": "1", "unit_cost": {"amount": "20"}}], **fields}
        return self._send("POST", "credit_notes/credit_notes", "credit_note", body)

    def new_item(self, **fields: Any) -> dict[str, Any]:
        return self._send("POST", "items/items", "item", {"name": "Hour", "unit_cost": {"amount": "95"}, **fields})

    def new_tax(self, **fields: Any) -> dict[str, Any]:
        return self._send("POST", "taxes/taxes", "tax", {"name": "VAT", "amount": "19", **fields})

    def delete_tax(self, number: int) -> None:
        self._http.delete(f"{self._accounting}/taxes/taxes/{number}").raise_for_status()

    def new_project(self, **fields: Any) -> dict[str, Any]:
        body = {"project": {"title": "Relaunch", **fields}}
        made: dict[str, Any] = self._http.post(f"{self._projects}/project", json=body).raise_for_status().json()
        project: dict[str, Any] = made["project"]
        return project

    def new(self, noun: str) -> int:
        """Make one of a kind with all that it needs; returns its id. A category is one that is there."""
        if noun == "category":
            return self.category()
        if noun in ("bill", "bill_payment"):
            bill = self.new_bill(self.new_vendor()["vendorid"])["id"]
            return int(bill if noun == "bill" else self.pay_bill(bill, "19")["id"])
        if noun == "credit_note":
            return int(self.new_credit_note(self.new_client()["id"])["id"])
        if noun in ("invoice", "payment"):
            invoice = self.new_invoice(self.new_client()["id"])["id"]
            return int(invoice if noun == "invoice" else self.pay(invoice, "40")["id"])
        make: dict[str, Callable[[], dict[str, Any]]] = {
            "client": self.new_client,
            "bill_vendor": self.new_vendor,
            "expense": self.new_expense,
            "item": self.new_item,
            "tax": self.new_tax,
            "project": self.new_project,
        }
        entity = make[noun]()
        return int(entity.get("id") or entity["vendorid"])

    def change(self, path: str, single: str, number: int, **fields: Any) -> dict[str, Any]:
        """Any other change: `path` as in `bills/bills`."""
        return self._send("PUT", f"{path}/{number}", single, fields)

    def _send(self, method: str, path: str, single: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._http.request(method, f"{self._accounting}/{path}", json=None if body is None else {single: body})
        assert answer.status_code == 200, answer.text
        entity: dict[str, Any] = answer.json()["response"]["result"][single]
        return entity


class Control:
    """The simulator's switches."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self._http = httpx.Client(base_url=ready["control_url"])

    def close(self) -> None:
        self._http.close()

    def get(self, switch: str, /) -> Any:
        return self._http.get(switch).raise_for_status().json()

    def post(self, switch: str, /, **body: Any) -> Any:
        return self._http.post(switch, json=body).raise_for_status().json()

    def put(self, switch: str, /, **body: Any) -> Any:
        return self._http.put(switch, json=body).raise_for_status().json()

    def delete(self, switch: str, /) -> None:
        self._http.delete(switch).raise_for_status()

    def requests(self, method: str, path_part: str, client_id: str) -> int:
        """How many requests of `method` the app has made to paths with `path_part` in them ("-": without a token)."""
        counted = self.get("state?records=0&deliveries=0")["requests"]
        return sum(
            row["count"]
            for row in counted
            if row["method"] == method and path_part in row["path"] and row["client_id"] == client_id
        )


class MemoryIntents:
    """An intent log that forgets with the process; `steps` are all states in order."""

    def __init__(self) -> None:
        self.rows: dict[str, Intent] = {}
        self.steps: list[IntentState] = []
        self.fail_at: IntentState | None = None

    def last(self, key: str) -> Intent | None:
        return self.rows.get(key)

    async def record(self, key: str, intent: Intent) -> None:
        if intent.state is self.fail_at:
            self.fail_at = None
            raise RetryableError("not_delivered", "crash here")
        self.rows[key] = intent
        self.steps.append(intent.state)
