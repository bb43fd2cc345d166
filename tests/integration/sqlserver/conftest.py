"""One stand-in for all tests here, and connections to it through both ODBC drivers.

Tests share the database and use tables of their own. The capture job is stopped: a test scans when it wants to.
"""

import contextlib
import itertools
import re

import pyodbc
import pytest

from sandbox.sqlserver.background import BackgroundSqlServer
from tests.kit.odbc import microsoft_driver_path

PASSWORD = "Sandbox-sa-1"
pyodbc.pooling = False


@pytest.fixture(scope="session")
def microsoft_driver() -> str:
    """Microsoft's ODBC driver."""
    return microsoft_driver_path()


@pytest.fixture(scope="session")
def sql_server():
    with BackgroundSqlServer() as background:
        background.run(background.server.capture_job.stop())
        background.execute("EXEC sys.sp_cdc_enable_db")
        yield background


@pytest.fixture(params=["freetds", "microsoft"])
def driver(request):
    return request.param


@pytest.fixture
def connection_string(sql_server, driver, request):
    def build(*, user="sa", password=PASSWORD, database="AX", encrypt="no", extra=""):
        port = sql_server.server.port
        if driver == "freetds":
            encryption = {"no": "off", "yes": "require"}[encrypt]
            return (
                f"DRIVER=FreeTDS;SERVER=127.0.0.1;PORT={port};DATABASE={database};UID={user};PWD={password};"
                f"TDS_Version=7.4;ClientCharset=UTF-8;Encryption={encryption};{extra}"
            )
        return (
            f"DRIVER={request.getfixturevalue('microsoft_driver')};SERVER=127.0.0.1,{port};DATABASE={database};UID={user};PWD={password};"
            f"Encrypt={encrypt};ConnectRetryCount=0;{extra}"
        )

    return build


_numbers = itertools.count(1)


@pytest.fixture
def table(sql_server):
    """Create a table under a fresh name; returns the name."""
    made = []

    def create(columns, *, tracked=False, **options):
        name = f"T{next(_numbers)}"
        sql_server.execute(f"CREATE TABLE dbo.{name} ({columns})")
        made.append(name)
        if tracked:
            role = options.pop("role", "NULL")
            extra = "".join(f", @{key} = {value}" for key, value in options.items())
            sql_server.execute(
                f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{name}', "
                f"@role_name = {role}{extra}"
            )
        return name

    yield create
    for name in made:
        sql_server.execute(f"DROP TABLE IF EXISTS dbo.{name}")


@pytest.fixture
def connect(connection_string, table):
    """Open connections that are closed at the end of the test (before its tables are dropped, which an open
    transaction would hold up); autocommit unless said otherwise.
    """
    opened = []

    def open_one(*, autocommit=True, timeout=5, **options):
        connection = pyodbc.connect(connection_string(**options), timeout=timeout, autocommit=autocommit)
        opened.append(connection)
        return connection

    yield open_one
    for connection in opened:
        with contextlib.suppress(pyodbc.Error):  # a test may have had its connection killed
            connection.close()


def number_of(error) -> int:
    """The engine's error number: both drivers put it in brackets into the text."""
    found = re.search(r"\((\d+)\) \(SQL", error.args[1])
    return int(found[1]) if found else 0


@pytest.fixture
def error_number():
    return number_of
