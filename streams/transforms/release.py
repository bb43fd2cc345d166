"""Compiles the texts of flow, mapping and table files, with an operator's overrides, to the flows of a release.

Everything is checked here, before the first record: shape, names, expressions, tables, topics, lengths. All problems
are reported at once, one line each, by file, key and remedy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from streams.transforms import declarations
from streams.transforms.compiling import Problems, checked
from streams.transforms.declarations import MappingFile
from streams.transforms.declared_yaml import DeclarationError, merge, read_yaml
from streams.transforms.documents import canonical_json
from streams.transforms.expressions import LookupTable
from streams.transforms.expressions.errors import suggestion
from streams.transforms.flow import Flow, Flows
from streams.transforms.sources import SOURCES
from streams.transforms.step_declarations import FLOW, FlowFile, Step
from streams.transforms.steps.compiling_steps import compile_steps
from streams.transforms.steps.workshop import Workshop

MAPPING_SUFFIX = ".mapping.yaml"
TABLE_SUFFIX = ".table.yaml"
FLOW_SUFFIX = ".yaml"
# Section of the overrides that goes to every flow that has the key.
ALL_FLOWS = "all"
_SECTIONS = ("settings", "tables")
_REVISION_DIGITS = 8


def compile_flows(files: Mapping[str, str], overrides: tuple[str, str] | None = None) -> Flows:
    """Flows of `files` (file name to text). `overrides` is the name and text of the operator's own file.

    Raises DeclarationError naming every problem.
    """
    parsed = {file: read_yaml(file, text) for file, text in sorted(files.items())}
    tables = _tables({file: value for file, value in parsed.items() if file.endswith(TABLE_SUFFIX)})
    mappings = _mappings({file: value for file, value in parsed.items() if file.endswith(MAPPING_SUFFIX)})
    flows = {
        file.removesuffix(FLOW_SUFFIX): _with_tables(file, value, tables)
        for file, value in parsed.items()
        if not file.endswith((TABLE_SUFFIX, MAPPING_SUFFIX))
    }
    if overrides is not None:
        flows = _overridden(flows, overrides[0], read_yaml(*overrides))
    compiled: list[Flow] = []
    refusals: list[str] = []
    for name, raw in flows.items():
        try:
            compiled.append(_compile(name, raw, mappings))
        except DeclarationError as reason:
            refusals.append(reason.message)
    if refusals:
        raise DeclarationError("\n".join(refusals))
    return Flows(compiled)


def _tables(parsed: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    tables = {}
    for file, value in parsed.items():
        table = checked(declarations.TABLE, file, value)
        _check_name(file, TABLE_SUFFIX, "table", table.table)
        tables[table.table] = table.rows
    return tables


def _mappings(parsed: Mapping[str, dict[str, Any]]) -> dict[str, MappingFile]:
    mappings = {}
    for file, value in parsed.items():
        mapping = checked(declarations.MAPPING, file, value)
        _check_name(file, MAPPING_SUFFIX, "mapping", mapping.mapping)
        mappings[mapping.mapping] = mapping
    return mappings


def _check_name(file: str, suffix: str, key: str, name: str) -> None:
    if f"{name}{suffix}" != file:
        raise DeclarationError(f"{file}: {key}: {name} does not fit the file's name; write {file.removesuffix(suffix)}")


def _with_tables(file: str, raw: dict[str, Any], shared: Mapping[str, dict[str, str]]) -> dict[str, Any]:
    own = raw.get("tables", {})
    if isinstance(own, dict):
        for name in own.keys() & shared.keys():
            raise DeclarationError(f"{file}: tables.{name}: {name}{TABLE_SUFFIX} declares it too; rename one of them")
        return {**raw, "tables": {**shared, **own}}
    return raw


def _overridden(flows: Mapping[str, dict[str, Any]], file: str, overrides: dict[str, Any]) -> dict[str, dict[str, Any]]:
    result = {name: dict(raw) for name, raw in flows.items()}
    for target, sections in overrides.items():
        if target not in flows and target != ALL_FLOWS:
            raise DeclarationError(f"{file}: {target}: unknown flow; {suggestion(target, [*flows, ALL_FLOWS])}")
        for section, values in _mapping_at(file, target, sections).items():
            place = f"{target}.{section}"
            if section not in _SECTIONS:
                raise DeclarationError(f"{file}: {place}: only {' and '.join(_SECTIONS)} can be overridden; remove it")
            given = _mapping_at(file, place, values)
            if target == ALL_FLOWS:
                _override_all(result, file, section, given)
            else:
                result[target][section] = merge(
                    _section(result[target], section), given, file=file, at=place, open_keys=False
                )
    return result


def _override_all(flows: dict[str, dict[str, Any]], file: str, section: str, given: Mapping[str, Any]) -> None:
    known = {key for raw in flows.values() for key in _section(raw, section)}
    for key in given.keys() - known:
        raise DeclarationError(f"{file}: {ALL_FLOWS}.{section}.{key}: unknown key; {suggestion(key, known)}")
    for raw in flows.values():
        present = _section(raw, section)
        wanted = {key: value for key, value in given.items() if key in present}
        raw[section] = merge(present, wanted, file=file, at=f"{ALL_FLOWS}.{section}", open_keys=False)


def _mapping_at(file: str, place: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DeclarationError(f"{file}: {place}: keys are expected here; write them below it, indented")
    return value


def _section(raw: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    present = raw.get(section)
    # What is no mapping here is refused when the flow itself is checked.
    return present if isinstance(present, Mapping) else {}


def _compile(name: str, raw: Mapping[str, Any], mappings: Mapping[str, MappingFile]) -> Flow:
    file = f"{name}{FLOW_SUFFIX}"
    declared = checked(FLOW, file, raw)
    _check_name(file, FLOW_SUFFIX, "flow", declared.flow)
    problems = Problems(file)
    source = SOURCES.get(declared.trigger)
    if source is None:
        raise DeclarationError(
            f"{file}: trigger: no flow can read {declared.trigger}; {suggestion(declared.trigger, SOURCES)}"
        )
    workshop = Workshop(
        problems,
        source,
        _compiled_tables(declared, problems),
        declared.tables,
        raw.get("settings", {}),
        mappings,
        roots={source.root: frozenset(source.record.__struct_fields__)},
    )
    steps = compile_steps(declared.steps, "steps", workshop)
    workshop.refuse()
    return Flow(
        name=declared.flow,
        version=declared.version,
        trigger=declared.trigger,
        revision=_revision(declared, raw, [mappings[name] for name in workshop.used_mappings]),
        source=source,
        target=workshop.target,
        # AX compares company names without case; keys of master data hold them in small letters.
        companies={account: company.lower() for account, company in declared.settings.companies.items()},
        currencies=frozenset(declared.settings.currencies),
        steps=steps,
        ignored_codes=frozenset(code for code, act in declared.on_error.items() if act == "ignore"),
        tables=frozenset(workshop.used_tables),
        decision_tables=tuple(workshop.decisions),
        writes_back=_writes_back(declared.steps),
    )


def _compiled_tables(declared: FlowFile, problems: Problems) -> dict[str, LookupTable]:
    tables = {}
    for table, rows in declared.tables.items():
        try:
            tables[table] = LookupTable(table, rows)
        except ValueError as reason:
            problems.add(f"tables.{table}", str(reason), "keep one of them")
    return tables


def _writes_back(steps: Sequence[Step]) -> bool:
    return not any(step.write_back is not None and not step.write_back.reference for step in steps)


def _revision(declared: FlowFile, raw: Mapping[str, Any], used: Sequence[MappingFile]) -> str:
    content = {mapping.mapping: mapping.model_dump(mode="json") for mapping in used}
    digest = hashlib.sha256(canonical_json({"flow": raw, "mappings": content})).hexdigest()
    return f"{declared.flow}@{declared.version}:{digest[:_REVISION_DIGITS]}"
