"""FreshBooks sink agent: a command in, what FreshBooks holds out.

Order of durability:

1. intent `intended`, then `sent`, around the write (the sink looks before it repeats);
2. the effect in FreshBooks, intent `confirmed` with the content hash: the echo's webhook is known by it;
3. the confirmation;
4. the acknowledgement.
"""

from __future__ import annotations

from schemas import topics
from schemas.records import FreshBooksCommand, FreshBooksOperation, Intent
from streams.agents.outbox import Outbox
from streams.agents.ports import FreshBooksSink
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec
from streams.runtime.dead_letters import Origin
from streams.runtime.store import CompactedStore


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
        await self._outbox.send(
            [self._outbox.record(topics.FRESHBOOKS_CONFIRMATIONS, key, confirmation, record.headers)]
        )
        age = max((confirmation.confirmed_at - command.changed_at).total_seconds(), 0.0)
        direction = "ax_to_freshbooks" if command.operation is FreshBooksOperation.UPDATE_CLIENT else "write_back"
        metrics.END_TO_END_SECONDS.labels(direction, command.kind).observe(age)
        metrics.FRESHNESS.labels(direction, command.kind).set(age)
        return confirmation.outcome.value
