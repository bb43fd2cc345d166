"""Confirmations agent: what AX holds leads to the write-back of its reference to FreshBooks."""

from __future__ import annotations

from schemas import keys, topics
from schemas.records import AxConfirmation, AxOutcome, FreshBooksCommand, FreshBooksOperation
from streams.agents.outbox import Outbox
from streams.runtime.codec import AvroCodec
from streams.runtime.dead_letters import Origin


class ConfirmationHandler:
    """Handles one confirmation of AX."""

    def __init__(self, *, codec: AvroCodec, outbox: Outbox, silent_kinds: frozenset[str] = frozenset()) -> None:
        self._codec = codec
        # Kinds whose flow says that nothing is written back.
        self._silent_kinds = silent_kinds
        self._outbox = outbox

    async def __call__(self, record: Origin) -> str:
        """Ask for the write-back. Returns the outcome."""
        confirmation = AxConfirmation.from_avro(self._codec.decode(topics.AX_CONFIRMATIONS, record.value))
        if confirmation.outcome is AxOutcome.CANCELLED:
            # The FreshBooks document is deleted: there is nothing to write on.
            return "cancelled"
        if confirmation.source.kind in self._silent_kinds:
            return "not_written_back"
        command = self._write_back(confirmation)
        key = command.key
        await self._outbox.send([self._outbox.record(topics.FRESHBOOKS_COMMANDS, key, command, record.headers)])
        return "write_back"

    def _write_back(self, confirmation: AxConfirmation) -> FreshBooksCommand:
        source = confirmation.source
        reference = f"{confirmation.company}/{confirmation.ax_id}"
        key = keys.freshbooks_key(source.account_id, source.kind, source.entity_id)
        operation = FreshBooksOperation.WRITE_REFERENCE
        return FreshBooksCommand(
            command_id=keys.command_id("freshbooks", key, reference, operation.value),
            operation=operation,
            account_id=source.account_id,
            kind=source.kind,
            entity_id=source.entity_id,
            reference=reference,
            fields={},
            reason=f"AX {confirmation.outcome.value}",
            changed_at=source.changed_at,
            issued_at=self._outbox.now(),
        )
