"""Checks declarations and compiles their expressions; collects every problem of a file before it refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from streams.transforms.declared_yaml import DeclarationError
from streams.transforms.expressions import Expression, ExpressionError, Scope, compile_expression

D = TypeVar("D")

_REMEDIES = {
    "extra_forbidden": "remove it or correct its name, docs/flows.md lists the keys",
    "missing": "add it",
    "string_type": "write the value in quotes",
    "union_tag_invalid": "write one of the targets",
    "union_tag_not_found": "add the key target",
}


class Problems:
    """What is wrong with one file, one line per finding."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._lines: list[str] = []

    def add(self, key: str, problem: str, remedy: str) -> None:
        """Note that `key` is wrong."""
        self._lines.append(f"{self.file}: {key}: {problem}; {remedy}")

    def expression(self, key: str, text: str, scope: Scope) -> Expression:
        """Compile the expression under `key`. When it does not compile, notes why and gives one that is null."""
        try:
            return compile_expression(text, scope, f"{self.file}: {key}")
        except ExpressionError as reason:
            self.add(key, f"position {reason.position}: {reason.problem}", reason.remedy)
            return Expression(text, key, lambda _: None)

    def refuse(self) -> None:
        """Raise DeclarationError when there is any finding."""
        if self._lines:
            raise self.failure()

    def failure(self) -> DeclarationError:
        """The findings as a failure."""
        return DeclarationError("\n".join(self._lines))


def checked(adapter: TypeAdapter[D], file: str, value: Mapping[str, Any]) -> D:
    """`value` as the declared type. Raises DeclarationError with one line per wrong key."""
    try:
        return adapter.validate_python(value)
    except ValidationError as reason:
        problems = Problems(file)
        for error in reason.errors(include_url=False, include_context=False, include_input=False):
            # A union's member is named in the place after the tag; it is no key of the file.
            key = ".".join(str(part) for part in error["loc"] if part not in _TAGS) or "file"
            problems.add(key, error["msg"], _REMEDIES.get(error["type"], "correct it"))
        raise problems.failure() from reason


_TAGS = frozenset({"ax.customer", "ax.invoice", "freshbooks.client"})
