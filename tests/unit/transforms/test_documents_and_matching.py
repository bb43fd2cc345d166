"""Identity of documents and the forms in which customers are compared."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.records import PostalAddress
from streams.transforms.documents import canonical_json, document_hash
from streams.transforms.matching import NORMALISERS, normalise


def test_equal_documents_have_equal_hashes_whatever_the_notation_of_their_numbers() -> None:
    assert document_hash({"b": Decimal("1.50"), "a": "x"}) == document_hash({"a": "x", "b": Decimal("1.5")})
    assert document_hash({"b": Decimal("1.50")}) != document_hash({"b": Decimal("1.51")})
    assert canonical_json({"n": Decimal("100"), "t": "é"}) == b'{"n":"100","t":"\\u00e9"}'


def test_the_hash_is_sixteen_hex_digits_and_stays_as_it_is() -> None:
    # Part of AX's natural key: a release that computes it otherwise would post every invoice again.
    assert document_hash(PostalAddress(street="Hauptstr. 1", city="Köln")) == "a799fa3e5b3b829f"


@pytest.mark.parametrize(
    ("field", "value", "form"),
    [
        ("vat_number", " de 123.456-789\u00a0", "DE123456789"),
        ("name", "  Blumen\tKÄFER  GmbH ", "blumen käfer gmbh"),
        ("name", "Cafe\u0301", "caf\u00e9"),
        ("our_account_number", " fb-1 ", "FB-1"),
        ("vat_number", " - ", ""),
    ],
)
def test_a_value_is_compared_in_its_normal_form(field: str, value: str, form: str) -> None:
    assert normalise(field, value) == form
    assert normalise(field, form) == form
    assert field in NORMALISERS
