"""The step match: finds the AX row that a FreshBooks record is, and links the two.

Keys are tried in the order of the file. The first that finds anything decides: one candidate is linked, several are a
question for a person. When none finds anything, names that are alike can be looked at (`similar`): one row alone above
the threshold is linked, others are a question too. Else the record goes on, to be created.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schemas.failures import AmbiguousError, PoisonError
from schemas.keys import ax_key, command_id, freshbooks_key
from schemas.records import CrossReference, FreshBooksCommand, FreshBooksOperation
from streams.transforms.decisions import Decision, Match, ParkedFor, Ready
from streams.transforms.declarations import MatchSettings
from streams.transforms.expressions import Expression
from streams.transforms.matching import alike, normalise
from streams.transforms.run import Run, StepRun
from streams.transforms.sources import AX_TABLES, changed_at
from streams.transforms.step_declarations import Match as MatchStep
from streams.transforms.step_declarations import Similar
from streams.transforms.steps.workshop import Workshop

# Enough for a person to see the case; the message is no report.
_NAMED_CANDIDATES = 5
Keys = tuple[tuple[str, Expression], ...]


def compile_match(declared: MatchStep, place: str, workshop: Workshop) -> StepRun:
    """Link the record with the AX row that fits."""
    if declared.table not in AX_TABLES:
        workshop.problems.add(f"{place}.in", f"{declared.table} is no table of AX", f"write {', '.join(AX_TABLES)}")
        return lambda _run: None
    settings = workshop.checked_settings(MatchSettings)
    creates = settings is None or settings.create_unknown
    entity, known = AX_TABLES[declared.table].kind, AX_TABLES[declared.table].record.__struct_fields__
    for index, key in enumerate(declared.keys):
        if key.by not in known:
            workshop.problems.add(f"{place}.keys.{index}.by", f"{declared.table} have no {key.by}", "remove this key")
    scope = workshop.scope()
    keys: Keys = tuple(
        (key.by, workshop.problems.expression(f"{place}.keys.{index}.value", key.value, scope))
        for index, key in enumerate(declared.keys)
    )

    similar = None if declared.similar is None else _similar(declared.similar, declared.table, place, workshop)

    def run(state: Run) -> Decision | None:
        found = _find(state, declared.table, keys)
        if not found.candidates and similar is not None:
            found = similar(state, entity)
        if found.candidates:
            return _linked(state, entity, _chosen(state, entity, found), found.matched_by)
        if creates:
            state.note = "none fits: to be created"
            return None
        return ParkedFor(f"xref {state.key}", f"no AX {entity} matches, and this flow creates none: link it by hand")

    return run


def _find(run: Run, table: str, keys: Keys) -> Match:
    company = run.in_company()
    for field_name, value in keys:
        wanted = normalise(field_name, value.as_text(run.env))
        if not wanted:
            continue
        found = [row for row in run.lookups.rows_by(table, company, field_name, wanted) if not row.deleted]
        if found:
            return Match(found, field_name)
    return Match()


def _similar(declared: Similar, table: str, place: str, workshop: Workshop) -> Callable[[Run, str], Match]:
    value = workshop.problems.expression(f"{place}.similar.value", declared.value, workshop.scope())

    def find(run: Run, entity: str) -> Match:
        rows = (row for row in run.lookups.rows_of(table, run.in_company()) if not row.deleted)
        scored = alike(value.as_text(run.env), rows, declared.ask_from)
        if not scored:
            return Match()
        score, best = scored[0]
        if score >= declared.match_from and len(scored) == 1:
            return Match([best], "similar_name")
        named = [f"{row.account_number} ({points:.0f})" for points, row in scored]
        raise AmbiguousError(
            f"ambiguous_{entity}",
            f"matching by similar name: {_names_of(named)} may be meant; link one of them by hand, or create another",
            field="name",
            candidates=tuple(named),
        )

    return find


def _chosen(run: Run, entity: str, match: Match) -> Any:
    """The one candidate. Raises PoisonError when there are several, or when it belongs to another record."""
    kind = run.source.kind
    if len(match.candidates) > 1:
        raise AmbiguousError(
            f"ambiguous_{entity}",
            f"matching by {match.matched_by}: {_names(match.candidates)} all fit; link one of them by hand",
            field=match.matched_by,
            candidates=tuple(sorted(row.account_number for row in match.candidates)),
        )
    row = match.candidates[0]
    other = run.lookups.xref_by_ax(run.in_company(), entity, row.account_number)
    entity_id = getattr(run.subject, run.source.id_field)
    if other is not None and (other.account_id, other.freshbooks_id) != (run.subject.account_id, entity_id):
        raise PoisonError(
            f"{entity}_already_linked",
            f"matching by {match.matched_by}: {row.account_number} belongs to {kind} "
            f"{freshbooks_key(other.account_id, other.kind, other.freshbooks_id)}; merge the {kind}s, or link by hand",
            field=match.matched_by,
        )
    return row


def _names(candidates: Sequence[Any]) -> str:
    return _names_of(sorted(row.account_number for row in candidates))


def _names_of(numbers: Sequence[str]) -> str:
    rest = len(numbers) - _NAMED_CANDIDATES
    named = ", ".join(numbers[:_NAMED_CANDIDATES])
    return f"{named} and {rest} more" if rest > 0 else named


def _linked(run: Run, entity: str, row: Any, matched_by: str) -> Ready:
    company, account_id, kind = run.in_company(), run.subject.account_id, run.source.kind
    entity_id = getattr(run.subject, run.source.id_field)
    link = CrossReference(
        account_id=account_id,
        kind=kind,
        freshbooks_id=entity_id,
        company=company,
        entity=entity,
        ax_id=row.account_number,
        linked_by=matched_by,
        revision=0,
        linked_at=run.now,
    )
    reference = f"{company}/{row.account_number}"
    write = FreshBooksCommand(
        command_id=command_id("freshbooks", run.key, reference, FreshBooksOperation.WRITE_REFERENCE),
        operation=FreshBooksOperation.WRITE_REFERENCE,
        account_id=account_id,
        kind=kind,
        entity_id=entity_id,
        reference=reference,
        fields={},
        reason=f"matched {ax_key(company, entity, row.account_number)} by {matched_by}",
        changed_at=changed_at(run.subject),
        issued_at=run.now,
    )
    return Ready(links=(link,), freshbooks_commands=(write,))
