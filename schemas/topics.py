"""Every Kafka topic, declared once: name, key, cleanup policy, retention, Avro subject.

Created by `freshax topics apply`, never by use (`auto.create.topics.enable` is off). Topics that one agent reads
together have the same number of partitions and the same key, so that a document's records meet in one worker.
Topics that a Faust agent reads are neither compacted nor transactional: its commits stall on offset gaps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

DAY_MS = 24 * 60 * 60 * 1000
# Two weeks: the replay window, longer than the longest holiday closure between a fault and its discovery.
FACT_RETENTION_MS = 14 * DAY_MS
# A dead letter waits for a person: a quarter, so that a quarterly close finds it.
DLQ_RETENTION_MS = 92 * DAY_MS
PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `schema` is the folder under schemas/avro, None where values are not ours (the DLQ).

    `derived`: its schemas are made from AX's catalog and registered; `schema` is then only their beginning.
    """

    name: str
    key: str
    cleanup: Literal["delete", "compact"]
    schema: str | None
    doc: str
    partitions: int = PARTITIONS
    retention_ms: int = FACT_RETENTION_MS
    derived: bool = False

    @property
    def subject(self) -> str | None:
        """Registry subject by TopicNameStrategy, None for a topic without a schema."""
        return f"{self.name}-value" if self.schema or self.derived else None


# The tables whose first schema is shipped: what the projector reads of them is declared there.
_SHIPPED = {"custtable", "dirpartytable"}


def cdc_topic(table: str) -> Topic:
    """The change feed of an AX table, by its plain name in any case."""
    name = table.lower()
    return Topic(
        f"ax.cdc.{name}",
        "partition:recid",
        "compact",
        f"cdc_{name}" if name in _SHIPPED else None,
        f"Change feed of {table.upper()}.",
        # One writer, one order: a key's changes and a transaction's rows stay in sequence.
        partitions=1,
        derived=True,
    )


