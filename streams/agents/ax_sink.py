"""AX sink agent: a command in, what AX holds out.

Order of durability:

1. the effect in AX (the sink looks up before and after an unclear outcome);
2. the confirmation, then the cross-reference, in one confirmed send;
3. the acknowledgement.

A crash after 1 repeats the command; the sink finds the document in AX and confirms it.
"""

from __future__ import annotations

from schemas import topics
from schemas.records import AxCommand, AxConfirmation, AxOutcome, CrossReference
from streams.agents.outbox import Outbox
from streams.agents.ports import AxSink
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec
from streams.runtime.dead_letters import Origin
from streams.runtime.store import CompactedStore


def cross_reference(confirmation: AxConfirmation) -> CrossReference:
    """The pair of ids that a confirmation proves."""
    source = confirmation.source
    return CrossReference(
        account_id=source.account_id,
        kind=source.kind,
        freshbooks_id=source.entity_id,
        company=confirmation.company,
        entity=confirmation.entity,
        ax_id=confirmation.ax_id,
        linked_by="created",
        revision=confirmation.revision,
        document_hash=confirmation.document_hash,
        invoice=confirmation.invoice,
        journal=confirmation.journal,
        cancelled=confirmation.outcome is AxOutcome.CANCELLED,
        source_changed_at=source.changed_at,
        linked_at=confirmation.confirmed_at,
    )


class AxSinkHandler:
    """Handles one AX command."""

    def __init__(
        self, *, sink: AxSink, codec: AvroCodec, outbox: Outbox, xrefs: CompactedStore[CrossReference]
    ) -> None:
        self._sink = sink
        self._codec = codec
        self._outbox = outbox
        self._xrefs = xrefs

    async def __call__(self, record: Origin) -> str:
        """Apply, confirm. Returns the outcome."""
        command = AxCommand.from_avro(self._codec.decode(topics.AX_COMMANDS, record.value))
        key = (record.key or b"").decode()
        confirmation = await self._sink.apply(command, self._xrefs.get(key))
        batch = [self._outbox.record(topics.AX_CONFIRMATIONS, key, confirmation, record.headers)]
        # A cancellation of what AX never held has no pair of ids to remember.
        reference = cross_reference(confirmation) if confirmation.ax_id else None
        if reference is not None:
            batch.append(self._outbox.record(topics.XREF, key, reference, record.headers))
        await self._outbox.send(batch)
        if reference is not None:
            self._xrefs.put(key, reference)
        age = (confirmation.confirmed_at - command.source.changed_at).total_seconds()
        metrics.END_TO_END_SECONDS.labels("freshbooks_to_ax", command.source.kind).observe(max(age, 0.0))
        metrics.FRESHNESS.labels("freshbooks_to_ax", command.source.kind).set(max(age, 0.0))
        return confirmation.outcome.value
