"""Steps that make the document: price (amounts that add up) and map (header and lines)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from schemas.failures import PoisonError
from schemas.records import Record
from streams.transforms.decision_tables import DIMENSIONS, Derivation
from streams.transforms.decisions import Decision
from streams.transforms.declarations import PriceSettings
from streams.transforms.expressions import Expression
from streams.transforms.mappings import MappingProgram
from streams.transforms.pricing import PricedLine, Pricing, price, priceable
from streams.transforms.run import Run, StepRun
from streams.transforms.step_declarations import Lines, Map, Price
from streams.transforms.steps.deciding import header_dimensions
from streams.transforms.steps.reversal import reverse
from streams.transforms.steps.workshop import Names, Workshop
from streams.transforms.targets import DOCUMENTS, LINE_RECORDS, PRICED_LINE, plain_type
from streams.transforms.taxes import TaxTable

PRICED = "priced"
_PRICED_NAMES: Names = frozenset({"discount", *PRICED_LINE})
_TAX_ITEM_GROUP_LENGTH = 10


def compile_price(declared: Price, place: str, workshop: Workshop) -> StepRun:
    """Amounts of lines, discount and taxes that add up to the total of the record."""
    settings = workshop.checked_settings(PriceSettings)
    groups = workshop.table(f"{place}.taxes", declared.taxes)
    for key, group in workshop.table_rows.get(declared.taxes, {}).items():
        if len(group) > _TAX_ITEM_GROUP_LENGTH:
            workshop.problems.add(f"tables.{declared.taxes}.{key}", "a tax item group over 10 characters", "shorten it")
    if settings is None:
        return lambda _run: None
    pricing = Pricing(
        taxes=TaxTable(groups, settings.untaxed_item_group),
        keep_quantity=settings.keep_quantity,
        zero_lines=settings.zero_lines,
        tolerance_units_per_line=settings.tax_tolerance_units_per_line,
    )

    def run(state: Run) -> Decision | None:
        invoice = priceable(state.subject, negative=declared.negative)
        state.priced, state.total = price(invoice, pricing, state.losses), invoice.amount
        state.note = [_amounts(line) for line in state.priced]
        return None if state.priced else reverse(state, "nothing_to_post")

    return run


def _amounts(line: PricedLine) -> dict[str, Any]:
    return {"discount": line.index is None, **{name: getattr(line, name) for name in PRICED_LINE}}


@dataclass(frozen=True, slots=True)
class _LineProgram:
    """Compiled lines of a document."""

    mapping: MappingProgram
    record: type[Record]
    for_each: str | None
    when: Expression | None
    derivation: Derivation
    discount_description: str

    def make(self, run: Run) -> list[Record]:
        if self.for_each == PRICED:
            lines = [self._priced(run, line) for line in run.priced]
        elif self.for_each is None:
            lines = [self._line(run, {}, f"{self.mapping.name}.", {})]
        else:
            given: Sequence[Mapping[str, Any]] = run.record[self.for_each]
            lines = [
                self._line(run, _joined(run, self.for_each, index, line), f"{self.for_each}.{index}.", {})
                for index, line in enumerate(given)
            ]
        return [line for line in lines if line is not None]

    def _priced(self, run: Run, line: PricedLine) -> Record | None:
        # A discount line has no line of FreshBooks behind it: expressions see its text as the line's name.
        amounts = _amounts(line)
        is_discount = amounts["discount"]
        source = {"name": self.discount_description} if line.index is None else run.record["lines"][line.index]
        place = "discount." if is_discount else f"lines.{line.index}."
        computed = {name: amounts[name] for name in PRICED_LINE}
        rows = {"line": source} if line.index is None else _joined(run, "lines", line.index, source)
        return self._line(run, {**rows, PRICED: amounts}, place, computed)

    def _line(self, run: Run, roots: dict[str, Any], place: str, computed: dict[str, Any]) -> Record | None:
        env = {**run.env, **roots}
        if self.when is not None and not self.when.condition(env):
            return None
        own = self.derivation.derive(env)
        env["derived"] = {**run.env.get("derived", {}), **own}
        values = {**self.mapping.apply(env, run.losses, place), **computed}
        return build(self.record, values, dict(own.get(DIMENSIONS) or {}))


def _joined(run: Run, elements: str, index: int, line: Mapping[str, Any]) -> dict[str, Any]:
    """What expressions of one line see: the line, and the rows that it was joined with."""
    return {"line": line, **{name: rows[index] for name, rows in run.joined.get(elements, {}).items()}}


def compile_map(declared: str | Map, place: str, workshop: Workshop) -> StepRun:
    """The document of the flow."""
    declared = Map(mapping=declared) if isinstance(declared, str) else declared
    header, target = workshop.mapping(place, declared.mapping, None, workshop.scope())
    workshop.target = target
    document = DOCUMENTS.get(target)
    if document is None:

        def fields(state: Run) -> None:
            # A field that the owner leaves empty is not sent: emptiness there is no wish to clear it here.
            values = header.apply(state.env, state.losses)
            state.target, state.document = target, {k: v for k, v in values.items() if v is not None}
            state.note = state.document

        return fields
    if declared.lines and document.lines is None:
        workshop.problems.add(f"{place}.lines", f"{target} has no lines", "remove them")
    if not declared.lines and document.lines is not None:
        workshop.problems.add(place, f"{target} has lines", "write map as mapping and lines")
    programs = [
        _lines(lines, f"{place}.lines.{index}", document.lines or "", workshop)
        for index, lines in enumerate(declared.lines)
        if document.lines is not None
    ]

    def run(state: Run) -> None:
        values = header.apply(state.env, state.losses)
        if document.lines is not None:
            values["lines"] = tuple(line for program in programs for line in program.make(state))
        if "total" in document.record.__struct_fields__ and "total" not in values:
            values["total"] = state.total
        state.target = target
        state.document = state.note = build(document.record, values, header_dimensions(state.env))

    return run


def _lines(declared: Lines, place: str, target: str, workshop: Workshop) -> _LineProgram:
    roots: dict[str, Names] = {}
    if declared.for_each == PRICED:
        roots[PRICED] = _PRICED_NAMES
    if declared.for_each is not None:
        elements = "lines" if declared.for_each == PRICED else declared.for_each
        roots["line"] = workshop.element_names(f"{place}.for_each", elements)
        roots.update(workshop.joined.get(elements, {}))
    scope = workshop.scope(**roots)
    after = workshop.scope(derived=declared.derive, **roots)
    mapping, _ = workshop.mapping(f"{place}.mapping", declared.mapping, target, after)
    return _LineProgram(
        mapping,
        LINE_RECORDS[target],
        declared.for_each,
        None if declared.when is None else workshop.problems.expression(f"{place}.when", declared.when, scope),
        workshop.derivation(f"{place}.derive", declared.derive, scope),
        str(workshop.settings.get("discount_description", "")),
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """What building a record needs to know of its class, found out once."""

    nested: tuple[tuple[str, type[Record]], ...]
    enumerations: tuple[tuple[str, type[StrEnum]], ...]
    dimensions: tuple[str, ...]


@lru_cache(maxsize=64)
def _shape_of(record: type[Record]) -> _Shape:
    kinds = [(field.name, plain_type(field.type)) for field in msgspec.structs.fields(record)]
    classes = [(name, kind) for name, kind in kinds if isinstance(kind, type)]
    return _Shape(
        nested=tuple((name, kind) for name, kind in classes if issubclass(kind, Record)),
        enumerations=tuple((name, kind) for name, kind in classes if issubclass(kind, StrEnum)),
        dimensions=tuple(name for name, _ in kinds if name in ("dimensions", "offset_dimensions")),
    )


def build(record: type[Record], values: dict[str, Any], dimensions: dict[str, str]) -> Record:
    """A document of mapped values. Dotted names fill a nested record, which is None when all of it is.

    Raises PoisonError `field_type` for a text that is no value of its enumeration.
    """
    shape = _shape_of(record)
    result = {name: value for name, value in values.items() if "." not in name} if shape.nested else dict(values)
    for name, kind in shape.nested:
        prefix = f"{name}."
        inner = {key[len(prefix) :]: value for key, value in values.items() if key.startswith(prefix)}
        result[name] = kind(**inner) if any(inner.values()) else None
    for name, enumeration in shape.enumerations:
        if result.get(name):
            result[name] = _of_enumeration(enumeration, result[name], name)
    for name in shape.dimensions:
        result[name] = dimensions if name == "dimensions" else {}
    return record(**result)


def _of_enumeration(kind: type[StrEnum], value: str, name: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError as reason:
        known = " or ".join(kind)
        raise PoisonError(
            "field_type", f"mapping {name}: {known} is needed; correct the mapping", field=name
        ) from reason
