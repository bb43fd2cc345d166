"""Master data in memory: found by any key that flows ask for, and what is known of commands on their way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from schemas.records import AxCommand, AxOperation, Category, CrossReference, Customer
from streams.agents.lookups import MasterData
from streams.runtime.settings import KafkaSettings
from tests.kit.pipeline import NOW, PlainCodec
from tests.unit.agents.test_handlers import ax_command, customer, link


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def master(told: list[str]) -> MasterData:
    """Master data whose stores are never started: rows come by `put`."""
    return MasterData(KafkaSettings(), PlainCodec(), told.append)  # type: ignore[arg-type]


def put_customer(master: MasterData, **changes: Any) -> Customer:
    row = structs.replace(customer(), **changes)
    master.customers.put(f"usmf:customer:{row.account_number}", row)
    return row


def put_link(master: MasterData, **changes: Any) -> CrossReference:
    row = structs.replace(link(), **changes)
    master.xrefs.put(f"acc:{row.kind}:{row.freshbooks_id}", row)
    return row


def test_a_customer_is_found_by_account_vat_number_and_name(master: MasterData) -> None:
    row = put_customer(master, vat_number="DE123456789", name="Blumen Käfer")

    assert master.customer("USMF", "C-1") == row
    assert master.rows_by("customers", "usmf", "vat_number", "de 123.456-789") == [row]
    assert master.rows_by("customers", "usmf", "name", "  BLUMEN  käfer ") == [row]
    assert master.rows_by("customers", "demf", "name", "Blumen Käfer") == []


def test_an_empty_value_finds_nobody(master: MasterData) -> None:
    put_customer(master, vat_number="")

    assert master.rows_by("customers", "usmf", "vat_number", "") == []


def test_a_renamed_customer_is_found_by_its_new_name_only(master: MasterData) -> None:
    put_customer(master, name="Old")
    row = put_customer(master, name="New")

    assert master.rows_by("customers", "usmf", "name", "Old") == []
    assert master.rows_by("customers", "usmf", "name", "new") == [row]


def test_two_customers_of_one_name_are_both_found(master: MasterData) -> None:
    put_customer(master)
    put_customer(master, account_number="C-2")

    assert [row.account_number for row in master.rows_by("customers", "usmf", "name", "Käfer")] == ["C-1", "C-2"]


def test_a_link_is_found_from_both_ends(master: MasterData) -> None:
    row = put_link(master)

    assert master.xref("acc", "client", 1) == row
    assert master.xref_by_ax("usmf", "customer", "C-1") == row
    put_link(master, ax_id="C-9")
    assert master.xref_by_ax("usmf", "customer", "C-1") is None


def test_what_arrives_is_told_as_parked_records_name_it(master: MasterData, told: list[str]) -> None:
    put_customer(master)
    put_link(master)

    assert told == ["master usmf:customer:C-1", "xref acc:client:1"]
    assert master.arrived("master usmf:customer:C-1")
    assert master.arrived("xref acc:client:1")
    assert not master.arrived("xref acc:client:2")


def test_look_up_data_of_freshbooks_is_a_table_when_a_flow_asks_for_it(told: list[str]) -> None:
    master = MasterData(KafkaSettings(), PlainCodec(), told.append, ["categories"])  # type: ignore[arg-type]
    plain = {"is_cogs": False, "is_editable": False, "vis_state": 0, "version": "v1", "content_hash": "h1"}
    times = {"updated_at": NOW, "fetched_at": NOW}
    row = Category(account_id="acc", category_id=7, name="Travel", **plain, **times)
    store = master.stores[1]

    assert [one.topic.name for one in master.stores] == ["master.customers", "freshbooks.categories", "xref"]
    assert not master.arrived("master acc:category:7")
    store.put("acc:category:7", row)
    assert master.arrived("master acc:category:7")
    assert master.row("categories", "acc:category:7") == row
    assert told == ["master acc:category:7"]
    # Nobody asks for projects here: what would wait for one is not released by chance.
    assert not master.arrived("master acc:project:7")


class TestSettled:
    """A decision may rest on the cross-reference only when no command is on its way."""

    place = ("acc", "invoice", 9)
    key = "acc:invoice:9"

    def invoice_link(self, master: MasterData, document_hash: str, *, cancelled: bool = False) -> None:
        put_link(
            master,
            kind="invoice",
            freshbooks_id=9,
            entity="invoice",
            document_hash=document_hash,
            cancelled=cancelled,
            linked_at=NOW + timedelta(seconds=1),
        )

    def command(self, document_hash: str, operation: AxOperation = AxOperation.UPSERT_INVOICE) -> AxCommand:
        return structs.replace(ax_command(), document_hash=document_hash, operation=operation)

    def test_nothing_is_settled_that_this_process_has_not_seen(self, master: MasterData) -> None:
        self.invoice_link(master, "a")

        assert not master.settled(*self.place)

    def test_a_command_settles_when_the_cross_reference_shows_it(self, master: MasterData) -> None:
        self.invoice_link(master, "a")
        master.issued(self.key, self.command("b"))
        assert not master.settled(*self.place)

        self.invoice_link(master, "b")
        assert master.settled(*self.place)

    def test_a_cancellation_settles_when_nothing_is_held(self, master: MasterData) -> None:
        self.invoice_link(master, "a")
        master.issued(self.key, self.command("a", AxOperation.CANCEL_INVOICE))
        assert not master.settled(*self.place)

        self.invoice_link(master, "a", cancelled=True)
        assert master.settled(*self.place)
