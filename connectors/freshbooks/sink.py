"""Brings a FreshBooks entity to the state that a command asks for, once in effect.

Level-triggered: what FreshBooks holds is read first, only fields that differ are written, and nothing is when none
does. A repeat after a crash anywhere therefore looks before it writes. The intent log says how far a write came:

1. intent `intended`;
2. PUT of the differing fields, and only those: a PUT with `vis_state` or an action silently drops all else, and a whole
   object put back is refused for its read-only fields;
3. intent `sent`;
4. what FreshBooks answers is compared with what was wanted: an unknown key is dropped without a word;
5. intent `confirmed` with the content hash after the write, by which the echo of our own write is known.

FreshBooks checks no version on a PUT: a person's edit of the same field between the read and the write is lost. Of
other fields nothing can be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from connectors.freshbooks import marker
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.clocks import Clock, utc_now
from connectors.freshbooks.entities import parse
from connectors.freshbooks.kinds import CLIENT, Kind, kind_of
from schemas.failures import PoisonError
from schemas.records import (
    FreshBooksCommand,
    FreshBooksConfirmation,
    FreshBooksOperation,
    FreshBooksOutcome,
    Intent,
    IntentState,
)

Json = Mapping[str, Any]
_ADDRESS = ("street", "street2", "city", "province", "code", "country")
# What UPDATE_CLIENT may set. FreshBooks drops keys it does not know, so a misspelt one would look written.
CLIENT_FIELDS = frozenset(
    {"organization", "fname", "lname", "email", "bus_phone", "home_phone", "mob_phone", "fax", "language"}
    | {"currency_code", "vat_name", "vat_number"}
    | {f"{side}_{part}" for side in ("p", "s") for part in _ADDRESS}
)
_UPDATES = frozenset({FreshBooksOperation.WRITE_REFERENCE, FreshBooksOperation.UPDATE_CLIENT})
_MARKED = {"client": ("note",), "invoice": ("po_number", "notes")}


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

        Raises: RetryableError (the client's budget is used up), PoisonError (entity_deleted, entity_not_found,
        unknown_field, not_taken, refused), FatalError.
        """
        kind = kind_of(command.kind)
        if command.account_id != self._client.account_id:
            raise PoisonError("unknown_account", "writing to FreshBooks: the command is for another account")
        entity_id = _entity_id(command)
        present: Json = await self._client.get_entity(kind, entity_id)
        if present.get("vis_state") == 1:
            raise PoisonError("entity_deleted", f"writing {kind.noun} {entity_id} to FreshBooks: it is deleted there")
        before = intents.last(command.key)
        changes = {} if _is_overtaken(command, before) else _changes(command, present)
        if changes:
            present = await self._write(command, kind, changes, intents)
        return await self._confirm(command, kind, present, intents, written=bool(changes))

    async def _write(
        self, command: FreshBooksCommand, kind: Kind, changes: Mapping[str, str], intents: IntentLog
    ) -> Json:
        """Steps 1 to 4. Returns the entity after the write."""
        key, entity_id = command.key, _entity_id(command)
        before = intents.last(key)
        await intents.record(key, self._intent(command, before, IntentState.INTENDED))
        after = await self._client.put_entity(kind, entity_id, changes)
        await intents.record(key, self._intent(command, before, IntentState.SENT))
        if any(include not in after for include in kind.includes):
            after = await self._client.get_entity(kind, entity_id)
        for name, wanted in changes.items():
            if _text(after.get(name)) != _text(wanted):
                raise PoisonError(
                    "not_taken",
                    f"writing {kind.noun} {entity_id} to FreshBooks: {name} was accepted but not stored",
                    field=name,
                )
        return after

    async def _confirm(
        self, command: FreshBooksCommand, kind: Kind, present: Json, intents: IntentLog, *, written: bool
    ) -> FreshBooksConfirmation:
        """Step 5. An intent that is confirmed already with this content is not written again."""
        now = self._clock()
        entity = parse(kind, present, account_id=command.account_id, fetched_at=now)
        key = command.key
        before = intents.last(key)
        confirmed = self._intent(command, before, IntentState.CONFIRMED, entity.content_hash)
        unfinished = (
            before is not None and before.command_id == command.command_id and before.state is not IntentState.CONFIRMED
        )
        if written or unfinished:
            await intents.record(key, confirmed)
        elif confirmed.owner_changed_at != (before.owner_changed_at if before is not None else None):
            # Nothing was written, so the content is not ours; but an older state must not come after this one.
            kept = before or msgspec.structs.replace(confirmed, content_hash=None)
            await intents.record(key, msgspec.structs.replace(kept, owner_changed_at=confirmed.owner_changed_at))
        return FreshBooksConfirmation(
            command_id=command.command_id,
            outcome=FreshBooksOutcome.WRITTEN if written else FreshBooksOutcome.UNCHANGED,
            account_id=command.account_id,
            kind=command.kind,
            entity_id=command.entity_id,
            version=entity.version,
            content_hash=entity.content_hash,
            changed_at=command.changed_at,
            confirmed_at=now,
        )

    def _intent(
        self, command: FreshBooksCommand, before: Intent | None, state: IntentState, content_hash: str | None = None
    ) -> Intent:
        marks = (command.owner_changed_at, before.owner_changed_at if before is not None else None)
        return Intent(
            command_id=command.command_id,
            state=state,
            content_hash=content_hash,
            owner_changed_at=max((mark for mark in marks if mark is not None), default=None),
            at=self._clock(),
        )


