"""The verifiers of our callbacks: the keys of their signatures, kept in an encrypted file that listeners share.

FreshBooks tells a verifier once, in the handshake, and never again: losing it means a new callback. A verifier is

    offered    by a signed handshake for a registration that we began; it signs nothing yet
    confirmed  when FreshBooks has taken it back by PUT: now it is known to be FreshBooks' own

so that a stranger who shakes hands in the minutes of a registration gains nothing. The registrations that are under way
are in the same file, since the handshake may reach another process than the one that began it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.freshbooks.clocks import Clock
from connectors.freshbooks.sealed_file import SealedFile

# A handshake may come "seconds to several minutes" after the registration.
REGISTRATION_WINDOW = timedelta(minutes=10)
# More offers for one event within the window are a flood, not a handshake.
_MAX_OFFERS = 8
_LOCK_SECONDS = 5.0
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verifier:
    """One callback's key."""

    callback_id: int
    event: str
    key: str = field(repr=False)
    confirmed: bool
    offered_at: datetime


class Verifiers:
    """All verifiers of one account. Reads are cheap; changes are durable when they return."""

    def __init__(self, file: SealedFile, *, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._known: list[Verifier] = []
        self._registrations: dict[str, datetime] = {}

    def all(self) -> list[Verifier]:
        """Every verifier, offered ones included."""
        self._reload()
        return list(self._known)

    def registered_at(self, event: str) -> datetime | None:
        """When a registration for `event` was last begun; None when that is longer ago than the window."""
        self._reload()
        began = self._registrations.get(event)
        return began if began is not None and self._clock() - began < REGISTRATION_WINDOW else None

    async def expect(self, event: str) -> None:
        """Remember that a registration for `event` begins now: before FreshBooks is asked, its handshake may win."""

        def begin(document: Document) -> bool:
            document["registrations"][event] = self._clock().isoformat()
            return True

        await self._change(begin)

    async def offer(self, event: str, callback_id: int, key: str) -> bool:
        """Keep the verifier that a handshake brought; False when it is refused.

        Refused when no registration is under way, when the callback has another verifier, or when too many came.
        """
        if self.registered_at(event) is None:
            return False

        def add(document: Document) -> bool:
            callbacks = document["callbacks"]
            present = callbacks.get(str(callback_id))
            if present is not None:
                return bool(present["verifier"] == key and present["event"] == event)
            offers = [entry for entry in callbacks.values() if entry["event"] == event and not entry["confirmed"]]
            if len(offers) >= _MAX_OFFERS:
                return False
            callbacks[str(callback_id)] = {
                "event": event,
                "verifier": key,
                "confirmed": False,
                "offered_at": self._clock().isoformat(),
            }
            return True

        return await self._change(add)

    async def confirm(self, callback_id: int) -> None:
        """FreshBooks has taken the verifier: it may sign from now on, and its registration is over."""

        def mark(document: Document) -> bool:
            entry = document["callbacks"].get(str(callback_id))
            if entry is None:
                return False
            entry["confirmed"] = True
            document["registrations"].pop(entry["event"], None)
            return True

        await self._change(mark)

    async def forget(self, callback_id: int) -> None:
        """The callback is gone, or its verifier was not FreshBooks' own."""
        await self._change(lambda document: document["callbacks"].pop(str(callback_id), None) is not None)

    async def _change(self, change: Callable[[Document], bool]) -> bool:
        """Apply `change` to the document under the lock; written when it says that it changed something."""
        async with self._file.locked(_LOCK_SECONDS):
            document = self._file.read() or {}
            document.setdefault("callbacks", {})
            document.setdefault("registrations", {})
            before = repr(document)
            result = change(document)
            if repr(document) != before:
                self._file.write(document)
        return result

    def _reload(self) -> None:
        """Read the file again when another process, or this one, has replaced it."""
        stamp = self._file.stamp
        if stamp == self._stamp:
            return
        document = self._file.read() or {}
        self._known = [
            Verifier(
                int(number),
                entry["event"],
                entry["verifier"],
                entry["confirmed"],
                datetime.fromisoformat(entry["offered_at"]),
            )
            for number, entry in document.get("callbacks", {}).items()
        ]
        self._registrations = {
            event: datetime.fromisoformat(began) for event, began in document.get("registrations", {}).items()
        }
        self._stamp = stamp
