"""Keys are deterministic; topics that meet in one agent are partitioned alike."""

from __future__ import annotations

import uuid

from schemas import keys, topics


def test_the_same_command_has_the_same_id_on_every_machine() -> None:
    first = keys.command_id("ax", "ZyQ04o:invoice:9001", "abc", "upsert_invoice")

    assert first == uuid.UUID("27edc098-ef61-5d2c-85fc-c6296b349e5e")
    assert first != keys.command_id("ax", "ZyQ04o:invoice:9001", "abd", "upsert_invoice")


def test_a_company_is_case_insensitive() -> None:
    assert keys.ax_key("USMF", "customer", "C-1") == keys.ax_key("usmf", "customer", "C-1")


def test_topics_keyed_by_document_have_the_same_number_of_partitions() -> None:
    by_document = [topic for topic in topics.ALL if topic.key.startswith("account:")]

    assert len(by_document) > 5
    assert {topic.partitions for topic in by_document} == {topics.PARTITIONS}


def test_no_topic_that_a_faust_agent_reads_is_compacted() -> None:
    look_up_data = {topics.ITEMS, topics.PROJECTS, topics.CATEGORIES, topics.TAXES}
    read_by_agents = (
        topics.NOTIFICATIONS,
        *(topic for topic in topics.FRESHBOOKS_ENTITIES.values() if topic not in look_up_data),
        topics.AX_CUSTOMERS,
        topics.RELEASED,
        topics.AX_COMMANDS,
        topics.AX_CONFIRMATIONS,
        topics.FRESHBOOKS_COMMANDS,
    )

    assert {topic.cleanup for topic in read_by_agents} == {"delete"}
    # Tables are read whole by librdkafka: what was said once must stay.
    assert {topic.cleanup for topic in look_up_data} == {"compact"}


def test_names_are_unique_and_never_mix_dots_with_underscores() -> None:
    names = [topic.name for topic in topics.ALL]

    assert len(set(names)) == len(names)
    assert not any("_" in name for name in names)
