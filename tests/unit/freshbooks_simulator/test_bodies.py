"""Token request encodings and hostile JSON."""

from __future__ import annotations

import pytest

from sandbox.freshbooks.bodies import json_object, token_fields, wrapped
from sandbox.freshbooks.errors import Refused

EXPECTED = {"grant_type": "refresh_token", "client_id": "a b"}


def test_form_json_and_multipart_say_the_same() -> None:
    multipart = (
        b'--xx\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nrefresh_token\r\n'
        b'--xx\r\nContent-Disposition: form-data; name="client_id"\r\n\r\na b\r\n--xx--\r\n'
    )
    assert token_fields("application/x-www-form-urlencoded", b"grant_type=refresh_token&client_id=a+b") == EXPECTED
    assert token_fields("application/json", b'{"grant_type":"refresh_token","client_id":"a b"}') == EXPECTED
    assert token_fields("multipart/form-data; boundary=xx", multipart) == EXPECTED


def test_other_encodings_are_refused() -> None:
    with pytest.raises(Refused):
        token_fields("text/plain", b"grant_type=refresh_token")
    with pytest.raises(Refused):
        token_fields("multipart/form-data", b"no boundary")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"a": "\\ud800"}'])
def test_what_is_not_a_json_object_is_400(body: bytes) -> None:
    with pytest.raises(Refused) as error:
        json_object(body)
    assert error.value.status == 400


def test_a_surrogate_pair_is_a_character() -> None:
    assert json_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_a_missing_wrapper_is_a_required_field() -> None:
    with pytest.raises(Refused) as error:
        wrapped(b'{"organization": "Acme"}', "client")
    assert (error.value.status, error.value.errno) == (422, 1001)
