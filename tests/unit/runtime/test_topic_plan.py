"""The plan creates and mends, and refuses what would break the order of keys."""

from __future__ import annotations

from schemas.topics import Topic
from streams.runtime.topic_admin import Action, ActualTopic, plan, wanted_config

TOPIC = Topic("xref", "account:kind:id", "compact", "xref", "Cross-reference.")


def only(actual: dict[str, ActualTopic], topic: Topic = TOPIC, replication: int = 1) -> tuple[Action, str]:
    (change,) = plan([topic], actual, replication)
    return change.action, change.detail


def test_a_missing_topic_is_created() -> None:
    assert only({})[0] is Action.CREATE


def test_a_topic_as_declared_is_left_alone() -> None:
    assert only({"xref": ActualTopic(4, {"cleanup.policy": "compact", "other": "1"})}) == (Action.NONE, "")


def test_a_wrong_setting_is_altered() -> None:
    action, detail = only({"xref": ActualTopic(4, {"cleanup.policy": "delete"})})

    assert (action, detail) == (Action.ALTER, "cleanup.policy=compact")


def test_another_number_of_partitions_is_refused() -> None:
    action, detail = only({"xref": ActualTopic(6, {"cleanup.policy": "compact"})})

    assert action is Action.REFUSE
    assert "6" in detail
    assert "order" in detail


def test_three_copies_need_two_in_sync() -> None:
    assert wanted_config(TOPIC, 3)["min.insync.replicas"] == "2"
    assert "min.insync.replicas" not in wanted_config(TOPIC, 1)
