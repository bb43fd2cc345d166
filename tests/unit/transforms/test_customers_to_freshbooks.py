"""The flow of AX customers: what AX owns reaches the FreshBooks client that is linked."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import FreshBooksOperation
from streams import flows as declared
from streams.transforms.decisions import Ignored, Ready
from streams.transforms.flow import Flow


@pytest.fixture(scope="session")
def flow(flows: Any) -> Flow:
    return flows["customers-to-freshbooks"]


def test_a_changed_customer_updates_its_client(flow: Flow, build: Any) -> None:
    customer = build.customer(name="Blumen Käfer AG", vat_number="DE123456789")

    decision = flow.decide(customer.to_avro(), build.linked(), build.now)

    assert isinstance(decision, Ready)
    (command,) = decision.freshbooks_commands
    assert command.operation is FreshBooksOperation.UPDATE_CLIENT
    assert (command.account_id, command.kind, command.entity_id) == ("ZyQ04o", "client", 218192)
    assert command.fields == {"organization": "Blumen Käfer AG", "vat_number": "DE123456789"}
    assert (command.changed_at, command.issued_at) == (customer.changed_at, build.now)
    assert command.owner_changed_at == customer.changed_at


def test_the_command_is_known_by_what_it_writes(flow: Flow, build: Any) -> None:
    def command_id(**fields: Any) -> Any:
        return (
            flow.decide(build.customer(**fields).to_avro(), build.linked(), build.now).freshbooks_commands[0].command_id
        )

    assert command_id(blocked=1, version="v8") == command_id()
    assert command_id(name="Other") != command_id()


def test_a_field_that_ax_leaves_empty_is_not_written(flow: Flow, build: Any) -> None:
    decision = flow.decide(build.customer(vat_number=" ").to_avro(), build.linked(), build.now)

    assert decision.freshbooks_commands[0].fields == {"organization": "Blumen Kaefer GmbH"}


def test_a_name_that_was_cut_on_its_way_into_ax_does_not_come_back(flow: Flow, build: Any) -> None:
    cut = build.customer(name="N" * 93 + "~12ab9f", vat_number="DE1").to_avro()

    assert flow.decide(cut, build.linked(), build.now).freshbooks_commands[0].fields == {"vat_number": "DE1"}


def test_a_customer_without_anything_to_write_is_ignored(flow: Flow, build: Any) -> None:
    assert flow.decide(build.customer(name="").to_avro(), build.linked(), build.now) == Ignored("nothing_to_write")


def test_a_customer_without_client_is_ignored(flow: Flow, build: Any) -> None:
    decision = flow.decide(build.customer().to_avro(), build.lookups(), build.now)

    assert isinstance(decision, Ignored)
    assert decision.reason == "not_linked"


def test_a_deleted_customer_is_ignored(flow: Flow, build: Any) -> None:
    assert flow.decide(build.customer(deleted=True).to_avro(), build.linked(), build.now) == Ignored("deleted")


def test_what_is_lost_is_told(build: Any, declared_files: dict[str, str]) -> None:
    texts = {**declared_files}
    texts["client.mapping.yaml"] = texts["client.mapping.yaml"].replace(
        "vat_number: {from: customer.vat_number, owner: ax}",
        "vat_number: {from: customer.vat_number, length: 2, on_overflow: truncate}",
    )
    flow = declared.compile_flows(texts)["customers-to-freshbooks"]

    decision = flow.decide(build.customer(vat_number="DE1").to_avro(), build.linked(), build.now)

    assert [(loss.field, loss.kind) for loss in decision.losses] == [("vat_number", "truncated")]
