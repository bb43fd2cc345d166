"""What each agent publishes for a record, and that nothing counts as done before it is confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from schemas import avro, topics
from schemas.failures import PoisonError, RetryableError
from schemas.records import (
    AxCommand,
    AxConfirmation,
    AxOperation,
    AxOutcome,
    Client,
    CrossReference,
    Customer,
    Fetched,
    FreshBooksCommand,
    FreshBooksConfirmation,
    FreshBooksOperation,
    FreshBooksOutcome,
    Intent,
    IntentState,
    Notification,
    Origin,
    Parked,
    SourceRef,
)
from streams.agents.ax_sink import AxSinkHandler, cross_reference
from streams.agents.confirmations import ConfirmationHandler
from streams.agents.fetch import FetchHandler
from streams.agents.flow import FlowHandler
from streams.agents.freshbooks_sink import FreshBooksSinkHandler
from streams.agents.parking import Parking
from streams.transforms.decisions import Decision, Ignored, Loss, ParkedFor, Ready
from tests.kit.pipeline import NOW, DictStore, PlainCodec, RememberingProducer, incoming, outbox
from tests.unit.schemas.test_avro_schemas import RECORD_OF, from_json, named_in

KEY = "acc:client:1"
COMMAND_ID = UUID("6f1b0a5e-6c2d-5e3f-9a1b-0c2d3e4f5a6b")


def client(**changes: Any) -> Client:
    fields: dict[str, Any] = {
        "account_id": "acc",
        "client_id": 1,
        "organization": "Käfer",
        "currency_code": "EUR",
        "vis_state": 0,
        "updated_at": NOW,
        "version": "v1",
        "content_hash": "h1",
        "fetched_at": NOW,
    }
    return Client(**(fields | changes))


def fetched(content_hash: str = "h1", **changes: Any) -> Fetched:
    fields: dict[str, Any] = {"version": "v1", "content_hash": content_hash, "vis_state": 0, "fetched_at": NOW}
    return Fetched(**(fields | changes))


def link(**changes: Any) -> CrossReference:
    fields: dict[str, Any] = {
        "account_id": "acc",
        "kind": "client",
        "freshbooks_id": 1,
        "company": "usmf",
        "entity": "customer",
        "ax_id": "C-1",
        "linked_by": "vat_number",
        "revision": 0,
        "linked_at": NOW,
    }
    return CrossReference(**(fields | changes))


def customer() -> Customer:
    return Customer(
        company="usmf",
        account_number="C-1",
        name="Käfer",
        name_alias="",
        customer_group="10",
        currency_code="EUR",
        payment_terms="",
        tax_group="",
        vat_number="",
        our_account_number="",
        language="de",
        blocked=0,
        rec_id=1,
        party_rec_id=2,
        version="00000027:00000ac0:0007/1/00000027:00000ac0:0002/2",
        changed_at=NOW,
    )


SOURCE = SourceRef(account_id="acc", kind="client", entity_id=1, version="v1", content_hash="h1", changed_at=NOW)


def ax_command() -> AxCommand:
    return AxCommand(
        command_id=COMMAND_ID,
        operation=AxOperation.UPSERT_CUSTOMER,
        company="usmf",
        source=SOURCE,
        document_hash="00ff",
        mapping_revision="clients-to-ax@1",
        master_versions={},
        issued_at=NOW,
    )


def confirmation(outcome: AxOutcome = AxOutcome.CREATED) -> AxConfirmation:
    return AxConfirmation(
        command_id=COMMAND_ID,
        outcome=outcome,
        company="usmf",
        entity="customer",
        ax_id="C-1",
        reference="FBacc-1",
        revision=0,
        source=SOURCE,
        document_hash="00ff",
        confirmed_at=NOW + timedelta(seconds=1),
    )


def confirmed_intent(at: datetime) -> Intent:
    return Intent(command_id=COMMAND_ID, state=IntentState.CONFIRMED, content_hash="h2", at=at)


class TestFetch:
    """A notification says 'look'; what is found is published when it is new."""

    def handler(self, entity: Client | None, **stores: Any) -> tuple[FetchHandler, RememberingProducer]:
        class Fetcher:
            async def fetch(self, kind: str, entity_id: int) -> Client | None:
                assert (kind, entity_id) == ("client", 1)
                return entity

        producer = RememberingProducer()
        handler = FetchHandler(
            account_id="acc",
            fetcher=Fetcher(),
            codec=PlainCodec(),  # type: ignore[arg-type]
            outbox=outbox(producer),
            fetched=stores.get("fetched", DictStore()),
            intents=stores.get("intents", DictStore()),
        )
        return handler, producer

    def notification(self, **changes: Any) -> Any:
        fields: dict[str, Any] = {
            "account_id": "acc",
            "kind": "client",
            "verb": "update",
            "object_id": 1,
            "origin": Origin.WEBHOOK,
            "received_at": NOW,
        }
        return incoming(topics.NOTIFICATIONS, KEY, Notification(**(fields | changes)))

    def test_a_new_entity_is_published_and_then_remembered(self) -> None:
        remembered: DictStore[Fetched] = DictStore()
        handler, producer = self.handler(client(), fetched=remembered)

        assert asyncio.run(handler(self.notification())) == "published"
        assert producer.topics() == ["freshbooks.clients", "freshbooks.fetched"]
        assert producer.records(topics.CLIENTS, Client) == [client()]
        assert remembered.get(KEY) == fetched()

    @pytest.mark.parametrize("kind", sorted(topics.FRESHBOOKS_ENTITIES))
    def test_every_kind_has_its_topic(self, kind: str) -> None:
        topic = topics.FRESHBOOKS_ENTITIES[kind]
        schema = avro.load(topic.schema or "")
        value = from_json(schema, avro.example(topic.schema or ""), named_in(schema))
        entity = RECORD_OF[topic.schema or ""].from_avro(value)

        class Fetcher:
            async def fetch(self, kind: str, entity_id: int) -> Any:
                return entity

        producer = RememberingProducer()
        handler = FetchHandler(
            account_id="acc",
            fetcher=Fetcher(),
            codec=PlainCodec(),  # type: ignore[arg-type]
            outbox=outbox(producer),
            fetched=DictStore(),  # type: ignore[arg-type]
            intents=DictStore(),  # type: ignore[arg-type]
        )

        assert asyncio.run(handler(self.notification(kind=kind))) == "published"
        assert producer.topics() == [topic.name, "freshbooks.fetched"]
        assert producer.sent[0].key == f"acc:{kind}:1".encode()

    def test_the_trace_of_the_notification_goes_on(self) -> None:
        handler, producer = self.handler(client())
        asyncio.run(handler(self.notification()))

        assert dict(producer.sent[0].headers)["traceparent"].startswith(b"00-" + b"a" * 32)

    def test_unchanged_content_is_dropped(self) -> None:
        handler, producer = self.handler(client(version="v2"), fetched=DictStore({KEY: fetched()}))

        assert asyncio.run(handler(self.notification())) == "unchanged"
        assert producer.sent == []

    def test_the_echo_of_our_own_write_is_dropped(self) -> None:
        intent = confirmed_intent(NOW + timedelta(seconds=1))
        stores = {"fetched": DictStore({KEY: fetched()}), "intents": DictStore({KEY: intent})}
        handler, _ = self.handler(client(content_hash="h2"), **stores)

        assert asyncio.run(handler(self.notification())) == "unchanged"

    def test_a_person_s_return_to_what_we_once_wrote_is_published(self) -> None:
        later = fetched("h3", fetched_at=NOW + timedelta(seconds=9))
        stores = {"fetched": DictStore({KEY: later}), "intents": DictStore({KEY: confirmed_intent(NOW)})}
        handler, _ = self.handler(client(content_hash="h2"), **stores)

        assert asyncio.run(handler(self.notification())) == "published"

    def test_an_edit_by_a_person_after_our_write_is_published(self) -> None:
        intent = confirmed_intent(NOW + timedelta(seconds=1))
        stores = {"fetched": DictStore({KEY: fetched()}), "intents": DictStore({KEY: intent})}
        handler, _ = self.handler(client(content_hash="h3"), **stores)

        assert asyncio.run(handler(self.notification())) == "published"

    def test_nothing_is_remembered_when_publishing_fails(self) -> None:
        remembered: DictStore[Fetched] = DictStore()
        handler, producer = self.handler(client(), fetched=remembered)
        producer.fail_sends = {1}

        with pytest.raises(RetryableError):
            asyncio.run(handler(self.notification()))
        assert remembered.get(KEY) is None

    def test_an_entity_that_is_gone_is_told_as_such(self) -> None:
        handler, producer = self.handler(None)

        assert asyncio.run(handler(self.notification())) == "gone"
        assert producer.sent == []

    def test_a_kind_that_is_not_synchronised_is_not_fetched(self) -> None:
        handler, _ = self.handler(client())

        assert asyncio.run(handler(self.notification(kind="estimate"))) == "not_synchronised"

    def test_another_account_is_poison(self) -> None:
        handler, _ = self.handler(client())

        with pytest.raises(PoisonError, match="unknown_account"):
            asyncio.run(handler(self.notification(account_id="other")))

    def test_bytes_that_are_no_notification_are_poison(self) -> None:
        handler, _ = self.handler(client())

        with pytest.raises(PoisonError, match="undecodable"):
            asyncio.run(handler(incoming(topics.NOTIFICATIONS, KEY, None)))


@dataclass
class ScriptedFlow:
    """A flow that decides as told."""

    decision: Decision | Exception
    name: str = "clients-to-ax"
    seen: list[Mapping[str, Any]] = field(default_factory=list)

    def decide(self, record: Mapping[str, Any], lookups: Any, now: Any) -> Decision:
        self.seen.append(record)
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision


class Master:
    """Master data with nothing in it but what a test puts there."""

    def __init__(self, arrived: set[str] | None = None) -> None:
        self.xrefs: DictStore[CrossReference] = DictStore()
        self._arrived = arrived or set()
        self.customers: dict[str, Customer] = {}
        self.commands: list[tuple[str, AxCommand]] = []

    def arrived(self, waits_for: str) -> bool:
        return waits_for in self._arrived

    def customer(self, company: str, account_number: str) -> Customer | None:
        return self.customers.get(account_number)

    def issued(self, key: str, command: AxCommand) -> None:
        self.commands.append((key, command))


class TestFlow:
    """A decision becomes durable in one order: commands, links, tombstone of what was parked."""

    def handler(self, decision: Decision | Exception, **stores: Any) -> tuple[FlowHandler, RememberingProducer]:
        producer = RememberingProducer()
        self.flow = ScriptedFlow(decision)
        self.master = Master()
        self.parked = stores.get("parked", DictStore())
        handler = FlowHandler(
            flows={topics.CLIENTS.name: self.flow},
            codec=PlainCodec(),  # type: ignore[arg-type]
            outbox=outbox(producer),
            master=self.master,  # type: ignore[arg-type]
            fetched=stores.get("fetched", DictStore()),
            parked=self.parked,
        )
        return handler, producer

    def record(self, **changes: Any) -> Any:
        return incoming(topics.CLIENTS, KEY, client(**changes), offset=7)

    def test_a_link_that_is_not_delivered_does_not_hide_its_commands(self) -> None:
        """A link alone would end the repeated record as 'linked': its write-back would never be sent."""
        handler, producer = self.handler(Ready(links=[link()], ax_commands=[ax_command()]))
        producer.fail_sends = {2}

        with pytest.raises(RetryableError):
            asyncio.run(handler(self.record()))

        assert producer.topics() == ["ax.commands"]
        assert self.master.xrefs.get(KEY) is None

    def test_commands_and_links_are_published_and_the_link_is_seen_at_once(self) -> None:
        write_back = FreshBooksCommand(
            command_id=COMMAND_ID,
            operation=FreshBooksOperation.WRITE_REFERENCE,
            account_id="acc",
            kind="client",
            entity_id=1,
            reference="usmf/C-1",
            fields={},
            reason="linked",
            changed_at=NOW,
            issued_at=NOW,
        )
        ready = Ready(links=[link()], ax_commands=[ax_command()], freshbooks_commands=[write_back])
        handler, producer = self.handler(ready)

        assert asyncio.run(handler(self.record())) == "ready"
        assert producer.topics() == ["ax.commands", "freshbooks.commands", "xref"]
        assert producer.sends == 2
        assert self.master.xrefs.get(KEY) == link()
        assert self.master.commands == [(KEY, ax_command())]

    def linked_customer(self, *, name: str) -> tuple[FlowHandler, RememberingProducer]:
        """A client that is linked to an AX customer whose flow would write `name` to FreshBooks."""
        handler, producer = self.handler(Ignored("linked"))
        self.master.xrefs.put(KEY, link())
        self.master.customers["C-1"] = customer()
        update = FreshBooksCommand(
            command_id=COMMAND_ID,
            operation=FreshBooksOperation.UPDATE_CLIENT,
            account_id="acc",
            kind="client",
            entity_id=1,
            fields={"organization": name},
            reason="owner",
            changed_at=NOW - timedelta(days=900),
            issued_at=NOW,
        )
        handler._flows[topics.AX_CUSTOMERS.name] = ScriptedFlow(Ready(freshbooks_commands=[update]))  # type: ignore[index]
        return handler, producer

    def test_a_linked_client_is_told_what_ax_as_the_owner_says_otherwise(self) -> None:
        handler, producer = self.linked_customer(name="Käfer & Töchter")

        assert asyncio.run(handler(self.record())) == "ignored_linked"
        (command,) = producer.records(topics.FRESHBOOKS_COMMANDS, FreshBooksCommand)
        assert command is not None
        assert command.fields == {"organization": "Käfer & Töchter"}
        assert command.changed_at == NOW

    def test_a_linked_client_that_agrees_with_ax_is_left_alone(self) -> None:
        handler, producer = self.linked_customer(name="Käfer")

        assert asyncio.run(handler(self.record())) == "ignored_linked"
        assert producer.sent == []

    def test_losses_are_written_to_the_command_s_headers(self) -> None:
        ready = Ready(ax_commands=[ax_command()], losses=[Loss("name", "truncated", "100 of 120")])
        handler, producer = self.handler(ready)
        asyncio.run(handler(self.record()))

        assert dict(producer.sent[0].headers)["freshax.losses"] == b"name: truncated"

    def test_an_ignored_record_publishes_nothing(self) -> None:
        handler, producer = self.handler(Ignored("draft"))

        assert asyncio.run(handler(self.record())) == "ignored_draft"
        assert producer.sent == []

    def test_a_record_that_waits_is_parked_with_its_original_bytes(self) -> None:
        handler, producer = self.handler(ParkedFor("xref acc:client:1", "no customer", fetch=("client", 1)))
        record = self.record()

        assert asyncio.run(handler(record)) == "parked"
        assert producer.topics() == ["parked", "freshbooks.notifications"]
        (row,) = producer.records(topics.PARKED, Parked)
        assert row is not None
        assert (row.value, row.origin_topic, row.origin_offset) == (record.value, "freshbooks.clients", 7)
        assert row.waits_for == "xref acc:client:1"

    def test_what_is_missing_is_asked_for_once(self) -> None:
        handler, producer = self.handler(ParkedFor("xref acc:client:1", "no customer", fetch=("client", 1)))
        asyncio.run(handler(self.record()))
        asyncio.run(handler(self.record(version="v2")))

        assert producer.topics().count("freshbooks.notifications") == 1
        assert self.parked.get(KEY).version == "v2"

    def test_a_newer_version_that_is_ready_takes_the_parked_one_away(self) -> None:
        handler, producer = self.handler(ParkedFor("xref x", "wait"))
        asyncio.run(handler(self.record()))
        self.flow.decision = Ready(ax_commands=[ax_command()])
        asyncio.run(handler(self.record(version="v2")))

        assert producer.records(topics.PARKED, Parked)[-1] is None
        assert self.parked.get(KEY) is None

    def test_a_released_record_is_decided_as_the_original(self) -> None:
        handler, _ = self.handler(ParkedFor("xref x", "wait"))
        asyncio.run(handler(self.record()))
        row = self.parked.get(KEY)
        self.flow.decision = Ignored("linked")

        assert asyncio.run(handler(incoming(topics.RELEASED, KEY, row))) == "ignored_linked"
        assert self.flow.seen[0] == self.flow.seen[1]

    def test_an_older_version_never_undoes_a_newer_one(self) -> None:
        newer = fetched("h2", fetched_at=NOW + timedelta(seconds=5))
        handler, producer = self.handler(Ready(ax_commands=[ax_command()]), fetched=DictStore({KEY: newer}))

        assert asyncio.run(handler(self.record())) == "superseded"
        assert producer.sent == []

    def test_the_newest_version_is_decided(self) -> None:
        handler, _ = self.handler(Ignored("linked"), fetched=DictStore({KEY: fetched()}))

        assert asyncio.run(handler(self.record())) == "ignored_linked"

    def test_a_link_is_not_seen_when_it_could_not_be_published(self) -> None:
        handler, producer = self.handler(Ready(links=[link()]))
        producer.fail_sends = {1}

        with pytest.raises(RetryableError):
            asyncio.run(handler(self.record()))
        assert self.master.xrefs.get(KEY) is None

    def test_a_topic_without_a_flow_is_poison(self) -> None:
        handler, _ = self.handler(Ignored("x"))

        with pytest.raises(PoisonError, match="no_flow"):
            asyncio.run(handler(incoming(topics.AX_CONFIRMATIONS, KEY, confirmation())))


class TestParking:
    """A parked record goes on when what it waits for is there, in the worker that owns its partition."""

    def row(self, waits_for: str) -> Parked:
        return Parked(
            flow="invoices-to-ax",
            waits_for=waits_for,
            reason="wait",
            origin_topic="freshbooks.clients",
            origin_partition=0,
            origin_offset=7,
            value=b"original",
            headers=(),
            version="v1",
            parked_at=NOW,
        )

    def release(self, *, owned: bool, arrived: set[str]) -> tuple[int, RememberingProducer, DictStore[Parked]]:
        async def scenario() -> tuple[int, RememberingProducer, DictStore[Parked]]:
            producer = RememberingProducer()
            parked = DictStore({"a": self.row("xref a"), "b": self.row("xref b")})
            parking = Parking(
                parked=parked,  # type: ignore[arg-type]
                master=Master(arrived),  # type: ignore[arg-type]
                outbox=outbox(producer),
                assigned=lambda _topic, _partition: owned,
            )
            return await parking.release(), producer, parked

        return asyncio.run(scenario())

    def test_what_arrived_is_released_and_then_forgotten(self) -> None:
        released, producer, parked = self.release(owned=True, arrived={"xref a"})

        assert released == 1
        assert [(r.topic, r.key) for r in producer.sent] == [("parked.released", b"a"), ("parked", b"a")]
        assert producer.sent[1].value is None
        assert list(parked.rows) == ["b"]

    def test_what_did_not_arrive_stays(self) -> None:
        assert self.release(owned=True, arrived=set())[0] == 0

    def test_another_worker_s_rows_are_left_to_it(self) -> None:
        assert self.release(owned=False, arrived={"xref a", "xref b"})[0] == 0


class TestAxSink:
    """A command leads to a confirmation and a cross-reference, in one confirmed send."""

    def test_a_confirmation_and_its_cross_reference_are_published(self) -> None:
        class Sink:
            async def apply(self, command: AxCommand, prior: CrossReference | None) -> AxConfirmation:
                assert (command, prior) == (ax_command(), link())
                return confirmation()

        producer = RememberingProducer()
        xrefs = DictStore({KEY: link()})
        handler = AxSinkHandler(sink=Sink(), codec=PlainCodec(), outbox=outbox(producer), xrefs=xrefs)  # type: ignore[arg-type]

        assert asyncio.run(handler(incoming(topics.AX_COMMANDS, KEY, ax_command()))) == "created"
        assert producer.topics() == ["ax.confirmations", "xref"]
        assert producer.sends == 1
        assert xrefs.get(KEY) == cross_reference(confirmation())

    def test_a_cancellation_of_what_ax_never_held_leaves_no_cross_reference(self) -> None:
        class Sink:
            async def apply(self, command: AxCommand, prior: CrossReference | None) -> AxConfirmation:
                return structs.replace(confirmation(AxOutcome.CANCELLED), ax_id="", reference="")

        producer = RememberingProducer()
        handler = AxSinkHandler(sink=Sink(), codec=PlainCodec(), outbox=outbox(producer), xrefs=DictStore())  # type: ignore[arg-type]

        assert asyncio.run(handler(incoming(topics.AX_COMMANDS, KEY, ax_command()))) == "cancelled"
        assert producer.topics() == ["ax.confirmations"]

    def test_a_cancelled_invoice_is_cancelled_in_the_cross_reference(self) -> None:
        assert cross_reference(confirmation(AxOutcome.CANCELLED)).cancelled
        assert not cross_reference(confirmation(AxOutcome.CORRECTED)).cancelled


class TestConfirmations:
    """What AX holds is written back to FreshBooks."""

    def run(self, outcome: AxOutcome) -> tuple[str, RememberingProducer]:
        producer = RememberingProducer()
        handler = ConfirmationHandler(codec=PlainCodec(), outbox=outbox(producer))  # type: ignore[arg-type]
        record = incoming(topics.AX_CONFIRMATIONS, KEY, confirmation(outcome))
        return asyncio.run(handler(record)), producer

    def test_the_ax_reference_is_sent_to_freshbooks(self) -> None:
        outcome, producer = self.run(AxOutcome.CREATED)
        (command,) = producer.records(topics.FRESHBOOKS_COMMANDS, FreshBooksCommand)

        assert outcome == "write_back"
        assert command is not None
        assert (command.reference, command.entity_id) == ("usmf/C-1", 1)
        assert producer.sent[0].key == KEY.encode()

    def test_a_kind_without_a_place_for_it_gets_no_reference(self) -> None:
        producer = RememberingProducer()
        handler = ConfirmationHandler(
            codec=PlainCodec(),  # type: ignore[arg-type]
            outbox=outbox(producer),
            silent_kinds=frozenset({"client"}),
        )

        outcome = asyncio.run(handler(incoming(topics.AX_CONFIRMATIONS, KEY, confirmation())))

        assert (outcome, producer.sent) == ("not_written_back", [])

    def test_the_same_confirmation_leads_to_the_same_command_id(self) -> None:
        commands = [self.run(AxOutcome.CREATED)[1].records(topics.FRESHBOOKS_COMMANDS, FreshBooksCommand) for _ in "ab"]

        assert len({command.command_id for found in commands for command in found if command}) == 1

    def test_a_cancelled_document_is_not_written_on(self) -> None:
        outcome, producer = self.run(AxOutcome.CANCELLED)

        assert outcome == "cancelled"
        assert producer.sent == []


class TestFreshBooksSink:
    """A command leads to a confirmation; intents are durable before they are seen."""

    def test_intents_and_the_confirmation_are_published_in_order(self) -> None:
        done = FreshBooksConfirmation(
            command_id=COMMAND_ID,
            outcome=FreshBooksOutcome.WRITTEN,
            account_id="acc",
            kind="client",
            entity_id=1,
            version="v2",
            content_hash="h1",
            changed_at=NOW,
            confirmed_at=NOW,
        )
        intent = Intent(command_id=COMMAND_ID, state=IntentState.INTENDED, at=NOW)

        class Sink:
            async def apply(self, command: FreshBooksCommand, intents: Any) -> FreshBooksConfirmation:
                assert intents.last(KEY) is None
                await intents.record(KEY, intent)
                assert intents.last(KEY) == intent
                return done

        producer = RememberingProducer()
        stored: DictStore[Intent] = DictStore()
        handler = FreshBooksSinkHandler(sink=Sink(), codec=PlainCodec(), outbox=outbox(producer), intents=stored)  # type: ignore[arg-type]
        command = FreshBooksCommand(
            command_id=COMMAND_ID,
            operation=FreshBooksOperation.UPDATE_CLIENT,
            account_id="acc",
            kind="client",
            entity_id=1,
            fields={"organization": "New"},
            reason="renamed",
            changed_at=NOW,
            issued_at=NOW,
        )

        assert asyncio.run(handler(incoming(topics.FRESHBOOKS_COMMANDS, KEY, command))) == "written"
        assert producer.topics() == ["freshbooks.intents", "freshbooks.confirmations"]

    @pytest.mark.parametrize("outcome", [FreshBooksOutcome.CREATED, FreshBooksOutcome.UNCHANGED])
    def test_what_was_made_from_ax_gets_its_cross_reference(self, outcome: FreshBooksOutcome) -> None:
        """Also when a repeat after a crash finds it made already."""
        producer = self.run_upsert(outcome, entity_id=9001)

        assert producer.topics() == ["freshbooks.confirmations", "xref"]
        assert producer.sent[1].key == b"acc:invoice:9001"
        (link,) = producer.records(topics.XREF, CrossReference)
        assert link is not None
        assert (link.freshbooks_id, link.company, link.entity, link.ax_id) == (9001, "usmf", "invoice", "CIV-1")
        assert link.linked_by == "created_from_ax"

    def test_what_never_was_gets_none(self) -> None:
        assert self.run_upsert(FreshBooksOutcome.UNCHANGED, entity_id=None).topics() == ["freshbooks.confirmations"]

    def run_upsert(self, outcome: FreshBooksOutcome, entity_id: int | None) -> RememberingProducer:
        class Sink:
            async def apply(self, command: FreshBooksCommand, _intents: Any) -> FreshBooksConfirmation:
                return FreshBooksConfirmation(
                    command_id=command.command_id,
                    outcome=outcome,
                    account_id="acc",
                    kind="invoice",
                    entity_id=entity_id,
                    reference=command.reference,
                    version="v1",
                    content_hash="h1",
                    changed_at=NOW,
                    confirmed_at=NOW,
                )

        producer = RememberingProducer()
        handler = FreshBooksSinkHandler(
            sink=Sink(),
            codec=PlainCodec(),  # type: ignore[arg-type]
            outbox=outbox(producer),
            intents=DictStore(),  # type: ignore[arg-type]
        )
        command = FreshBooksCommand(
            command_id=COMMAND_ID,
            operation=FreshBooksOperation.UPSERT_INVOICE,
            account_id="acc",
            kind="invoice",
            reference="usmf/CIV-1",
            fields={},
            reason="posted",
            changed_at=NOW,
            issued_at=NOW,
        )
        asyncio.run(handler(incoming(topics.FRESHBOOKS_COMMANDS, command.key, command)))
        return producer
