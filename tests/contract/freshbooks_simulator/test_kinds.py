"""The other kinds over HTTP: what is served, read-only, filtered, deleted, refused; projects are another family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.contract.freshbooks_simulator.conftest import Api, Control
    from tests.contract.freshbooks_simulator.receiver import Receiver


def send(api: Api, path: str, single: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
    found: dict[str, Any] = api.ok(method, f"{api.accounting}/{path}", json={single: body})[single]
    return found


def first_category(api: Api) -> int:
    number: int = api.ok("GET", f"{api.accounting}/expenses/categories")["categories"][0]["id"]
    return number


def new_vendor(api: Api, **body: Any) -> dict[str, Any]:
    values = {"vendor_name": "Müller", "language": "de", "currency_code": "USD", **body}
    return send(api, "bill_vendors/bill_vendors", "bill_vendor", values)


def new_bill(api: Api, vendor: dict[str, Any]) -> dict[str, Any]:
    line = {"categoryid": first_category(api), "quantity": 1, "unit_cost": {"amount": "80"}}
    values = {"issue_date": "2026-06-29", "due_offset_days": 3650, "currency_code": "USD", "language": "en"}
    return send(api, "bills/bills", "bill", {"vendorid": vendor["vendorid"], "lines": [line], **values})


def test_categories_are_read_only_and_an_account_has_some(app: Api) -> None:
    assert first_category(app) == 4400
    path = f"{app.accounting}/expenses/categories"
    assert app.http.post(path, json={"category": {"category": "Mine"}}).status_code == 405
    assert app.http.put(f"{path}/4400", json={"category": {"category": "Mine"}}).status_code == 405
    named = app.ok("GET", path, params={"search[name]": "Travel"})["categories"]
    assert [category["category"] for category in named] == ["Travel"]


def test_a_category_that_a_person_makes_is_told(app: Api, control: Control, receiver: Receiver) -> None:
    callback = app.ok("POST", app.callbacks, json={"callback": {"event": "category", "uri": receiver.uri()}})
    (handshake,) = receiver.wait("callback.verify")
    path = f"{app.callbacks}/{callback['callback']['id']}"
    app.ok("PUT", path, json={"callback": {"verifier": handshake.fields["verifier"]}})
    made = control.post("categories", account_id=app.ready["account_id"], name="Mine")["category"]
    (told,) = receiver.wait("category.create")
    assert told.fields["object_id"] == str(made["id"])
    app.http.delete(path)


def test_vendors_take_no_filter_and_hide_the_deleted(app: Api) -> None:
    one, two = new_vendor(app), new_vendor(app, vendor_name="Other")
    path = f"{app.accounting}/bill_vendors/bill_vendors"
    listed = app.ok("GET", path, params={"search[vendor_name]": "Other", "per_page": 100})["bill_vendors"]
    assert {one["vendorid"], two["vendorid"]} <= {vendor["vendorid"] for vendor in listed}
    app.ok("PUT", f"{path}/{one['vendorid']}", json={"bill_vendor": {"vis_state": 1}})
    listed = app.ok("GET", path, params={"per_page": 100})["bill_vendors"]
    assert one["vendorid"] not in {vendor["vendorid"] for vendor in listed}
    assert app.ok("GET", f"{path}/{one['vendorid']}")["bill_vendor"]["vis_state"] == 1


def test_a_bill_payment_has_no_event_but_its_bill_has(app: Api, receiver: Receiver) -> None:
    bad = app.http.post(app.callbacks, json={"callback": {"event": "bill_payment", "uri": receiver.uri()}})
    assert bad.status_code == 400
    callback = app.ok("POST", app.callbacks, json={"callback": {"event": "bill", "uri": receiver.uri()}})
    (handshake,) = receiver.wait("callback.verify")
    path = f"{app.callbacks}/{callback['callback']['id']}"
    app.ok("PUT", path, json={"callback": {"verifier": handshake.fields["verifier"]}})
    bill = new_bill(app, new_vendor(app))
    paid = {"billid": bill["id"], "amount": {"amount": "80"}, "payment_type": "Cash", "paid_date": "2026-06-30"}
    send(app, "bill_payments/bill_payments", "bill_payment", paid)
    (told,) = receiver.wait("bill.update")
    assert told.fields["object_id"] == str(bill["id"])
    assert app.ok("GET", f"{app.accounting}/bills/bills/{bill['id']}")["bill"]["status"] == "paid"
    app.http.delete(path)


def test_bills_are_filtered_by_vendor_and_status_and_by_no_date(app: Api) -> None:
    vendor = new_vendor(app)
    bill = new_bill(app, vendor)
    path = f"{app.accounting}/bills/bills"
    for query, found in (
        ({"search[vendorid]": vendor["vendorid"]}, True),
        ({"search[vendorid]": vendor["vendorid"], "search[statuses][]": "paid"}, False),
        ({"search[vendorid]": vendor["vendorid"], "search[updated_min]": "2099-01-01"}, True),
        ({"search[vendorid]": vendor["vendorid"], "search[issue_date_min]": "2099-01-01"}, True),
    ):
        ids = [item["id"] for item in app.ok("GET", path, params=query)["bills"]]
        assert (ids == [bill["id"]]) is found, query


@pytest.mark.parametrize("path", ["bill_vendors/bill_vendors", "bills/bills", "bill_payments/bill_payments"])
def test_without_accounts_payable_there_is_no_access(app: Api, control: Control, path: str) -> None:
    control.put("switches", accounts_payable=False)
    reply = app.http.get(f"{app.accounting}/{path}")
    error = reply.json()["response"]["errors"][0]
    assert (reply.status_code, error["errno"]) == (403, 1003)
    assert "bill vendors" in error["message"]


def test_expenses_are_filtered_and_show_their_receipt_on_request(app: Api) -> None:
    body = {"categoryid": first_category(app), "staffid": 1, "date": "2026-06-29", "amount": {"amount": "9"}}
    plain = send(app, "expenses/expenses", "expense", {**body, "vendor": "Nobody Else"})
    path = f"{app.accounting}/expenses/expenses"
    found = app.ok("GET", path, params={"search[vendor]": "Nobody Else", "search[status]": 7})["expenses"]
    assert [expense["id"] for expense in found] == [plain["id"]]
    receipt = {"jwt": "ey.1", "media_type": "image/png"}
    made = send(app, "expenses/expenses?include[]=attachment", "expense", {**body, "attachment": receipt})
    assert made["attachment"]["jwt"] == "ey.1"
    assert "attachment" not in app.ok("GET", f"{path}/{made['id']}")["expense"]
    names = app.ok("GET", f"{app.accounting}/expenses/vendors", params={"per_page": 100})["vendors"]
    assert {"vendor": "Nobody Else"} in names


def test_lines_of_a_credit_note_come_only_when_included(app: Api) -> None:
    client = app.new_client()["id"]
    body = {"clientid": client, "lines": [{"name": "Late", "unit_cost": {"amount": "5"}}]}
    made = send(app, "credit_notes/credit_notes", "credit_note", body)
    path = f"{app.accounting}/credit_notes/credit_notes"
    assert "lines" not in made
    assert len(app.ok("GET", f"{path}/{made['id']}?include[]=lines")["credit_note"]["lines"]) == 1
    for query, found in (
        ({"search[clientid]": client}, True),
        ({"search[clientid]": client, "search[date_min]": "2099-01-01"}, False),
        ({"search[client_id]": 1, "search[clientid]": client, "search[updated_min]": "2099-01-01"}, True),
    ):
        assert bool(app.ok("GET", path, params=query)["credit_notes"]) is found, query


def test_credit_of_a_client_is_what_its_credit_notes_leave(app: Api) -> None:
    client = app.new_client()
    invoice = app.new_invoice(client["id"])
    paid = {"invoiceid": invoice["id"], "amount": {"amount": "130"}, "date": "2026-06-30", "type": "Check"}
    send(app, "payments/payments", "payment", paid)
    shown = app.ok("GET", app.client_path(client), params={"include[]": "credit_balance"})["client"]
    assert shown["credit_balance"] == [{"amount": {"amount": "30.00", "code": "USD"}}]


def test_a_tax_is_deleted_for_good(app: Api) -> None:
    tax = send(app, "taxes/taxes", "tax", {"name": "VAT", "amount": "19"})
    path = f"{app.accounting}/taxes/taxes/{tax['id']}"
    assert app.http.delete(path).json() == {"response": {}}
    assert app.http.get(path).status_code == 404


class Projects:
    """Calls to the project endpoints."""

    def __init__(self, api: Api) -> None:
        self.http = api.http
        self.base = f"/projects/business/{api.ready['business_id']}"

    def new(self, **body: Any) -> dict[str, Any]:
        reply = self.http.post(f"{self.base}/project", json={"project": {"title": "Relaunch", **body}})
        assert reply.status_code == 200, reply.text
        made: dict[str, Any] = reply.json()["project"]
        return made

    def listed(self, **query: Any) -> list[int]:
        reply = self.http.get(f"{self.base}/projects", params={"per_page": 100, **query})
        return [project["id"] for project in reply.json()["projects"]]


def test_projects_have_their_own_paths_and_envelope(app: Api) -> None:
    projects = Projects(app)
    made = projects.new(client_id=app.new_client()["id"])
    reply = app.http.get(f"{projects.base}/project/{made['id']}")
    assert reply.headers["content-type"] == "application/vnd.api+json"
    assert reply.json()["project"]["group"]["id"]
    listed = app.http.get(f"{projects.base}/projects").json()
    assert listed["meta"]["per_page"] == 30
    assert "group_id" in listed["projects"][0]
    assert app.http.get(f"{projects.base}/projects/{made['id']}").status_code == 404


def test_project_filters_are_bare_and_a_bad_value_is_refused(app: Api, control: Control) -> None:
    projects = Projects(app)
    client = app.new_client()["id"]
    made = projects.new(client_id=client, title="Zebra")["id"]
    assert projects.listed(client_id=client) == [made]
    assert made in projects.listed(**{"search[client_id]": "1"}, title="other")
    assert projects.listed(client_id=client, complete="true") == []
    assert projects.listed(client_id=client, updated_since="2099-01-01T00:00:00") == []
    bad = app.http.get(f"{projects.base}/projects", params={"complete": "maybe"})
    assert (bad.status_code, bad.json()["errno"]) == (422, 2001)


def test_a_put_of_a_project_needs_its_title(app: Api) -> None:
    projects = Projects(app)
    path = f"{projects.base}/project/{projects.new()['id']}"
    assert app.http.put(path, json={"project": {"complete": True}}).status_code == 500
    done = app.http.put(path, json={"project": {"title": "Relaunch", "complete": True}})
    assert done.json()["project"]["complete"] is True


def test_errors_of_projects_have_their_own_shape_and_deletes_are_for_good(app: Api) -> None:
    projects = Projects(app)
    path = f"{projects.base}/project/{projects.new()['id']}"
    assert app.http.delete(path).status_code == 204
    gone = app.http.get(path)
    assert (gone.status_code, set(gone.json())) == (404, {"error"})
    refused = app.http.post(f"{projects.base}/project", json={"project": {"title": ""}})
    assert (refused.status_code, refused.json()) == (422, {"errno": 2001, "error": {"title": "field required"}})
    unknown = app.http.get("/projects/business/1/projects")
    assert unknown.status_code == 403
    stranger = app.http.get(path, headers={"Authorization": "Bearer nobody"})
    assert (stranger.status_code, set(stranger.json())) == (401, {"message"})
