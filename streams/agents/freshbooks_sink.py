"""FreshBooks sink agent: a command in, what FreshBooks holds out.

Order of durability:

1. intent `intended`, then `sent`, around the write (the sink looks before it repeats);
2. the effect in FreshBooks, intent `confirmed` with the content hash: the echo's webhook is known by it;
3. the confirmation; with it the cross-reference of an entity that was made from AX: the command could not name it;
4. the acknowledgement.
"""

from __future__ import annotations

from schemas import keys, topics
from schemas.records import (
    CrossReference,
    FreshBooksCommand,
    FreshBooksConfirmation,
    FreshBooksOperation,
    FreshBooksOutcome,
    Intent,
)
from streams.agents.outbox import Outbox
from streams.agents.ports import FreshBooksSink
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec
from streams.runtime.dead_letters import Origin
from streams.runtime.store import CompactedStore

# AX's word for what a kind is there.
_AX_ENTITY = {"client": "customer", "bill_vendor": "vendor", "invoice": "invoice", "payment": "customer_payment"}
# `linked_by` of an entity that was made from AX: what a flow must not send back there as new.
CREATED_FROM_AX = "created_from_ax"


def cross_reference(confirmation: FreshBooksConfirmation) -> CrossReference | None:
    """The pair of ids of an entity that was made from AX, None where there is none (a deletion of what never was).

    The reference is `company/id`.
    """
    company, slash, ax_id = (confirmation.reference or "").partition("/")
    entity = _AX_ENTITY.get(confirmation.kind)
    if confirmation.entity_id is None or not slash or not ax_id or entity is None:
        return None
    return CrossReference(
        account_id=confirmation.account_id,
        kind=confirmation.kind,
        freshbooks_id=confirmation.entity_id,
        company=company,
        entity=entity,
        ax_id=ax_id,
        linked_by=CREATED_FROM_AX,
        revision=0,
        cancelled=confirmation.outcome is FreshBooksOutcome.DELETED,
        source_changed_at=confirmation.changed_at,
        linked_at=confirmation.confirmed_at,
    )


class KafkaIntentLog:
    """Intent log in the compacted topic `freshbooks.intents`."""

    def __init__(self, store: CompactedStore[Intent], outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox

    def last(self, key: str) -> Intent | None:
        """The newest intent of an entity."""
        return self._store.get(key)

    async def record(self, key: str, intent: Intent) -> None:
        """Store `intent`; returns when Kafka has confirmed it."""
        await self._outbox.send([self._outbox.record(topics.FRESHBOOKS_INTENTS, key, intent, ())])
        self._store.put(key, intent)


class FreshBooksSinkHandler:
    """Handles one FreshBooks command."""

    def __init__(
        self, *, sink: FreshBooksSink, codec: AvroCodec, outbox: Outbox, intents: CompactedStore[Intent]
    ) -> None:
        self._sink = sink
        self._codec = codec
        self._outbox = outbox
        self._intents = KafkaIntentLog(intents, outbox)

    async def __call__(self, record: Origin) -> str:
        """Apply, confirm. Returns the outcome."""
        command = FreshBooksCommand.from_avro(self._codec.decode(topics.FRESHBOOKS_COMMANDS, record.value))
        confirmation = await self._sink.apply(command, self._intents)
        key = (record.key or b"").decode()
        batch = [self._outbox.record(topics.FRESHBOOKS_CONFIRMATIONS, key, confirmation, record.headers)]
        link = None if command.entity_id is not None else cross_reference(confirmation)
        if link is not None:
            own = keys.freshbooks_key(link.account_id, link.kind, link.freshbooks_id)
            batch.append(self._outbox.record(topics.XREF, own, link, record.headers))
        await self._outbox.send(batch)
        age = max((confirmation.confirmed_at - command.changed_at).total_seconds(), 0.0)
        direction = "write_back" if command.operation is FreshBooksOperation.WRITE_REFERENCE else "ax_to_freshbooks"
        metrics.END_TO_END_SECONDS.labels(direction, command.kind).observe(age)
        metrics.FRESHNESS.labels(direction, command.kind).set(age)
        return confirmation.outcome.value
