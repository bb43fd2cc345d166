"""The words of a T-SQL text with their places, by sqlglot's tokenizer.

A token of sqlglot carries a string without its quotes, so `';'` looks like a semicolon; `Word.raw` is what is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import TokenError

from sandbox.sqlserver.errors import SqlError


@dataclass(frozen=True)
class Word:
    """`raw` is the text from `start` up to `end` (not included); `depth` counts open round brackets around it."""

    raw: str
    start: int
    end: int
    line: int
    depth: int

    @property
    def upper(self) -> str:
        """The word in capitals, for keywords."""
        return self.raw.upper()


def words(text: str) -> list[Word]:
    """Return the words of `text`, without comments. Raises SqlError 105 for a quotation that does not end."""
    try:
        tokens = TSQL().tokenize(text)
    except TokenError as error:
        raise SqlError(105, "Unclosed quotation mark after the character string.", 15) from error
    found, depth = [], 0
    for token in tokens:
        raw = text[token.start : token.end + 1]
        if raw == ")":
            depth -= 1
        found.append(Word(raw, token.start, token.end + 1, token.line, depth))
        if raw == "(":
            depth += 1
    return found
