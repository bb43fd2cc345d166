"""What compiling the steps of a flow needs: tables, settings, mappings, and which names expressions see by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, TypeAdapter

from schemas.records import Record
from streams.transforms.compiling import Problems, checked
from streams.transforms.coverage import Decision
from streams.transforms.decision_tables import DIMENSIONS, DecisionTable, Declared, Derivation, compile_derivation
from streams.transforms.declarations import MappingFile
from streams.transforms.declared_yaml import DeclarationError
from streams.transforms.expressions import LookupTable, Scope
from streams.transforms.expressions.errors import suggestion
from streams.transforms.mappings import MappingProgram, compile_mapping
from streams.transforms.sources import Source

M = TypeVar("M", bound=BaseModel)
Names = frozenset[str]


@dataclass(slots=True)
class Workshop:
    """The state of compiling one flow. `roots` grows with each step that gives a name."""

    problems: Problems
    source: Source
    tables: Mapping[str, LookupTable]
    table_rows: Mapping[str, Mapping[str, str]]
    settings: Mapping[str, Any]
    mappings: Mapping[str, MappingFile]
    roots: dict[str, Names | None] = field(default_factory=dict)
    joined: dict[str, dict[str, Names]] = field(default_factory=dict)
    derived: set[str] = field(default_factory=set)
    target: str = ""
    row_tables: dict[str, str] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    used_tables: set[str] = field(default_factory=set)
    used_mappings: list[str] = field(default_factory=list)
    others: list[Problems] = field(default_factory=list)

    def scope(self, *, derived: Iterable[str] = (), **more: Names) -> Scope:
        """Names for expressions at this step, with `more` roots and answers of further decision tables."""
        fields: dict[str, Names | None] = {**self.roots, **more}
        answers = frozenset({*self.derived, *derived}) - {DIMENSIONS}
        if answers:
            fields["derived"] = answers
        return Scope(fields, {"settings": self.settings}, self.tables)

    def name_row(self, place: str, name: str, record: type[Record] | Names) -> None:
        """From here on expressions see the row `name`."""
        if name in self.roots or name in ("settings", "derived"):
            self.problems.add(place, f"the name {name} is taken", "choose another")
        self.roots[name] = record if isinstance(record, frozenset) else frozenset(record.__struct_fields__)

    def derivation(self, place: str, declared: Mapping[str, Declared], scope: Scope) -> Derivation:
        """Compile decision tables, and remember them for the report on their coverage."""
        compiled = compile_derivation(place, declared, scope, self.problems)
        keys = {name: list(rows) for name, rows in self.table_rows.items()}
        self.decisions += [
            Decision(f"{place}.{table.name}", table, self.row_tables, keys)
            for table in compiled.tables
            if isinstance(table, DecisionTable)
        ]
        return compiled

    def element_names(self, place: str, elements: str) -> Names:
        """Fields of the elements of a list of the record."""
        fields = {field.name: field.type for field in msgspec.structs.fields(self.source.record)}
        element = getattr(fields.get(elements), "__args__", (None,))[0]
        if not (isinstance(element, type) and issubclass(element, Record)):
            self.problems.add(place, f"the record has no list {elements}", "name one of its lists")
            return frozenset()
        return frozenset(element.__struct_fields__)

    def checked_settings(self, kind: type[M]) -> M | None:
        """The settings that a step needs; what is wrong goes to the problems."""
        adapter: TypeAdapter[M] = TypeAdapter(kind)
        try:
            return checked(adapter, f"{self.problems.file}: settings", self.settings)
        except DeclarationError as reason:
            self.problems.lines.extend(
                line.replace(": settings: ", ": settings.") for line in reason.message.split("\n")
            )
            return None

    def mapping(self, place: str, name: str, target: str | None, scope: Scope) -> tuple[MappingProgram, str]:
        """Compile a mapping that a step names; with the target that it fills, which shall be `target` if given."""
        nothing = MappingProgram(name, ())
        declared = self.mappings.get(name)
        if declared is None:
            self.problems.add(place, f"unknown mapping {name}", suggestion(name, self.mappings))
            return nothing, target or ""
        if target is not None and declared.target != target:
            self.problems.add(place, f"mapping {name} fills {declared.target}", f"name one that fills {target}")
            return nothing, target
        self.used_mappings.append(name)
        problems = Problems(f"{name}.mapping.yaml")
        self.others.append(problems)
        return compile_mapping(declared, scope, problems), declared.target

    def table(self, place: str, name: str) -> LookupTable:
        """A table that a step names."""
        found = self.tables.get(name)
        if found is None:
            self.problems.add(place, f"unknown table {name}", suggestion(name, self.tables))
            return LookupTable(name, {})
        return found

    def refuse(self) -> None:
        """Raise DeclarationError with all problems of the flow and its mappings."""
        lines = [line for problems in (self.problems, *self.others) for line in problems.lines]
        if lines:
            raise DeclarationError("\n".join(lines))
