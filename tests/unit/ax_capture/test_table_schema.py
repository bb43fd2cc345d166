"""A table's schema follows the catalog: it grows by optional fields, and refuses what its fields cannot carry."""

import copy
import io

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ax.catalog_schemas import new_versions
from connectors.ax.sql_types import SqlType, avro_type, carries
from connectors.ax.table_schema import CapturedColumn, Evolved, Refused, evolve, fits, row_fields, row_record
from schemas import avro
from tests.kit.captured import column, declared_columns, key_columns

CUSTTABLE = avro.load("cdc_custtable")
NVARCHAR, INT, BIGINT = SqlType("nvarchar", 0, 0, 40), SqlType("int", 10, 0, 4), SqlType("bigint", 19, 0, 8)
NUMERIC = SqlType("numeric", 32, 16, 17)
TYPES = [
    NVARCHAR, INT, BIGINT, NUMERIC, SqlType("money", 19, 4, 8), SqlType("bit", 1, 0, 1), SqlType("float", 53, 0, 8),
    SqlType("datetime", 23, 3, 8), SqlType("datetime2", 27, 7, 8), SqlType("date", 10, 0, 3), SqlType("time", 16, 7, 5),
    SqlType("datetimeoffset", 34, 7, 10), SqlType("nvarchar", 0, 0, -1), SqlType("xml", 0, 0, -1),
    SqlType("varbinary", 0, 0, -1), SqlType("timestamp", 0, 0, 8), SqlType("uniqueidentifier", 0, 0, 16),
]  # fmt: skip
NAMES = st.sampled_from([f"C{number}" for number in range(30)])
COLUMNS = st.lists(st.tuples(NAMES, st.sampled_from(TYPES), st.booleans()), max_size=12, unique_by=lambda c: c[0])


def captured(columns) -> list[CapturedColumn]:
    told = [column(name, sql, nullable=nullable) for name, sql, nullable in columns]
    return [*key_columns(), *told]


def evolved(base, columns, table="VENDTABLE") -> Evolved:
    found = evolve(base, table, columns)
    assert isinstance(found, Evolved), found
    return found


def refused(base, columns) -> str:
    found = evolve(base, "VENDTABLE", columns)
    assert isinstance(found, Refused)
    return "; ".join(found.reasons)


def reads(reader, writer) -> bool:
    """Avro's own resolution: a value written with every field of `writer` is read by `reader`."""
    value = {part["name"]: _value(part["type"]) for part in row_fields(writer)}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(row_record(writer)), value)
    body.seek(0)
    read = fastavro.schemaless_reader(
        body, fastavro.parse_schema(row_record(writer)), fastavro.parse_schema(row_record(reader))
    )
    return all(name in read for name in (part["name"] for part in row_fields(reader)))


def _value(declared):
    if isinstance(declared, list):
        return None
    kind = declared["type"] if isinstance(declared, dict) else declared
    return {"string": "0" * 32, "bytes": b"\x01", "boolean": True, "double": 0.5}.get(kind, 1)


@given(COLUMNS, COLUMNS, COLUMNS)
def test_whatever_is_added_the_newest_schema_reads_every_earlier_one(first, second, third):
    columns, schemas = captured(first), []
    schemas.append(evolved(None, columns).schema)
    for more in (second, third):
        columns = columns + [item for item in captured(more) if item.name not in {c.name for c in columns}]
        schemas.append(evolved(schemas[-1], columns).schema)
    assert all(reads(later, earlier) for n, later in enumerate(schemas) for earlier in schemas[: n + 1])


@given(COLUMNS, COLUMNS)
def test_evolving_twice_is_evolving_once_and_changes_no_base(first, second):
    base = evolved(None, captured(first)).schema
    kept = copy.deepcopy(base)
    columns = captured(first) + [c for c in captured(second)[2:] if c.name not in {name for name, *_ in first}]
    once = evolved(base, columns)
    again = evolved(once.schema, columns)
    assert base == kept
    assert again == Evolved(once.schema, ())
    assert [part["name"] for part in row_fields(once.schema)] == [c.name for c in columns]


