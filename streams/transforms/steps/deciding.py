"""Steps that decide whether and where a record goes on: filter, validate, derive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.failures import PoisonError
from streams.transforms.decision_tables import DIMENSIONS, Declared
from streams.transforms.decisions import Decision, Ignored
from streams.transforms.run import Run, StepRun
from streams.transforms.step_declarations import FilterRule, ValidateRule
from streams.transforms.steps.balance import balanced
from streams.transforms.steps.ledger_checks import CHECKS
from streams.transforms.steps.reversal import reverse
from streams.transforms.steps.workshop import Workshop


def compile_filter(rules: Sequence[FilterRule], place: str, workshop: Workshop) -> StepRun:
    """Records that end here."""
    scope = workshop.scope()
    compiled = [
        (workshop.problems.expression(f"{place}.{index}.when", rule.when, scope), rule.ignore, rule.reverse)
        for index, rule in enumerate(rules)
    ]

    def run(state: Run) -> Decision | None:
        for when, word, reverses in compiled:
            if when.condition(state.env):
                return reverse(state, word) if reverses else Ignored(word)
        return None

    return run


Check = Callable[[Run], None]


def compile_validate(rules: Sequence[ValidateRule], place: str, workshop: Workshop) -> StepRun:
    """What must hold."""
    checks = [_check(rule, f"{place}.{index}", workshop) for index, rule in enumerate(rules)]

    def run(state: Run) -> None:
        for check in checks:
            check(state)

    return run


def _check(rule: ValidateRule, place: str, workshop: Workshop) -> Check:
    if rule.check == "currency":
        return _known_currency(rule, place, workshop)
    if rule.check == "balanced":
        return balanced
    if rule.check is not None:
        return CHECKS[rule.check]
    holds = workshop.problems.expression(f"{place}.rule", rule.rule or "", workshop.scope())
    code, message, field = rule.code or "", rule.message or "", rule.field

    def check(state: Run) -> None:
        if not holds.condition(state.env):
            raise PoisonError(code, message, field=field)

    return check


def _known_currency(rule: ValidateRule, place: str, workshop: Workshop) -> Check:
    value = workshop.problems.expression(f"{place}.value", rule.value or "", workshop.scope())
    allowed = frozenset(workshop.settings.get("currencies", ()))

    def check(state: Run) -> None:
        currency = value.as_text(state.env)
        if currency not in allowed:
            raise PoisonError(
                "currency_not_allowed",
                f"checking the currency: {currency[:8]!r} is not in settings.currencies; add it there once AX has it",
                field="currency_code",
            )

    return check


def compile_derive(tables: Mapping[str, Declared], place: str, workshop: Workshop) -> StepRun:
    """Decision tables; their answers are added to those of earlier steps."""
    derivation = workshop.derivation(place, tables, workshop.scope())
    workshop.derived.update(tables)

    def run(state: Run) -> None:
        answers = derivation.derive(state.env)
        state.env["derived"] = {**state.env.get("derived", {}), **answers}
        state.note = answers

    return run


def header_dimensions(env: Mapping[str, Any]) -> dict[str, str]:
    """The dimensions that `derive` gave."""
    return dict(env.get("derived", {}).get(DIMENSIONS) or {})
