"""Which tables are captured, what is asked of them, and what an old image holds where the change feed has nothing."""

import pytest

from connectors.ax.source_tables import UNAVAILABLE, SourceTable, source_tables
from connectors.ax.sql_types import SqlType
from schemas import topics
from schemas.failures import FatalError
from tests.kit.captured import column, fresh_shape, key_columns

VENDTABLE = SourceTable("dbo", "VENDTABLE", topics.cdc_topic("VENDTABLE"))
MEMO = SqlType("nvarchar", 0, 0, -1)


def test_the_projectors_tables_are_captured_in_any_case():
    assert [table.full_name for table in source_tables()] == ["dbo.CUSTTABLE", "dbo.DIRPARTYTABLE"]
    names = [table.full_name for table in source_tables(["VendTable", "dbo.CUSTTABLE", "dbo.VENDTABLE"])]
    assert names == ["dbo.CUSTTABLE", "dbo.DIRPARTYTABLE", "dbo.VENDTABLE"]


def test_two_tables_of_one_topic_are_refused():
    with pytest.raises(FatalError, match=r"would share ax\.cdc\.vendtable"):
        source_tables(["dbo.VENDTABLE", "old.VENDTABLE"])


def test_a_topic_is_named_for_its_table():
    topic = topics.cdc_topic("VendTable")
    assert (topic.name, topic.subject, topic.schema) == ("ax.cdc.vendtable", "ax.cdc.vendtable-value", None)
    assert (topic.partitions, topic.cleanup) == (1, "compact")
    assert topics.cdc_topic("CUSTTABLE") == topics.CDC_CUSTTABLE
    assert topics.CDC_CUSTTABLE.schema == "cdc_custtable"


def test_the_deployments_topics_are_the_declared_ones_and_one_per_table():
    assert topics.with_tables(["dbo.CUSTTABLE", "dbo.DIRPARTYTABLE"]) == topics.ALL
    more = topics.with_tables(["dbo.VENDTABLE", "VENDTABLE", "dbo.CUSTTABLE"])
    assert [topic.name for topic in more[len(topics.ALL) :]] == ["ax.cdc.vendtable"]


def test_datetimeoffset_is_read_as_text_and_everything_else_as_it_is():
    shape = fresh_shape(VENDTABLE, [*key_columns(), column("AT", SqlType("datetimeoffset", 34, 7, 10))])
    assert shape.select_list() == "[RECID], [PARTITION], CONVERT(nvarchar(34), [AT], 121) AS [AT]"
    assert shape.change_list("c.") == "c.[RECID], c.[PARTITION], CONVERT(nvarchar(34), c.[AT], 121) AS [AT]"


def with_large(sql: SqlType = MEMO, ordinal: int = 11):
    return fresh_shape(VENDTABLE, [*key_columns(), column("MEMO", sql, ordinal=ordinal, nullable=True)])


def test_the_mask_is_read_where_old_images_need_it():
    assert with_large().change_list("c.").endswith(", c.[__$update_mask]")
    assert "mask" not in with_large().select_list()


@pytest.mark.parametrize(
    ("mask", "old", "new", "told"),
    [
        (b"\x00\x01", None, "now", "now"),  # unchanged: not recorded, so it is what it is now
        (b"\x04\x00", None, "now", None),  # changed: it was NULL
        (b"\x04\x01", "then", "now", "then"),
        (b"\x04\x01", "then", None, "then"),
        (b"\x00\x00", None, None, None),
        (b"\x01", None, "now", "now"),  # a mask that is shorter than the ordinal
    ],
)
def test_a_large_value_that_did_not_change_is_that_of_the_new_image(mask, old, new, told):
    image = with_large().old_image({"RECID": 1, "MEMO": old}, {"RECID": 1, "MEMO": new, "__$update_mask": mask})
    assert image == {"RECID": 1, "MEMO": told}


@pytest.mark.parametrize("name", ["text", "ntext", "image"])
def test_an_old_value_that_nobody_knows_is_marked_and_never_null(name):
    shape = with_large(SqlType(name, 0, 0, 16))
    mark = UNAVAILABLE.encode() if name == "image" else UNAVAILABLE
    changed = {"MEMO": "now", "__$update_mask": b"\x04\x00"}
    assert shape.old_image({"MEMO": None}, changed)["MEMO"] == mark
    assert shape.old_image({"MEMO": None}, None)["MEMO"] == mark
    assert shape.old_image({"MEMO": None}, changed | {"__$update_mask": b"\x00\x00"})["MEMO"] == "now"


def test_a_deleted_row_has_its_large_values():
    assert with_large().old_image({"MEMO": "then"}, None) == {"MEMO": "then"}
    assert with_large().old_image({"MEMO": None}, None) == {"MEMO": None}


def test_a_row_without_large_columns_is_left_alone():
    row = {"RECID": 1, "PARTITION": 2}
    assert fresh_shape(VENDTABLE, key_columns()).old_image(row, row) is row
