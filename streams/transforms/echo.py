"""Whether the content of a FreshBooks entity is news to the pipeline, or known: published before, or our own write."""

from __future__ import annotations

from schemas.records import Fetched, Intent, IntentState


def is_known(content_hash: str, published: Fetched | None, wrote: Intent | None) -> bool:
    """True when this content was published last, or is what we wrote after that.

    A person's return to a content that we once wrote is news: what was published in between would stand for ever.
    What we created ourselves was never published, and is known by its intent alone.
    """
    if wrote is not None and wrote.state is IntentState.CONFIRMED and wrote.content_hash == content_hash:
        if published is None:
            return wrote.entity_id is not None
        if wrote.at > published.fetched_at:
            return True
    return published is not None and published.content_hash == content_hash
