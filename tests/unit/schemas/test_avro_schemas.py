"""Each published schema is documented, has an example that it accepts, and has the fields of its record."""

from __future__ import annotations

import io
import types
import typing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import msgspec
import pytest

from schemas import avro, records, topics

RECORD_OF = {
    "notification": records.Notification,
    "client": records.Client,
    "invoice": records.Invoice,
    "bill_vendor": records.BillVendor,
    "payment": records.Payment,
    "credit_note": records.CreditNote,
    "expense": records.Expense,
    "bill": records.Bill,
    "bill_payment": records.BillPayment,
    "item": records.Item,
    "project": records.Project,
    "category": records.Category,
    "tax": records.Tax,
    "fetched": records.Fetched,
    "cdc_position": records.CapturePosition,
    "customer": records.Customer,
    "ax_command": records.AxCommand,
    "ax_confirmation": records.AxConfirmation,
    "freshbooks_command": records.FreshBooksCommand,
    "freshbooks_confirmation": records.FreshBooksConfirmation,
    "intent": records.Intent,
    "xref": records.CrossReference,
    "parked": records.Parked,
}
NAMES = sorted({topic.schema for topic in topics.ALL if topic.schema} | {"cdc_position"})


def fields_of(schema: Any) -> typing.Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a schema and of the records in it, with its path."""
    if isinstance(schema, list):
        for branch in schema:
            yield from fields_of(branch)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            yield f"{schema['name']}.{field['name']}", field
            yield from fields_of(field["type"])
        for part in ("items", "values", "type"):
            if isinstance(schema.get(part), dict | list):
                yield from fields_of(schema[part])


def named_in(schema: Any) -> dict[str, Any]:
    """The records of a schema by name: a later field may name one instead of repeating it."""
    types = [field["type"] for _, field in fields_of(schema)]
    branches = [branch for kind in types for branch in (kind if isinstance(kind, list) else [kind])]
    return {branch["name"]: branch for branch in branches if isinstance(branch, dict) and branch["type"] == "record"}


def from_json(schema: Any, value: Any, named: dict[str, Any]) -> Any:
    """An example in JSON's types as the Python types that fastavro writes."""
    if isinstance(schema, str):
        schema = named.get(schema, schema)
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        return None if value is None else from_json(branches[0], value, named)
    if not isinstance(schema, dict):
        return value.encode("latin-1") if schema == "bytes" else value
    match schema.get("logicalType"), schema["type"]:
        case "decimal", _:
            return Decimal(value)
        case "timestamp-millis", _:
            return datetime.fromisoformat(value).astimezone(UTC)
        case "date", _:
            return date.fromisoformat(value)
        case "uuid", _:
            return UUID(value)
        case _, "record":
            return {f["name"]: from_json(f["type"], value[f["name"]], named) for f in schema["fields"]}
        case _, "array":
            return [from_json(schema["items"], item, named) for item in value]
        case _, "map":
            return {key: from_json(schema["values"], item, named) for key, item in value.items()}
        case _:
            return value


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_doc(name: str) -> None:
    schema = avro.load(name)

    undocumented = [path for path, field in fields_of(schema) if not field.get("doc")]

    assert schema["doc"]
    assert undocumented == []


@pytest.mark.parametrize("name", NAMES)
def test_every_enum_has_a_default_so_that_old_readers_take_new_symbols(name: str) -> None:
    enums = [
        f["type"] for _, f in fields_of(avro.load(name)) if isinstance(f["type"], dict) and f["type"]["type"] == "enum"
    ]

    assert all("default" in enum for enum in enums)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_survives_a_round_trip(name: str) -> None:
    schema = avro.load(name)
    value = from_json(schema, avro.example(name), named_in(schema))
    parsed = fastavro.parse_schema(schema)
    buffer = io.BytesIO()

    fastavro.schemaless_writer(buffer, parsed, value)
    buffer.seek(0)

    assert fastavro.schemaless_reader(buffer, parsed, None) == value


@pytest.mark.parametrize("name", sorted(RECORD_OF))
def test_the_example_is_a_record_and_back(name: str) -> None:
    value = from_json(avro.load(name), avro.example(name), named_in(avro.load(name)))

    record = RECORD_OF[name].from_avro(value)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(avro.load(name)), record.to_avro())

    assert RECORD_OF[name].from_avro(record.to_avro()) == record


@pytest.mark.parametrize("name", sorted(RECORD_OF))
def test_record_and_schema_have_the_same_fields_in_the_same_order(name: str) -> None:
    assert_same_fields(RECORD_OF[name], avro.load(name))


def assert_same_fields(record: Any, schema: dict[str, Any]) -> None:
    declared = msgspec.structs.fields(record)
    assert [field.name for field in declared] == [field["name"] for field in schema["fields"]]
    hints = typing.get_type_hints(record)
    for field in schema["fields"]:
        nullable = isinstance(field["type"], list) and "null" in field["type"]
        hint = hints[field["name"]]
        is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
        assert nullable == (is_union and type(None) in typing.get_args(hint)), field["name"]
        inner = next((branch for branch in field["type"] if branch != "null"), None) if nullable else field["type"]
        kinds = [a for a in (*typing.get_args(hint), hint) if isinstance(a, type) and issubclass(a, records.Record)]
        if isinstance(inner, dict) and inner["type"] == "record" and kinds:
            assert_same_fields(kinds[0], inner)


def test_money_is_never_a_float() -> None:
    floats = [
        path
        for name in NAMES
        for path, field in fields_of(avro.load(name))
        if "double" in str(field["type"]) or "float" in str(field["type"])
    ]

    assert floats == []


def test_every_topic_with_a_schema_has_its_folder() -> None:
    assert all(avro.latest_version(topic.schema) >= 1 for topic in topics.ALL if topic.schema)
