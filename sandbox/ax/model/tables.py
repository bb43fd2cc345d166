"""The AX tables that the simulator keeps, as SQL Server has them.

Rules of reference ax-aif.md section 13: names in upper case, every column NOT NULL, text defaults to '',
numbers to 0, dates to 1900-01-01; strings are nvarchar, enums and NoYes int, reals numeric(32,16), dates
datetime. System columns stand behind the business columns: DATAAREAID (tables per company), RECVERSION,
PARTITION, RECID.

A column is written `NAME type`, types shortened: n20 = nvarchar(20), max = nvarchar(max), int, big, num, date.
"""

from dataclasses import dataclass
from functools import cached_property

PARTITION = 5637144576
"""RECID of the partition `initial`, and the value of every PARTITION column."""

FIRST_RECID = 5637144576

_NULL_DATE = "'1900-01-01'"
_TYPES = {
    "int": ("int", "0"),
    "big": ("bigint", "0"),
    "num": ("numeric(32,16)", "0"),
    "date": ("datetime", _NULL_DATE),
    "max": ("nvarchar(max)", "''"),
}


@dataclass(frozen=True)
class Table:
    """One table. `key` are the columns of its primary key without PARTITION and DATAAREAID."""

    name: str
    columns: str
    key: tuple[str, ...] = ("RECID",)
    per_company: bool = True

    @cached_property
    def types(self) -> dict[str, str]:
        """The business columns: name to shortened type."""
        return dict(column.split() for column in self.columns.replace("\n", ",").split(",") if column.strip())

    def length(self, column: str) -> int | None:
        """Return the maximum length of a text column; None for nvarchar(max) and for other types."""
        short = self.types.get(column, "")
        return int(short[1:]) if short[:1] == "n" and short[1:].isdigit() else None

    def create_statement(self) -> str:
        """Return the CREATE TABLE statement in T-SQL."""
        columns = [_column(name, short) for name, short in self.types.items()]
        if self.per_company:
            columns.append("DATAAREAID nvarchar(4) NOT NULL DEFAULT 'dat'")
        columns += [
            "RECVERSION int NOT NULL DEFAULT 1",
            f"PARTITION bigint NOT NULL DEFAULT {PARTITION}",
            "RECID bigint NOT NULL",
        ]
        key = ("RECID",) if self.key == ("RECID",) else ("PARTITION", *self._company, *self.key)
        columns.append(f"CONSTRAINT PK_{self.name} PRIMARY KEY ({', '.join(key)})")
        return f"CREATE TABLE dbo.{self.name} ({', '.join(columns)})"

    @property
    def _company(self) -> tuple[str, ...]:
        return ("DATAAREAID",) if self.per_company else ()


