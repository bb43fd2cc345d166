"""Text on its way into AX: characters that XML refuses, lengths in AX's units, cuts that do not break a character.

AX columns are nvarchar(n): n counts UTF-16 units, so an emoji counts two. AX itself cuts a text that is too long
without a word (reference: ax-aif, operation behaviour); here each cut is a decision of the mapping and is reported.
"""

from __future__ import annotations

import hashlib
import unicodedata
from itertools import accumulate, takewhile

_LINE_BREAKS = str.maketrans(dict.fromkeys("\t\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029", " "))
_ZERO_WIDTH_JOINER = "\u200d"
# Unicode's first 65,536 characters: what a collation without supplementary characters compares.
BASIC_PLANE = "bmp"
_WRITTEN = {
    "ß": "ss",
    "ẞ": "SS",
    "Æ": "AE",
    "æ": "ae",
    "Œ": "OE",
    "œ": "oe",
    "Ø": "O",
    "ø": "o",
    "Ł": "L",
    "ł": "l",
    "Đ": "D",
    "đ": "d",
    "Þ": "Th",
    "þ": "th",
    "ð": "d",
    "\u0131": "i",
    "€": "EUR",
    "\u2013": "-",
    "\u2014": "-",
    "\u2018": "'",
    "\u2019": "'",
    "\u201a": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u00a0": " ",
    "\u202f": " ",
    "•": "*",
    "\u00d7": "x",
}
HASH_DIGITS = 6
HASH_SUFFIX_LENGTH = HASH_DIGITS + 1


def collapse(text: str) -> str:
    """`text` with every run of white space as one blank, none at the ends."""
    return " ".join(text.split())


def strip_control(text: str) -> str:
    """`text` as XML 1.0 accepts it, on one line: breaks become blanks, other control characters vanish."""
    if text.isprintable():
        return text
    return "".join(char for char in text.translate(_LINE_BREAKS) if not _is_forbidden(char))


def _is_forbidden(char: str) -> bool:
    # Cc: control; Cs: half of a surrogate pair, which UTF-8 cannot carry; the last two of a plane are no characters.
    return unicodedata.category(char) in ("Cc", "Cs") or ord(char) & 0xFFFE == 0xFFFE


def fit_characters(text: str, encoding: str) -> tuple[str, int]:
    """`text` with the characters that `encoding` lacks replaced by their nearest, and how many were.

    Nearest: what people write instead (ß → ss, a dash → -), else the letter without its accent, else `?`.
    """
    if text.isascii():
        return text, 0
    fitted = [(char if _holds(encoding, char) else _nearest(char, encoding)) for char in text]
    return "".join(fitted), sum(new != old for new, old in zip(fitted, text, strict=True))


def _holds(encoding: str, text: str) -> bool:
    if encoding == BASIC_PLANE:
        return all(char <= "\uffff" for char in text)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _nearest(char: str, encoding: str) -> str:
    written = _WRITTEN.get(char)
    if written is None:
        written = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    # A mark that joins with the character before it (accent, variation, joiner) has no replacement of its own.
    if not written and unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return ""
    return written if written and _holds(encoding, written) else "?"


def utf16_length(text: str) -> int:
    """Length in AX's units."""
    if text.isascii():
        return len(text)
    return len(text) + sum(char > "\uffff" for char in text)


def truncate(text: str, length: int) -> str:
    """The longest start of `text` that fits `length` units and ends with a whole visible character."""
    if utf16_length(text) <= length:
        return text
    used = accumulate(2 if char > "\uffff" else 1 for char in text)
    end = kept = sum(1 for _ in takewhile(lambda units: units <= length, used))
    while end and _continues(text, end):
        end -= 1
    # A text of nothing but joined characters has no better place than the first one.
    return text[: end or kept].rstrip()


def _continues(text: str, at: int) -> bool:
    """True when a cut before `text[at]` would part a character from its accent, skin tone or joined partner."""
    char = text[at]
    return (
        unicodedata.combining(char) != 0
        or char == _ZERO_WIDTH_JOINER
        or text[at - 1] == _ZERO_WIDTH_JOINER
        or "\ufe00" <= char <= "\ufe0f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def truncate_hash(text: str, length: int) -> str:
    """Like `truncate`, ending in `~` and the first digits of the whole text's SHA-256, so that two names stay two."""
    if utf16_length(text) <= length:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_DIGITS]
    return f"{truncate(text, length - HASH_SUFFIX_LENGTH)}~{digest}"
