"""The step look_up: joins the record with its company, a cross-reference, a row of AX or another FreshBooks record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from schemas.failures import PoisonError
from schemas.keys import ax_key, freshbooks_key
from schemas.records import Record
from streams.transforms.decisions import Decision, Ignored, ParkedFor
from streams.transforms.expressions import Expression
from streams.transforms.run import Run, StepRun, company_of
from streams.transforms.sources import AX_TABLES, COMPANIES, FRESHBOOKS_TABLES, LOOK_UP_RECORDS, XREF, Source
from streams.transforms.step_declarations import LookUp
from streams.transforms.steps.workshop import Workshop

Find = Callable[[Run], Record | ParkedFor]


def compile_look_up(declared: LookUp, place: str, workshop: Workshop) -> StepRun:
    """Join with one row, named `as` from here on."""
    key = workshop.problems.expression(f"{place}.key", declared.key, workshop.scope())
    if declared.table == COMPANIES:
        workshop.name_row(place, declared.name, frozenset({"id"}))
        return _company(declared.name, key)
    find = _finder(declared, place, key, workshop)
    workshop.name_row(place, declared.name, LOOK_UP_RECORDS[declared.table])

    def run(state: Run) -> Decision | None:
        row = find(state)
        if isinstance(row, ParkedFor):
            return _missing(declared, row)
        if declared.on_found is not None:
            return Ignored(declared.on_found["ignore"], f"its {declared.name} is there: {_named(row)}")
        state.env[declared.name] = state.note = msgspec.structs.asdict(row)
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
    table = declared.table
    if table == XREF:
        if workshop.source.end == "ax":
            return _link_of_ax(workshop.source, key)
        return _link_of_freshbooks(declared.through or workshop.source.kind, key)
    if table in AX_TABLES:
        return _ax_row(AX_TABLES[table], table, declared.through, key)
    if declared.through is not None:
        workshop.problems.add(f"{place}.through", f"{table} are FreshBooks records", "remove it")
    return _freshbooks_row(FRESHBOOKS_TABLES[table], table, key)


def _link_of_ax(source: Source, key: Expression) -> Find:
    def find(run: Run) -> Record | ParkedFor:
        ax_id = key.as_text(run.env)
        found = run.lookups.xref_by_ax(run.subject.company, source.kind, ax_id)
        reason = f"no FreshBooks record belongs to this {source.kind}"
        return found or ParkedFor(f"xref {ax_key(run.subject.company, source.kind, ax_id)}", reason)

    return find


def _link_of_freshbooks(kind: str, key: Expression) -> Find:
    def find(run: Run) -> Record | ParkedFor:
        account, entity_id = run.subject.account_id, _entity_id(key, run)
        found = run.lookups.xref(account, kind, entity_id)
        return found or _no_link(account, kind, entity_id, "object")

    return find


def _ax_row(source: Source, table: str, through: str | None, key: Expression) -> Find:
    def find(run: Run) -> Record | ParkedFor:
        company = run.in_company()
        ax_id = key.as_text(run.env) if through is None else ""
        if through is not None:
            account, entity_id = run.subject.account_id, _entity_id(key, run)
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
    def find(run: Run) -> Record | ParkedFor:
        account, entity_id = run.subject.account_id, _entity_id(key, run)
        name = freshbooks_key(account, source.kind, entity_id)
        row = run.lookups.row(table, name)
        fetch = (source.kind, entity_id) if entity_id else None
        return row or ParkedFor(f"master {name}", f"the {source.kind} has not arrived from FreshBooks yet", fetch)

    return find


def _no_link(account: str, kind: str, entity_id: int, entity: str) -> ParkedFor:
    fetch = (kind, entity_id)
    return ParkedFor(f"xref {freshbooks_key(account, kind, entity_id)}", f"the {kind} has no AX {entity} yet", fetch)


def _entity_id(key: Expression, run: Run) -> int:
    """FreshBooks spells 'none' as null and as 0 (reference freshbooks, section 5.5): both find nothing."""
    text = key.as_text(run.env)
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
