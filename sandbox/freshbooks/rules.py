"""Rules that fire a limited number of times or for a limited time: API faults and delivery knobs.

A rule matches, perhaps skips its first matches (`after`), and fires until its `count` is used up or its `for_seconds`
are over; with neither it fires until it is deleted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Generic, Literal, TypeVar

import msgspec


class Limits(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How often and how long a rule fires."""

    count: int | None = None
    for_seconds: float | None = None
    after: int = 0


class FaultRule(Limits, forbid_unknown_fields=True, kw_only=True):
    """A fault of the API. `path` is a glob over the request path, `client_id` the app whose token calls.

    respond: answer `status` (429 with `retry_after_seconds`; `html` gives a gateway's page) instead of, or with
    `after_commit` after, doing the call. conflict: 409/errno 409. delay: wait `seconds` before the call. drop: cut the
    connection without an answer, before the call or with `after_commit` after it was carried out.
    """

    action: Literal["respond", "conflict", "delay", "drop"]
    method: str = "*"
    path: str = "*"
    client_id: str | None = None
    status: int = 503
    retry_after_seconds: int | None = None
    html: bool = False
    after_commit: bool = False
    seconds: float = 0.0

    def matches(self, method: str, path: str, client_id: str | None) -> bool:
        """Return whether the rule is about this request."""
        about = self.client_id is None or self.client_id == client_id
        return about and fnmatchcase(method, self.method) and fnmatchcase(path, self.path)


class DeliveryRule(Limits, forbid_unknown_fields=True, kw_only=True):
    """A knob on webhook deliveries whose event name matches the glob `event` ("callback.verify" is the handshake).

    drop: never sent. duplicate: sent twice. delay: sent `seconds` later. reorder: held until the next delivery was
    sent, at most `seconds` (default 1).
    """

    action: Literal["drop", "duplicate", "delay", "reorder"]
    event: str = "*"
    account_id: str | None = None
    seconds: float = 1.0

    def matches(self, event: str, account_id: str) -> bool:
        """Return whether the rule is about this delivery."""
        return fnmatchcase(event, self.event) and self.account_id in (None, account_id)


Rule = TypeVar("Rule", bound=Limits)


@dataclass(slots=True)
class _Active(Generic[Rule]):
    rule: Rule
    id: int
    until: float | None
    matched: int = 0
    fired: int = 0

    def live(self, now: float) -> bool:
        spent = self.rule.count is not None and self.fired >= self.rule.count
        return not spent and (self.until is None or now < self.until)


class RuleSet(Generic[Rule]):
    """The rules in force, oldest first. Times are unix seconds of the simulator's clock."""

    def __init__(self) -> None:
        self._rules: dict[int, _Active[Rule]] = {}
        self._ids = itertools.count(1)

    def add(self, rule: Rule, now: float) -> int:
        """Put `rule` in force and return its id."""
        until = None if rule.for_seconds is None else now + rule.for_seconds
        active = _Active(rule, next(self._ids), until)
        self._rules[active.id] = active
        return active.id

    def remove(self, rule_id: int | None = None) -> None:
        """Remove one rule, or all."""
        if rule_id is None:
            self._rules.clear()
        else:
            self._rules.pop(rule_id, None)

    def fire(self, now: float, about: Callable[[Rule], bool]) -> list[Rule]:
        """Return the live rules that are `about` the request or delivery at hand, and count them."""
        fired = []
        for active in self._rules.values():
            if not active.live(now) or not about(active.rule):
                continue
            active.matched += 1
            if active.matched > active.rule.after:
                active.fired += 1
                fired.append(active.rule)
        return fired

    def until(self, rule: Rule) -> float | None:
        """Return when the spell of `rule` ends (unix seconds), None if it is not timed."""
        return next((active.until for active in self._rules.values() if active.rule is rule), None)

    def describe(self, now: float) -> list[dict[str, Any]]:
        """Return all rules, spent ones included, with how often they fired and what is left."""
        return [
            {
                "id": active.id,
                **msgspec.to_builtins(active.rule),
                "fired": active.fired,
                "live": active.live(now),
                "left": None if active.rule.count is None else max(0, active.rule.count - active.fired),
                "seconds_left": None if active.until is None else max(0.0, active.until - now),
            }
            for active in self._rules.values()
        ]
