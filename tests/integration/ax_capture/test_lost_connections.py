"""Lost connections and transient errors, as both drivers tell them: retryable by number and state, never by text.

What is measured here stands in connectors/ax/sql_failures.py. FreeTDS says `HY000 Unknown error (0)` of a connection
that died while nobody used it; Microsoft's driver tells Linux's errno beside 08S01.
"""

import threading

import pytest

from connectors.ax.sql import SqlConnection
from connectors.ax.sql_failures import BY_NUMBER
from schemas.failures import FatalError, RetryableError
from tests.integration.ax_capture.conftest import READER
from tests.kit.cutting_proxy import CuttingProxy
from tests.kit.poll import poll_until

ROWS = 400
# The engine's own numbers that mean "again"; those of a driver or a network are not the engine's to raise.
TRANSIENT = sorted(
    number
    for number, verdict in BY_NUMBER.items()
    if verdict.failure is RetryableError and verdict.code != "sql_connection_lost"
)


@pytest.fixture(scope="module")
def table(sql_server):
    sql_server.execute("CREATE TABLE dbo.LOST (ID int NOT NULL, T nvarchar(400) NOT NULL)")
    rows = ", ".join(f"({number}, N'{'x' * 300}')" for number in range(ROWS))
    sql_server.execute(f"INSERT INTO dbo.LOST (ID, T) VALUES {rows}")
    sql_server.execute(f"GRANT SELECT ON dbo.LOST TO [{READER}]")
    yield "dbo.LOST"
    sql_server.execute("DROP TABLE dbo.LOST")


@pytest.fixture(params=["fin", "rst"])
def proxy(sql_server, request):
    with CuttingProxy(sql_server.server.port, request.param) as running:
        yield running


@pytest.fixture
def connection(proxy, sql_settings, table):
    settings = sql_settings.model_copy(update={"port": proxy.port, "query_timeout_seconds": 5})
    with SqlConnection(settings) as opened:
        yield opened


def require_lost(connection: SqlConnection, failure: RetryableError) -> None:
    """The failure was retryable; and the next call on that connection is too, whatever the driver would say."""
    assert failure.code in ("sql_connection_lost", "sql_connection_unclear", "sql_timeout")
    with pytest.raises(RetryableError):
        connection.rows("SELECT 1 AS one", action="asking again")
    with pytest.raises(RetryableError):
        connection.rows("SELECT ? AS one", 1, action="asking once more")


def test_lost_while_a_query_runs(connection, proxy, sql_server):
    sql_server.server.faults.delay(2, matching="LOST", login=READER)
    cutter = threading.Timer(0.3, proxy.cut)
    cutter.start()
    with pytest.raises(RetryableError) as lost:
        connection.rows("SELECT ID FROM dbo.LOST WHERE ID > ?", 1, action="asking")
    cutter.join()
    require_lost(connection, lost.value)


@pytest.mark.parametrize("answer_bytes", [1, 9, 100, 20_000])
def test_lost_inside_an_answer(connection, proxy, answer_bytes):
    proxy.cut_after(answer_bytes)
    with pytest.raises(RetryableError) as lost:
        connection.rows("SELECT ID, T FROM dbo.LOST", action="asking")
    require_lost(connection, lost.value)


def test_lost_while_nobody_asks(connection, proxy):
    assert connection.row("SELECT 1 AS one", action="asking") == {"one": 1}
    proxy.cut()
    with pytest.raises(RetryableError) as lost:
        connection.rows("SELECT 1 AS one", action="asking")
    require_lost(connection, lost.value)


@pytest.mark.parametrize("answer_bytes", [1, 40])
def test_lost_during_the_login(proxy, sql_settings, answer_bytes):
    proxy.cut_after(answer_bytes)
    settings = sql_settings.model_copy(update={"port": proxy.port, "login_timeout_seconds": 1})
    with pytest.raises(RetryableError):
        SqlConnection(settings)


@pytest.mark.parametrize("number", TRANSIENT)
def test_a_transient_number_of_the_engine(sql_settings, sql_server, table, number):
    with SqlConnection(sql_settings) as connection:
        sql_server.server.faults.raise_error(number, matching="LOST", login=READER)
        with pytest.raises(RetryableError) as failed:
            connection.rows("SELECT ID FROM dbo.LOST", action="asking")
        assert failed.value.code == BY_NUMBER[number].code
        assert str(number) in failed.value.message


def test_a_query_that_takes_too_long_is_given_up_and_the_connection_goes_on(sql_settings, sql_server, table):
    with SqlConnection(sql_settings.model_copy(update={"query_timeout_seconds": 1})) as connection:
        with pytest.raises(RetryableError) as late:
            connection.rows("WAITFOR DELAY '00:00:10'", action="asking")
        assert late.value.code == "sql_timeout"
        assert connection.row("SELECT 1 AS one", action="asking") == {"one": 1}


@pytest.mark.parametrize("number", [50123, 9002, 823])
def test_an_unknown_number_of_the_engine_stays_fatal(sql_settings, sql_server, table, number):
    with SqlConnection(sql_settings) as connection:
        sql_server.server.faults.raise_error(number, matching="LOST", login=READER)
        with pytest.raises(FatalError) as failed:
            connection.rows("SELECT ID FROM dbo.LOST", action="asking")
        assert failed.value.code == "sql_unknown_error"


def test_a_capture_whose_idle_connections_die_goes_on(bench, sql_server):
    """Found with FreeTDS: `HY000 Unknown error (0)` was fatal, and a restart of SQL Server stopped the capture."""
    with CuttingProxy(sql_server.server.port) as proxy:
        running = bench.capture(sql=bench.sql.model_copy(update={"port": proxy.port})).wait_streaming()
        for rec_id in (1, 2, 3):
            proxy.cut()
            bench.execute(f"INSERT INTO {{C}} (RECID) VALUES ({rec_id})")
            bench.scan()
            poll_until(lambda n=rec_id: ("c", n) in bench.ops(bench.customers), 15, f"row {rec_id} is captured")
        running.check()
        running.stop()
    assert bench.ops(bench.customers) == [("c", 1), ("c", 2), ("c", 3)]
