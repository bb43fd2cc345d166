"""The base of all typed records, and how they become fastavro's dicts and back.

Amounts are Decimal in the currency of their record, instants are aware UTC datetimes, dates are dates. Records are
frozen: a change is a new record.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec

# Types that fastavro takes as they are: no detour over text.
_NATIVE = (Decimal, datetime, date, bytes, UUID)
R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records."""

    def to_avro(self) -> dict[str, Any]:
        """Plain dict for the Avro writer."""
        result: dict[str, Any] = msgspec.to_builtins(self, builtin_types=_NATIVE)
        return result

    @classmethod
    def from_avro(cls: type[R], value: dict[str, Any]) -> R:
        """Record from what the Avro reader gave. Raises msgspec.ValidationError when a field does not fit."""
        return msgspec.convert(value, cls, builtin_types=_NATIVE)
