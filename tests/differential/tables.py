"""The captured tables of the histories: AX's two, and one with every type that a change feed can hold.

Each table has one column more (MEMO, nullable, nvarchar(max)), which is not compared: a change of it alone is a change,
and no reader may stumble over its NULLs.
"""

from typing import Any

from tests.differential.columns import Column

KEY = "RECID"
PARTITION = 5637144576


def _texts(*lengths: tuple[str, int]) -> list[Column]:
    return [Column(name, "nvarchar", length) for name, length in lengths]


CUSTTABLE = [
    *_texts(("ACCOUNTNUM", 20), ("INVOICEACCOUNT", 20), ("CUSTGROUP", 10), ("CURRENCY", 3), ("PAYMTERMID", 10)),
    *_texts(("PAYMMODE", 10), ("TAXGROUP", 10), ("VATNUM", 20), ("OURACCOUNTNUM", 20), ("DLVMODE", 10)),
    *_texts(("DLVTERM", 10), ("DATAAREAID", 4)),
    Column("BLOCKED", "int"), Column("CREDITMAX", "numeric(32,16)"), Column("PARTY", "bigint"),
    Column("DEFAULTDIMENSION", "bigint"), Column("MODIFIEDDATETIME", "datetime"), Column("RECVERSION", "int"),
    Column("PARTITION", "bigint"), Column(KEY, "bigint"),
]  # fmt: skip
DIRPARTYTABLE = [
    *_texts(("NAME", 100), ("NAMEALIAS", 20), ("PARTYNUMBER", 40), ("LANGUAGEID", 7), ("KNOWNAS", 100)),
    Column("INSTANCERELATIONTYPE", "bigint"), Column("PRIMARYADDRESSLOCATION", "bigint"),
    Column("PRIMARYCONTACTEMAIL", "bigint"), Column("PRIMARYCONTACTPHONE", "bigint"),
    Column("MODIFIEDDATETIME", "datetime"), Column("RECVERSION", "int"), Column("PARTITION", "bigint"),
    Column(KEY, "bigint"),
]  # fmt: skip
EVERYTYPE = [
    *[Column(f"A{number}", kind, length, nullable=True) for number, (kind, length) in enumerate((
        ("bigint", 0), ("int", 0), ("smallint", 0), ("tinyint", 0), ("bit", 0), ("numeric(32,16)", 0),
        ("decimal(9,2)", 0), ("money", 0), ("smallmoney", 0), ("real", 0), ("float", 0), ("datetime", 0),
        ("smalldatetime", 0), ("datetime2(6)", 0), ("date", 0), ("time(6)", 0), ("datetimeoffset(6)", 0), ("char", 20),
        ("varchar", 40), ("nchar", 20), ("nvarchar", 40), ("nvarchar(max)", 0), ("varchar(max)", 0), ("text", 0),
        ("ntext", 0), ("xml", 0), ("binary", 8), ("varbinary", 20), ("varbinary(max)", 0), ("image", 0),
        ("uniqueidentifier", 0), ("rowversion", 0),
    ))],
    Column("DATAAREAID", "nvarchar", 4), Column("PARTITION", "bigint"), Column(KEY, "bigint"),
]  # fmt: skip
TABLES = {"CUSTTABLE": CUSTTABLE, "DIRPARTYTABLE": DIRPARTYTABLE, "EVERYTYPE": EVERYTYPE}

Row = dict[str, Any]


def create_statement(table: str) -> str:
    """CREATE TABLE."""
    columns = [f"{column.name} {column.sql_type} {_nullable(column)}" for column in TABLES[table]]
    return f"CREATE TABLE dbo.{table} ({', '.join(columns)}, MEMO nvarchar(max) NULL)"


def _nullable(column: Column) -> str:
    if column.name == KEY:
        return "NOT NULL PRIMARY KEY"
    return "NULL" if column.nullable else "NOT NULL"


def canonical(table: str, image: Row | None) -> Row | None:
    """A row of either feed with the columns that are compared, in the one form."""
    if image is None:
        return None
    return {column.name: column.canonical(image[column.name]) for column in TABLES[table] if column.is_written}


def always_changes(table: str) -> bool:
    """Whether an update is a change even when it sets what is there: a rowversion moves."""
    return any(not column.is_written for column in TABLES[table])
