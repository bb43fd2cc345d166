"""The step convert: amounts in another currency, at the rate that AX would take, which travels with the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from schemas.failures import PoisonError
from streams.transforms.decisions import Decision, ParkedFor
from streams.transforms.exchange_rates import Conversion, Rate, convert
from streams.transforms.expressions import Expression, Value
from streams.transforms.run import Run, StepRun
from streams.transforms.step_declarations import Convert
from streams.transforms.steps.workshop import Names, Workshop

_RATE_NAMES: Names = frozenset({"rate", "rate_per_hundred", "rate_date", "rule", "currency", "total"})


def compile_convert(declared: Convert, place: str, workshop: Workshop) -> StepRun:
    """Convert amounts that belong together; named `as` from here on, `<as>.total` is their sum."""
    scope, problems = workshop.scope(), workshop.problems
    source = problems.expression(f"{place}.from", declared.source, scope)
    target = problems.expression(f"{place}.to", declared.target, scope)
    on = problems.expression(f"{place}.on", declared.on, scope)
    kind = problems.expression(f"{place}.rate_type", declared.rate_type, scope)
    amounts = {
        name: problems.expression(f"{place}.amounts.{name}", text, scope) for name, text in declared.amounts.items()
    }
    line_amount = _of_line(declared, place, workshop)
    for name in declared.amounts.keys() & _RATE_NAMES:
        problems.add(f"{place}.amounts.{name}", "the name is taken", "choose another")
    workshop.name_row(place, declared.name, frozenset({*_RATE_NAMES, *declared.amounts}))

    def run(state: Run) -> Decision | None:
        to = target.as_text(state.env) or _accounting_currency(state)
        rate = _rate(state, kind.as_text(state.env), source.as_text(state.env), to, _day(on, state.env))
        if isinstance(rate, ParkedFor):
            return _missing(declared.on_missing, rate)
        elements = [] if declared.for_each is None else state.record[declared.for_each]
        parts = [_amount(expression, state.env) for expression in amounts.values()]
        parts += [_amount(line_amount, {**state.env, "line": line}) for line in elements if line_amount is not None]
        converted = convert(parts, rate, to)
        _keep(state, declared, converted, to, list(amounts))
        return None

    return run


def _of_line(declared: Convert, place: str, workshop: Workshop) -> Expression | None:
    if declared.for_each is None or declared.amount is None:
        return None
    names = workshop.element_names(f"{place}.for_each", declared.for_each)
    workshop.joined.setdefault(declared.for_each, {})[f"{declared.name}_line"] = frozenset({"amount"})
    return workshop.problems.expression(f"{place}.amount", declared.amount, workshop.scope(line=names))


def _keep(state: Run, declared: Convert, converted: Conversion, currency: str, names: Sequence[str]) -> None:
    rate = converted.rate
    values: dict[str, Any] = {
        "rate": rate.per_unit,
        "rate_per_hundred": rate.as_stored,
        "rate_date": rate.valid_from,
        "rule": rate.rule,
        "currency": currency,
        "total": converted.total,
        **dict(zip(names, converted.parts, strict=False)),
    }
    state.env[declared.name] = state.note = values
    if declared.for_each is not None:
        rows: list[dict[str, Any] | None] = [{"amount": part} for part in converted.parts[len(names) :]]
        state.joined.setdefault(declared.for_each, {})[f"{declared.name}_line"] = rows


def _rate(run: Run, kind: str, source: str, target: str, on: date) -> Rate | ParkedFor:
    company = run.in_company()
    ledger = run.lookups.ledger(company)
    rate = None if ledger is None else ledger.rate_table.find(kind, source, target, on)
    if rate is None:
        place = f"rate {company}:{kind}:{source}:{target}:{on.isoformat()}"
        return ParkedFor(place, f"AX has no {kind} rate of {source} in {target} on {on.isoformat()}")
    run.used[f"rate {kind} {source}/{target}"] = rate.told()
    return rate


def _missing(wish: str, waits: ParkedFor) -> Decision | None:
    if wish == "park":
        return waits
    if wish == "go_on":
        return None
    raise PoisonError(
        "rate_missing", f"converting: {waits.reason}; enter the rate in AX and redrive", field="currency_code"
    )


def _accounting_currency(run: Run) -> str:
    ledger = run.lookups.ledger(run.in_company())
    return "" if ledger is None else ledger.currency


def _day(expression: Expression, env: Mapping[str, Any]) -> date:
    value = expression(env)
    if isinstance(value, date):
        return value
    raise _wrong(expression, "date")


def _amount(expression: Expression, env: Mapping[str, Any]) -> Decimal:
    value: Value = expression(env)
    if value is None:
        return Decimal(0)
    if isinstance(value, Decimal):
        return value
    raise _wrong(expression, "number")


def _wrong(expression: Expression, wanted: str) -> PoisonError:
    return PoisonError(
        "expression_failed",
        f"evaluating {expression.place}: a {wanted} is needed; correct the record or the expression",
        field=expression.place,
    )