@given(COLUMNS)
def test_a_base_that_has_it_all_stays_as_it_is(columns):
    base = evolved(None, captured(columns)).schema
    assert evolved(base, list(reversed(captured(columns)))).schema is base


def test_the_shipped_schema_is_the_base_of_its_table():
    assert evolved(CUSTTABLE, declared_columns(CUSTTABLE), "CUSTTABLE") == Evolved(CUSTTABLE, ())
    grown = evolved(CUSTTABLE, [*declared_columns(CUSTTABLE), column("MEMO", NVARCHAR)], "CUSTTABLE")
    assert grown.added == ("MEMO",)
    assert row_fields(grown.schema)[:-1] == row_fields(CUSTTABLE)
    added = row_fields(grown.schema)[-1]
    assert (added["type"], added["default"]) == (["null", "string"], None)


def test_in_a_fresh_table_only_what_may_be_null_is_optional():
    columns = [*key_columns(), column("NAME", NVARCHAR), column("MEMO", NVARCHAR, nullable=True)]
    schema = evolved(None, columns).schema
    assert [part["type"] for part in row_fields(schema)] == ["long", "long", "string", ["null", "string"]]
    assert schema["namespace"] == "com.freshax.ax.cdc.vendtable"
    assert all(part["doc"] for part in row_fields(schema))
    fastavro.parse_schema(schema)


@pytest.mark.parametrize("missing", ["RECID", "PARTITION"])
def test_a_table_without_its_key_is_refused(missing):
    columns = [item for item in key_columns() if item.name != missing]
    assert f"{missing} is not captured" in refused(None, columns)
    text = [*columns, column(missing, NVARCHAR)]
    assert f"{missing} is not captured as a number" in refused(None, text)


def test_the_key_is_never_optional():
    columns = [column(item.name, item.type, nullable=True) for item in key_columns()]
    assert [part["type"] for part in row_fields(evolved(None, columns).schema)] == ["long", "long"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (None, "VATNUM is not captured"),
        (column("VATNUM", INT), "VATNUM is int, declared string"),
        (column("VATNUM", NVARCHAR, source=None), "VATNUM is not in the table any more"),
        (column("VATNUM", NVARCHAR, source=INT), "VATNUM is int, declared string"),
        (column("VATNUM", NVARCHAR, computed=True), "VATNUM is computed"),
    ],
)
def test_a_dropped_or_retyped_column_is_refused_by_name(change, reason):
    columns = [item for item in declared_columns(CUSTTABLE) if item.name != "VATNUM"]
    columns += [change] if change else []
    assert reason in refused(CUSTTABLE, columns)
    assert not fits(CUSTTABLE, columns)


@pytest.mark.parametrize("name", ["sql_variant", "hierarchyid", "geography", "geometry", "myclrtype"])
def test_a_type_without_an_avro_type_is_to_be_left_out(name):
    assert "@captured_column_list" in refused(None, [*key_columns(), column("ODD", SqlType(name))])


@pytest.mark.parametrize(
    "odd",
    [
        column("ODD", NVARCHAR, computed=True),
        column("ODD", NVARCHAR, source=None),
        column("ODD COLUMN", NVARCHAR),
        column("ODD", INT, source=NVARCHAR),
    ],
)
def test_a_new_column_that_cannot_be_published_is_refused(odd):
    assert odd.name in refused(None, [*key_columns(), odd])


def test_all_refusals_are_told_at_once():
    told = refused(CUSTTABLE, [*key_columns(), column("ODD", SqlType("sql_variant"))])
    assert all(name in told for name in ("VATNUM", "CREDITMAX", "ODD"))


