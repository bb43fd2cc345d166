"""The expression language: what it computes, what it refuses to compile, and that nothing else can happen."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures import PoisonError
from streams.transforms.expressions import ExpressionError, LookupTable, Scope, compile_expression
from streams.transforms.expressions.functions import FUNCTIONS
from streams.transforms.expressions.reference import expression_page
from streams.transforms.expressions.values import MAX_DEPTH, MAX_EXPRESSION_LENGTH, MAX_TEXT_LENGTH


class Colour(StrEnum):
    RED = "red"


RECORD: dict[str, Any] = {
    "name": " Ann  Lee ",
    "nothing": None,
    "blank": "  ",
    "count": 3,
    "price": Decimal("12.5000"),
    "huge": 10**50,
    "not_a_number": Decimal("NaN"),
    "zero": Decimal("0E+500"),
    "day": date(2026, 1, 31),
    "instant": datetime(2026, 1, 31, 23, 59, tzinfo=UTC),
    "naive": datetime(2026, 1, 31),  # noqa: DTZ001 - what the language refuses
    "paid": True,
    "lines": [1, 2],
    "none_at_all": [],
    "colour": Colour.RED,
    "floating": 1.5,
    "long": "x" * MAX_TEXT_LENGTH,
}
SCOPE = Scope(
    fields={"r": frozenset({*RECORD, "missing"}), "open": None},
    constants={
        "settings": {
            "rate": Decimal("0.19"),
            "group": {"default": "10"},
            "list": ["a"],
            "off": False,
            "huge": Decimal("1e50"),
        }
    },
    tables={"countries": LookupTable("countries", {"Germany": "DEU", "United  States": "USA"})},
)
ENVIRONMENT = {"r": RECORD, "open": {"a": {"b": "deep"}, "text": "t"}}


def evaluate(text: str) -> Any:
    return compile_expression(text, SCOPE)(ENVIRONMENT)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # literals and fields
        ('"a ""quoted"" word"', 'a "quoted" word'),
        ("'it''s'", "it's"),
        ("12.50", Decimal("12.5")),
        ("true", True),
        ("null", None),
        ("r.count", Decimal(3)),
        ("r.missing", None),
        ("r.colour", "red"),
        ("r.zero", Decimal(0)),
        ("open.a.b", "deep"),
        ("open.x.y", None),
        ("settings.rate", Decimal("0.19")),
        ("settings.group.default", "10"),
        ("settings.off", False),
        # arithmetic: binding, signs, null, division by zero
        ("1 + 2 * 3 - 8 / 4", Decimal(5)),
        ("(1 + 2) * 3", Decimal(9)),
        ("2 - 3 - 4", Decimal(-5)),
        ("- -r.count", Decimal(3)),
        ("-r.count + 1", Decimal(-2)),
        ("-r.nothing", None),
        ("-0", Decimal(0)),
        ("r.price * r.nothing", None),
        ("1 / 0", None),
        ("1 / 0 ?? 7", Decimal(7)),
        ("r.nothing / 0", None),
        # text
        ('r.nothing & "x" & r.price & r.paid & r.day', "x12.5true2026-01-31"),
        ('concat("a", null, 1)', "a1"),
        ("trim(r.name)", "Ann  Lee"),
        ("collapse(r.name)", "Ann Lee"),
        ("trim(r.nothing)", None),
        ('upper("straße")', "STRASSE"),
        ('lower("ÄB")', "äb"),
        ('strip_control("a")', "a"),
        ('substring("freshax", 1, 5)', "fresh"),
        ('substring("freshax", 6, 99)', "ax"),
        ("substring(null, 1, 1)", None),
        ('replace("a-b-c", "-", "")', "abc"),
        ('replace("abc", "", "x")', "abc"),
        ('replace(null, "a", "b")', None),
        ('starts_with("[AX:1]", "[AX:")', True),
        ('starts_with(null, "a")', False),
        ('contains("abc", "bc")', True),
        ("length(r.name)", Decimal(10)),
        ("length(r.lines)", Decimal(2)),
        ("length(null)", Decimal(0)),
        # emptiness, choice, coalescing
        ("is_empty(r.blank)", True),
        ("is_empty(r.none_at_all)", True),
        ("is_empty(r.lines)", False),
        ("is_empty(0)", False),
        ('if(r.count > 2, "many", "few")', "many"),
        ('if(r.nothing, "yes", "no")', "no"),
        ("if(true, 1, -r.name)", Decimal(1)),
        ("r.nothing ?? r.missing ?? 5", Decimal(5)),
        ("coalesce(r.nothing, 6, -r.name)", Decimal(6)),
        ("coalesce(null)", None),
        ('one_of(r.colour, "blue", "red")', True),
        ('one_of(r.count, "3")', False),
        # comparison and logic
        ("r.count == 3 and r.price >= 12.5 and r.price <= 12.5", True),
        ('r.count == "3"', False),
        ('r.count != "3"', True),
        ("r.nothing == null", True),
        ("r.nothing < 3", None),
        ("not (r.nothing < 3)", True),
        ("not not true", True),
        ('"a" < "b"', True),
        ("r.day < add_days(r.day, 1)", True),
        ("false or r.paid", True),
        ("true or -r.name", True),
        ("false and -r.name", False),
        ("null or false", False),
        # tables
        ('lookup("countries", " germany ")', "DEU"),
        ('lookup("countries", "united states")', "USA"),
        ('lookup("countries", r.nothing)', None),
        ('lookup("countries", "Freedonia", "???")', "???"),
        ('lookup("countries", "Germany", -r.name)', "DEU"),
        # dates and numbers
        ("add_days(r.day, 30)", date(2026, 3, 2)),
        ("add_days(r.instant, -31)", date(2025, 12, 31)),
        ("add_days(null, 1)", None),
        ("date(r.instant)", date(2026, 1, 31)),
        ('date(" 2026-06-29 ")', date(2026, 6, 29)),
        ('date("29.06.2026")', None),
        ('format(r.day, "DD.MM.YYYY")', "31.01.2026"),
        ("format(r.price, 3)", "12.500"),
        ("format(2.345, 2)", "2.35"),
        ("format(null, 2)", None),
        ("round(2.345, 2)", Decimal("2.34")),
        ('round(2.345, 2, "half_up")', Decimal("2.35")),
        ("round(null, 2)", None),
        ("abs(0 - 3)", Decimal(3)),
        ('ends_with("INV-1", "-1")', True),
        ("ends_with(null, 1)", False),
        ('before("INV-1-2", "-")', "INV"),
        ('before("INV", "-")', "INV"),
        ('before(null, "-")', None),
        ('after("INV-1-2", "-")', "1-2"),
        ('after("INV", "-")', None),
        ('after(null, "-")', None),
        ('pad_left(7, 5, "0")', "00007"),
        ('pad_left("123456", 5, "0")', "123456"),
        ('pad_left(null, 5, "0")', None),
        ('digits("INV-2026/07")', "202607"),
        ("digits(null)", None),
        ("min(3, null, 2.5)", Decimal("2.5")),
        ("max(3, 2.5)", Decimal(3)),
        ("max(null, null)", None),
        ("min(r.day, add_days(r.day, -1))", date(2026, 1, 30)),
        ("max(r.instant, add_days(r.day, 1))", date(2026, 2, 1)),
        ('decimals("JPY")', Decimal(0)),
        ('decimals("KWD")', Decimal(3)),
        ("decimals(null)", None),
        ("days_between(r.day, add_days(r.day, -3))", Decimal(-3)),
        ("days_between(null, r.day)", None),
        ("month_end(r.day)", date(2026, 1, 31)),
        ("month_end(add_days(r.day, 28))", date(2026, 2, 28)),
        ('month_end(date("9999-12-05"))', date(9999, 12, 31)),
        ("month_end(null)", None),
        # 31 January, 23:59 UTC is the first of February in Berlin.
        ('date(r.instant, "Europe/Berlin")', date(2026, 2, 1)),
        ('date(r.day, "Europe/Berlin")', date(2026, 1, 31)),
        ("abs(null)", None),
    ],
)
def test_an_expression_computes(text: str, value: Any) -> None:
    result = evaluate(text)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "position", "problem", "remedy"),
    [
        ("r.nmae", 1, "unknown field r.nmae", "did you mean name?"),
        ("1 + x.y", 5, "unknown name x", "known are: open, r, settings"),
        ("r", 1, "r is a record, not a value", "name a field of it, as in r.field"),
        ("r.day.year", 1, "unknown field r.day.year", "known are"),
        ("settings.rat", 1, "unknown setting settings.rat", "did you mean rate?"),
        ("settings.rate.x", 1, "unknown setting settings.rate.x", "none is declared here"),
        ("settings.huge", 1, "settings.huge is a number outside", "write another value"),
        ("settings.group", 1, "settings.group is a group, not a value", "known are: default"),
        ("settings", 1, "settings is a group, not a value", "known are"),
        ("tirm(r.name)", 1, "unknown function tirm", "did you mean trim?"),
        ("if(true, 1)", 1, "if with 2 arguments", "write if(condition, a, b)"),
        ("trim()", 1, "trim with 0 arguments", "write trim(text)"),
        ('lookup("contries", 1)', 1, "unknown table contries", "did you mean countries?"),
        ("lookup(r.name, 1)", 1, "lookup without a table's name", "in quotes"),
        ("1 = 1", 3, "a single =", "compare with =="),
        ("1 # 2", 3, "character '#' has no meaning here", "put texts into quotes"),
        ("'abc", 1, "a text that does not end", "close it with '"),
        ("", 1, "a value is missing before end of the expression", "write a field"),
        ("(1", 3, "end of the expression where ) was expected", "close the parenthesis"),
        ("trim(1 2)", 8, "2 where ) was expected", "close the arguments"),
        ("1 2", 3, "2 where end of the expression was expected", "join the parts"),
        ("1 < 2 < 3", 7, "a comparison of a comparison", "with and"),
        ("and", 1, "a value is missing before and", "write a field"),
        ("9" * 41, 1, "a number outside", "write a smaller number"),
        ("1" + " " * MAX_EXPRESSION_LENGTH, 1001, "the expression has 1001 characters", "table"),
        ("(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1), MAX_DEPTH + 1, "nested deeper", "decision table"),
    ],
)
def test_an_expression_that_does_not_compile_names_position_and_remedy(
    text: str, position: int, problem: str, remedy: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, SCOPE)

    assert caught.value.position == position
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert str(position) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-r.name", "a number is needed, this is a text"),
        ("r.name + 1", "a number is needed"),
        ("r.day < r.instant", "a date and a instant have no order"),
        ("r.paid < r.paid", "have no order"),
        ("if(r.name, 1, 2)", "a condition is needed, this is a text"),
        ("not r.count", "a condition is needed, this is a number"),
        ("r.huge", "a number outside"),
        ("r.not_a_number", "a number outside"),
        ("r.floating", "a float, which is no value"),
        ("r.naive", "an instant without a time zone"),
        ("open.text.x", "a field x of something that has no fields"),
        ("r.lines & 1", "a text is needed, this is a list"),
        ('r.long & "x"', "a text longer than 10000"),
        ('replace(r.long, "x", "xx")', "a text longer than 10000"),
        ("upper(r.long & r.long)", "a text longer than 10000"),
        ("substring(r.name, 0, 1)", "a whole number from 1"),
        ("substring(r.name, 1.5, 1)", "a whole number from 1"),
        ("add_days(r.name, 1)", "a date is needed, this is a text"),
        ('date(r.instant, "Berlin")', "a time zone that is not known"),
        ('date(r.instant, "../etc/passwd")', "a time zone that is not known"),
        ("month_end(r.count)", "a date is needed, this is a number"),
        ("max(r.count, r.day)", "a date is needed, this is a number"),
        ('before("a", "")', "the mark is empty"),
        ('pad_left("a", 3, "xy")', "one character to fill with is needed"),
        ('pad_left("a", 10001, "x")', "a whole number from 0 to 10000"),
        ('add_days(date("9999-12-31"), 1)', "a date outside the years"),
        ('format(r.name, "YYYY")', "a date is needed"),
        ('round(1, 2, "down")', "the rounding is half_even or half_up"),
        ("round(" + "9" * 39 + ", 12)", "a number too large for 12 decimals"),
        ("9" * 39 + " * " + "9" * 39, "a number outside"),
    ],
)
def test_an_evaluation_without_a_value_is_poison_and_names_the_place(text: str, reason: str) -> None:
    expression = compile_expression(text, SCOPE, "flow.yaml: fields.name")

    for call in (expression, expression.condition, expression.as_text):
        with pytest.raises(PoisonError, match=reason) as caught:
            call(ENVIRONMENT)
        assert caught.value.code == "expression_failed"
        assert caught.value.field == "flow.yaml: fields.name"


def test_a_condition_is_true_false_or_refused() -> None:
    assert compile_expression("r.paid", SCOPE).condition(ENVIRONMENT) is True
    assert compile_expression("r.nothing", SCOPE).condition(ENVIRONMENT) is False
    assert compile_expression("r.nothing", SCOPE).as_text(ENVIRONMENT) == ""
    with pytest.raises(PoisonError):
        compile_expression("r.count", SCOPE).condition(ENVIRONMENT)


def test_a_record_need_not_be_a_dict_and_may_be_missing() -> None:
    expression = compile_expression("r.name ?? 'none'", SCOPE)

    assert expression({}) == "none"
    with pytest.raises(PoisonError, match="has no fields"):
        expression({"r": "text"})


def test_length_is_bounded_by_nesting_not_by_the_number_of_operators() -> None:
    assert evaluate(" + ".join(["1"] * 250)) == Decimal(250)
    assert evaluate("(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH) == Decimal(1)


def test_a_table_has_each_key_once_without_regard_to_case() -> None:
    with pytest.raises(ValueError, match="'GERMANY' stands twice"):
        LookupTable("countries", {"Germany": "DEU", "GERMANY": "D"})


def test_the_page_of_functions_is_that_of_the_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text()

    # Made by `freshax flows functions > docs/expressions.md`.
    assert page == expression_page()
    assert all(f"`{function.usage}` | {function.doc}" in page for function in FUNCTIONS.values())


PIECES = st.sampled_from(
    [
        *FUNCTIONS,
        *"()+-*/&,<>",
        "??",
        "==",
        "!=",
        "<=",
        "and",
        "or",
        "not",
        "null",
        "true",
        "1",
        "2.5",
        "'t'",
        '"countries"',
    ]
    + [f"r.{name}" for name in RECORD]
    + ["open.a.b", "settings.rate", "settings.group", " "]
)
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=25).map(" ".join)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=20)
    | st.binary(max_size=3)
    | st.dates()
    | st.datetimes(timezones=st.sampled_from([None, UTC]))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
RECORDS = st.fixed_dictionaries({}, optional=dict.fromkeys(RECORD, VALUES))


@given(text=TEXTS)
def test_any_text_compiles_or_is_refused(text: str) -> None:
    refusal = None
    try:
        compile_expression(text, SCOPE)
    except ExpressionError as reason:
        refusal = reason

    assert refusal is None or (refusal.remedy and 1 <= refusal.position <= MAX_EXPRESSION_LENGTH + 1)


@st.composite
def expressions(draw: Any, depth: int = 3) -> str:
    """Texts that compile: every operator and function over fields, literals and each other."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(
            st.sampled_from([f"r.{name}" for name in RECORD] + ["null", "true", "2", "0", "1.5", "'text'", "open.a.b"])
        )
    part = expressions(depth=depth - 1)
    if draw(st.booleans()):
        operator = draw(st.sampled_from(["+", "-", "*", "/", "&", "??", "==", "!=", "<", "<=", ">", ">=", "and", "or"]))
        return f"({draw(part)} {operator} {draw(part)})"
    name = draw(st.sampled_from([*FUNCTIONS, "not", "-"]))
    if name in ("not", "-"):
        return f"({name} {draw(part)})"
    function = FUNCTIONS[name]
    count = draw(st.integers(function.fewest, min(function.most, function.fewest + 1)))
    arguments = [draw(part) for _ in range(count)]
    if name == "lookup":
        arguments[0] = '"countries"'
    return f"{name}({', '.join(arguments)})"


@given(text=expressions(), record=RECORDS | VALUES)
def test_any_expression_on_any_input_gives_a_value_or_is_poison(text: str, record: Any) -> None:
    expression = compile_expression(text, SCOPE)

    code, value = "", None
    try:
        value = expression({"r": record, "open": record})
    except PoisonError as reason:
        code = reason.code

    assert code in ("", "expression_failed")
    assert value is None or isinstance(value, (bool, str, Decimal, date, tuple))
    assert not isinstance(value, Decimal) or value.is_finite()
