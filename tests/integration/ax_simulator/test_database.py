"""The AX database as a SQL client sees it: the rows of a SOAP call, their capture, and the reader's rights."""

import pyodbc
import pytest

from tests.kit.aif import cust_table, customer, invoice, invoice_table, party
from tests.kit.poll import poll_until

CHANGES = (
    "SELECT __$operation, ACCOUNTNUM, DATAAREAID, PARTY FROM cdc.dbo_CUSTTABLE_CT WHERE ACCOUNTNUM = ?"
    " ORDER BY __$start_lsn, __$command_id, __$seqval, __$operation"
)
NAMES = (
    "SELECT __$operation, NAME FROM cdc.dbo_DIRPARTYTABLE_CT WHERE RECID = ?"
    " ORDER BY __$start_lsn, __$command_id, __$seqval, __$operation"
)


@pytest.fixture
def sql(ax_system):
    """A connection of the reader's login, from the ready line's parts."""
    ready = ax_system.ready()["sql"]
    parts = {
        "DRIVER": "FreeTDS",
        "SERVER": ready["host"],
        "PORT": ready["port"],
        "DATABASE": ready["database"],
        "UID": ready["user"],
        "PWD": ready["password"],
        "TDS_Version": "7.4",
        "ClientCharset": "UTF-8",
    }
    connection = pyodbc.connect(
        ";".join(f"{name}={value}" for name, value in parts.items()), autocommit=True, timeout=10
    )
    yield connection
    connection.close()


def rows(sql, statement, *parameters):
    return [tuple(row) for row in sql.execute(statement, *parameters).fetchall()]


def captured(sql, statement, count, *parameters):
    poll_until(
        lambda: len(rows(sql, statement, *parameters)) >= count,
        deadline_seconds=10,
        message=f"fewer than {count} change rows",
    )
    return rows(sql, statement, *parameters)


def test_a_created_customer_is_captured_as_an_insert(aif, sql):
    account = aif.new_customer("Captured")
    stored = aif.stored_customer(account)
    assert captured(sql, CHANGES, 1, account) == [(2, account, "usmf", stored["party"])]
    assert captured(sql, NAMES, 1, stored["party"])[0] == (2, "Captured")


def test_what_posting_writes_is_captured(aif, sql):
    account = aif.new_customer("Posted")
    recid = aif.create_invoice(invoice(invoice_table(account))).keys[0]
    aif.control("POST", "/post", {"company": "usmf", "rec_ids": [int(recid)]})
    number = aif.stored_invoice(recid)["invoice_id"]
    transactions = "SELECT __$operation, INVOICE FROM cdc.dbo_CUSTTRANS_CT WHERE ACCOUNTNUM = ?"
    assert captured(sql, transactions, 1, account) == [(2, number)]
    journal = "SELECT __$operation, ORDERACCOUNT, INVOICEAMOUNT FROM cdc.dbo_CUSTINVOICEJOUR_CT WHERE INVOICEID = ?"
    assert captured(sql, journal, 1, number) == [(2, account, 20)]


def test_a_rejected_call_is_never_captured(aif, sql):
    content = customer(
        cust_table("<AccountNum>ROLLED</AccountNum><CustGroup>10</CustGroup>", party("Rolled back")),
        cust_table("<CustGroup>99</CustGroup>"),
    )
    assert aif.customers("create", content).status == 500
    account = aif.new_customer("After the rejected one")
    captured(sql, CHANGES, 1, account)
    assert rows(sql, CHANGES, "ROLLED") == []


def test_a_rename_changes_the_party_only(aif, sql):
    account = aif.new_customer("Old name")
    recid = aif.stored_customer(account)["party"]
    captured(sql, NAMES, 1, recid)
    assert aif.control("POST", f"/customers/usmf/{account}/rename", {"name": "New name"}).status_code == 204
    assert captured(sql, NAMES, 3, recid)[-2:] == [(3, "Old name"), (4, "New name")]
    assert len(rows(sql, CHANGES, account)) == 1


def test_a_rename_of_nobody_is_404(aif):
    assert aif.control("POST", "/customers/usmf/nobody/rename", {"name": "x"}).status_code == 404


def test_column_types_are_sql_servers(aif, sql):
    aif.new_customer()
    cursor = sql.execute("SELECT TOP (1) ACCOUNTNUM, CREDITMAX, MODIFIEDDATETIME, RECID, RECVERSION FROM dbo.CUSTTABLE")
    described = [(item[0], item[1].__name__, item[4]) for item in cursor.description]
    assert described == [
        ("ACCOUNTNUM", "str", 20),
        ("CREDITMAX", "Decimal", 32),
        ("MODIFIEDDATETIME", "datetime", 23),
        ("RECID", "int", 19),
        ("RECVERSION", "int", 10),
    ]


def test_an_invoice_is_found_by_its_reference(aif, sql):
    recid = aif.create_invoice(
        invoice(invoice_table("US-001", after_currency="<CustomerRef>FB:9:9:1:aa</CustomerRef>"))
    ).keys[0]
    statement = (
        "SELECT RECID, CUSTOMERREF, POSTED FROM dbo.CUSTINVOICETABLE WHERE DATAAREAID = ? AND CUSTOMERREF LIKE ?"
    )
    assert rows(sql, statement, "USMF", "FB:9:9:%") == [(int(recid), "FB:9:9:1:aa", 0)]


@pytest.mark.parametrize("statement", ["SELECT * FROM dbo.TAXDATA", "UPDATE dbo.CUSTTABLE SET VATNUM = 'x'"])
def test_the_reader_has_least_rights(sql, statement):
    with pytest.raises(pyodbc.Error, match=r"229|permission"):
        sql.execute(statement)


def test_the_capture_job_can_be_stopped_and_started(aif, sql):
    aif.control("POST", "/capture", {"running": False})
    assert aif.control("GET", "/capture").json()["running"] is False
    account = aif.new_customer("While stopped")
    assert rows(sql, CHANGES, account) == []
    aif.control("POST", "/capture", {"running": True, "interval_seconds": 0.02})
    assert captured(sql, CHANGES, 1, account)[0][0] == 2
    assert aif.control("GET", "/capture").json() == {"running": True, "interval_seconds": 0.02}


def test_faults_of_the_sql_server_pass_through(aif, sql):
    fault = {"kind": "raise_error", "number": 1205, "matching": "CUSTTABLE"}
    assert aif.control("POST", "/sql/faults", fault).json()[0]["number"] == 1205
    with pytest.raises(pyodbc.Error, match="1205"):
        sql.execute("SELECT COUNT(*) FROM dbo.CUSTTABLE").fetchall()
    assert aif.control("GET", "/sql/faults").json() == []
    aif.control("POST", "/sql/faults", fault)
    assert aif.control("DELETE", "/sql/faults").status_code == 204
    assert rows(sql, "SELECT COUNT(*) FROM dbo.CUSTTABLE WHERE ACCOUNTNUM = ?", "US-001") == [(1,)]
