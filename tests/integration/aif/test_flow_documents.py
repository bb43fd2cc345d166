"""What the flows make of their examples is taken by AX, strict as it is, and posted by its batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec import structs

from connectors.ax.aif_client import AifClient
from connectors.ax.lookup import DocumentLookup
from connectors.ax.sink import AxSink
from sandbox.ax.config import (
    BankAccount,
    Company,
    Customer,
    MainAccount,
    PaymentTerm,
    TaxGroup,
    TaxItemGroup,
    Vendor,
    VendorGroup,
)
from schemas.records import AxCommand, AxOutcome
from streams.flow_commands import example
from streams.flows import load_flows
from streams.transforms.decisions import Ready
from tests.kit.ax_port import CONFIG, AxPort, ax_port

GOLDEN = Path(__file__).parents[2] / "unit" / "transforms" / "golden"
FLOWS = [
    "vendors-to-ax",
    "expenses-to-ax",
    "payments-to-ax",
    "bills-to-ax",
    "bill-payments-to-ax",
    "credit-notes-to-ax",
]
# Accounts, groups and parties that the examples name.
ACCOUNTS = ("401100", "401190", "401200", "606300", "606350", "618100", "618150", "202110", "202120", "110110")
TAXES = {"VAT19": "19", "VAT7": "7", "GSTPST": "12"}
AX = structs.replace(
    CONFIG,
    main_accounts=tuple(MainAccount(id=number) for number in ACCOUNTS),
    companies={
        "usmf": Company(
            payment_terms=(PaymentTerm(id="Net30", days=30),),
            tax_groups=(TaxGroup(id="CA"), TaxGroup(id="NONE", codes=())),
            tax_item_groups=tuple(TaxItemGroup(id=name, rates={name: rate}) for name, rate in TAXES.items()),
            customers=(Customer(account="C-000001", name="Blumen Kaefer GmbH", group="10", currency="EUR"),),
            vendors=tuple(
                Vendor(account=number, name=number, group="10", currency="EUR") for number in ("V-000007", "V-000009")
            ),
            # Away from the numbers of the vendors above.
            number_sequences={**Company().number_sequences, "vendor": "NEW-{:06d}"},
            vendor_groups=(VendorGroup(id="10"), VendorGroup(id="20")),
            bank_accounts=(
                BankAccount(id="USMF OPER", main_account="110110", currency="USD"),
                BankAccount(id="PAYPAL", main_account="110110", currency="USD"),
            ),
        )
    },
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AxPort]:
    with ax_port(tmp_path_factory.mktemp("ax"), AX) as port:
        yield port


@pytest.fixture(scope="module")
def sink(port: AxPort) -> Iterator[AxSink]:
    client, lookup = AifClient(port.aif_settings()), DocumentLookup(port.sql_settings())
    yield AxSink(client, lookup, port.aif_settings())
    asyncio.run(client.close())
    asyncio.run(lookup.close())


NUMBERS = count(700_001)


def commands_of(name: str) -> dict[str, AxCommand]:
    """The commands of a flow's examples, each for a FreshBooks record of its own."""
    found = {}
    for given in sorted((GOLDEN / name).glob("*.in.json")):
        flow, case = example(load_flows()[name], given)
        decision: Any = flow.explain(case.record, case.master, case.now)[1]
        if isinstance(decision, Ready) and decision.ax_commands and not decision.ax_commands[0].operation.cancels:
            found[given.name.removesuffix(".in.json")] = own_record(decision.ax_commands[0])
    return found


def own_record(command: AxCommand) -> AxCommand:
    number = next(NUMBERS)
    changes: dict[str, Any] = {
        "command_id": uuid4(),
        "source": structs.replace(command.source, entity_id=number),
    }
    if command.customer_payment is not None:
        # No invoice stands in this AX: the payment is one on account.
        changes["customer_payment"] = structs.replace(command.customer_payment, settles_invoice_id=None)
    if command.vendor_payment is not None:
        changes["vendor_payment"] = structs.replace(command.vendor_payment, marked_invoice=None)
    if command.vendor is not None:
        changes["vendor"] = structs.replace(command.vendor, your_account_number=f"FBZyQ04o-{number}")
    return structs.replace(command, **changes)


@pytest.mark.parametrize("name", FLOWS)
def test_ax_takes_every_document_and_posts_it(port: AxPort, sink: AxSink, name: str) -> None:
    commands = commands_of(name)
    assert len(commands) >= 8

    outcomes = {case: asyncio.run(sink.apply(command, None)).outcome for case, command in commands.items()}
    port.post()

    assert set(outcomes.values()) == {AxOutcome.CREATED}
    state = port.state()
    errors = [row["posting_error"] for row in (*state["journals"], *state["free_text_invoices"])]
    assert [error for error in errors if error] == []
