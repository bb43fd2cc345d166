"""The webhook signature: reference §4.4's test vectors."""

from __future__ import annotations

import pytest

from sandbox.freshbooks.signature import form_body, ordered, signature

VERIFIER = "test-verifier-0001"
FIELDS = {
    "name": "invoice.create",
    "object_id": "1234567",
    "account_id": "AbC123",
    "business_id": "77001",
    "identity_id": "88002",
    "user_id": "1",
}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("docs", "gJOdeS9aGcBZkQpi4NfhY0yTwFnEvkl9KFn8KxDKEOg="),
        ("captured", "wjR0EVmn/ov8WIRpWdEo+kVA/8Y9YoFndkG5vbdPyro="),
    ],
)
def test_vector_in_both_field_orders(order: str, expected: str) -> None:
    assert signature(VERIFIER, ordered(FIELDS, order)) == expected


def test_vector_of_the_handshake() -> None:
    handshake = {"name": "callback.verify", "object_id": "2001", "account_id": "AbC123", "verifier": VERIFIER}
    assert signature(VERIFIER, handshake) == "EoRDeEpV0LLtc3sAq0go1h2TaXd8x5tPBdiFvdBHuGA="


def test_the_form_is_flat_and_keeps_the_order() -> None:
    assert form_body(ordered(FIELDS, "captured")) == (
        b"name=invoice.create&object_id=1234567&user_id=1&identity_id=88002&business_id=77001&account_id=AbC123"
    )
