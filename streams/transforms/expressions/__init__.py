"""The expression language of flows and mappings: closed, total, bounded.

An expression is compiled once to a plain function of its input and then called per record. It reads declared fields
and tables, nothing else: no attribute access, no call of Python code, no loop. Compiling checks every name, function,
table and argument count and raises ExpressionError with position and remedy. Calling gives a value or raises
PoisonError with code `expression_failed`, on any input. Costs are bounded by the limits in `values.py`.

Grammar, weakest binding first:

    or → and → not → comparison (== != < <= > >=, not chained) → ?? → + - & → * / → minus → primary
    primary: number | "text" | 'text' | true | false | null | root.field | function(…) | ( … )
"""

from streams.transforms.expressions.errors import ExpressionError
from streams.transforms.expressions.expression import Expression, compile_expression
from streams.transforms.expressions.scope import LookupTable, Scope
from streams.transforms.expressions.values import Value

__all__ = ["Expression", "ExpressionError", "LookupTable", "Scope", "Value", "compile_expression"]
