"""A finding of the doctor: what was looked at, how it is, what was seen, and what helps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from connectors.ax.doctor_facts import Unseen


class State(StrEnum):
    """How a thing is. NOT_CHECKED: it could not be looked at, and says nothing."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `remedy` is empty where nothing needs one."""

    check: str
    state: State
    seen: str
    remedy: str = ""

    def as_row(self) -> dict[str, str]:
        """For a table, or for machines."""
        return {"check": self.check, "state": self.state.value, "seen": self.seen, "remedy": self.remedy}


def ok(check: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(check, State.OK, seen)


def warn(check: str, seen: str, remedy: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(check, State.WARN, seen, remedy)


def fail(check: str, seen: str, remedy: str) -> Finding:
    """It does not work, or loses something."""
    return Finding(check, State.FAIL, seen, remedy)


def not_checked(check: str, unseen: Unseen) -> Finding:
    """A right, or another system, is missing."""
    return Finding(check, State.NOT_CHECKED, unseen.why, unseen.remedy)


def failed(findings: Iterable[Finding]) -> bool:
    """True when any of them is a failure."""
    return any(finding.state is State.FAIL for finding in findings)
