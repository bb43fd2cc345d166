"""Parses tokens by precedence and compiles them in the same pass to nested functions of the environment.

A chain of one level (`a & b & c`) becomes one function with a loop, so the depth of the compiled functions is bounded
by the nesting of the text (MAX_DEPTH), never by its length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from streams.transforms.expressions import closures, functions, operators
from streams.transforms.expressions.closures import Evaluate
from streams.transforms.expressions.errors import EvaluationError, ExpressionError, suggestion
from streams.transforms.expressions.scope import Scope
from streams.transforms.expressions.tokens import Token, tokenize
from streams.transforms.expressions.values import (
    MAX_DEPTH,
    Value,
    from_record,
    number,
)

_LITERALS: dict[str, Value] = {"true": True, "false": False, "null": None}
_WORDS = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class Node:
    """A compiled part. `literal` tells that its value is `value`, whatever the input."""

    evaluate: Evaluate
    literal: bool = False
    value: Value = None


class Parser:
    """One parse of one expression."""

    def __init__(self, text: str, scope: Scope) -> None:
        self._tokens = tokenize(text)
        self._scope = scope
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        """The whole expression. Raises ExpressionError when something is left over or missing."""
        node = self._either()
        self._expect("end", "end of the expression", "join the parts with an operator")
        return node

    # --- levels, weakest binding first ---------------------------------------------------------------------------

    def _either(self) -> Node:
        parts = self._parts("or", self._both)
        return parts[0] if len(parts) == 1 else Node(closures.any_of([part.evaluate for part in parts]))

    def _both(self) -> Node:
        parts = self._parts("and", self._negation)
        return parts[0] if len(parts) == 1 else Node(closures.all_of([part.evaluate for part in parts]))

    def _negation(self) -> Node:
        negations = 0
        while self._take("name", "not"):
            negations += 1
        node = self._comparison()
        if not negations:
            return node
        return Node(closures.negated(node.evaluate, negations % 2 == 1))

    def _comparison(self) -> Node:
        left = self._first_present()
        token = self._peek
        if token.kind != "operator" or token.text not in operators.COMPARISONS:
            return left
        self._at += 1
        right = self._first_present()
        if self._peek.kind == "operator" and self._peek.text in operators.COMPARISONS:
            raise self._error("a comparison of a comparison", "join two comparisons with and")
        return Node(closures.binary(operators.COMPARISONS[token.text], left.evaluate, right.evaluate))

    def _first_present(self) -> Node:
        parts = self._parts("??", self._sum)
        return parts[0] if len(parts) == 1 else Node(closures.coalesced([part.evaluate for part in parts]))

    def _sum(self) -> Node:
        return self._fold(("+", "-", "&"), self._product)

    def _product(self) -> Node:
        return self._fold(("*", "/"), self._signed)

    def _signed(self) -> Node:
        minus = 0
        while self._take("operator", "-"):
            minus += 1
        node = self._primary()
        return Node(closures.signed(node.evaluate, minus % 2 == 1)) if minus else node

    def _primary(self) -> Node:
        token = self._peek
        self._at += 1
        if token.kind == "number":
            return _literal(self._number(token))
        if token.kind == "text":
            return _literal(token.text)
        if token.kind == "name" and token.text not in _WORDS:
            if self._peek.text == "(" and self._peek.kind == "operator":
                return self._call(token)
            return _literal(_LITERALS[token.text]) if token.text in _LITERALS else self._path(token)
        if token.kind == "operator" and token.text == "(":
            self._enter(token)
            node = self._either()
            self._expect("operator", ")", "close the parenthesis")
            self._depth -= 1
            return node
        self._at -= 1
        raise self._error(f"a value is missing before {token.text}", "write a field, a literal or a function")

    # --- names ---------------------------------------------------------------------------------------------------

    def _path(self, token: Token) -> Node:
        root, *names = token.text.split(".")
        if root in self._scope.constants:
            return self._constant(token, root, names)
        if root not in self._scope.fields:
            known = [*self._scope.fields, *self._scope.constants]
            raise _unknown(f"unknown name {root}", token, suggestion(root, known))
        fields = self._scope.fields[root]
        if not names:
            raise _unknown(f"{root} is a record, not a value", token, f"name a field of it, as in {root}.field")
        if fields is not None and (names[0] not in fields or len(names) > 1):
            raise _unknown(f"unknown field {token.text}", token, suggestion(".".join(names), fields))
        return Node(closures.reader(root, names))

    def _constant(self, token: Token, root: str, names: Sequence[str]) -> Node:
        value: Any = self._scope.constants[root]
        for name in names:
            if not isinstance(value, Mapping) or name not in value:
                known = value if isinstance(value, Mapping) else ()
                raise _unknown(f"unknown setting {token.text}", token, suggestion(name, known))
            value = value[name]
        if isinstance(value, Mapping):
            raise _unknown(f"{token.text} is a group, not a value", token, suggestion("", value))
        try:
            return _literal(from_record(value))
        except EvaluationError as reason:
            raise _unknown(f"{token.text} is {reason}", token, "write another value") from reason

    def _call(self, token: Token) -> Node:
        function = functions.FUNCTIONS.get(token.text)
        if function is None:
            raise _unknown(f"unknown function {token.text}", token, suggestion(token.text, functions.FUNCTIONS))
        self._enter(token)
        self._at += 1
        arguments = self._arguments()
        self._depth -= 1
        if not function.fewest <= len(arguments) <= function.most:
            raise _unknown(f"{token.text} with {len(arguments)} arguments", token, f"write {function.usage}")
        if function.call is not None:
            return Node(closures.called(function.call, [argument.evaluate for argument in arguments]))
        if token.text == "lookup":
            return self._lookup(token, arguments)
        evaluators = [argument.evaluate for argument in arguments]
        return Node(closures.chosen(*evaluators) if token.text == "if" else closures.coalesced(evaluators))

    def _arguments(self) -> list[Node]:
        if self._take("operator", ")"):
            return []
        arguments = self._parts(",", self._either)
        self._expect("operator", ")", "close the arguments")
        return arguments

    def _lookup(self, token: Token, arguments: Sequence[Node]) -> Node:
        name = arguments[0].value
        if not isinstance(name, str):
            raise _unknown("lookup without a table's name", token, 'write the name in quotes: lookup("table", key)')
        table = self._scope.tables.get(name)
        if table is None:
            raise _unknown(f"unknown table {name}", token, suggestion(name, self._scope.tables))
        return Node(closures.looked_up(table.get, *(argument.evaluate for argument in arguments[1:])))

    def _number(self, token: Token) -> Value:
        try:
            return number(Decimal(token.text))
        except EvaluationError as reason:
            raise _unknown(f"{reason}", token, "write a smaller number") from reason

    # --- tokens --------------------------------------------------------------------------------------------------

    @property
    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _take(self, kind: str, text: str) -> bool:
        token = self._tokens[self._at]
        if token.kind == kind and token.text == text:
            self._at += 1
            return True
        return False

    def _parts(self, separator: str, part: Callable[[], Node]) -> list[Node]:
        kind = "name" if separator in _WORDS else "operator"
        parts = [part()]
        while self._take(kind, separator):
            parts.append(part())
        return parts

    def _fold(self, symbols: Sequence[str], part: Callable[[], Node]) -> Node:
        first = part()
        rest: list[tuple[operators.Binary, Evaluate]] = []
        while self._peek.kind == "operator" and self._peek.text in symbols:
            symbol = self._peek.text
            self._at += 1
            rest.append((operators.ARITHMETIC_OPERATORS[symbol], part().evaluate))
        if not rest:
            return first
        if len(rest) == 1:
            return Node(closures.binary(rest[0][0], first.evaluate, rest[0][1]))
        return Node(closures.folded(first.evaluate, rest))

    def _enter(self, token: Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _unknown(f"nested deeper than {MAX_DEPTH}", token, "use a table or a decision table")

    def _expect(self, kind: str, text: str, remedy: str) -> None:
        if not self._take(kind, text):
            raise self._error(f"{self._peek.text} where {text} was expected", remedy)

    def _error(self, problem: str, remedy: str) -> ExpressionError:
        return ExpressionError(problem, position=self._peek.position, remedy=remedy)


def _unknown(problem: str, token: Token, remedy: str) -> ExpressionError:
    return ExpressionError(problem, position=token.position, remedy=remedy)


def _literal(value: Value) -> Node:
    return Node(lambda _: value, literal=True, value=value)