NOTIFICATIONS = Topic(
    "freshbooks.notifications",
    "account:kind:id",
    "delete",
    "notification",
    "A FreshBooks entity may have changed.",
)
CLIENTS = Topic("freshbooks.clients", "account:client:id", "delete", "client", "A client as fetched from FreshBooks.")
INVOICES = Topic(
    "freshbooks.invoices",
    "account:invoice:id",
    "delete",
    "invoice",
    "An invoice with its lines as fetched from FreshBooks.",
)
VENDORS = Topic(
    "freshbooks.vendors", "account:bill_vendor:id", "delete", "bill_vendor", "A bill vendor as fetched from FreshBooks."
)
PAYMENTS = Topic(
    "freshbooks.payments",
    "account:payment:id",
    "delete",
    "payment",
    "A payment of an invoice as fetched from FreshBooks.",
)
CREDIT_NOTES = Topic(
    "freshbooks.credit-notes",
    "account:credit_note:id",
    "delete",
    "credit_note",
    "A credit note with its lines as fetched from FreshBooks.",
)
EXPENSES = Topic(
    "freshbooks.expenses", "account:expense:id", "delete", "expense", "An expense as fetched from FreshBooks."
)
BILLS = Topic(
    "freshbooks.bills", "account:bill:id", "delete", "bill", "A bill with its lines as fetched from FreshBooks."
)
BILL_PAYMENTS = Topic(
    "freshbooks.bill-payments",
    "account:bill_payment:id",
    "delete",
    "bill_payment",
    "A payment of a bill as fetched from FreshBooks.",
)
# Look-up data: kept per key, for as long as flows may ask for it; no agent reads these as events.
ITEMS = Topic("freshbooks.items", "account:item:id", "compact", "item", "An item as fetched from FreshBooks.")
PROJECTS = Topic(
    "freshbooks.projects", "account:project:id", "compact", "project", "A project as fetched from FreshBooks."
)
CATEGORIES = Topic(
    "freshbooks.categories",
    "account:category:id",
    "compact",
    "category",
    "An expense category as fetched from FreshBooks.",
)
TAXES = Topic("freshbooks.taxes", "account:tax:id", "compact", "tax", "A tax as fetched from FreshBooks.")
# What the fetch agent writes, by the kind of the entity (its noun in keys and webhooks).
FRESHBOOKS_ENTITIES: dict[str, Topic] = {
    "client": CLIENTS,
    "invoice": INVOICES,
    "bill_vendor": VENDORS,
    "payment": PAYMENTS,
    "credit_note": CREDIT_NOTES,
    "expense": EXPENSES,
    "bill": BILLS,
    "bill_payment": BILL_PAYMENTS,
    "item": ITEMS,
    "project": PROJECTS,
    "category": CATEGORIES,
    "tax": TAXES,
}
FETCHED = Topic(
    "freshbooks.fetched",
    "account:kind:id",
    "compact",
    "fetched",
    "Version and content hash last published per entity.",
)
CDC_CUSTTABLE = cdc_topic("CUSTTABLE")
CDC_DIRPARTYTABLE = cdc_topic("DIRPARTYTABLE")
CDC_POSITIONS = Topic(
    "ax.cdc.positions",
    "capture instance",
    "compact",
    "cdc_position",
    "Checkpoints and heartbeats of the capture.",
    partitions=1,
)
CDC_SIGNALS = Topic(
    "ax.cdc.signals",
    "table",
    "delete",
    "capture_signal",
    "Requests to the capture, and its lease: who is assigned the partition captures.",
    partitions=1,
)
MASTER_CUSTOMERS = Topic(
    "master.customers",
    "company:customer:account",
    "compact",
    "customer",
    "AX customers with their party's name: the table.",
)
AX_CUSTOMERS = Topic(
    "ax.customers",
    "company:customer:account",
    "delete",
    "customer",
    "AX customers with their party's name: the changes.",
)
AX_COMMANDS = Topic("ax.commands", "account:kind:id", "delete", "ax_command", "What AX shall hold for a document.")
AX_CONFIRMATIONS = Topic(
    "ax.confirmations", "account:kind:id", "delete", "ax_confirmation", "What AX holds for a document."
)
FRESHBOOKS_COMMANDS = Topic(
    "freshbooks.commands",
    "account:kind:id",
    "delete",
    "freshbooks_command",
    "What FreshBooks shall hold for an entity.",
)
FRESHBOOKS_CONFIRMATIONS = Topic(
    "freshbooks.confirmations",
    "account:kind:id",
    "delete",
    "freshbooks_confirmation",
    "What FreshBooks holds for an entity.",
)
FRESHBOOKS_INTENTS = Topic(
    "freshbooks.intents", "account:kind:id", "compact", "intent", "Intent log of writes to FreshBooks."
)
XREF = Topic("xref", "account:kind:id", "compact", "xref", "Cross-reference: FreshBooks id and AX id.")
PARKED = Topic("parked", "account:kind:id", "compact", "parked", "Records that wait for another record to arrive.")
RELEASED = Topic(
    "parked.released",
    "account:kind:id",
    "delete",
    "parked",
    "Parked records on their way back into their flow.",
)
DLQ = Topic(
    "dlq",
    "as in the origin topic",
    "delete",
    None,
    "Records that cannot work, with their history in headers.",
    retention_ms=DLQ_RETENTION_MS,
)

ALL: tuple[Topic, ...] = (
    NOTIFICATIONS,
    *FRESHBOOKS_ENTITIES.values(),
    FETCHED,
    CDC_CUSTTABLE,
    CDC_DIRPARTYTABLE,
    CDC_POSITIONS,
    CDC_SIGNALS,
    MASTER_CUSTOMERS,
    AX_CUSTOMERS,
    AX_COMMANDS,
    AX_CONFIRMATIONS,
    FRESHBOOKS_COMMANDS,
    FRESHBOOKS_CONFIRMATIONS,
    FRESHBOOKS_INTENTS,
    XREF,
    PARKED,
    RELEASED,
    DLQ,
)
BY_NAME: dict[str, Topic] = {topic.name: topic for topic in ALL}


def with_tables(names: Iterable[str]) -> tuple[Topic, ...]:
    """All topics of a deployment that captures the AX tables `names` (`dbo.VENDTABLE`)."""
    feeds = {topic.name: topic for topic in (cdc_topic(name.rpartition(".")[2]) for name in names)}
    return (*ALL, *(topic for topic in feeds.values() if topic.name not in BY_NAME))
