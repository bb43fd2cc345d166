"""Splits an expression into tokens, each with its position. Linear in the length of the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streams.transforms.expressions.errors import ExpressionError
from streams.transforms.expressions.values import MAX_EXPRESSION_LENGTH

# A quote inside a text is written twice. Paths are one token, so that `a . b` is not one by accident.
_TOKEN = re.compile(
    r"(?P<blank>[ \t\r\n]+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<text>\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*')"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<operator>\?\?|==|!=|<=|>=|[<>+\-*/&(),])"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `kind` is number, text, name, operator or end; `text` of a text is without its quotes."""

    kind: str
    text: str
    position: int


def tokenize(text: str) -> list[Token]:
    """Tokens of `text`, the last of kind `end`. Raises ExpressionError on a character that starts none."""
    if len(text) > MAX_EXPRESSION_LENGTH:
        raise ExpressionError(
            f"the expression has {len(text)} characters, {MAX_EXPRESSION_LENGTH} are allowed",
            position=MAX_EXPRESSION_LENGTH + 1,
            remedy="move part of it into a table or a decision table",
        )
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        if match.lastgroup == "text":
            quote = text[at]
            tokens.append(Token("text", match.group()[1:-1].replace(quote * 2, quote), at + 1))
        elif match.lastgroup != "blank":
            tokens.append(Token(str(match.lastgroup), match.group(), at + 1))
        at = match.end()
    tokens.append(Token("end", "end of the expression", len(text) + 1))
    return tokens


def _unreadable(text: str, at: int) -> ExpressionError:
    if text[at] in "\"'":
        return ExpressionError("a text that does not end", position=at + 1, remedy=f"close it with {text[at]}")
    if text[at] == "=":
        return ExpressionError("a single =", position=at + 1, remedy="compare with ==")
    return ExpressionError(
        f"character {text[at]!r} has no meaning here", position=at + 1, remedy="put texts into quotes"
    )
