"""The page about the expression language: its grammar in words, and the table of functions as the code has them."""

from __future__ import annotations

from streams.transforms.expressions.functions import FUNCTIONS
from streams.transforms.expressions.values import MAX_DEPTH, MAX_EXPONENT, MAX_EXPRESSION_LENGTH, MAX_TEXT_LENGTH

_PAGE = """# Expressions

The language of flow and mapping files. It is closed (it reads declared fields, settings and tables, nothing else),
total (a value, or the record is refused with code `expression_failed`; never a crash) and bounded: {length} characters,
nested {depth} deep, texts up to {text} characters, numbers from 1e-{exponent} to 1e{exponent}. Names, functions,
arguments and tables are checked when the flow is loaded.

| | |
| --- | --- |
"""
_ROWS = (
    ("values", "null, `true`, `false`, `\"text\"` or `'text'`, `12.50`, dates, instants, lists (only to be counted)"),
    ("fields", "`invoice.status`, `line.name`, rows looked up by their `as`, `derived.<name>`, `settings.<name>`"),
    ("operators", "weakest first: `or`, `and`, `not`, `== != < <= > >=`, `??` (first not null), `+ - &`, `* /`, `-`"),
    ("null", "passes through arithmetic and ordering, is nothing in `&`, counts as false in conditions"),
    ("numbers", "exact decimals of {exponent} digits; division by zero is null"),
    ("kinds", 'are not mixed: `1 + "1"` is refused; `&` and text functions write numbers plainly, dates as ISO 8601'),
)
_FUNCTIONS = """
| function | gives |
| --- | --- |
"""


def expression_page() -> str:
    """docs/expressions.md."""
    rows = "".join(f"| {name} | {text} |\n" for name, text in _ROWS)
    head = (_PAGE + rows).format(
        length=MAX_EXPRESSION_LENGTH, depth=MAX_DEPTH, text=MAX_TEXT_LENGTH, exponent=MAX_EXPONENT
    )
    table = "".join(f"| `{function.usage}` | {function.doc} |\n" for function in FUNCTIONS.values())
    return head + _FUNCTIONS + table
