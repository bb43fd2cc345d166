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
}


class Problems:
    """What is wrong with one file, one line per finding."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: list[str] = []

    def add(self, key: str, problem: str, remedy: str) -> None:
        """Note that `key` is wrong."""
        self.lines.append(f"{self.file}: {key}: {problem}; {remedy}")

    def expression(self, key: str, text: str, scope: Scope) -> Expression:
        """Compile the expression under `key`. When it does not compile, notes why and gives one that is null."""
        try:
            return compile_expression(text, scope, f"{self.file}: {key}")
        except ExpressionError as reason:
            self.add(key, f"position {reason.position}: {reason.problem}", reason.remedy)
            return Expression(text, key, lambda _: None)

    def refuse(self) -> None:
        """Raise DeclarationError when there is any finding."""
        if self.lines:
            raise self.failure()

    def failure(self) -> DeclarationError:
        """The findings as a failure."""
        return DeclarationError("\n".join(self.lines))


def checked(adapter: TypeAdapter[D], file: str, value: Mapping[str, Any]) -> D:
    """`value` as the declared type. Raises DeclarationError with one line per wrong key."""
    try:
        return adapter.validate_python(value)
    except ValidationError as reason:
        problems = Problems(file)
        for error in reason.errors(include_url=False, include_context=False, include_input=False):
            key = ".".join(str(part) for part in error["loc"] if not _names_a_member(part)) or "file"
            problems.add(key, error["msg"], _REMEDIES.get(error["type"], "correct it"))
        raise problems.failure() from reason


def _names_a_member(part: int | str) -> bool:
    """True for what pydantic puts into the place of an error to name a union's member: it is no key of the file."""
    return isinstance(part, str) and (
        part in _MEMBERS or part.startswith(("literal[", "dict[", "constrained-str", "list["))
    )


_MEMBERS = frozenset({"Map", "str", "bool", "int", "decimal"})
