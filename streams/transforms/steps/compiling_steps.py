"""Compiles a list of declared steps, routes and their branches included, to functions of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.failures import PoisonError
from streams.transforms.decisions import Decision
from streams.transforms.expressions import Expression
from streams.transforms.run import Run, Step, StepOutput, StepRun
from streams.transforms.step_declarations import Branch
from streams.transforms.step_declarations import Step as DeclaredStep
from streams.transforms.steps import converting, deciding, joining, making, matching_rows, sending
from streams.transforms.steps.titles import title_of
from streams.transforms.steps.workshop import Workshop

COMPILERS: Mapping[str, Callable[[Any, str, Workshop], StepRun]] = {
    "filter": deciding.compile_filter,
    "look_up": joining.compile_look_up,
    "match": matching_rows.compile_match,
    "validate": deciding.compile_validate,
    "derive": deciding.compile_derive,
    "price": making.compile_price,
    "convert": converting.compile_convert,
    "map": making.compile_map,
    "post": sending.compile_post,
    "write_back": sending.compile_write_back,
}


def compile_steps(declared: Sequence[DeclaredStep], place: str, workshop: Workshop) -> tuple[Step, ...]:
    """The steps in their order; what is wrong goes to the workshop's problems."""
    return tuple(_step(step, f"{place}.{index}", workshop) for index, step in enumerate(declared))


def _step(declared: DeclaredStep, place: str, workshop: Workshop) -> Step:
    kind, settings = declared.kind, declared.settings
    at, title = f"{place}.{kind}", title_of(declared)
    if kind == "route":
        return _route(settings, at, title, workshop)
    return Step(at, kind, title, COMPILERS[kind](settings, at, workshop))


def _route(branches: Sequence[Branch], place: str, title: str, workshop: Workshop) -> Step:
    """The first branch whose condition holds; its steps, then those behind the route."""
    compiled: list[tuple[str, Expression | None, tuple[Step, ...]]] = []
    before, after = dict(workshop.roots), dict(workshop.roots)
    for index, branch in enumerate(branches):
        at = f"{place}.{index}"
        if branch.when is None and index < len(branches) - 1:
            workshop.problems.add(at, "a branch without condition hides the ones below it", "move it to the end")
        when = None
        if branch.when is not None:
            when = workshop.problems.expression(f"{at}.when", branch.when, workshop.scope())
        compiled.append((branch.branch, when, compile_steps(branch.steps, f"{at}.steps", workshop)))
        after.update(workshop.roots)
        workshop.roots = dict(before)
    # A name that only one branch gave is null behind the others.
    workshop.roots = after

    def run(state: Run) -> Decision | None:
        for name, when, steps in compiled:
            if when is None or when.condition(state.env):
                return _run_branch(state, name, steps)
        raise PoisonError(
            "no_route", f"routing at {place}: no branch holds; add one without condition to the flow and redrive"
        )

    return Step(place, "route", title, run, tuple((name, steps) for name, _, steps in compiled))


def _run_branch(state: Run, name: str, steps: Sequence[Step]) -> Decision | None:
    shown = []
    for step in steps:
        state.note = None
        decision = step.run(state)
        shown.append(StepOutput(step.place, step.kind, step.title, "end" if decision else "go_on", state.note))
        if decision is not None:
            return decision
    state.note = {"branch": name, "steps": shown}
    return None
