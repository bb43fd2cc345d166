"""A dead letter keeps the original bytes; its history stands in headers that Connect's users know."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas import headers
from schemas.failures import PoisonError
from streams.runtime.dead_letters import Origin, dead_letter, fingerprint

NOW = datetime(2026, 6, 29, 12, 0, tzinfo=UTC)


def origin(**changes: object) -> Origin:
    fields = {
        "topic": "freshbooks.invoices",
        "partition": 2,
        "offset": 17,
        "key": b"ZyQ04o:invoice:9001",
        "value": b"\x00\x00\x00\x00\x01\xff",
        "headers": (("traceparent", b"00-a-b-01"),),
    }
    return Origin(**(fields | changes))  # type: ignore[arg-type]


def test_key_value_and_headers_are_untouched() -> None:
    letter = dead_letter(origin(), PoisonError("bad", "no"), stage="flow", attempts=1, now=NOW)

    assert (letter.topic, letter.key, letter.value) == ("dlq", b"ZyQ04o:invoice:9001", b"\x00\x00\x00\x00\x01\xff")
    assert ("traceparent", b"00-a-b-01") in letter.headers


def test_a_null_key_and_a_tombstone_stay_null() -> None:
    letter = dead_letter(origin(key=None, value=None), PoisonError("bad", "no"), stage="flow", attempts=1, now=NOW)

    assert (letter.key, letter.value) == (None, None)


def test_the_history_has_connects_names_and_ours() -> None:
    failure = PoisonError("unknown_tax", "tax 'HST 13' has no group", field="lines[0].tax_name1")
    found = dict(dead_letter(origin(), failure, stage="flow", attempts=3, now=NOW).headers)

    assert found[headers.ERRORS_TOPIC] == b"freshbooks.invoices"
    assert (found[headers.ERRORS_PARTITION], found[headers.ERRORS_OFFSET]) == (b"2", b"17")
    assert found[headers.ERRORS_MESSAGE] == b"tax 'HST 13' has no group"
    assert found[headers.DLQ_CODE] == b"unknown_tax"
    assert found[headers.DLQ_CLASS] == b"poison"
    assert found[headers.DLQ_FIELD] == b"lines[0].tax_name1"
    assert found[headers.DLQ_ATTEMPTS] == b"3"
    assert found[headers.DLQ_FIRST_SEEN] == NOW.isoformat().encode()


def test_a_long_message_is_cut() -> None:
    letter = dead_letter(origin(), PoisonError("bad", "x" * 5000), stage="flow", attempts=1, now=NOW)

    assert len(dict(letter.headers)[headers.ERRORS_MESSAGE]) == 1000


def test_a_record_that_fails_again_has_one_history() -> None:
    first = dead_letter(origin(), PoisonError("bad", "no"), stage="flow", attempts=1, now=NOW)
    again = dead_letter(
        origin(headers=tuple(first.headers)), PoisonError("worse", "no"), stage="ax-sink", attempts=1, now=NOW
    )

    names = [name for name, _ in again.headers]
    assert len(names) == len(set(names))
    assert dict(again.headers)[headers.DLQ_CODE] == b"worse"


def test_failures_that_differ_in_ids_only_have_one_fingerprint() -> None:
    left = PoisonError("customer_blocked", "customer 'C-000001' of invoice 9001 is blocked")
    right = PoisonError("customer_blocked", "customer 'C-000777' of invoice 12 is blocked")

    assert fingerprint("flow", left) == fingerprint("flow", right)
    assert fingerprint("flow", left) != fingerprint("ax-sink", left)
