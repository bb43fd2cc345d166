"""Accounting over HTTP: envelopes, paging, filters, sort, includes, deletes, error shapes (reference §5, §8)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.contract.freshbooks_simulator.conftest import Api, Control

_names = itertools.count(1)


@pytest.fixture
def mark() -> str:
    """A word that no other test's records contain."""
    return f"mark{next(_names):04d}x"


def ids(api: Api, kind: str, **query: Any) -> list[int]:
    listed = api.ok("GET", f"{api.accounting}/{kind}", params=query)
    return [item["id"] for item in listed[kind.partition("/")[2]]]


def test_create_answers_200_with_the_single_envelope(app: Api) -> None:
    reply = app.http.post(f"{app.accounting}/users/clients", json={"client": {"email": "a@b.test"}})
    assert reply.status_code == 200
    client = reply.json()["response"]["result"]["client"]
    assert client["id"] == client["userid"]
    got = app.http.get(app.client_path(client))
    assert got.json() == reply.json()


def test_lists_are_paged_by_15_capped_at_100_and_empty_past_the_end(app: Api, mark: str) -> None:
    made = [app.new_client(organization=f"{mark} {n}")["id"] for n in range(17)]
    path = f"{app.accounting}/users/clients"
    first = app.ok("GET", path, params={"search[organization_like]": mark})
    assert {key: first[key] for key in ("page", "pages", "per_page", "total")} == {
        "page": 1,
        "pages": 2,
        "per_page": 15,
        "total": 17,
    }
    second = app.ok("GET", path, params={"search[organization_like]": mark, "page": 2})
    assert [client["id"] for client in [*first["clients"], *second["clients"]]] == made
    beyond = app.ok("GET", path, params={"search[organization_like]": mark, "page": 3, "per_page": 1000})
    assert (beyond["clients"], beyond["per_page"], beyond["page"]) == ([], 100, 3)
    nothing = app.ok("GET", path, params={"search[organization_like]": "no such"})
    assert (nothing["pages"], nothing["total"]) == (0, 0)


@pytest.mark.parametrize(("query", "errno"), [({"page": "-1"}, 1014), ({"per_page": "many"}, 1013)])
def test_bad_paging_is_refused(app: Api, query: dict[str, str], errno: int) -> None:
    reply = app.http.get(f"{app.accounting}/users/clients", params=query)
    assert reply.json()["response"]["errors"][0]["errno"] == errno


def test_known_filters_work_and_unknown_are_ignored(app: Api, mark: str) -> None:
    wanted = app.new_client(organization=mark, email=f"{mark}@acme.test", note=f"[AX:{mark}]")["id"]
    app.new_client()
    assert ids(app, "users/clients", **{"search[email]": f"{mark}@acme.test"}) == [wanted]
    assert ids(app, "users/clients", **{"search[note_like]": f"[ax:{mark}]"}) == [wanted]
    assert ids(app, "users/clients", **{"search[userids][]": str(wanted)}) == [wanted]
    everything = ids(app, "users/clients", per_page=100)
    assert len(everything) > 1
    for ignored in ("search[organization]", "search[nonsense]", "email", "search[updated_since]"):
        assert ids(app, "users/clients", per_page=100, **{ignored: mark}) == everything


def test_invoice_filters_that_work_and_that_do_not(app: Api) -> None:
    client = app.new_client()["id"]
    draft, sent = app.new_invoice(client), app.new_invoice(client, status=2, due_offset_days=3650)
    mine = {"search[customerid]": client}
    both = [draft["id"], sent["id"]]
    assert ids(app, "invoices/invoices", **mine) == both
    assert ids(app, "invoices/invoices", **mine, **{"search[v3_status]": "sent"}) == [sent["id"]]
    assert ids(app, "invoices/invoices", **mine, **{"search[invoice_number]": draft["invoice_number"]}) == [draft["id"]]
    assert ids(app, "invoices/invoices", **mine, **{"search[date_min]": "2026-06-30"}) == []
    assert ids(app, "invoices/invoices", **mine, **{"search[date_max]": "2026-06-29"}) == both
    assert ids(app, "invoices/invoices", **mine, paid="true") == []
    for ignored in ("status", "statusid", "payment_status", "create_date_min"):
        assert ids(app, "invoices/invoices", **mine, **{f"search[{ignored}]": "9"}) == both


def test_updated_filters_work_by_the_eastern_day(human: Api, control: Control) -> None:
    """03:30 UTC on the 30th is still the 29th in US/Eastern."""
    control.put("clock", frozen_at="2031-06-30T03:30:00Z")
    client = human.new_client()
    assert client["updated"] == "2031-06-29 23:30:00"
    for query, found in (
        ({"search[updated_min]": "2031-06-29"}, True),
        ({"search[updated_min]": "2031-06-29 23:59:59"}, True),
        ({"search[updated_min]": "2031-06-30"}, False),
        ({"search[updated_max]": "2031-06-30", "search[updated_min]": "2031-06-29"}, True),
        ({"search[updated_max]": "2031-06-29", "search[updated_min]": "2031-06-01"}, False),
    ):
        assert (client["id"] in ids(human, "users/clients", per_page=100, **query)) is found, query


