"""Our reference in a text that people also write in: put, found, replaced, taken out, never at their text's cost."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.freshbooks import marker

references = st.from_regex(r"[a-z0-9]{1,8}/[A-Za-z0-9-]{1,20}", fullmatch=True)
# Texts that people write, and texts built from pieces of markers.
texts = st.one_of(
    st.none(),
    st.text(max_size=60),
    st.lists(
        st.sampled_from(["[AX:", "]", "[AX:usmf/1]", "\n", "\r\n", " ", "PO 7", "[", "AX:", "x"]), max_size=12
    ).map("".join),
)


@given(texts, references)
@example("[AX:[AX:1]2]", "usmf/C-1")
def test_what_was_put_is_found(text: str | None, reference: str) -> None:
    assert marker.find(marker.put(text, reference)) == reference


@given(texts, references)
@example("[AX:[AX:1]2]", "usmf/C-1")
@example("first\n\n[AX:usmf/1]\nlast", "usmf/C-1")
def test_human_text_is_the_same_with_and_without_the_marker(text: str | None, reference: str) -> None:
    assert marker.strip(marker.put(text, reference)) == marker.strip(text)


@given(texts, references)
def test_putting_twice_is_putting_once(text: str | None, reference: str) -> None:
    once = marker.put(text, reference)
    assert marker.put(once, reference) == once


@given(texts, references, references)
def test_a_later_reference_replaces_an_earlier_one(text: str | None, first: str, second: str) -> None:
    assert marker.put(marker.put(text, first), second) == marker.put(text, second)


@given(texts)
def test_no_marker_is_left_after_taking_it_out(text: str | None) -> None:
    assert marker.find(marker.strip(text)) is None


@given(st.text(max_size=60).filter(lambda text: "[AX:" not in text), references)
def test_a_text_without_marker_is_kept_to_the_letter(text: str, reference: str) -> None:
    assert marker.put(text, reference).startswith(text if text.strip() else "[AX:")


def test_the_marker_goes_on_a_line_of_its_own_at_the_end() -> None:
    assert marker.put("Thank you!", "usmf/INV-1") == "Thank you!\n[AX:usmf/INV-1]"


def test_the_marker_is_replaced_where_a_person_has_moved_it() -> None:
    assert marker.put("See [AX:usmf/1] please", "usmf/2") == "See [AX:usmf/2] please"


@pytest.mark.parametrize("reference", ["", "a]b", "a[b", "a\nb", "x" * 201])
def test_a_reference_that_would_not_be_found_again_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match="not a reference"):
        marker.marker(reference)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"po_number": None, "notes": "Thanks"}, ("po_number", "[AX:usmf/9]")),
        ({"po_number": "  ", "notes": ""}, ("po_number", "[AX:usmf/9]")),
        ({"po_number": "[AX:usmf/1]", "notes": "Thanks"}, ("po_number", "[AX:usmf/9]")),
        ({"po_number": "PO-77", "notes": "Thanks"}, ("notes", "Thanks\n[AX:usmf/9]")),
        ({"po_number": "PO-77", "notes": None}, ("notes", "[AX:usmf/9]")),
        ({"po_number": "PO-77 [AX:usmf/1]", "notes": ""}, ("notes", "[AX:usmf/9]")),
        ({"po_number": None, "notes": "Thanks\n[AX:usmf/1]"}, ("notes", "Thanks\n[AX:usmf/9]")),
    ],
)
def test_an_invoice_takes_it_in_po_number_only_when_that_is_empty_or_ours(
    fields: dict[str, str | None], expected: tuple[str, str]
) -> None:
    assert marker.place("invoice", fields, "usmf/9") == expected


def test_a_client_takes_it_in_its_staff_note() -> None:
    assert marker.place("client", {"note": "Pays late"}, "usmf/C-1") == ("note", "Pays late\n[AX:usmf/C-1]")
