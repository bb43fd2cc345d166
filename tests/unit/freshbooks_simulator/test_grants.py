"""OAuth state with a clock that the test moves."""

from __future__ import annotations

import base64
import json
import random

import pytest

from sandbox.freshbooks.config import Config
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.grants import Grants

CONFIG = Config()
APP, OTHER_APP = CONFIG.apps
USER, OTHER_USER = CONFIG.users
URI = APP.redirect_uris[0]


class Time:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def grants(time: Time) -> Grants:
    return Grants(time, random.Random(1))


def bearer(reply: dict[str, object]) -> str:
    return f"Bearer {reply['access_token']}"


def refused(grants: Grants, header: str | None) -> Refused:
    with pytest.raises(Refused) as error:
        grants.check(header)
    return error.value


def test_a_token_reply_has_the_recorded_shape(grants: Grants) -> None:
    reply = grants.issue(APP, USER, ["user:profile:read"])
    assert reply["token_type"] == "Bearer"
    assert (reply["expires_in"], reply["created_at"]) == (43_200, 1_800_000_000)
    assert len(reply["refresh_token"]) == 64
    assert 950 <= len(reply["access_token"]) <= 1050
    head, claims, _ = reply["access_token"].split(".")
    for part in (head, claims):
        assert json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_token_lives_twelve_hours(grants: Grants, time: Time) -> None:
    header = bearer(grants.issue(APP, USER, []))
    time.now += 43_199
    assert grants.check(header).user is USER
    time.now += 1
    assert refused(grants, header).status == 401


def test_a_refreshed_token_is_dated_back(grants: Grants, time: Time) -> None:
    """The expiry is created_at + expires_in: "now" plus 43200 would be two seconds too late."""
    reply = grants.refresh(APP, grants.issue(APP, USER, [])["refresh_token"])
    assert reply["created_at"] + reply["expires_in"] == time.now + 43_198
    time.now += 43_198
    assert refused(grants, bearer(reply)).status == 401


def test_a_refresh_token_works_once(grants: Grants) -> None:
    first = grants.issue(APP, USER, [])["refresh_token"]
    grants.refresh(APP, first)
    with pytest.raises(Refused) as error:
        grants.refresh(APP, first)
    assert (error.value.status, error.value.error) == (400, "invalid_grant")


def test_one_live_refresh_token_per_user_and_app(grants: Grants) -> None:
    first = grants.issue(APP, USER, [])["refresh_token"]
    others = grants.issue(APP, OTHER_USER, [])["refresh_token"], grants.issue(OTHER_APP, USER, [])["refresh_token"]
    grants.issue(APP, USER, [])
    with pytest.raises(Refused):
        grants.refresh(APP, first)
    assert grants.refresh(APP, others[0])
    assert grants.refresh(OTHER_APP, others[1])


def test_a_refresh_token_belongs_to_its_app(grants: Grants) -> None:
    token = grants.issue(APP, USER, [])["refresh_token"]
    with pytest.raises(Refused):
        grants.refresh(OTHER_APP, token)
    assert grants.refresh(APP, token)


def test_a_code_works_once_within_five_minutes_for_its_uri(grants: Grants, time: Time) -> None:
    code = grants.authorize(APP, USER, ["user:clients:read"], URI)
    assert grants.exchange(APP, code, URI)["scope"] == "user:clients:read"
    late = grants.authorize(APP, USER, [], URI)
    moved = grants.authorize(APP, USER, [], URI)
    with pytest.raises(Refused):
        grants.exchange(APP, code, URI)
    with pytest.raises(Refused):
        grants.exchange(APP, moved, "https://else.test/")
    time.now += 300
    with pytest.raises(Refused):
        grants.exchange(APP, late, URI)


def test_revoking_kills_the_pair(grants: Grants) -> None:
    reply = grants.issue(APP, USER, [])
    grants.revoke(APP, reply["access_token"])
    assert refused(grants, bearer(reply)).status == 401
    with pytest.raises(Refused):
        grants.refresh(APP, reply["refresh_token"])


def test_invalidation_by_kind_and_app(grants: Grants) -> None:
    mine, other = grants.issue(APP, USER, []), grants.issue(OTHER_APP, USER, [])
    assert grants.invalidate("access", APP.client_id) == 1
    assert refused(grants, bearer(mine)).status == 401
    assert grants.check(bearer(other))
    assert grants.refresh(APP, mine["refresh_token"])


@pytest.mark.parametrize("header", [None, "", "Bearer nonsense", "Basic abc"])
def test_no_or_unknown_token_is_401(grants: Grants, header: str | None) -> None:
    assert refused(grants, header).status == 401
