"""Texts on their way into AX: no forbidden character, no length over the column's, no character cut in two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from streams.transforms.cleaning import collapse, fit_characters, strip_control, truncate, truncate_hash, utf16_length

TEXTS = st.text(st.characters(codec=None), max_size=40)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("a\r\nb\tc\u2028d", "a  b c d"),
        ("be\all \x00\x7f\x9f", "bell "),
        ("half \ud800 pair", "half  pair"),
        ("\ufffe\U0001ffff!", "!"),
        ("soft\u00adhyphen, no\u00a0break", "soft\u00adhyphen, no\u00a0break"),
    ],
)
def test_control_characters_vanish_and_breaks_become_blanks(text: str, cleaned: str) -> None:
    assert strip_control(text) == cleaned


@given(text=st.text(max_size=30), encoding=st.sampled_from(["ascii", "cp1252", "bmp"]))
def test_any_text_fits_and_one_that_fits_stays_as_it_is(text: str, encoding: str) -> None:
    fitted, replaced = fit_characters(text, encoding)

    assert fit_characters(fitted, encoding) == (fitted, 0)
    assert (replaced == 0) is (fitted == text)
    if encoding == "bmp":
        assert all(char <= "\uffff" for char in fitted)
    else:
        fitted.encode(encoding)


@given(text=TEXTS)
def test_a_cleaned_text_is_accepted_by_an_xml_writer(text: str) -> None:
    element = etree.Element("Name")
    element.text = strip_control(text)

    assert etree.fromstring(etree.tostring(element)).text == (element.text or None)


def test_white_space_collapses() -> None:
    assert collapse("  a \n\t b ") == "a b"


@pytest.mark.parametrize(
    ("text", "length", "cut"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 3, "abc"),
        ("ab cdef", 3, "ab"),
        ("a🌷🌷", 4, "a🌷"),
        ("a🌷🌷", 2, "a"),
        ("cafe\u0301s", 4, "caf"),
        ("a👩‍💻", 4, "a"),
        ("ok👍🏽", 4, "ok"),
        ("☀\ufe0f", 1, "☀"),
        ("\u0301\u0301\u0301", 2, "\u0301\u0301"),
    ],
)
def test_a_cut_ends_with_a_whole_character(text: str, length: int, cut: str) -> None:
    assert truncate(text, length) == cut


def test_a_text_without_any_place_to_cut_is_cut_all_the_same() -> None:
    assert truncate("e" + "\u0301" * 9, 4) == "e\u0301\u0301\u0301"


@given(text=TEXTS, length=st.integers(1, 30))
def test_a_cut_text_fits_and_is_a_start_of_the_whole(text: str, length: int) -> None:
    cut = truncate(text, length)

    assert utf16_length(cut) <= length
    assert text.startswith(cut)


@given(text=TEXTS)
def test_length_counts_what_sql_server_counts(text: str) -> None:
    assert utf16_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_two_long_texts_that_begin_alike_stay_two() -> None:
    first, second = truncate_hash("a" * 50 + "1", 20), truncate_hash("a" * 50 + "2", 20)

    assert first != second
    assert len(first) == len(second) == 20
    assert truncate_hash("short", 20) == "short"
    assert truncate_hash("\ud800" * 30, 20).startswith("\ud800" * 13 + "~")
