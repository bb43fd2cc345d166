"""Faults to provoke: declared through the control API, taken by the calls that match, counted down.

A fault acts before the operation runs, or after its commit: the difference is what a client cannot see and must
look up.
"""

import itertools
import threading
from typing import Literal

import msgspec

Kind = Literal[
    "delay",
    "drop_connection",
    "unavailable",
    "deadlock",
    "timeout",
    "generic",
    "unknown_element",
    "xml_bomb",
    "doctype",
    "external_entity",
]

_AFTER_BY_DEFAULT = frozenset({"drop_connection", "unknown_element"})


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One declared fault. Empty `service` or `operation` match any; `count` is how often it still fires.

    `seconds` is the delay of the kind `delay`. `after_commit` None takes the kind's default: after the commit for
    `drop_connection` and `unknown_element`, before the operation for the rest.
    """

    kind: Kind
    service: str = ""
    operation: str = ""
    count: int = 1
    seconds: float = 0.0
    after_commit: bool | None = None
    id: int = 0

    @property
    def is_after_commit(self) -> bool:
        """Whether the operation runs, and commits, before the fault acts."""
        return self.kind in _AFTER_BY_DEFAULT if self.after_commit is None else self.after_commit


class Faults:
    """The declared faults, in the order they were declared."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Declare a fault and give it an id."""
        with self._lock:
            fault.id = next(self._ids)
            self._faults.append(fault)
        return fault

    def take(self, service: str, operation: str) -> Fault | None:
        """Return the first fault that matches a call and count it down; None when there is none."""
        with self._lock:
            for fault in self._faults:
                if fault.service in ("", service) and fault.operation in ("", operation):
                    fault.count -= 1
                    if fault.count <= 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def pending(self) -> list[Fault]:
        """Return the faults that still fire."""
        with self._lock:
            return list(self._faults)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()


XML_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">'
    b'<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">]>'
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>&f;</s:Body></s:Envelope>'
)
DOCTYPE = (
    b'<?xml version="1.0"?><!DOCTYPE s:Envelope>'
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>'
)
EXTERNAL_ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>&x;</s:Body></s:Envelope>'
)
HOSTILE = {"xml_bomb": XML_BOMB, "doctype": DOCTYPE, "external_entity": EXTERNAL_ENTITY}
"""Bodies of the answers that no client may expand."""
