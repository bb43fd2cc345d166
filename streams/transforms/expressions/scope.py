"""What an expression may name: fields of its input, constants, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def table_key(text: str) -> str:
    """Form in which table keys are compared: case and blanks do not count."""
    return " ".join(text.split()).casefold()


class LookupTable:
    """A table declared in YAML: text to text. Keys are compared without case and surplus blanks."""

    __slots__ = ("_rows", "name")

    def __init__(self, name: str, rows: Mapping[str, str]) -> None:
        self.name = name
        self._rows: dict[str, str] = {}
        for key, value in rows.items():
            folded = table_key(key)
            if folded in self._rows:
                raise ValueError(f"table {name}: key {key!r} stands twice when case and blanks are ignored; remove one")
            self._rows[folded] = value

    def get(self, key: str) -> str | None:
        """Value of `key`, None when there is none."""
        return self._rows.get(table_key(key))


@dataclass(frozen=True, slots=True)
class Scope:
    """Names that an expression may use.

    `fields`: root name (`client`, `line`) to the fields it has; None leaves its fields open.
    `constants`: root name (`settings`) to a tree of values known when compiling.
    """

    fields: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    constants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Mapping[str, LookupTable] = field(default_factory=dict)
