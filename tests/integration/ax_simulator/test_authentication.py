"""Windows authentication per connection, and the Basic switch."""

import httpx
import pytest
import requests
from requests_ntlm import HttpNtlmAuth


@pytest.fixture(autouse=True)
def _windows(aif):
    aif.control("PATCH", "/switches", {"auth": "negotiate"})


@pytest.fixture
def session():
    with requests.Session() as opened:
        yield opened


def test_a_call_without_a_token_is_offered_both_schemes(aif):
    response = aif.http.get(f"{aif.url}?wsdl")
    assert response.status_code == 401
    assert response.headers.get_list("www-authenticate") == ["Negotiate", "NTLM"]


def test_ntlm_opens_the_connection_for_its_user(aif, session):
    session.auth = HttpNtlmAuth("CONTOSO\\freshax", "Aif-Pass1")
    first = session.get(f"{aif.url}?wsdl", timeout=10)
    assert first.status_code == 200
    assert [item.status_code for item in first.history] == [401, 401]
    # The connection is authenticated, not the request: the next one needs no handshake.
    assert session.get(f"{aif.url}?wsdl", timeout=10).history == []


@pytest.mark.parametrize(
    ("user", "password"),
    [("CONTOSO\\freshax", "wrong"), ("CONTOSO\\nobody", "Aif-Pass1"), ("FABRIKAM\\freshax", "Aif-Pass1")],
)
def test_wrong_credentials_stay_401(aif, session, user, password):
    session.auth = HttpNtlmAuth(user, password)
    assert session.get(f"{aif.url}?wsdl", timeout=10).status_code == 401


def test_a_new_connection_starts_over(aif, session):
    session.auth = HttpNtlmAuth("CONTOSO\\freshax", "Aif-Pass1")
    assert session.get(f"{aif.url}?wsdl", timeout=10).status_code == 200
    assert httpx.get(f"{aif.url}?wsdl").status_code == 401


@pytest.mark.parametrize("token", ["Negotiate !!!", "NTLM AAAA", "Negotiate YWJj", "Bearer x"])
def test_a_malformed_token_is_401(aif, token):
    assert aif.http.get(f"{aif.url}?wsdl", headers={"Authorization": token}).status_code == 401


def test_basic_is_a_switch(aif):
    aif.control("PATCH", "/switches", {"auth": "basic"})
    assert aif.http.get(f"{aif.url}?wsdl").headers["www-authenticate"] == 'Basic realm="AX"'
    right = httpx.BasicAuth("contoso\\freshax", "Aif-Pass1")
    assert aif.http.get(f"{aif.url}?wsdl", auth=right).status_code == 200
    assert aif.http.get(f"{aif.url}?wsdl", auth=httpx.BasicAuth("contoso\\freshax", "no")).status_code == 401
    assert aif.http.get(f"{aif.url}?wsdl", headers={"Authorization": "Basic %%%"}).status_code == 401
