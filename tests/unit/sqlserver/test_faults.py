"""Faults fire as often as asked, where asked."""

import asyncio

import pytest

from sandbox.sqlserver.errors import ConnectionKilledError, SqlError
from sandbox.sqlserver.faults import Faults


def fire(faults, text, login="reader"):
    asyncio.run(faults.before_statement(text, login))


def test_an_error_fires_for_matching_statements_until_its_count_is_used():
    faults = Faults()
    faults.raise_error(1205, count=2, matching="custtable")
    fire(faults, "SELECT 1")
    for _ in range(2):
        with pytest.raises(SqlError) as raised:
            fire(faults, "SELECT * FROM CUSTTABLE")
        assert (raised.value.number, raised.value.severity) == (1205, 13)
        assert raised.value.ends_transaction
    fire(faults, "SELECT * FROM CUSTTABLE")
    assert faults.active() == []


def test_a_login_can_be_singled_out():
    faults = Faults()
    faults.kill_connection(login="reader")
    fire(faults, "SELECT 1", login="sa")
    with pytest.raises(ConnectionKilledError):
        fire(faults, "SELECT 1", login="READER")


def test_what_is_armed_can_be_seen_and_cleared():
    faults = Faults()
    faults.kill_connection(after_rows=10, matching="T")
    assert [(fault["kind"], fault["count"], fault["after_rows"]) for fault in faults.active()] == [("kill", 1, 10)]
    assert faults.rows_before_kill("SELECT * FROM T", "sa") == 10
    assert faults.rows_before_kill("SELECT * FROM T", "sa") is None
    faults.refuse_logins(count=5)
    faults.clear()
    faults.at_login("anybody")
    assert faults.active() == []
