"""A compiled expression and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemas.failures import PoisonError
from streams.transforms.expressions.errors import EvaluationError
from streams.transforms.expressions.scope import Scope
from streams.transforms.expressions.syntax import Parser
from streams.transforms.expressions.values import Environment, Value, as_condition, as_text


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression: a function of an environment (root name to record), with its text and its place."""

    text: str
    place: str
    evaluate: Callable[[Environment], Value]

    def __call__(self, env: Environment) -> Value:
        """Value of the expression. Raises PoisonError `expression_failed`, and nothing else."""
        try:
            return self.evaluate(env)
        except EvaluationError as reason:
            raise self._failure(reason) from reason

    def condition(self, env: Environment) -> bool:
        """Truth of the expression; null is false. Raises PoisonError as `__call__`, also for what is no boolean."""
        try:
            return as_condition(self.evaluate(env))
        except EvaluationError as reason:
            raise self._failure(reason) from reason

    def as_text(self, env: Environment) -> str:
        """Text form of the value, empty for null. Raises PoisonError as `__call__`."""
        try:
            return as_text(self.evaluate(env))
        except EvaluationError as reason:
            raise self._failure(reason) from reason

    def _failure(self, reason: EvaluationError) -> PoisonError:
        return PoisonError(
            "expression_failed",
            f"evaluating {self.place}: {reason}; correct the record or the expression",
            field=self.place,
        )


def compile_expression(text: str, scope: Scope, place: str = "expression") -> Expression:
    """Compile `text` within `scope`. `place` names the file and field for messages at run time.

    Raises ExpressionError naming position and remedy.
    """
    return Expression(text, place, Parser(text, scope).parse().evaluate)
