"""Mappings: per field source, table, type, default and length; what is lost is told, what does not fit is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures import PoisonError
from streams.transforms.cleaning import utf16_length
from streams.transforms.compiling import Problems, checked
from streams.transforms.decisions import Loss
from streams.transforms.declarations import MAPPING
from streams.transforms.declared_yaml import DeclarationError
from streams.transforms.expressions import LookupTable, Scope
from streams.transforms.mappings import compile_mapping
from streams.transforms.targets import TARGETS, TargetField

SCOPE = Scope(fields={"r": None}, tables={"codes": LookupTable("codes", {"Germany": "DEU"})})


@pytest.fixture(autouse=True)
def a_target_with_every_type(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {
        "text": TargetField("text", 20),
        "free": TargetField("text"),
        "number": TargetField("decimal"),
        "whole": TargetField("integer"),
        "day": TargetField("date"),
        "flag": TargetField("boolean"),
    }
    monkeypatch.setattr("streams.transforms.mappings.TARGETS", {**TARGETS, "freshbooks.client": fields})


def compiled(**fields: dict[str, Any]) -> Any:
    declared = checked(
        MAPPING, "m.mapping.yaml", {"mapping": "m", "version": 1, "target": "freshbooks.client", "fields": fields}
    )
    problems = Problems("m.mapping.yaml")
    mapping = compile_mapping(declared, SCOPE, problems)
    problems.refuse()
    return mapping


def apply(name: str, rule: dict[str, Any], value: Any) -> tuple[Any, list[Loss]]:
    losses: list[Loss] = []
    mapped = compiled(**{name: {"from": "r.v", **rule}}).apply({"r": {"v": value}}, losses, "lines.0.")
    return mapped[name], losses


@pytest.mark.parametrize(
    ("name", "rule", "value", "result"),
    [
        ("text", {}, " Ann ", "Ann"),
        ("text", {}, "Cafe\u0301", "Caf\u00e9"),
        ("text", {}, "  ", None),
        ("text", {}, None, None),
        ("text", {}, Decimal("1.50"), "1.5"),
        ("text", {}, True, "true"),
        ("text", {}, date(2026, 6, 29), "2026-06-29"),
        ("text", {"default": "none"}, "", "none"),
        ("text", {"default": 7}, None, "7"),
        ("text", {"default": True}, None, "true"),
        ("text", {"default": Decimal("1.5")}, None, "1.5"),
        ("text", {"default_from": "'a' & 'b'"}, None, "ab"),
        ("text", {"default_from": "null"}, None, None),
        ("text", {"default_from": "r.v"}, "given", "given"),
        ("text", {"table": "codes"}, " germany", "DEU"),
        ("text", {"table": "codes"}, " ", None),
        ("text", {"table": "codes", "on_unknown": "keep"}, "Freedonia", "Freedonia"),
        ("text", {"strip_control": False}, "a\nb", "a\nb"),
        ("text", {"on_empty": "keep"}, " ", ""),
        ("text", {"on_empty": "keep"}, None, None),
        ("text", {"characters": "windows-1252"}, "Käfer • €5", "Käfer • €5"),
        ("text", {"characters": "bmp"}, "Łódź 株", "Łódź 株"),
        ("text", {"characters": "ascii"}, "plain", "plain"),
        ("number", {"type": "decimal", "scale": 2}, Decimal("1.5"), Decimal("1.50")),
        ("number", {"type": "decimal", "scale": 2}, " -1.50 ", Decimal("-1.50")),
        ("number", {"type": "decimal", "scale": 0}, 3, Decimal(3)),
        ("whole", {"type": "integer"}, Decimal("7.0"), 7),
        ("whole", {"type": "integer", "default": 4}, None, 4),
        ("day", {"type": "date"}, date(2026, 6, 29), date(2026, 6, 29)),
        ("day", {"type": "date"}, "2026-06-29", date(2026, 6, 29)),
        ("flag", {"type": "boolean"}, False, False),
        ("flag", {"type": "boolean"}, " TRUE ", True),
    ],
)
def test_a_field_gets_its_value(name: str, rule: dict[str, Any], value: Any, result: Any) -> None:
    mapped, losses = apply(name, rule, value)

    assert mapped == result
    assert type(mapped) is type(result)
    assert losses == []


@pytest.mark.parametrize(
    ("name", "rule", "value", "result", "kind"),
    [
        ("text", {"length": 5, "on_overflow": "truncate"}, "abcdefgh", "abcde", "truncated"),
        ("text", {"length": 18, "on_overflow": "truncate_hash"}, "a" * 30, "a" * 11 + "~3a54fc", "truncated"),
        ("text", {}, "be\all", "bell", "stripped"),
        ("text", {"characters": "ascii"}, "Käfer & Söhne ß", "Kafer & Sohne ss", "replaced"),
        ("text", {"characters": "windows-1252"}, "Łódź €5", "Lódz €5", "replaced"),
        ("text", {"characters": "bmp"}, "tulip 🌷", "tulip ?", "replaced"),
        ("text", {"characters": "ascii"}, "株式会社", "????", "replaced"),
        ("text", {"table": "codes"}, "Freedonia", None, "dropped"),
        ("number", {"type": "decimal", "scale": 1}, Decimal("1.25"), Decimal("1.2"), "rounded"),
        ("number", {"type": "decimal", "scale": 1, "rounding": "half_up"}, "1.25", Decimal("1.3"), "rounded"),
        ("day", {"type": "date"}, datetime(2026, 6, 29, 1, tzinfo=UTC), date(2026, 6, 29), "truncated"),
    ],
)
def test_what_a_field_loses_is_told(name: str, rule: dict[str, Any], value: Any, result: Any, kind: str) -> None:
    mapped, losses = apply(name, rule, value)

    assert mapped == result
    assert [(loss.field, loss.kind) for loss in losses] == [(f"lines.0.{name}", kind)]


@pytest.mark.parametrize(
    ("name", "rule", "value", "code"),
    [
        ("text", {"required": True}, " ", "field_missing"),
        ("text", {"length": 3}, "abcd", "field_too_long"),
        ("text", {}, "x" * 21, "field_too_long"),
        ("text", {"table": "codes", "on_unknown": "reject"}, "Freedonia", "field_unknown"),
        ("text", {"table": "codes"}, [1], "field_type"),
        ("text", {}, [1], "field_type"),
        ("text", {}, 1.5, "expression_failed"),
        ("number", {"type": "decimal", "scale": 2}, "1,50", "field_type"),
        ("number", {"type": "decimal", "scale": 2}, "NaN", "field_type"),
        ("number", {"type": "decimal", "scale": 2}, True, "field_type"),
        ("number", {"type": "decimal", "scale": 12}, "9" * 40, "field_type"),
        ("whole", {"type": "integer"}, Decimal("1.5"), "field_type"),
        ("day", {"type": "date"}, "29.06.2026", "field_type"),
        ("day", {"type": "date"}, 7, "field_type"),
        ("day", {"type": "date"}, date(1900, 1, 1), "date_out_of_range"),
        ("day", {"type": "date"}, "2155-01-01", "date_out_of_range"),
        ("flag", {"type": "boolean"}, "yes", "field_type"),
        ("flag", {"type": "boolean"}, 1, "field_type"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(name: str, rule: dict[str, Any], value: Any, code: str) -> None:
    with pytest.raises(PoisonError) as caught:
        apply(name, rule, value)

    assert caught.value.code == code
    assert name in (caught.value.field or "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"txet": {"from": "r.v"}}, "fields.txet: freshbooks.client has no such field; did you mean text?"),
        ({"text": {"from": "r.v +"}}, "fields.text.from: position 6: a value is missing"),
        ({"text": {"from": "r.v", "default_from": "x"}}, "fields.text.default_from: position 1: unknown name x"),
        ({"text": {"from": "r.v", "type": "date"}}, "fields.text: type date, the target's is text"),
        ({"text": {"from": "r.v", "length": 21}}, "fields.text: length 21 is more than the target's 20"),
        ({"text": {"from": "r.v", "scale": 2}}, "fields.text: scale belongs to type decimal"),
        ({"number": {"from": "r.v", "type": "decimal"}}, "fields.number: scale belongs to type decimal, which needs"),
        ({"text": {"from": "r.v", "length": 14, "on_overflow": "truncate_hash"}}, "too short for a hash suffix"),
        ({"free": {"from": "r.v", "on_overflow": "truncate_hash"}}, "or without length"),
        ({"text": {"from": "r.v", "table": "code"}}, "fields.text.table: unknown table code; did you mean codes?"),
        ({"text": {"from": "r.v", "default": "x" * 21}}, "fields.text.default: mapping text: over 20 characters"),
        ({"text": {"from": "r.v", "default": "a\ab"}}, "fields.text.default: would be stripped"),
        ({"text": {"from": "r.v", "defualt": "x"}}, "fields.text.defualt: Extra inputs are not permitted; remove it"),
        ({"text": {"from": "r.v", "default": "a", "default_from": "r.v"}}, "fields.text: Value error, a field has one"),
        ({"text": {}}, "fields.text.from: Field required; add it"),
    ],
)
def test_a_mapping_that_does_not_hold_is_refused_by_file_key_and_remedy(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        compiled(**fields)

    assert f"m.mapping.yaml: {message}" in caught.value.message or message in caught.value.message


def test_a_mapping_must_fill_what_ax_requires() -> None:
    declared = checked(
        MAPPING,
        "line.mapping.yaml",
        {"mapping": "line", "version": 1, "target": "ax.invoice_line", "fields": {"description": {"from": "r.v"}}},
    )
    problems = Problems("line.mapping.yaml")
    compile_mapping(declared, SCOPE, problems)

    with pytest.raises(DeclarationError) as caught:
        problems.refuse()

    assert "fields.description: the target needs this field; write required: true" in caught.value.message
    assert "fields: ax.invoice_line needs main_account; add it" in caught.value.message


@given(value=st.none() | st.text(max_size=50) | st.decimals() | st.integers() | st.dates() | st.lists(st.none()))
def test_any_value_fits_is_cut_or_is_refused(value: Any) -> None:
    rules: dict[str, dict[str, Any]] = {
        "text": {"from": "r.v", "on_overflow": "truncate"},
        "number": {"from": "r.v", "type": "decimal", "scale": 2},
        "whole": {"from": "r.v", "type": "integer"},
        "day": {"from": "r.v", "type": "date"},
        "flag": {"from": "r.v", "type": "boolean"},
    }
    for name, rule in rules.items():
        mapping = compiled(**{name: rule})
        mapped, field = None, name
        try:
            mapped = mapping.apply({"r": {"v": value}}, [])[name]
        except PoisonError as reason:
            field = reason.field or ""
        assert name in field
        assert not isinstance(mapped, str) or utf16_length(mapped) <= 20
