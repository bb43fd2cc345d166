"""Faults on demand, rate limits, the control state (README: switches)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.contract.freshbooks_simulator.conftest import Api, Control


def test_a_throttled_spell_by_count(app: Api, control: Control) -> None:
    control.post("faults", action="respond", status=429, retry_after_seconds=7, count=2)
    replies = [app.http.get("/auth/api/v1/users/me") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [429, 429, 200]
    assert replies[0].headers["Retry-After"] == "7"
    assert replies[0].headers["X-RateLimit-Remaining"] == "0"
    assert replies[0].json() == {"message": "Too many requests."}


def test_a_throttled_spell_by_time(app: Api, control: Control) -> None:
    control.put("clock", frozen_at="2026-06-29T12:00:00Z")
    pair = control.post("tokens/issue", client_id=app.ready["client_id"], identity_id=88001)
    app.http.headers["Authorization"] = f"Bearer {pair['access_token']}"
    control.post("faults", action="respond", status=429, for_seconds=30)
    reply = app.http.get("/auth/api/v1/users/me")
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "30")
    control.put("clock", frozen_at="2026-06-29T12:00:30Z")
    assert app.http.get("/auth/api/v1/users/me").status_code == 200


def test_a_conflict_has_errno_409_and_changes_nothing(app: Api, control: Control) -> None:
    client = app.new_client()
    control.post("faults", action="conflict", method="PUT", path="*/users/clients/*", count=1)
    body = {"fname": "Ann"}
    reply = app.put(app.client_path(client), client=body)
    assert (reply.status_code, reply.json()["response"]["errors"][0]["errno"]) == (409, 409)
    assert app.ok("GET", app.client_path(client))["client"]["fname"] == ""
    assert app.put(app.client_path(client), client=body).status_code == 200


def test_server_errors_in_json_and_as_a_page(app: Api, control: Control) -> None:
    control.post("faults", action="respond", status=500, count=1)
    reply = app.http.get(f"{app.accounting}/users/clients")
    assert (reply.status_code, reply.json()["response"]["errors"][0]["errno"]) == (500, 500)
    control.post("faults", action="respond", status=502, html=True, count=1)
    page = app.http.get(f"{app.accounting}/users/clients")
    assert page.status_code == 502
    assert page.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(("after_commit", "stored"), [(True, 1), (False, 0)])
def test_a_cut_connection_before_or_after_the_work(app: Api, control: Control, after_commit: bool, stored: int) -> None:
    mail = f"cut-{after_commit}@acme.test"
    control.post("faults", action="drop", method="POST", after_commit=after_commit, count=1)
    with pytest.raises(httpx.TransportError):
        app.new_client(email=mail)
    listed = app.ok("GET", f"{app.accounting}/users/clients", params={"search[email]": mail})
    assert listed["total"] == stored


def test_an_error_may_hide_that_the_work_was_done(app: Api, control: Control) -> None:
    control.post("faults", action="respond", status=504, method="POST", after_commit=True, count=1)
    body = {"client": {"email": "hidden@acme.test"}}
    assert app.http.post(f"{app.accounting}/users/clients", json=body).status_code == 504
    listed = app.ok("GET", f"{app.accounting}/users/clients", params={"search[email]": "hidden@acme.test"})
    assert listed["total"] == 1


def test_a_refresh_whose_answer_is_lost_has_used_the_token(app: Api, control: Control) -> None:
    pair = control.post("tokens/issue", client_id=app.ready["client_id"], identity_id=88001)
    fields = {
        "client_id": app.ready["client_id"],
        "client_secret": app.ready["client_secret"],
        "grant_type": "refresh_token",
        "refresh_token": pair["refresh_token"],
    }
    control.post("faults", action="drop", path="/auth/oauth/token", after_commit=True, count=1)
    with pytest.raises(httpx.TransportError):
        app.http.post("/auth/oauth/token", data=fields)
    assert app.http.post("/auth/oauth/token", data=fields).json()["error"] == "invalid_grant"


def test_a_delay_holds_the_answer_back(app: Api, control: Control) -> None:
    control.post("faults", action="delay", seconds=0.5, count=1)
    with pytest.raises(httpx.ReadTimeout):
        app.http.get("/auth/api/v1/users/me", timeout=0.05)
    assert app.http.get("/auth/api/v1/users/me").status_code == 200


def test_faults_are_listed_and_removed(app: Api, control: Control) -> None:
    number = control.post("faults", action="conflict", count=3)["id"]
    app.http.get("/auth/api/v1/users/me")
    (shown,) = control.get("faults")
    assert (shown["id"], shown["fired"], shown["left"]) == (number, 1, 2)
    control.http.delete(f"faults/{number}")
    assert control.get("faults") == []


def test_misspelt_switches_are_refused(control: Control) -> None:
    assert control.http.post("faults", json={"action": "conflict", "cuont": 1}).status_code == 400
    assert control.http.put("switches", json={"handshake": "perhaps"}).status_code == 400
    assert control.http.put("limits", json={"no_such": 1}).status_code == 400


def test_limits_throttle_creates_before_reads_and_spare_the_human(app: Api, human: Api, control: Control) -> None:
    control.put("clock", offset_seconds=600)
    control.put("limits", create_limit=2)
    statuses = [
        app.http.post(f"{app.accounting}/users/clients", json={"client": {"email": "a@b.c"}}).status_code
        for _ in range(3)
    ]
    assert statuses == [200, 200, 429]
    assert app.http.get(f"{app.accounting}/users/clients").status_code == 200
    for _ in range(3):
        human.new_client()
    control.put("clock", offset_seconds=661)
    app.new_client()


def test_the_state_tells_what_is_stored_and_asked(app: Api, control: Control) -> None:
    client = app.new_client(organization="State Ltd")
    invoice = app.new_invoice(client["id"], discount_value="10")
    app.http.delete(app.invoice_path(invoice))
    state = control.get("state")
    (stored,) = [item for item in state["invoices"] if item["id"] == invoice["id"]]
    assert (stored["vis_state"], stored["account_id"]) == (1, "ZyQ04o")
    assert stored["lines"][0]["amount"]["amount"] == "100.00"
    assert stored["totals"] == {"subtotal": "100.00", "discount": "10.00", "taxes": [], "amount": "90.00"}
    assert client["id"] in [item["id"] for item in state["clients"]]
    counted = {
        (item["method"], item["path"], item["status"])
        for item in state["requests"]
        if item["client_id"] == app.ready["client_id"]
    }
    assert ("DELETE", "/accounting/account/{account_id}/invoices/invoices/{id}", 200) in counted
