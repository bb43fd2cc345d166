"""OAuth over HTTP: encodings, client authentication, scopes, memberships, error shapes (reference §2, §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

if TYPE_CHECKING:
    from sandbox.freshbooks.server import FreshBooksSimulator
    from tests.contract.freshbooks_simulator.conftest import Api, Control


def consent(ready: dict[str, Any], **query: str) -> httpx.Response:
    query = {"response_type": "code", "client_id": ready["client_id"], "redirect_uri": ready["redirect_uri"], **query}
    return httpx.get(ready["auth_url"] + "/oauth/authorize", params=query)


def answer(reply: httpx.Response) -> dict[str, list[str]]:
    assert reply.status_code == 302
    return parse_qs(urlsplit(reply.headers["Location"]).query)


def refresh_fields(ready: dict[str, Any], control: Control) -> dict[str, str]:
    pair = control.post("tokens/issue", client_id=ready["client_id"], identity_id=88001)
    return {
        "client_id": ready["client_id"],
        "client_secret": ready["client_secret"],
        "grant_type": "refresh_token",
        "redirect_uri": ready["redirect_uri"],
        "refresh_token": pair["refresh_token"],
    }


def test_consent_redirects_with_code_and_state(simulator: FreshBooksSimulator) -> None:
    got = answer(consent(simulator.ready, state="s1"))
    assert got["state"] == ["s1"]
    assert got["code"]


def test_a_scope_that_the_app_lacks_rejects_the_whole_consent(simulator: FreshBooksSimulator) -> None:
    got = answer(consent(simulator.ready, scope="user:clients:read admin:all:legacy"))
    assert got["error"] == ["invalid_scope"]
    assert "code" not in got


def test_a_person_may_deny(simulator: FreshBooksSimulator, control: Control) -> None:
    control.put("consent", identity_id=88001, allow=False)
    assert answer(consent(simulator.ready))["error"] == ["access_denied"]
    control.put("consent", identity_id=88001, allow=True)


@pytest.mark.parametrize("query", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.test/"}])
def test_unknown_client_or_uri_never_redirects(simulator: FreshBooksSimulator, query: dict[str, str]) -> None:
    assert consent(simulator.ready, **query).status_code == 400


def test_the_token_endpoint_reads_form_json_and_multipart(simulator: FreshBooksSimulator, control: Control) -> None:
    url = simulator.ready["api_url"] + "/auth/oauth/token"
    fields = refresh_fields(simulator.ready, control)
    for encode in ("data", "json", "files"):
        sent: Any = {key: (None, value) for key, value in fields.items()} if encode == "files" else fields
        reply = httpx.request("POST", url, **{encode: sent})
        assert reply.status_code == 200, reply.text
        assert reply.json()["expires_in"] == 43_199
        fields["refresh_token"] = reply.json()["refresh_token"]


def test_a_used_refresh_token_is_invalid_grant(simulator: FreshBooksSimulator, control: Control) -> None:
    url = simulator.ready["api_url"] + "/auth/oauth/token"
    fields = refresh_fields(simulator.ready, control)
    assert httpx.post(url, data=fields).status_code == 200
    again = httpx.post(url, data=fields)
    assert again.status_code == 400
    assert again.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"redirect_uri": "https://else.test/"}, 400, "invalid_grant"),
    ],
)
def test_bad_token_requests(
    simulator: FreshBooksSimulator, control: Control, change: dict[str, str], status: int, error: str
) -> None:
    fields = refresh_fields(simulator.ready, control) | change
    reply = httpx.post(simulator.ready["api_url"] + "/auth/oauth/token", data=fields)
    assert (reply.status_code, reply.json()["error"]) == (status, error)


def test_the_client_may_authenticate_by_basic_on_the_auth_host(
    simulator: FreshBooksSimulator, control: Control
) -> None:
    fields = refresh_fields(simulator.ready, control)
    basic = (fields.pop("client_id"), fields.pop("client_secret"))
    document = httpx.get(simulator.ready["auth_url"] + "/.well-known/oauth-authorization-server").json()
    assert httpx.post(document["token_endpoint"], data=fields, auth=basic).status_code == 200


def test_revoking_makes_the_token_401_at_once(app: Api) -> None:
    token = app.http.headers["Authorization"].split()[1]
    fields = {"client_id": app.ready["client_id"], "client_secret": app.ready["client_secret"], "token": token}
    revoked = app.http.post("/auth/oauth/revoke", data=fields)
    assert (revoked.status_code, revoked.json()) == (200, {})
    reply = app.http.get("/auth/api/v1/users/me")
    assert reply.status_code == 401
    assert reply.json()["error"] == "unauthenticated"


def test_tokens_expire_after_twelve_hours(app: Api, control: Control) -> None:
    control.put("clock", offset_seconds=43_100)
    assert app.http.get("/auth/api/v1/users/me").status_code == 200
    control.put("clock", offset_seconds=43_201)
    for path, shape in ((f"{app.accounting}/users/clients", "error"), (app.callbacks, "errno")):
        reply = app.http.get(path)
        assert reply.status_code == 401
        assert shape in reply.json()


def test_users_me_has_no_result_level_and_an_etag(app: Api) -> None:
    reply = app.http.get("/auth/api/v1/users/me")
    assert set(reply.json()) == {"response"}
    assert reply.json()["response"]["identity_id"] == 88001
    assert reply.headers["ETag"]


@pytest.mark.parametrize(
    ("scopes", "method", "path", "missing"),
    [
        (["user:clients:write"], "GET", "users/clients", "user:clients:read"),
        (["user:clients:read"], "POST", "users/clients", "user:clients:write"),
        (["user:clients:read"], "GET", "invoices/invoices", "user:invoices:read"),
    ],
)
def test_a_missing_scope_is_403_and_says_which(
    app: Api, control: Control, scopes: list[str], method: str, path: str, missing: str
) -> None:
    pair = control.post("tokens/issue", client_id=app.ready["client_id"], identity_id=88001, scopes=scopes)
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    reply = app.http.request(method, f"{app.accounting}/{path}", headers=headers, json={"client": {"email": "a@b.c"}})
    message = reply.json()["response"]["errors"][0]["message"]
    assert reply.status_code == 403
    assert missing in message
    assert scopes[0] in message


def test_subscribing_needs_the_scope_of_the_object(app: Api, control: Control) -> None:
    scopes = ["user:clients:read"]
    pair = control.post("tokens/issue", client_id=app.ready["client_id"], identity_id=88001, scopes=scopes)
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    body = {"callback": {"event": "invoice.create", "uri": "http://127.0.0.1:9/"}}
    assert app.http.post(app.callbacks, json=body, headers=headers).status_code == 403


def test_other_accounts_and_client_only_memberships_are_403(app: Api, control: Control) -> None:
    assert app.http.get("/accounting/account/Nobody/users/clients").status_code == 403
    control.post(
        "seed",
        businesses=[{"id": 77099, "name": "Elsewhere", "account_id": "Else01"}],
        users=[
            {
                "identity_id": 88099,
                "email": "c@acme.test",
                "first_name": "C",
                "last_name": "L",
                "memberships": [{"id": 5599, "business_id": 77099, "role": "client"}],
            }
        ],
    )
    pair = control.post("tokens/issue", client_id=app.ready["client_id"], identity_id=88099)
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert app.http.get("/accounting/account/Else01/users/clients", headers=headers).status_code == 403


def test_invalidated_tokens_of_an_app(app: Api, human: Api, control: Control) -> None:
    assert control.post("tokens/invalidate", what="all", client_id=app.ready["client_id"])["invalidated"] > 0
    assert app.http.get("/auth/api/v1/users/me").status_code == 401
    assert human.http.get("/auth/api/v1/users/me").status_code == 200
