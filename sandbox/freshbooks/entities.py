"""Writes to accounting entities: guards, phases, stamps, side effects; the same for every kind.

A write either refuses (nothing is changed) or commits at once and returns what happened as `Change`s, from which
webhooks are made. All of it runs between two awaits of one event loop, so that no write sees half of another.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sandbox.freshbooks.config import Switches
from sandbox.freshbooks.errors import Refused, required, unknown_resource, write_denied
from sandbox.freshbooks.kind import Account, Json, Kind, Record, stamp
from sandbox.freshbooks.values import whole_between

_VIS_STATE = whole_between(0, 2, "not 0 active, 1 deleted or 2 archived")


@dataclass(frozen=True, slots=True)
class Change:
    """Something that webhooks tell: `noun`.`verb` of `id`. `side_effect`: another record's write caused it."""

    noun: str
    verb: str
    id: int
    side_effect: bool = False


class Entities:
    """The write side of the accounting API. `kinds` by single key, to bump touched records with their own clocks."""

    def __init__(self, kinds: Mapping[str, Kind], switches: Switches) -> None:
        self._kinds = kinds
        self.switches = switches

    def find(self, account: Account, kind: Kind, record_id: str) -> Record:
        """Return the record, deleted or not. Raises Refused 404/1012."""
        number = int(record_id) if record_id.isascii() and record_id.isdigit() and len(record_id) < 19 else -1
        record = account.records(kind.single).get(number)
        if record is None:
            raise unknown_resource(kind.title, kind.id_keys[-1], kind.single, record_id)
        return record

    def create(self, account: Account, kind: Kind, body: Json, now: datetime) -> tuple[Record, list[Change]]:
        """Store a new record from the keys of `body`: read-only ones refuse, unknown ones are dropped."""
        self._guard(kind, body)
        for key in kind.required:
            if body.get(key) in (None, ""):
                raise required(key, kind.single)
        record = Record(account.next_id(kind), kind.blank(account))
        record.fields = {**dict.fromkeys(kind.id_keys, record.id), **record.fields}
        self._write_fields(account, kind, record, body, None, now)
        stamp(record, kind.created_clocks, now)
        account.records(kind.single)[record.id] = record
        return record, [Change(kind.noun, "create", record.id), *self._touch(account, kind, record, now)]

    def update(
        self, account: Account, kind: Kind, former: Record, body: Json, now: datetime
    ) -> tuple[Record, list[Change]]:
        """Execute the first phase that `body` has; the rest of it is dropped without a word (reference §5.3).

        Phases: ext_vis_state, vis_state, one or more action_* keys that the kind knows, ordinary keys.
        """
        if "ext_vis_state" in body:  # its effect outside contractor sharing is unknown: it only ends the phases
            record, verbs = copy.deepcopy(former), ["update"]
        elif "vis_state" in body:
            record, verbs = self._set_vis_state(kind, former, body["vis_state"])
        elif actions := [key for key in kind.actions if body.get(key) is True]:
            record = copy.deepcopy(former)
            verbs = kind.actions[actions[0]](account, record, body, now)
        else:
            self._guard(kind, body)
            record, verbs = copy.deepcopy(former), ["update"]
            self._write_fields(account, kind, record, body, former, now)
        return record, self._commit(account, kind, record, verbs, now)

    def delete(self, account: Account, kind: Kind, former: Record, now: datetime) -> list[Change]:
        """Delete by HTTP DELETE, for kinds that have it: softly, or for good."""
        if kind.deletes_for_good:
            del account.records(kind.single)[former.id]
            return [Change(kind.noun, "delete", former.id)]
        record, verbs = self._set_vis_state(kind, former, 1)
        return self._commit(account, kind, record, verbs, now)

    def _commit(self, account: Account, kind: Kind, record: Record, verbs: list[str], now: datetime) -> list[Change]:
        stamp(record, kind.changed_clocks, now)
        account.records(kind.single)[record.id] = record
        changes = [Change(kind.noun, verb, record.id) for verb in verbs]
        return changes + (self._touch(account, kind, record, now) if kind.touches_on_change else [])

    def _guard(self, kind: Kind, body: Json) -> None:
        refused = kind.refused | (kind.computed if self.switches.computed_keys == "refuse" else frozenset())
        for key in body:
            if key in refused:
                raise write_denied(key, kind.single, body[key])

    def _write_fields(
        self, account: Account, kind: Kind, record: Record, body: Json, former: Record | None, now: datetime
    ) -> None:
        sent = frozenset(body) & frozenset(kind.keys)
        try:
            for key in sorted(sent):  # sorted: which of several errors is told does not depend on the caller's order
                value = kind.keys[key](key, body[key])
                (record.parts if key in kind.part_keys else record.fields)[key] = value
            kind.settle(account, record, sent, former, now)
        except Refused as refusal:
            refusal.object = refusal.object or kind.single
            raise

    def _set_vis_state(self, kind: Kind, former: Record, value: object) -> tuple[Record, list[str]]:
        try:
            state = _VIS_STATE("vis_state", value)
        except Refused as refusal:
            refusal.object = kind.single
            raise
        record = copy.deepcopy(former)
        record.fields["vis_state"] = state
        if state != 1:
            return record, ["update"]
        told = self.switches.soft_delete_event
        return record, ["delete", "update"] if told == "both" else [told]

    def _touch(self, account: Account, kind: Kind, record: Record, now: datetime) -> list[Change]:
        changes = []
        for touch in kind.touches(account, record, now):
            touched_kind = self._kinds[touch.single]
            touched = account.records(touch.single)[touch.id]
            stamp(touched, touched_kind.created_clocks if touch.verb == "create" else touched_kind.changed_clocks, now)
            changes.append(Change(touched_kind.noun, touch.verb, touched.id, side_effect=True))
        return changes
