"""The official `freshbooks-sdk` package, unchanged, works against the simulator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import freshbooks
import pytest
from freshbooks import FilterBuilder, FreshBooksError, IncludesBuilder, PaginateBuilder, VisState

if TYPE_CHECKING:
    from sandbox.freshbooks.server import FreshBooksSimulator
    from tests.contract.freshbooks_simulator.conftest import Control
    from tests.contract.freshbooks_simulator.receiver import Receiver


@pytest.fixture
def sdk(simulator: FreshBooksSimulator, control: Control, monkeypatch: pytest.MonkeyPatch) -> freshbooks.Client:
    ready = simulator.ready
    monkeypatch.setenv("FRESHBOOKS_API_URL", ready["api_url"])
    monkeypatch.setenv("FRESHBOOKS_AUTH_URL", ready["auth_url"])
    pair = control.post("tokens/issue", client_id=ready["client_id"], identity_id=88001)
    return freshbooks.Client(
        ready["client_id"],
        ready["client_secret"],
        redirect_uri=ready["redirect_uri"],
        access_token=pair["access_token"],
        refresh_token=pair["refresh_token"],
        auto_retry=False,
    )


@pytest.fixture
def account(simulator: FreshBooksSimulator) -> str:
    return str(simulator.ready["account_id"])


def test_consent_code_exchange_and_refresh(sdk: freshbooks.Client, control: Control) -> None:
    import requests

    url = sdk.get_auth_request_url(["user:clients:read"])
    redirect = requests.get(url, allow_redirects=False, timeout=5)
    code = redirect.headers["Location"].partition("code=")[2]
    tokens = sdk.get_access_token(code)
    assert tokens.access_token
    assert tokens.refresh_token
    refreshed = sdk.refresh_access_token()
    assert refreshed.refresh_token != tokens.refresh_token
    with pytest.raises(FreshBooksError) as refused:
        sdk.refresh_access_token(tokens.refresh_token)
    assert refused.value.status_code == 400


def test_identity_lists_two_memberships(sdk: freshbooks.Client, account: str) -> None:
    identity = sdk.current_user()
    memberships = identity.data["business_memberships"]
    assert len(memberships) == 2
    assert [m["business"]["account_id"] for m in memberships] == [None, account]
    assert all(m["id"] != m["business"]["id"] for m in memberships)


def test_clients_create_get_list_update_delete(sdk: freshbooks.Client, account: str) -> None:
    made = sdk.clients.create(account, {"organization": "SDK Ltd", "email": "sdk@acme.test"})
    assert sdk.clients.get(account, made.userid).organization == "SDK Ltd"
    by_mail = [FilterBuilder().equals("email", "sdk@acme.test"), PaginateBuilder(1, 10)]
    listed = sdk.clients.list(account, builders=by_mail)
    assert [client.userid for client in listed] == [made.userid]
    assert listed.pages.total == 1
    assert sdk.clients.update(account, made.userid, {"fname": "Ann"}).fname == "Ann"
    sdk.clients.delete(account, made.userid)
    assert sdk.clients.get(account, made.userid).vis_state == VisState.DELETED


def test_signup_date_and_updated_are_the_same_instant(sdk: freshbooks.Client, account: str) -> None:
    """The SDK knows signup_date as UTC and updated as Eastern: written at one moment, they must agree."""
    made = sdk.clients.create(account, {"email": "clock@acme.test"})
    assert made.signup_date == made.updated


def test_invoices_create_list_with_lines_update_delete(sdk: freshbooks.Client, account: str) -> None:
    client = sdk.clients.create(account, {"organization": "Lines Ltd"})
    lines = [{"name": "Design", "qty": 3, "unit_cost": {"amount": "33.35", "code": "USD"}}]
    made = sdk.invoices.create(account, {"customerid": client.userid, "create_date": "2026-06-29", "lines": lines})
    assert made.data["amount"] == {"amount": "100.05", "code": "USD"}
    filters = FilterBuilder().equals("customerid", client.userid)
    (listed,) = sdk.invoices.list(account, builders=[filters, IncludesBuilder().include("lines")])
    assert listed.lines[0].name == "Design"
    assert sdk.invoices.update(account, made.id, {"po_number": "4711"}).po_number == "4711"
    sdk.invoices.delete(account, made.id)
    assert sdk.invoices.get(account, made.id).vis_state == VisState.DELETED


def test_payment_pays_the_invoice(sdk: freshbooks.Client, account: str) -> None:
    client = sdk.clients.create(account, {"organization": "Payer Ltd"})
    lines = [{"name": "Design", "qty": 1, "unit_cost": {"amount": "80.00"}}]
    invoice = sdk.invoices.create(account, {"customerid": client.userid, "create_date": "2026-06-29", "lines": lines})
    paid = {"invoiceid": invoice.id, "amount": {"amount": "80.00"}, "date": "2026-06-30", "type": "Check"}
    assert sdk.payments.create(account, paid).clientid == client.userid
    assert sdk.invoices.get(account, invoice.id).payment_status == "paid"


@pytest.fixture
def category(sdk: freshbooks.Client, account: str) -> int:
    return int(sdk.expenses_categories.list(account)[0].id)


def test_vendors_bills_and_bill_payments(sdk: freshbooks.Client, account: str, category: int) -> None:
    """The SDK takes the times of bills and their vendors for UTC: written now, they must be now."""
    before = datetime.now(UTC).replace(microsecond=0)
    vendor = sdk.bill_vendors.create(account, {"vendor_name": "Müller", "language": "de", "currency_code": "USD"})
    assert before <= vendor.updated_at <= datetime.now(UTC)
    line = {"categoryid": category, "quantity": 2, "unit_cost": {"amount": "40.00"}}
    values = {"issue_date": "2026-06-29", "due_offset_days": 3650, "currency_code": "USD", "language": "en"}
    bill = sdk.bills.create(account, {"vendorid": vendor.vendorid, "lines": [line], **values})
    assert before <= bill.updated_at <= datetime.now(UTC)
    paid = {"billid": bill.id, "amount": {"amount": "80.00"}, "payment_type": "Check", "paid_date": "2026-06-30"}
    payment = sdk.bill_payments.create(account, paid)
    assert sdk.bills.get(account, bill.id).status == "paid"
    sdk.bill_payments.delete(account, payment.id)
    assert sdk.bill_payments.get(account, payment.id).vis_state == VisState.DELETED
    sdk.bills.delete(account, bill.id)
    sdk.bill_vendors.delete(account, vendor.vendorid)
    assert sdk.bill_vendors.get(account, vendor.vendorid).vis_state == VisState.DELETED


def test_expenses_and_their_categories(sdk: freshbooks.Client, account: str, category: int) -> None:
    body = {"categoryid": category, "staffid": 1, "date": "2026-06-29", "amount": {"amount": "9.00", "code": "USD"}}
    made = sdk.expenses.create(account, {**body, "vendor": "SDK Shop"})
    filters = FilterBuilder().equals("vendor", "SDK Shop")
    assert [expense.id for expense in sdk.expenses.list(account, builders=[filters])] == [made.id]
    assert sdk.expenses.update(account, made.id, {"notes": "Paper"}).notes == "Paper"
    sdk.expenses.delete(account, made.id)
    assert sdk.expenses_categories.get(account, category).data["transaction_posted"] is True


def test_credit_notes_items_and_taxes(sdk: freshbooks.Client, account: str) -> None:
    client = sdk.clients.create(account, {"organization": "Credit Ltd"})
    lines = [{"name": "Late", "qty": 1, "unit_cost": {"amount": "5.00"}}]
    credit = sdk.credit_notes.create(account, {"clientid": client.userid, "lines": lines})
    assert credit.data["amount"]["amount"] == "5.00"
    tax = sdk.taxes.create(account, {"name": "SDK tax", "amount": "7"})
    item = sdk.items.create(account, {"name": "Hour", "unit_cost": {"amount": "95.00"}, "tax1": tax.id})
    by_sku = sdk.items.update(account, item.id, {"sku": "H-1"})
    assert (by_sku.sku, by_sku.tax1) == ("H-1", tax.id)
    sdk.taxes.delete(account, tax.id)
    with pytest.raises(FreshBooksError) as gone:
        sdk.taxes.get(account, tax.id)
    assert (gone.value.status_code, gone.value.error_code) == (404, 1012)


def test_projects_are_another_family(sdk: freshbooks.Client, simulator: FreshBooksSimulator) -> None:
    business = simulator.ready["business_id"]
    made = sdk.projects.create(business, {"title": "SDK project"})
    assert made.id in [project.id for project in sdk.projects.list(business)]
    assert sdk.projects.update(business, made.id, {"title": "SDK project", "complete": True}).complete is True
    sdk.projects.delete(business, made.id)
    with pytest.raises(FreshBooksError) as gone:
        sdk.projects.get(business, made.id)
    assert gone.value.status_code == 404


def test_callbacks_create_verify_list_delete(sdk: freshbooks.Client, account: str, receiver: Receiver) -> None:
    made = sdk.callbacks.create(account, {"event": "client.create", "uri": receiver.uri()})
    (handshake,) = receiver.wait("callback.verify")
    assert handshake.fields["object_id"] == str(made.callbackid)
    verified = sdk.callbacks.verify(account, made.callbackid, handshake.fields["verifier"])
    assert verified.verified is True
    assert made.callbackid in [callback.callbackid for callback in sdk.callbacks.list(account)]
    client = sdk.clients.create(account, {"organization": "Hooked Ltd"})
    (delivery,) = receiver.wait("client.create")
    assert delivery.fields["object_id"] == str(client.userid)
    sdk.callbacks.delete(account, made.callbackid)
    with pytest.raises(FreshBooksError) as gone:
        sdk.callbacks.get(account, made.callbackid)
    assert gone.value.status_code == 404


def test_errors_are_read_by_the_sdk(sdk: freshbooks.Client, account: str) -> None:
    with pytest.raises(FreshBooksError) as unknown:
        sdk.clients.get(account, 424242)
    assert (unknown.value.status_code, unknown.value.error_code) == (404, 1012)
    with pytest.raises(FreshBooksError) as bad_event:
        sdk.callbacks.create(account, {"event": "client.explode", "uri": "nowhere"})
    assert (bad_event.value.status_code, bad_event.value.error_code) == (400, 422)
