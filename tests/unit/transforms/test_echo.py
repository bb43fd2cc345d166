"""What is news to the pipeline, and what it has published or written itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from schemas.records import Fetched, Intent, IntentState
from streams.transforms.echo import is_known

NOW = datetime(2026, 6, 29, tzinfo=UTC)
PUBLISHED = Fetched(version="v", content_hash="published", vis_state=0, fetched_at=NOW)


def wrote(state: IntentState = IntentState.CONFIRMED, seconds: int = 1, made: int | None = None) -> Intent:
    at = NOW + timedelta(seconds=seconds)
    return Intent(command_id=uuid4(), state=state, content_hash="written", entity_id=made, at=at)


@pytest.mark.parametrize(
    ("content", "published", "intent", "known"),
    [
        ("published", PUBLISHED, None, True),
        ("other", PUBLISHED, None, False),
        ("written", PUBLISHED, wrote(), True),
        ("written", PUBLISHED, wrote(IntentState.SENT), False),
        ("written", PUBLISHED, wrote(seconds=-1), False),
        ("written", None, wrote(), False),
        ("written", None, wrote(made=9001), True),
        ("written", None, wrote(IntentState.SENT, made=9001), False),
        ("other", None, wrote(made=9001), False),
        ("published", None, None, False),
    ],
)
def test_content_is_known_when_published_last_or_written_after_that(
    content: str, published: Fetched | None, intent: Intent | None, known: bool
) -> None:
    assert is_known(content, published, intent) is known
