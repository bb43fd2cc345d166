"""Headers that follow one record from webhook to voucher: CloudEvents (Kafka binding) and W3C trace context."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime

from schemas import headers

Headers = Sequence[tuple[str, bytes]]
_SOURCE = b"/freshax"


def event_headers(event_type: str, subject: str, now: datetime, parent: Headers = ()) -> list[tuple[str, bytes]]:
    """Headers of a new record: own ids, the trace of the record that led to it (a new trace when there is none).

    `event_type` is the topic, `subject` the record's key.
    """
    return [
        (headers.CE_ID, uuid.uuid4().hex.encode()),
        (headers.CE_SOURCE, _SOURCE),
        (headers.CE_TYPE, event_type.encode()),
        (headers.CE_SUBJECT, subject.encode()),
        (headers.CE_TIME, now.isoformat().encode()),
        (headers.TRACEPARENT, _child_of(parent).encode()),
    ]


def header(name: str, found: Headers) -> str | None:
    """Text of the newest header `name`, None when there is none."""
    for key, value in reversed(found):
        if key == name and value is not None:
            return value.decode("utf-8", "replace")
    return None


def _child_of(parent: Headers) -> str:
    """W3C traceparent: version-trace-span-flags; keeps the trace id, draws a new span id."""
    parts = (header(headers.TRACEPARENT, parent) or "").split("-")
    trace = parts[1] if len(parts) == 4 and len(parts[1]) == 32 else secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-01"
