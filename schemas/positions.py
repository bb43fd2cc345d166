"""Position in the SQL Server change feed: (commit LSN, command id, seqval, operation), totally ordered.

A bare commit LSN is not a position: it is the same for every row of a transaction, so a reader that stores it either
skips or repeats the rest of a large transaction. Source: Microsoft Learn, "cdc.<capture_instance>_CT".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import ClassVar

_LSN_TEXT = re.compile(r"^([0-9a-f]{8}):([0-9a-f]{8}):([0-9a-f]{4})$")


@total_ordering
@dataclass(frozen=True, slots=True)
class Lsn:
    """A log sequence number: 10 bytes, compared as bytes. Text form: `00000027:00000ac0:0007`."""

    value: bytes

    ZERO: ClassVar[Lsn]

    def __post_init__(self) -> None:
        if len(self.value) != 10:
            raise ValueError(f"an LSN has 10 bytes, got {len(self.value)}")

    @classmethod
    def parse(cls, text: str) -> Lsn:
        """Read the text form. Raises ValueError when it is not one."""
        match = _LSN_TEXT.match(text)
        if match is None:
            raise ValueError(f"not an LSN: {text!r}")
        return cls(bytes.fromhex("".join(match.groups())))

    def __str__(self) -> str:
        text = self.value.hex()
        return f"{text[:8]}:{text[8:16]}:{text[16:]}"

    def __lt__(self, other: Lsn) -> bool:
        return self.value < other.value

    def next(self) -> Lsn:
        """The following 10-byte number, as `sys.fn_cdc_increment_lsn` computes it."""
        return Lsn((int.from_bytes(self.value, "big") + 1).to_bytes(10, "big"))

    def previous(self) -> Lsn:
        """The preceding 10-byte number, as `sys.fn_cdc_decrement_lsn` computes it."""
        return Lsn((int.from_bytes(self.value, "big") - 1).to_bytes(10, "big"))


Lsn.ZERO = Lsn(bytes(10))


@total_ordering
@dataclass(frozen=True, slots=True)
class Position:
    """Place of one change row. Order: commit LSN, command id, seqval, operation (3 and 4 are one update)."""

    commit_lsn: Lsn
    command_id: int
    seqval: Lsn
    operation: int

    @classmethod
    def end_of(cls, commit_lsn: Lsn) -> Position:
        """The position behind every row of the transaction `commit_lsn`."""
        return cls(commit_lsn, 2**31 - 1, Lsn(b"\xff" * 10), 9)

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read the form that `str` prints. Raises ValueError when it is not one."""
        parts = text.split("/")
        if len(parts) != 4:
            raise ValueError(f"not a position: {text!r}")
        return cls(Lsn.parse(parts[0]), int(parts[1]), Lsn.parse(parts[2]), int(parts[3]))

    def __str__(self) -> str:
        return f"{self.commit_lsn}/{self.command_id}/{self.seqval}/{self.operation}"

    def __lt__(self, other: Position) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[bytes, int, bytes, int]:
        return (self.commit_lsn.value, self.command_id, self.seqval.value, self.operation)