def _is_overtaken(command: FreshBooksCommand, before: Intent | None) -> bool:
    """True for a state of the owner that is older than one applied before.

    The flow decides on a copy of the master data that may be some 100 ms old: the echo of a rename, decided on it,
    would write the old name back.
    """
    newest = before.owner_changed_at if before is not None else None
    return newest is not None and command.owner_changed_at is not None and command.owner_changed_at < newest


def _key(command: FreshBooksCommand) -> str:
    return command.key


def _entity_id(command: FreshBooksCommand) -> int:
    if command.operation not in _UPDATES or command.entity_id is None:
        raise PoisonError(
            "unknown_operation", f"writing to FreshBooks: {command.operation.value} cannot be done on a {command.kind}"
        )
    return command.entity_id


def _changes(command: FreshBooksCommand, present: Json) -> dict[str, str]:
    """FreshBooks' field → value for every field that must change; empty when all is as it should be.

    Raises: PoisonError for a command that makes no sense.
    """
    if command.operation is FreshBooksOperation.WRITE_REFERENCE:
        wanted = _reference_fields(command, present)
    else:
        wanted = _client_fields(command, present)
    return {name: value for name, value in wanted.items() if _text(present.get(name)) != _text(value)}


def _reference_fields(command: FreshBooksCommand, present: Json) -> dict[str, str]:
    texts = {name: _text(present.get(name)) for name in _MARKED[command.kind]}
    try:
        name, text = marker.place(command.kind, dict(texts), command.reference or "")
    except ValueError as error:
        raise PoisonError(
            "reference_invalid",
            "writing a reference to FreshBooks: it is empty, too long or holds a bracket",
            field="reference",
        ) from error
    return {name: text}


def _client_fields(command: FreshBooksCommand, present: Json) -> dict[str, str]:
    if command.kind != CLIENT.noun:
        raise PoisonError("unknown_kind", f"updating a FreshBooks client: the command is for kind {command.kind!r}")
    unknown = sorted(command.fields.keys() - CLIENT_FIELDS)
    if unknown:
        raise PoisonError(
            "unknown_field", f"updating a FreshBooks client: {', '.join(unknown)} cannot be written", field=unknown[0]
        )
    fields = dict(command.fields)
    if _is_person(present):
        # AX has one name for a person too; as an organization it would turn the client into a company.
        fields.pop("organization", None)
    return fields


def _is_person(client: Json) -> bool:
    return not _text(client.get("organization")) and bool(_text(client.get("fname")) or _text(client.get("lname")))


def _text(value: object) -> str:
    """A text as it is compared: null and "" are one, blanks at the ends and the kind of line break do not count."""
    return "" if value is None else str(value).replace("\r\n", "\n").strip()
