"""The webhook signature, by the test vectors of the reference."""

import pytest

from connectors.freshbooks.signature import signature, signers
from connectors.freshbooks.webhook_form import parse_form

VERIFIER = "test-verifier-0001"
VECTORS = [
    (
        b"name=invoice.create&object_id=1234567&account_id=AbC123&business_id=77001&identity_id=88002&user_id=1",
        "gJOdeS9aGcBZkQpi4NfhY0yTwFnEvkl9KFn8KxDKEOg=",
    ),
    (
        b"name=invoice.create&object_id=1234567&user_id=1&identity_id=88002&business_id=77001&account_id=AbC123",
        "wjR0EVmn/ov8WIRpWdEo+kVA/8Y9YoFndkG5vbdPyro=",
    ),
    (
        b"name=callback.verify&object_id=2001&account_id=AbC123&verifier=test-verifier-0001",
        "EoRDeEpV0LLtc3sAq0go1h2TaXd8x5tPBdiFvdBHuGA=",
    ),
]


@pytest.mark.parametrize(("body", "expected"), VECTORS)
def test_signature_of_the_form_in_the_order_in_which_it_came(body: bytes, expected: str) -> None:
    assert signature(VERIFIER, parse_form(body)) == expected


@pytest.mark.parametrize(("body", "expected"), VECTORS)
def test_the_signer_is_told_among_many(body: bytes, expected: str) -> None:
    assert signers(expected, parse_form(body), ["another", VERIFIER, ""]) == [False, True, False]


@pytest.mark.parametrize("claimed", ["", "x", VECTORS[0][1][:-1], VECTORS[0][1].lower(), "\udcff", "ü" * 44])
def test_anything_else_is_nobodys_signature(claimed: str) -> None:
    assert signers(claimed, parse_form(VECTORS[0][0]), [VERIFIER]) == [False]


def test_values_with_json_characters_and_non_ascii_are_signed_as_python_writes_them() -> None:
    form = parse_form(b"name=a%3A%2C%22&city=K%C3%B6ln")
    assert form == {"name": 'a:,"', "city": "Köln"}
    # HMAC over {"name": "a:,\"", "city": "K\u00f6ln"}, computed apart.
    assert signature("k", form) == "byiRGaWqlWwX5wxouQlOX1q/RVCrLZYSf4/NPnmJ0R4="