def _column(name: str, short: str) -> str:
    if short in _TYPES:
        sql_type, default = _TYPES[short]
    else:
        sql_type, default = f"nvarchar({int(short[1:])})", "''"
    return f"{name} {sql_type} NOT NULL DEFAULT {default}"


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "CUSTTABLE",
            """ACCOUNTNUM n20, INVOICEACCOUNT n20, CUSTGROUP n10, CURRENCY n3, PAYMTERMID n10, PAYMMODE n10
            TAXGROUP n10, VATNUM n20, OURACCOUNTNUM n20, IDENTIFICATIONNUMBER n50, ORGID n10, BLOCKED int
            ACCOUNTSTATEMENT int, CREDITMAX num, CREDITRATING n10, MANDATORYCREDITLIMIT int, DLVMODE n10
            DLVTERM n10, INCLTAX int, LINEOFBUSINESSID n10, MEMO max, PARTY big, DEFAULTDIMENSION big
            CREATEDDATETIME date, MODIFIEDDATETIME date""",
            key=("ACCOUNTNUM",),
        ),
        Table(
            "DIRPARTYTABLE",
            """NAME n100, NAMEALIAS n20, PARTYNUMBER n40, LANGUAGEID n7, KNOWNAS n100, INSTANCERELATIONTYPE big
            ORGNUMBER n20, PHONETICNAME n100, NUMBEROFEMPLOYEES int, PRIMARYADDRESSLOCATION big
            PRIMARYCONTACTEMAIL big, PRIMARYCONTACTPHONE big, PRIMARYCONTACTURL big, PRIMARYCONTACTFAX big
            MODIFIEDDATETIME date""",
            per_company=False,
        ),
        Table(
            "DIRPERSONNAME",
            "PERSON big, FIRSTNAME n25, MIDDLENAME n25, LASTNAME n25, VALIDFROM date, VALIDTO date",
            per_company=False,
        ),
        Table("LOGISTICSLOCATION", "LOCATIONID n30, DESCRIPTION n60, ISPOSTALADDRESS int", per_company=False),
        Table(
            "LOGISTICSPOSTALADDRESS",
            """LOCATION big, STREET n250, STREETNUMBER n20, BUILDINGCOMPLIMENT n60, POSTBOX n20, CITY n60
            DISTRICTNAME n60, ZIPCODE n10, STATE n10, COUNTY n30, COUNTRYREGIONID n10, ADDRESS n250
            VALIDFROM date, VALIDTO date""",
            per_company=False,
        ),
        Table(
            "LOGISTICSELECTRONICADDRESS",
            """LOCATION big, TYPE int, LOCATOR n255, LOCATOREXTENSION n10, COUNTRYREGIONCODE n5
            DESCRIPTION n60, ISPRIMARY int""",
            per_company=False,
        ),
        Table(
            "DIRPARTYLOCATION",
            "PARTY big, LOCATION big, ISPOSTALADDRESS int, ISPRIMARY int, ISPRIVATE int, ISLOCATIONOWNER int",
            per_company=False,
        ),
        Table("DIRPARTYLOCATIONROLE", "PARTYLOCATION big, LOCATIONROLE big", per_company=False),
        Table("LOGISTICSLOCATIONROLE", "NAME n60, TYPE int", per_company=False),
        Table(
            "LOGISTICSADDRESSCOUNTRYREGION",
            "COUNTRYREGIONID n10, ISOCODE n2",
            key=("COUNTRYREGIONID",),
            per_company=False,
        ),
        Table(
            "CUSTINVOICETABLE",
            """INVOICEID n20, ORDERACCOUNT n20, INVOICEACCOUNT n20, CUSTGROUP n10, NAME n100, INVOICEDATE date
            DUEDATE date, DOCUMENTDATE date, CURRENCYCODE n3, CUSTOMERREF n60, PURCHORDERFORMNUM n20
            PAYMENT n10, PAYMENTSCHED n30, PAYMMODE n10, PAYMSPEC n10, CASHDISCCODE n10, CASHDISCDATE date
            CASHDISCPERCENT num, TAXGROUP n10, TAXITEMGROUP n10, INCLTAX int, VATNUM n20, LANGUAGEID n7
            LOG n255, ONETIMECUSTOMER int, POSTINGPROFILE n10, RELEASEDATE date, POSTED int
            WORKFLOWAPPROVALSTATUS int, DEFAULTDIMENSION big, CREATEDDATETIME date, MODIFIEDDATETIME date""",
        ),
        Table(
            "CUSTINVOICELINE",
            """PARENTRECID big, LINENUM num, DESCRIPTION n60, QUANTITY num, UNITPRICE num, AMOUNTCUR num
            TAXAMOUNT num, TAXGROUP n10, TAXITEMGROUP n10, TAXAUTOGENERATED int, LEDGERDIMENSION big
            DEFAULTDIMENSION big, ASSETID n20, ASSETBOOKID n10""",
        ),
        Table("CUSTGROUP", "CUSTGROUP n10, NAME n60, PAYMTERMID n10, TAXGROUPID n10", key=("CUSTGROUP",)),
        Table("CURRENCY", "CURRENCYCODE n3, CURRENCYCODEISO n3, TXT n60", key=("CURRENCYCODE",), per_company=False),
        Table("PAYMTERM", "PAYMTERMID n10, DESCRIPTION n60, PAYMMETHOD int, NUMOFDAYS int", key=("PAYMTERMID",)),
        Table("CUSTPAYMMODETABLE", "PAYMMODE n10, NAME n60", key=("PAYMMODE",)),
        Table("DLVMODE", "CODE n10, TXT n60", key=("CODE",)),
        Table("DLVTERM", "CODE n10, TXT n60", key=("CODE",)),
        Table("TAXGROUPHEADING", "TAXGROUP n10, TAXGROUPNAME n60", key=("TAXGROUP",)),
        Table("TAXGROUPDATA", "TAXGROUP n10, TAXCODE n10, EXEMPTTAX int", key=("TAXGROUP", "TAXCODE")),
        Table("TAXITEMGROUPHEADING", "TAXITEMGROUP n10, NAME n60", key=("TAXITEMGROUP",)),
        Table("TAXONITEM", "TAXITEMGROUP n10, TAXCODE n10", key=("TAXITEMGROUP", "TAXCODE")),
        Table("TAXDATA", "TAXCODE n10, TAXFROMDATE date, TAXTODATE date, TAXVALUE num", key=("TAXCODE", "TAXFROMDATE")),
        Table("MAINACCOUNT", "MAINACCOUNTID n20, NAME n60, LEDGERCHARTOFACCOUNTS big, TYPE int", per_company=False),
        Table("DIMENSIONATTRIBUTE", "NAME n60", per_company=False),
        Table(
            "DIMENSIONATTRIBUTEVALUE",
            """DIMENSIONATTRIBUTE big, ENTITYINSTANCE big, ISSUSPENDED int, ISDELETED int, ISTOTAL int
            ISBLOCKEDFORMANUALENTRY int, ACTIVEFROM date, ACTIVETO date, GROUPDIMENSION n10, OWNER big""",
            per_company=False,
        ),
        # Where the value's text lives for custom-list dimensions; DIMENSIONATTRIBUTEVALUE.ENTITYINSTANCE points to it.
        Table("DIMENSIONFINANCIALTAG", "VALUE n30, DESCRIPTION n60", per_company=False),
        Table("DIMENSIONATTRIBUTEVALUESET", "HASH n64", per_company=False),
        Table(
            "DIMENSIONATTRIBUTEVALUESETITEM",
            "DIMENSIONATTRIBUTEVALUESET big, DIMENSIONATTRIBUTEVALUE big, DISPLAYVALUE n30",
            per_company=False,
        ),
        Table(
            "DIMENSIONATTRIBUTEVALUECOMBINATION",
            "DISPLAYVALUE n500, MAINACCOUNT big, LEDGERDIMENSIONTYPE int, ACCOUNTSTRUCTURE big",
            per_company=False,
        ),
    )
}
