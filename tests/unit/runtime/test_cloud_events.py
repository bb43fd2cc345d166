"""One trace runs through all records that a webhook led to."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from streams.runtime.cloud_events import event_headers, header

NOW = datetime(2026, 6, 29, 12, 0, tzinfo=UTC)


def test_a_new_record_starts_a_trace() -> None:
    found = event_headers("freshbooks.notifications", "a:invoice:1", NOW)

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", header("traceparent", found) or "")
    assert header("ce_subject", found) == "a:invoice:1"
    assert header("ce_type", found) == "freshbooks.notifications"


def test_a_child_keeps_the_trace_and_has_its_own_ids() -> None:
    parent = event_headers("freshbooks.notifications", "a:invoice:1", NOW)
    child = event_headers("freshbooks.invoices", "a:invoice:1", NOW, parent)

    def part(found: list[tuple[str, bytes]], number: int) -> str:
        return (header("traceparent", found) or "").split("-")[number]

    assert part(parent, 1) == part(child, 1)
    assert part(parent, 2) != part(child, 2)
    assert header("ce_id", parent) != header("ce_id", child)


def test_a_broken_trace_header_starts_a_new_trace() -> None:
    found = event_headers("t", "k", NOW, [("traceparent", b"nonsense")])

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", header("traceparent", found) or "")


def test_a_missing_header_is_none() -> None:
    assert header("ce_id", ()) is None
