"""The look-up of documents in AX: which rows it asks for."""

import asyncio
from typing import ClassVar

import pytest

from connectors.ax import lookup as lookup_module
from connectors.ax.lookup import INITIAL_PARTITION, DocumentLookup, FoundDocument, like_prefix
from schemas.failures import FatalError, RetryableError
from streams.runtime.settings import AxSqlSettings


class FakeConnection:
    """Answers with `found`, or raises it; remembers what was asked."""

    opened: ClassVar[list["FakeConnection"]]
    found: ClassVar[list[dict] | Exception]
    partition: ClassVar[dict | None]

    def __init__(self, settings):
        self.settings, self.asked, self.closed = settings, [], False
        FakeConnection.opened.append(self)

    def rows(self, _sql, *parameters, action):
        self.asked.append(parameters)
        if isinstance(FakeConnection.found, Exception):
            raise FakeConnection.found
        return FakeConnection.found

    def row(self, _sql, *parameters, action):
        self.asked.append(parameters)
        return FakeConnection.partition

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def connections(monkeypatch):
    monkeypatch.setattr(lookup_module, "SqlConnection", FakeConnection)
    monkeypatch.setattr(FakeConnection, "opened", [], raising=False)
    monkeypatch.setattr(FakeConnection, "found", [], raising=False)
    monkeypatch.setattr(FakeConnection, "partition", {"RECID": 77}, raising=False)
    monkeypatch.setattr(lookup_module, "_CONNECTIONS", 1)
    return FakeConnection.opened


def look_up(times=1, **settings):
    async def calls():
        lookup = DocumentLookup(AxSqlSettings(), **settings)
        try:
            return [await lookup.invoices("USMF", "FB:Zy_1:7:") for _ in range(times)][-1]
        finally:
            await lookup.close()

    return asyncio.run(calls())


def test_asks_for_the_references_of_one_invoice_in_company_and_partition(connections):
    FakeConnection.found = [{"REFERENCE": "FB:Zy_1:7:1:aa", "AXID": 5637144577, "NUMBER": "FTI-1"}]
    assert look_up() == [FoundDocument("FB:Zy_1:7:1:aa", "5637144577", "FTI-1")]
    assert connections[0].asked == [(INITIAL_PARTITION, "usmf", "FB:Zy!_1:7:%")]


def test_never_reads_a_secondary_that_may_lag(connections):
    look_up()
    assert connections[0].settings.application_intent == "ReadWrite"


def test_finds_the_partition_of_a_key_once(connections):
    look_up(times=2, partition_key="branch")
    assert [asked[0] for asked in connections[0].asked] == ["branch", 77, 77]


def test_a_partition_key_that_ax_does_not_have_is_fatal():
    FakeConnection.partition = None
    with pytest.raises(FatalError, match="PARTITION_KEY"):
        look_up(partition_key="nowhere")


def test_keeps_its_connection_and_closes_it_at_the_end(connections):
    look_up(times=3)
    assert [item.closed for item in connections] == [True]


def test_opens_a_new_connection_after_a_failure(connections):
    FakeConnection.found = RetryableError("sql_connection_lost", "gone")

    async def calls():
        lookup = DocumentLookup(AxSqlSettings())
        with pytest.raises(RetryableError):
            await lookup.invoices("usmf", "FB:Zy:7:")
        assert connections[0].closed
        FakeConnection.found = []
        await lookup.invoices("usmf", "FB:Zy:7:")
        await lookup.close()

    asyncio.run(calls())
    assert len(connections) == 2


@pytest.mark.parametrize(
    ("prefix", "pattern"), [("FB:Zy:7:", "FB:Zy:7:%"), ("100%_[a]!", "100!%!_![a]!!%")], ids=["plain", "wildcards"]
)
def test_a_prefix_is_taken_literally(prefix, pattern):
    assert like_prefix(prefix) == pattern
