"""One simulator per module (cheap: each test uses own clients), a receiver per test, plain HTTP callers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.freshbooks.config import Config
from sandbox.freshbooks.server import FreshBooksSimulator
from tests.contract.freshbooks_simulator.receiver import Receiver


class Api:
    """A caller of the simulator as one user of one app. Methods return the reply; `ok` unwraps `response.result`."""

    def __init__(self, ready: dict[str, Any], token: str) -> None:
        self.ready = ready
        self.http = httpx.Client(base_url=ready["api_url"], headers={"Authorization": f"Bearer {token}"}, verify=False)
        self.accounting = f"/accounting/account/{ready['account_id']}"
        self.callbacks = f"/events/account/{ready['account_id']}/events/callbacks"

    def ok(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        reply = self.http.request(method, path, **kwargs)
        assert reply.status_code == 200, reply.text
        result: dict[str, Any] = reply.json()["response"].get("result", {})
        return result

    def new_client(self, **fields: Any) -> dict[str, Any]:
        body = {"client": {"organization": "Acme", **fields}}
        return self.ok("POST", f"{self.accounting}/users/clients", json=body)["client"]  # type: ignore[no-any-return]

    def new_invoice(self, customer: int, **fields: Any) -> dict[str, Any]:
        lines = [{"name": "Work", "qty": "2", "unit_cost": {"amount": "50.00"}}]
        body = {"invoice": {"customerid": customer, "create_date": "2026-06-29", "lines": lines, **fields}}
        path = f"{self.accounting}/invoices/invoices?include[]=lines"
        return self.ok("POST", path, json=body)["invoice"]  # type: ignore[no-any-return]

    def invoice_path(self, invoice: dict[str, Any]) -> str:
        return f"{self.accounting}/invoices/invoices/{invoice['id']}"

    def client_path(self, client: dict[str, Any]) -> str:
        return f"{self.accounting}/users/clients/{client['id']}"

    def put(self, path: str, **body: Any) -> httpx.Response:
        return self.http.put(path, json=body)


class Control:
    """A caller of /_control."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(
            base_url=url, verify=False
        )  # no TLS here: loading CA files takes longer than most tests

    def get(self, path: str, /) -> Any:
        return self.http.get(path).raise_for_status().json()

    def post(self, path: str, /, **body: Any) -> Any:
        return self.http.post(path, json=body).raise_for_status().json()

    def put(self, path: str, /, **body: Any) -> Any:
        return self.http.put(path, json=body).raise_for_status().json()

    def clear(self) -> None:
        for path in ("faults", "delivery-rules"):
            self.http.delete(path)


@pytest.fixture(scope="module")
def simulator() -> Iterator[FreshBooksSimulator]:
    with FreshBooksSimulator(Config()) as running:
        yield running


@pytest.fixture
def control(simulator: FreshBooksSimulator) -> Iterator[Control]:
    caller = Control(simulator.ready["control_url"])
    before = {name: caller.get(name) for name in ("switches", "delivery", "limits")}
    yield caller
    caller.clear()
    caller.put("clock", offset_seconds=0)
    for name, settings in before.items():
        caller.put(name, **settings)
    caller.http.close()


@pytest.fixture
def human(simulator: FreshBooksSimulator) -> Iterator[Api]:
    api = Api(simulator.ready, simulator.ready["human_token"])
    yield api
    api.http.close()


@pytest.fixture
def app(simulator: FreshBooksSimulator, control: Control) -> Iterator[Api]:
    """The integration, with a fresh token."""
    token = control.post("tokens/issue", client_id=simulator.ready["client_id"], identity_id=88001)
    api = Api(simulator.ready, token["access_token"])
    yield api
    api.http.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running
