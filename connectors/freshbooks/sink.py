"""Brings a FreshBooks entity to the state that a command asks for, once in effect.

Level-triggered: what FreshBooks holds is read first, only fields that differ are written, and nothing is when none
does. A repeat after a crash anywhere therefore looks before it writes. Which entity is meant is told by the command's
id; else by the intent log, which remembers what was created; else by our reference, which every entity that we create
carries from its first moment on (`by_reference`). The intent log says how far a write came:

1. intent `intended`;
2. POST of a new entity, or PUT of the differing fields, and only those: a PUT with `vis_state` or an action silently
   drops all else, and a whole object put back is refused for its read-only fields. A POST whose outcome is unclear is
   looked for by its reference, and not sent again in this attempt;
3. intent `sent`, with the id of what was created;
4. what FreshBooks answers is compared with what was wanted: an unknown key is dropped without a word. A draft that
   shall be sent is told so in a PUT of its own;
5. intent `confirmed` with the content hash after the write, by which the echo of our own write is known. What was
   created has it under its own id too.

FreshBooks checks no version on a PUT: a person's edit of the same field between the read and the write is lost. Of
other fields nothing can be lost. A POST that FreshBooks carries out only after we have looked for it would be doubled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from connectors.freshbooks import drafts
from connectors.freshbooks.by_reference import find
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.clocks import Clock, utc_now
from connectors.freshbooks.entities import entity_id, parse
from connectors.freshbooks.kinds import Kind, kind_of
from schemas import keys
from schemas.failures import PoisonError, RetryableError
from schemas.records import (
    FreshBooksCommand,
    FreshBooksConfirmation,
    FreshBooksOperation,
    FreshBooksOutcome,
    Intent,
    IntentState,
)

Json = Mapping[str, Any]
_DELETIONS = frozenset({FreshBooksOperation.DELETE_INVOICE, FreshBooksOperation.DELETE_PAYMENT})
_DELETED = 1


class IntentLog(Protocol):
    """Durable memory of writes to FreshBooks, which has no idempotency key."""

    def last(self, key: str) -> Intent | None:
        """The newest intent of an entity."""

    async def record(self, key: str, intent: Intent) -> None:
        """Store `intent`; returns when it is durable."""


class RestSink:
    """Applies commands to the client's account. Commands for one entity must come one at a time."""

    def __init__(self, client: FreshBooksClient, *, clock: Clock = utc_now) -> None:
        self._client = client
        self._clock = clock

    async def apply(self, command: FreshBooksCommand, intents: IntentLog) -> FreshBooksConfirmation:
        """Compare with what FreshBooks holds, write what differs, say what it holds now.

        Raises: RetryableError (the client's budget is used up, or the outcome of a POST is unclear), PoisonError
        (entity_deleted, entity_not_found, unknown_field, reference_ambiguous, not_taken, refused, …), FatalError.
        """
        kind = kind_of(command.kind)
        if command.account_id != self._client.account_id:
            raise PoisonError("unknown_account", "writing to FreshBooks: the command is for another account")
        drafts.check(command)
        present = await self._present(command, kind, intents.last(command.key))
        if command.operation in _DELETIONS:
            return await self._delete(command, kind, present, intents)
        if present is None:
            return await self._create(command, kind, intents)
        if present.get("vis_state") == _DELETED:
            raise PoisonError(
                "entity_deleted",
                f"writing {kind.noun} {entity_id(kind, present)} to FreshBooks: it is deleted there",
            )
        changes = {} if _is_overtaken(command, intents.last(command.key)) else drafts.changes(command, present)
        written = bool(changes)
        if changes:
            present = await self._put(command, kind, present, changes, intents)
        if drafts.must_be_sent(command, present) and not _is_overtaken(command, intents.last(command.key)):
            present, written = await self._mark_as_sent(kind, present), True
        outcome = FreshBooksOutcome.WRITTEN if written else FreshBooksOutcome.UNCHANGED
        return await self._confirm(command, kind, present, intents, outcome)

    async def _present(self, command: FreshBooksCommand, kind: Kind, intent: Intent | None) -> Json | None:
        """What FreshBooks holds of the entity, None when it was never created."""
        number = command.entity_id
        if number is None and intent is not None:
            number = intent.entity_id
        if number is not None:
            return await self._client.get_entity(kind, number)
        return await find(self._client, kind, command)

    async def _create(self, command: FreshBooksCommand, kind: Kind, intents: IntentLog) -> FreshBooksConfirmation:
        """Steps 1 to 5 for an entity that is not there."""
        before = intents.last(command.key)
        await intents.record(command.key, self._intent(command, before, IntentState.INTENDED))
        try:
            after: Json = await self._client.post_entity(kind, drafts.creation(command))
        except RetryableError as error:
            found = await find(self._client, kind, command) if error.code == "unclear_outcome" else None
            if found is None:
                raise
            after = found
        number = entity_id(kind, after)
        await intents.record(command.key, self._intent(command, before, IntentState.SENT, number=number))
        after = await self._whole(kind, after)
        self._check_taken(kind, after, drafts.changes(command, after))
        if drafts.must_be_sent(command, after):
            after = await self._mark_as_sent(kind, after)
        return await self._confirm(command, kind, after, intents, FreshBooksOutcome.CREATED)

    async def _put(
        self, command: FreshBooksCommand, kind: Kind, present: Json, changes: Mapping[str, Any], intents: IntentLog
    ) -> Json:
        """Steps 1 to 4 for an entity that is there. Returns it after the write."""
        number, before = entity_id(kind, present), intents.last(command.key)
        await intents.record(command.key, self._intent(command, before, IntentState.INTENDED))
        after: Json = await self._client.put_entity(kind, number, changes)
        await intents.record(command.key, self._intent(command, before, IntentState.SENT))
        after = await self._whole(kind, after)
        left = drafts.changes(command, after)
        self._check_taken(kind, after, {name: value for name, value in left.items() if name in changes})
        return after

    async def _mark_as_sent(self, kind: Kind, present: Json) -> Json:
        """An action, alone in its PUT: beside it every other field is dropped."""
        after = await self._client.put_entity(kind, entity_id(kind, present), {"action_mark_as_sent": True})
        return await self._whole(kind, after)

    async def _delete(
        self, command: FreshBooksCommand, kind: Kind, present: Json | None, intents: IntentLog
    ) -> FreshBooksConfirmation:
        """Delete softly what is there; what is not, or no longer, is left."""
        if present is None:
            return self._confirmation(command, FreshBooksOutcome.UNCHANGED, None, "", "")
        if present.get("vis_state") == _DELETED:
            return await self._confirm(command, kind, present, intents, FreshBooksOutcome.UNCHANGED)
        before = intents.last(command.key)
        await intents.record(command.key, self._intent(command, before, IntentState.INTENDED))
        after: Json = await self._client.put_entity(kind, entity_id(kind, present), {"vis_state": _DELETED})
        await intents.record(command.key, self._intent(command, before, IntentState.SENT))
        return await self._confirm(command, kind, await self._whole(kind, after), intents, FreshBooksOutcome.DELETED)

    async def _whole(self, kind: Kind, entity: Json) -> Json:
        """`entity` with its includes: an answer to a write, or a list, may leave them out."""
        if all(include in entity for include in kind.includes):
            return entity
        return await self._client.get_entity(kind, entity_id(kind, entity))

    @staticmethod
    def _check_taken(kind: Kind, after: Json, left: Mapping[str, Any]) -> None:
        """Step 4. Raises: PoisonError (not_taken) naming a field that is not as it was sent."""
        for name in left:
            raise PoisonError(
                "not_taken",
                f"writing {kind.noun} {entity_id(kind, after)} to FreshBooks: {name} was accepted but not stored",
                field=name,
            )

    async def _confirm(
        self, command: FreshBooksCommand, kind: Kind, present: Json, intents: IntentLog, outcome: FreshBooksOutcome
    ) -> FreshBooksConfirmation:
        """Step 5. An intent that is confirmed already with this content is not written again."""
        entity = parse(kind, present, account_id=command.account_id, fetched_at=self._clock())
        number, before = entity_id(kind, present), intents.last(command.key)
        # An id in the intent says that we made the entity: this attempt, or one before it.
        made = number if command.entity_id is None else None
        confirmed = self._intent(command, before, IntentState.CONFIRMED, entity.content_hash, number=made)
        unfinished = (
            before is not None and before.command_id == command.command_id and before.state is not IntentState.CONFIRMED
        )
        if outcome is not FreshBooksOutcome.UNCHANGED or unfinished:
            own = keys.freshbooks_key(command.account_id, command.kind, number)
            if own != command.key:
                await intents.record(own, confirmed)
            await intents.record(command.key, confirmed)
        elif confirmed.owner_changed_at != (before.owner_changed_at if before is not None else None):
            # Nothing was written, so the content is not ours; but an older state must not come after this one.
            kept = before or msgspec.structs.replace(confirmed, content_hash=None)
            await intents.record(
                command.key, msgspec.structs.replace(kept, owner_changed_at=confirmed.owner_changed_at)
            )
        return self._confirmation(command, outcome, number, entity.version, entity.content_hash)

    def _confirmation(
        self,
        command: FreshBooksCommand,
        outcome: FreshBooksOutcome,
        number: int | None,
        version: str,
        content_hash: str,
    ) -> FreshBooksConfirmation:
        return FreshBooksConfirmation(
            command_id=command.command_id,
            outcome=outcome,
            account_id=command.account_id,
            kind=command.kind,
            entity_id=number,
            reference=command.reference,
            version=version,
            content_hash=content_hash,
            changed_at=command.changed_at,
            confirmed_at=self._clock(),
        )

    def _intent(
        self,
        command: FreshBooksCommand,
        before: Intent | None,
        state: IntentState,
        content_hash: str | None = None,
        number: int | None = None,
    ) -> Intent:
        marks = (command.owner_changed_at, before.owner_changed_at if before is not None else None)
        return Intent(
            command_id=command.command_id,
            state=state,
            content_hash=content_hash,
            owner_changed_at=max((mark for mark in marks if mark is not None), default=None),
            entity_id=number if number is not None else before.entity_id if before is not None else None,
            at=self._clock(),
        )


def _is_overtaken(command: FreshBooksCommand, before: Intent | None) -> bool:
    """True for a state of the owner that is older than one applied before.

    The flow decides on a copy of the master data that may be some 100 ms old: the echo of a rename, decided on it,
    would write the old name back.
    """
    newest = before.owner_changed_at if before is not None else None
    return newest is not None and command.owner_changed_at is not None and command.owner_changed_at < newest