def test_sorts_that_are_honoured(app: Api, mark: str) -> None:
    zoe = app.new_client(organization=f"{mark} Z", email="1@a.test")["id"]
    ann = app.new_client(organization=f"{mark} A", email="2@a.test")["id"]
    search = {"search[organization_like]": mark}
    assert ids(app, "users/clients", **search, sort="organization_name_asc") == [ann, zoe]
    assert ids(app, "users/clients", **search, sort="email_desc") == [ann, zoe]
    for ignored in ("organization_asc", "updated:asc", "fname_desc"):
        assert ids(app, "users/clients", **search, sort=ignored) == [zoe, ann]
    late, early = app.new_invoice(zoe, create_date="2026-07-02"), app.new_invoice(zoe, create_date="2026-07-01")
    mine = {"search[customerid]": zoe}
    assert ids(app, "invoices/invoices", **mine, sort="invoice_date_asc") == [early["id"], late["id"]]
    assert ids(app, "invoices/invoices", **mine, sort="create_date_asc") == [late["id"], early["id"]]


def test_lines_come_only_when_included(app: Api) -> None:
    invoice = app.new_invoice(app.new_client()["id"])
    path = app.invoice_path(invoice)
    assert "lines" not in app.ok("GET", path)["invoice"]
    assert "lines" not in app.ok("GET", f"{app.accounting}/invoices/invoices")["invoices"][0]
    assert "lines" not in app.ok("PUT", path, json={"invoice": {"notes": "x"}})["invoice"]
    assert len(app.ok("GET", path + "?include[]=lines")["invoice"]["lines"]) == 1
    assert len(app.ok("GET", path + "?include%5B%5D=lines")["invoice"]["lines"]) == 1


def test_client_balances_by_include(app: Api) -> None:
    client = app.new_client()
    app.new_invoice(client["id"], status=2, due_offset_days=3650)
    query = "?include[]=outstanding_balance&include[]=draft_balance&include[]=nonsense"
    got = app.ok("GET", app.client_path(client) + query)["client"]
    assert got["outstanding_balance"] == [{"amount": {"amount": "100.00", "code": "USD"}}]
    assert got["draft_balance"] == []
    assert "nonsense" not in got


def test_deleted_ones_leave_lists_but_answer_by_id(app: Api, mark: str) -> None:
    client = app.new_client(organization=mark)
    archived = app.new_client(organization=mark)["id"]
    app.ok("PUT", f"{app.accounting}/users/clients/{archived}", json={"client": {"vis_state": 2}})
    app.ok("PUT", app.client_path(client), json={"client": {"vis_state": 1}})
    search = {"search[organization_like]": mark}
    assert ids(app, "users/clients", **search) == [archived]
    assert ids(app, "users/clients", **search, **{"search[vis_state]": 1}) == [client["id"]]
    assert app.ok("GET", app.client_path(client))["client"]["vis_state"] == 1


def test_invoices_are_deleted_softly_by_the_verb_and_clients_only_by_vis_state(app: Api) -> None:
    client = app.new_client()
    invoice = app.new_invoice(client["id"])
    assert app.http.delete(app.invoice_path(invoice)).json() == {"response": {}}
    assert app.ok("GET", app.invoice_path(invoice))["invoice"]["vis_state"] == 1
    assert app.http.delete(app.client_path(client)).status_code == 405


def test_both_error_shapes_by_api_version(app: Api) -> None:
    path = f"{app.accounting}/users/clients/424242"
    old = app.http.get(path)
    assert (old.status_code, old.json()["response"]["errors"][0]["errno"]) == (404, 1012)
    new = app.http.get(path, headers={"X-API-VERSION": "2023-02-20"})
    assert (new.status_code, new.json()["code"]) == (404, 5)
    assert new.json()["details"][0]["reason"] == "1012"


def test_a_read_only_key_is_403_1038_over_http(app: Api) -> None:
    invoice = app.new_invoice(app.new_client()["id"])
    reply = app.put(app.invoice_path(invoice), invoice={"due_date": "2026-12-31"})
    error = reply.json()["response"]["errors"][0]
    assert (reply.status_code, error["errno"], error["field"], error["object"]) == (403, 1038, "due_date", "invoice")


def test_malformed_json_is_400(app: Api) -> None:
    reply = app.http.post(f"{app.accounting}/users/clients", content=b"{nope")
    assert reply.status_code == 400


def test_unknown_paths_are_404_in_json(app: Api) -> None:
    assert app.http.get(f"{app.accounting}/bogus/bogus").status_code == 404
    assert app.http.get("/_control/state").status_code == 404


def test_every_reply_carries_rate_headers_version_and_request_id(app: Api) -> None:
    for reply in (app.http.get("/auth/api/v1/users/me"), app.http.get("/nowhere"), app.http.post("/auth/oauth/token")):
        for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"):
            assert reply.headers[name].isdigit()
        assert reply.headers["x-api-version"] == "2023-02-20"
        assert reply.headers["x-request-id"]
