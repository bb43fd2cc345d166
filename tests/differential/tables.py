"""The two captured AX tables as the histories use them: columns, hostile values, and one form for every value.

Each table has one column more than the feed declares (MEMO, nullable, nvarchar(max)): it is in the capture instance, so
a change of it alone is a change, and no reader may stumble over its NULLs.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY = "RECID"
PARTITION = 5637144576
_TEXTS = (
    "", "a", "Müller & Söhne", "O'Neil", '"quoted"', "日本語", "🪲🧾", "e\u0301", "  blanks  ", "tab\tnew\nline",
    "NULL", "0", "\\", "%_[]", "</x>", "\u00a0", "\u200f\u05d0",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column. `kind` is nvarchar, int, bigint, numeric or datetime; `length` that of an nvarchar."""

    name: str
    kind: str
    length: int = 0

    @property
    def declaration(self) -> str:
        """The column in CREATE TABLE, as AX declares it."""
        sql_type = {"nvarchar": f"nvarchar({self.length})", "numeric": "numeric(32,16)"}.get(self.kind, self.kind)
        return f"{self.name} {sql_type} NOT NULL" + (" PRIMARY KEY" if self.name == KEY else "")

    @property
    def marker(self) -> str:
        """Its place in a statement. Decimals and instants go as text: no driver may touch them."""
        return {"numeric": "CAST(? AS numeric(32,16))", "datetime": "CAST(? AS datetime)"}.get(self.kind, "?")

    def value(self, chance: random.Random) -> Any:
        """A value in the one form (`canonical`)."""
        match self.kind:
            case "nvarchar":
                # nvarchar(n) holds n UTF-16 units.
                return chance.choice([text for text in _TEXTS if len(text.encode("utf-16-le")) <= 2 * self.length])
            case "int":
                return chance.choice((0, 1, -1, 2**31 - 1, -(2**31), chance.randrange(10**6)))
            case "bigint":
                return chance.choice((0, 2**63 - 1, -(2**63), chance.randrange(10**12)))
            case "numeric":
                digits = chance.choice(("0", "1", "9" * 32, str(chance.randrange(10**24)))).zfill(17)
                sign = chance.choice(("", "-")) if digits.strip("0") else ""
                return f"{sign}{digits[:-16]}.{digits[-16:]}"
        moment = datetime(1900, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(199 * 365 * 86400))
        return (moment - EPOCH) // timedelta(milliseconds=1) + chance.choice((0, 3, 7, 10, 500, 993, 997))

    def parameter(self, value: Any) -> Any:
        """`value` as it goes into a statement."""
        if self.kind != "datetime":
            return value
        return (EPOCH + timedelta(milliseconds=value)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _texts(*lengths: tuple[str, int]) -> list[Column]:
    return [Column(name, "nvarchar", length) for name, length in lengths]


CUSTTABLE = [
    *_texts(("ACCOUNTNUM", 20), ("INVOICEACCOUNT", 20), ("CUSTGROUP", 10), ("CURRENCY", 3), ("PAYMTERMID", 10)),
    *_texts(("PAYMMODE", 10), ("TAXGROUP", 10), ("VATNUM", 20), ("OURACCOUNTNUM", 20), ("DLVMODE", 10)),
    *_texts(("DLVTERM", 10), ("DATAAREAID", 4)),
    Column("BLOCKED", "int"), Column("CREDITMAX", "numeric"), Column("PARTY", "bigint"),
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
TABLES = {"CUSTTABLE": CUSTTABLE, "DIRPARTYTABLE": DIRPARTYTABLE}

Row = dict[str, Any]


def create_statement(table: str) -> str:
    """CREATE TABLE."""
    columns = [column.declaration for column in TABLES[table]] + ["MEMO nvarchar(max) NULL"]
    return f"CREATE TABLE dbo.{table} ({', '.join(columns)})"


def canonical(table: str, image: Row | None) -> Row | None:
    """A row of either feed with declared columns only, in one form: decimals as text, instants as milliseconds."""
    if image is None:
        return None
    return {column.name: _canonical(image[column.name]) for column in TABLES[table]}


def _canonical(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"  # no arithmetic: the context's 28 digits would round
    return (value - EPOCH) // timedelta(milliseconds=1) if isinstance(value, datetime) else value
