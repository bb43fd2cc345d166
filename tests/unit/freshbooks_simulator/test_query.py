"""Query strings: paging, search forms, includes."""

from __future__ import annotations

import pytest

from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.query import paged, parse_query


def test_defaults_and_cap() -> None:
    assert parse_query(b"").page() == (1, 15)
    assert parse_query(b"page=0&per_page=2000").page() == (1, 100)
    assert parse_query(b"page=7&per_page=3").page() == (7, 3)


@pytest.mark.parametrize(("raw", "errno"), [(b"page=-1", 1014), (b"page=x", 1014), (b"per_page=-5", 1013)])
def test_negative_or_no_numbers_are_refused(raw: bytes, errno: int) -> None:
    with pytest.raises(Refused) as error:
        parse_query(raw).page()
    assert error.value.errno == errno


def test_brackets_bare_or_encoded() -> None:
    plain = parse_query(b"search[email]=a%40b.test&search[ids][]=1&search[ids][]=2&include[]=lines")
    assert plain.search == {"email": ["a@b.test"], "ids": ["1", "2"]}
    assert plain.includes == ("lines",)
    encoded = parse_query(
        b"search%5Bemail%5D=a@b.test&search%5Bids%5D%5B%5D=1&search%5Bids%5D%5B%5D=2&include%5B%5D=lines"
    )
    assert encoded.search == plain.search
    assert encoded.includes == plain.includes


def test_a_page_past_the_end_is_empty() -> None:
    assert paged(range(41), 9, 15) == (range(41, 41), {"page": 9, "pages": 3, "per_page": 15, "total": 41})
    assert paged([], 1, 15)[1]["pages"] == 0
