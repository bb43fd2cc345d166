"""The step look_up: joins the record with its company, a cross-reference, a row of AX or another FreshBooks record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schemas.failures import PoisonError
from schemas.keys import ax_key, freshbooks_key
from schemas.records import Record
from streams.transforms.decisions import Decision, Ignored, ParkedFor
from streams.transforms.expressions import Expression
from streams.transforms.run import Run, StepRun, company_of
from streams.transforms.sources import AX_TABLES, COMPANIES, FRESHBOOKS_TABLES, XREF, Source, fields_of, row_of
from streams.transforms.step_declarations import LookUp
from streams.transforms.steps.workshop import Workshop

# Finds the row of an environment; what it waits for when there is none, None when there is no id to look for.
Find = Callable[[Run, Mapping[str, Any]], Record | ParkedFor | None]


def compile_look_up(declared: LookUp, place: str, workshop: Workshop) -> StepRun:
    """Join with one row, named `as` from here on, or with one for each element of a list."""
    workshop.row_tables[declared.name] = declared.table
    if declared.for_each is not None:
        return _for_each(declared, declared.for_each, place, workshop)
    key = workshop.problems.expression(f"{place}.key", declared.key, workshop.scope())
    if declared.table == COMPANIES:
        workshop.name_row(place, declared.name, frozenset({"id"}))
        return _company(declared.name, key)
    find = _finder(declared, place, key, workshop)
    when = None
    if declared.when is not None:
        when = workshop.problems.expression(f"{place}.when", declared.when, workshop.scope())
    workshop.name_row(place, declared.name, fields_of(declared.table))

    def run(state: Run) -> Decision | None:
        if when is not None and not when.condition(state.env):
            return None
        row = find(state, state.env)
        if row is None:
            return None
        if isinstance(row, ParkedFor):
            return _missing(declared, row)
        if declared.on_found is not None:
            return Ignored(declared.on_found["ignore"], f"its {declared.name} is there: {_named(row)}")
        state.env[declared.name] = state.note = row_of(row)
        return None

    return run


def _for_each(declared: LookUp, elements: str, place: str, workshop: Workshop) -> StepRun:
    names = workshop.element_names(f"{place}.for_each", elements)
    scope = workshop.scope(line=names, **workshop.joined.get(elements, {}))
    key = workshop.problems.expression(f"{place}.key", declared.key, scope)
    if declared.table == COMPANIES or declared.on_found is not None or declared.when is not None:
        workshop.problems.add(place, "a look-up for each element joins with rows", "remove for_each")
        return lambda _run: None
    find = _finder(declared, place, key, workshop)
    workshop.joined.setdefault(elements, {})[declared.name] = fields_of(declared.table)

    def run(state: Run) -> Decision | None:
        rows: list[dict[str, Any] | None] = []
        earlier = state.joined.setdefault(elements, {})
        for index, element in enumerate(state.record[elements]):
            joined = {name: given[index] for name, given in earlier.items()}
            row = find(state, {**state.env, "line": element, **joined})
            decision = _missing(declared, row) if isinstance(row, ParkedFor) else None
            if decision is not None:
                return decision
            rows.append(row_of(row) if isinstance(row, Record) else None)
        earlier[declared.name] = rows
        state.note = rows
        return None

    return run


def _company(name: str, key: Expression) -> StepRun:
    def run(state: Run) -> None:
        state.company = company_of(key.as_text(state.env), state.companies)
        state.env[name] = state.note = {"id": state.company}

    return run


def _missing(declared: LookUp, waits: ParkedFor) -> Decision | None:
    wish = declared.on_missing
    if wish == "park":
        return waits
    if wish == "go_on":
        return None
    if wish == "reject":
        raise PoisonError(
            f"{declared.name}_missing",
            f"looking up {declared.name}: {waits.reason} ({waits.waits_for}); correct the reference and redrive",
            field=declared.name,
        )
    return Ignored(str(dict(wish)["ignore"]), waits.reason)


def _finder(declared: LookUp, place: str, key: Expression, workshop: Workshop) -> Find:
    find = _of_table(declared, place, key, workshop)
    if not declared.optional:
        return find
    return lambda run, env: None if key.as_text(env) in ("", "0") else find(run, env)


def _of_table(declared: LookUp, place: str, key: Expression, workshop: Workshop) -> Find:
    table = declared.table
    if table == XREF:
        if workshop.source.end == "ax":
            return _link_of_ax(workshop.source, key)
        return _link_of_freshbooks(declared.through or workshop.source.kind, key)
    if table in AX_TABLES:
        return _ax_row(AX_TABLES[table], table, declared.through, key)
    if declared.through is not None:
        workshop.problems.add(f"{place}.through", f"{table} are FreshBooks records", "remove it")
    workshop.used_tables.add(table)
    return _freshbooks_row(FRESHBOOKS_TABLES[table], table, key)


def _link_of_ax(source: Source, key: Expression) -> Find:
    def find(run: Run, env: Mapping[str, Any]) -> Record | ParkedFor:
        ax_id = key.as_text(env)
        found = run.lookups.xref_by_ax(run.subject.company, source.kind, ax_id)
        reason = f"no FreshBooks record belongs to this {source.kind}"
        return found or ParkedFor(f"xref {ax_key(run.subject.company, source.kind, ax_id)}", reason)

    return find


def _link_of_freshbooks(kind: str, key: Expression) -> Find:
    def find(run: Run, env: Mapping[str, Any]) -> Record | ParkedFor:
        account, entity_id = run.subject.account_id, _entity_id(key, env)
        found = run.lookups.xref(account, kind, entity_id)
        return found or _no_link(account, kind, entity_id, "object")

    return find


def _ax_row(source: Source, table: str, through: str | None, key: Expression) -> Find:
    def find(run: Run, env: Mapping[str, Any]) -> Record | ParkedFor:
        company = run.in_company()
        ax_id = key.as_text(env) if through is None else ""
        if through is not None:
            account, entity_id = run.subject.account_id, _entity_id(key, env)
            link = run.lookups.xref(account, through, entity_id)
            if link is None:
                return _no_link(account, through, entity_id, source.kind)
            _check_company(link.company, company, source.kind, through)
            ax_id = link.ax_id
        row: Any = run.lookups.row(table, ax_key(company, source.kind, ax_id))
        if row is None or row.deleted:
            waits = f"master {ax_key(company, source.kind, ax_id)}"
            return ParkedFor(waits, f"the {source.kind} has not arrived from AX yet")
        run.used[ax_key(company, source.kind, ax_id)] = row.version
        found: Record = row
        return found

    return find


def _freshbooks_row(source: Source, table: str, key: Expression) -> Find:
    def find(run: Run, env: Mapping[str, Any]) -> Record | ParkedFor:
        account, entity_id = run.subject.account_id, _entity_id(key, env)
        name = freshbooks_key(account, source.kind, entity_id)
        row = run.lookups.row(table, name)
        fetch = (source.kind, entity_id) if entity_id else None
        return row or ParkedFor(f"master {name}", f"the {source.kind} has not arrived from FreshBooks yet", fetch)

    return find


def _no_link(account: str, kind: str, entity_id: int, entity: str) -> ParkedFor:
    fetch = (kind, entity_id)
    return ParkedFor(f"xref {freshbooks_key(account, kind, entity_id)}", f"the {kind} has no AX {entity} yet", fetch)


def _entity_id(key: Expression, env: Mapping[str, Any]) -> int:
    """A FreshBooks id. Raises PoisonError `reference_missing` when the record names none at all."""
    text = key.as_text(env)
    if not text:
        raise PoisonError(
            "reference_missing",
            f"looking up at {key.place}: the record names none; fill it in FreshBooks, or mark the step optional",
            field=key.text,
        )
    # FreshBooks spells 'none' as 0 too (reference freshbooks, section 5.5): it finds nothing.
    return int(text) if text.isascii() and text.isdigit() else 0


def _check_company(linked: str, company: str, entity: str, kind: str) -> None:
    if linked.lower() != company:
        raise PoisonError(
            "company_mismatch",
            f"looking up the {entity}: the {kind} is linked in company {linked}, its account belongs to {company}; "
            "correct settings.companies or the cross-reference",
            field=f"{kind}_id",
        )


def _named(row: Record) -> str:
    return str(getattr(row, "ax_id", "") or getattr(row, "version", ""))
