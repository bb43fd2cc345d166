"""What can go wrong with an expression: at compile time (for its author) and at run time (for one record)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ExpressionError(ValueError):
    """An expression that does not compile. `position` counts characters from 1; `remedy` says what to do."""

    def __init__(self, problem: str, *, position: int, remedy: str) -> None:
        super().__init__(f"at position {position}: {problem}; {remedy}")
        self.problem = problem
        self.position = position
        self.remedy = remedy


class EvaluationError(ValueError):
    """One evaluation that gives no value. Names types and limits, never the record's content."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """A remedy for an unknown name: the nearest known one, or the list of all."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are: {', '.join(names)}" if names else "none is declared here"
