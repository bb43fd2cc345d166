"""Webhook subscriptions: register, verify by handshake, resend, edit, delete; who hears of an event (reference §4)."""

from __future__ import annotations

import itertools
import random
import string
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.freshbooks.clock import MovableClock, utc_z
from sandbox.freshbooks.config import Switches
from sandbox.freshbooks.deliveries import Callback, Deliveries
from sandbox.freshbooks.errors import Refused
from sandbox.freshbooks.kind import Account

Json = dict[str, Any]

# Event noun → object whose read scope a subscription needs (that it is the object's is documented, the pairs inferred)
NOUNS: Final = {
    "bill": "bills",
    "bill_vendor": "bill_vendors",
    "category": "expenses",
    "client": "clients",
    "credit_note": "credit_notes",
    "estimate": "estimates",
    "expense": "expenses",
    "invoice": "invoices",
    "item": "billable_items",
    "payment": "payments",
    "project": "projects",
    "recurring": "invoices",
    "service": "billable_items",
    "tax": "taxes",
    "time_entry": "time_entries",
}
EVENTS: Final = frozenset(
    [
        *NOUNS,
        *(f"{noun}.{verb}" for noun in NOUNS for verb in ("create", "update", "delete")),
        "invoice.sendByEmail",
        "estimate.sendByEmail",
    ]
)
_ALPHABET: Final = string.ascii_letters + string.digits
_USER_ID: Final = "1"  # deprecated system-level id


def _semantic(details: list[str]) -> Refused:
    return Refused(400, 422, "The request was well-formed but had semantic errors.", details=details)


class Callbacks:
    """All subscriptions, each of one account and of the app that made it: other apps do not see it (inferred)."""

    def __init__(self, clock: MovableClock, rng: random.Random, switches: Switches, deliveries: Deliveries) -> None:
        self._clock = clock
        self._rng = rng
        self._switches = switches
        self._deliveries = deliveries
        self._callbacks: dict[int, Callback] = {}
        self._ids = itertools.count(2001)

    def all(self) -> list[Callback]:
        """Return every subscription of every account."""
        return list(self._callbacks.values())

    def owned(self, account: Account, client_id: str, events: list[str] | None = None) -> list[Callback]:
        """Return the app's subscriptions; `events` keeps those of an event and of its noun."""
        wanted = None if events is None else {name for event in events for name in (event, event.partition(".")[0])}
        return [
            callback
            for callback in self._callbacks.values()
            if (callback.account_id, callback.client_id) == (account.account_id, client_id)
            and (wanted is None or callback.event in wanted)
        ]

    def find(self, account: Account, client_id: str, callback_id: str) -> Callback:
        """Return one subscription. Raises Refused 404."""
        for callback in self.owned(account, client_id):
            if str(callback.id) == callback_id:
                return callback
        raise Refused(404, 404, "Requested resource could not be found.")

    async def create(self, account: Account, client_id: str, identity_id: int, body: Json) -> Callback:
        """Register; the signed handshake goes out beside the reply, after or before it as the switch says."""
        event, uri = _checked_event(body.get("event")), _checked_uri(body.get("uri"))
        problems = [problem for _, problem in (event, uri) if problem]
        if problems:
            raise _semantic(problems)
        twin = any((callback.event, callback.uri) == (event[0], uri[0]) for callback in self.owned(account, client_id))
        if twin and self._switches.duplicate_callbacks == "refuse":
            raise _semantic(["event: A callback for this event and uri exists."])
        callback = Callback(
            next(self._ids), account.account_id, client_id, event[0], uri[0], self._new_verifier(), self._now()
        )
        self._callbacks[callback.id] = callback
        await self._shake_hands(account, callback, identity_id)
        return callback

    async def update(self, account: Account, callback: Callback, identity_id: int, body: Json) -> None:
        """Verify, resend or edit, by the keys of `body`; `callback_id` in it is ignored.

        A resend to a verified callback sends nothing; a new uri must be verified anew with a new code (both inferred).
        """
        if "verifier" in body:
            if body["verifier"] != callback.verifier:
                raise _semantic(["verifier: The verifier does not match."])
            callback.verified = True
        elif body.get("resend"):
            if callback.verified:
                return
            await self._shake_hands(account, callback, identity_id)
        else:
            await self._edit(account, callback, identity_id, body)
        callback.updated_at = self._now()

    def delete(self, callback: Callback) -> None:
        """Forget the subscription and its verifier."""
        del self._callbacks[callback.id]

    def announce(self, account: Account, identity_id: int, noun: str, verb: str, object_id: int) -> None:
        """Queue a delivery to every verified subscription of `noun`.`verb` or of `noun`, whichever app made it."""
        event = f"{noun}.{verb}"
        for callback in self._callbacks.values():
            if callback.account_id == account.account_id and callback.verified and callback.event in (event, noun):
                self._deliveries.queue(callback, self._fields(account, event, object_id, identity_id))

    async def _edit(self, account: Account, callback: Callback, identity_id: int, body: Json) -> None:
        event = _checked_event(body.get("event", callback.event))
        uri = _checked_uri(body.get("uri", callback.uri))
        problems = [problem for _, problem in (event, uri) if problem]
        if problems:
            raise _semantic(problems)
        moved = callback.uri != uri[0]
        callback.event, callback.uri = event[0], uri[0]
        if moved:
            callback.verified, callback.verifier = False, self._new_verifier()
            await self._shake_hands(account, callback, identity_id)

    async def _shake_hands(self, account: Account, callback: Callback, identity_id: int) -> None:
        fields = self._fields(account, "callback.verify", callback.id, identity_id)
        fields["verifier"] = callback.verifier
        if self._switches.handshake == "after_reply":
            self._deliveries.queue(callback, fields)
        elif self._switches.handshake == "before_reply":
            await self._deliveries.send_now(callback, fields)

    def _fields(self, account: Account, event: str, object_id: int, identity_id: int) -> dict[str, str]:
        return {
            "name": event,
            "object_id": str(object_id),
            "account_id": account.account_id,
            "business_id": str(account.business.id),
            "identity_id": str(identity_id),
            "user_id": _USER_ID,
        }

    def _new_verifier(self) -> str:
        return "".join(self._rng.choices(_ALPHABET, k=34))

    def _now(self) -> str:
        return utc_z(self._clock())


def _checked_event(value: object) -> tuple[str, str]:
    """Return (event, problem): problem is "" if the event is known."""
    return (value, "") if isinstance(value, str) and value in EVENTS else ("", "event: Unrecognized event.")


def _checked_uri(value: object) -> tuple[str, str]:
    """Return (uri, problem): problem is "" if the uri is an absolute http(s) URL."""
    problem = "uri: Value is not a valid URL."
    if not isinstance(value, str):
        return "", problem
    try:
        parts = urlsplit(value)
    except ValueError:
        return "", problem
    return (value, "") if parts.scheme in ("http", "https") and parts.hostname else ("", problem)


def callback_json(callback: Callback) -> Json:
    """Return the wire form; both names of the id are given because clients disagree on it (reference §4.1)."""
    return {
        "callbackid": callback.id,
        "id": callback.id,
        "verified": callback.verified,
        "uri": callback.uri,
        "event": callback.event,
        "updated_at": callback.updated_at,
    }


def scope_for(event: str) -> str:
    """Return the scope that subscribing to `event` needs."""
    return f"user:{NOUNS[event.partition('.')[0]]}:read"
