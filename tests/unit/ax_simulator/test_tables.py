"""AX's tables as T-SQL, and their agreement with the documents."""

import pytest

from sandbox.ax.contract.entities import (
    CUST_INVOICE_LINE,
    CUST_INVOICE_TABLE,
    CUST_TABLE,
    DIR_PARTY,
    POSTAL_ADDRESS,
    VEND_TABLE,
)
from sandbox.ax.contract.ledger_entities import LEDGER_JOURNAL_TABLE, LEDGER_JOURNAL_TRANS
from sandbox.ax.contract.types import STRINGS
from sandbox.ax.model.tables import TABLES


def test_a_table_per_company_is_keyed_by_partition_and_company():
    statement = TABLES["CUSTGROUP"].create_statement()
    assert statement == (
        "CREATE TABLE dbo.CUSTGROUP (CUSTGROUP nvarchar(10) NOT NULL DEFAULT '', "
        "NAME nvarchar(60) NOT NULL DEFAULT '', PAYMTERMID nvarchar(10) NOT NULL DEFAULT '', "
        "TAXGROUPID nvarchar(10) NOT NULL DEFAULT '', "
        "DATAAREAID nvarchar(4) NOT NULL DEFAULT 'dat', RECVERSION int NOT NULL DEFAULT 1, "
        "PARTITION bigint NOT NULL DEFAULT 5637144576, RECID bigint NOT NULL, "
        "CONSTRAINT PK_CUSTGROUP PRIMARY KEY (PARTITION, DATAAREAID, CUSTGROUP))"
    )


def test_a_shared_table_has_no_company():
    statement = TABLES["DIRPARTYTABLE"].create_statement()
    assert "DATAAREAID" not in statement
    assert statement.endswith("PRIMARY KEY (RECID))")


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_is_not_null_with_a_default(table):
    statement = table.create_statement()
    assert statement.count("NOT NULL DEFAULT") == statement.count("NOT NULL") - 1  # RECID alone has none
    assert "numeric(32,16) NOT NULL DEFAULT 0" in statement or "num" not in table.types.values()


@pytest.mark.parametrize(
    ("table", "entity"),
    [
        ("CUSTTABLE", CUST_TABLE),
        ("DIRPARTYTABLE", DIR_PARTY),
        ("LOGISTICSPOSTALADDRESS", POSTAL_ADDRESS),
        ("CUSTINVOICETABLE", CUST_INVOICE_TABLE),
        ("CUSTINVOICELINE", CUST_INVOICE_LINE),
        ("VENDTABLE", VEND_TABLE),
        ("LEDGERJOURNALTABLE", LEDGER_JOURNAL_TABLE),
        ("LEDGERJOURNALTRANS", LEDGER_JOURNAL_TRANS),
    ],
)
def test_columns_are_as_long_as_their_fields(table, entity):
    lengths = {
        field.name: (STRINGS[field.type], TABLES[table].length(field.name.upper()))
        for field in entity.fields
        if field.type in STRINGS and field.name.upper() in TABLES[table].types
    }
    for name in ("Party", "PrimaryAddressLocation"):
        lengths.pop(name, None)  # text in the document, RECID in the table
    assert lengths
    assert {name: pair for name, pair in lengths.items() if pair[0] != pair[1]} == {}
