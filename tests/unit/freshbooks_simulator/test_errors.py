"""Error bodies by family and API version (reference §8, §4.1)."""

from __future__ import annotations

import pytest

from sandbox.freshbooks.errors import Refused, error_body, family_of, unauthenticated, unknown_resource

NOT_FOUND = unknown_resource("Client", "userid", "client", 12345)


@pytest.mark.parametrize("version", [None, "2022-10-30"])
def test_old_accounting_shape(version: str | None) -> None:
    assert error_body("accounting", NOT_FOUND, version) == {
        "response": {
            "errors": [
                {"errno": 1012, "field": "userid", "message": "Client not found.", "object": "client", "value": "12345"}
            ]
        }
    }


def test_new_accounting_shape() -> None:
    body = error_body("accounting", NOT_FOUND, "2022-10-31")
    assert (body["code"], body["message"]) == (5, "Request failed with status_code: 404")
    assert body["details"][0]["reason"] == "1012"
    assert body["details"][0]["metadata"]["field"] == "userid"


def test_events_shape() -> None:
    refusal = Refused(400, 422, "semantic", details=["event: Unrecognized event."])
    assert error_body("events", refusal, None) == {
        "errno": 422,
        "message": "semantic",
        "details": ["event: Unrecognized event."],
    }
    assert error_body("events", Refused(404, 404, "gone"), None) == {"errno": 404, "message": "gone"}


def test_auth_shape_also_for_accounting_without_a_token() -> None:
    refusal = unauthenticated("no token")
    expected = {"error": "unauthenticated", "error_description": "no token"}
    assert error_body("auth", refusal, None) == error_body("accounting", refusal, "2023-02-20") == expected
    assert error_body("events", refusal, None)["errno"] == 401


def test_throttled_body_has_no_family_shape() -> None:
    assert error_body("accounting", Refused(429, 429, "slow down"), None) == {"message": "slow down"}


def test_families_by_path() -> None:
    paths = ("/accounting/account/A/x/y", "/events/account/A/events/callbacks", "/auth/oauth/token")
    assert [family_of(path) for path in paths] == ["accounting", "events", "auth"]