@pytest.mark.parametrize(
    ("declared", "sql", "fit"),
    [
        (NUMERIC, SqlType("numeric", 30, 16), True),
        (NUMERIC, SqlType("money", 19, 4), True),
        (NUMERIC, SqlType("numeric", 19, 2), False),
        (SqlType("numeric", 38, 10), SqlType("money", 19, 4), True),
        (NUMERIC, SqlType("numeric", 33, 16), False),
        (NUMERIC, SqlType("numeric", 32, 17), False),
        (NUMERIC, SqlType("float"), False),
        (BIGINT, INT, True),
        (INT, BIGINT, False),
        (NVARCHAR, SqlType("nvarchar", 0, 0, -1), True),
        (NVARCHAR, SqlType("char", 0, 0, 3), True),
        (NVARCHAR, SqlType("varbinary", 0, 0, 3), False),
        (SqlType("datetime", 23, 3), SqlType("datetime2", 23, 3), True),
        (SqlType("datetime", 23, 3), SqlType("datetime2", 27, 7), False),
        (SqlType("datetime2", 27, 7), SqlType("datetime", 23, 3), True),
        (SqlType("varbinary"), SqlType("timestamp"), True),
        (SqlType("uniqueidentifier"), NVARCHAR, False),
        (SqlType("real"), SqlType("float"), True),
    ],
)
def test_a_field_carries_a_type_only_without_loss(declared, sql, fit):
    assert carries(avro_type(declared), sql) is fit
    assert carries(["null", avro_type(declared)], sql) is fit


@pytest.mark.parametrize("sql", TYPES, ids=str)
def test_every_new_field_carries_the_type_it_was_made_for(sql):
    assert carries(avro_type(sql), sql)


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        (NVARCHAR, "nvarchar(20)"),
        (SqlType("varbinary", 0, 0, -1), "varbinary(max)"),
        (NUMERIC, "numeric(32,16)"),
        (SqlType("datetime2", 27, 7, 8), "datetime2(7)"),
        (INT, "int"),
    ],
)
def test_a_type_is_named_as_it_is_declared(sql, written):
    assert str(sql) == written


@pytest.mark.parametrize("other", ["cdc_position", "customer"])
def test_a_subject_that_holds_something_else_is_no_base(other):
    with pytest.raises(ValueError, match="not an envelope"):
        evolve(avro.load(other), "VENDTABLE", key_columns())


def test_an_envelope_with_another_source_block_is_no_base():
    changed = avro.load("cdc_custtable")
    changed["fields"][2]["type"]["fields"].pop()
    with pytest.raises(ValueError, match="source differs"):
        evolve(changed, "CUSTTABLE", key_columns())


def names(versions) -> list[list[str]]:
    assert isinstance(versions, list)
    return [[part["name"] for part in row_fields(version.schema)] for version in versions]


def test_versions_follow_the_instances_oldest_first():
    first, both = key_columns(), [*key_columns(), column("MEMO", NVARCHAR)]
    keys = ["RECID", "PARTITION"]
    assert names(new_versions(None, None, "VENDTABLE", [first, both])) == [keys, [*keys, "MEMO"]]
    base = evolved(None, first).schema
    assert names(new_versions(base, None, "VENDTABLE", [first, both])) == [[*keys, "MEMO"]]
    assert names(new_versions(base, None, "VENDTABLE", [first])) == []


def test_the_shipped_schema_is_the_first_version_of_its_subject():
    columns = [*declared_columns(CUSTTABLE), column("MEMO", NVARCHAR)]
    versions = new_versions(None, CUSTTABLE, "CUSTTABLE", [columns])
    assert [version.schema == CUSTTABLE for version in versions] == [True, False]


def test_an_older_instance_that_lacks_a_column_is_passed_over_and_the_newest_is_not():
    short, whole = key_columns(), [*key_columns(), column("MEMO", NVARCHAR)]
    base = evolved(None, whole).schema
    assert new_versions(base, None, "VENDTABLE", [short, whole]) == []
    assert isinstance(new_versions(base, None, "VENDTABLE", [whole, short]), Refused)
