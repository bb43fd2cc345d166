"""`freshax topics`: compares the declared topics with the cluster, and makes the cluster follow.

Creates what is missing and mends settings. Partitions may grow only by hand: more of them send a key elsewhere and
break the order of its records, so a wrong number is reported and never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.failures import FatalError, RetryableError
from schemas.topics import Topic
from streams.runtime.settings import KafkaSettings

_TIMEOUT_SECONDS = 15.0


class Action(StrEnum):
    """What a plan does with one topic."""

    CREATE = "create"
    ALTER = "alter"
    REFUSE = "refuse"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One line of the plan."""

    topic: str
    action: Action
    detail: str


@dataclass(frozen=True, slots=True)
class ActualTopic:
    """What the cluster has: partitions, and the settings that we declare."""

    partitions: int
    config: Mapping[str, str]


def wanted_config(topic: Topic, replication_factor: int) -> dict[str, str]:
    """Broker settings of a topic."""
    config: dict[str, str] = {"cleanup.policy": topic.cleanup}
    if topic.cleanup == "delete":
        config["retention.ms"] = str(topic.retention_ms)
    if replication_factor >= 3:
        config["min.insync.replicas"] = str(replication_factor - 1)
    return config


def plan(topics: Sequence[Topic], actual: Mapping[str, ActualTopic], replication_factor: int) -> list[TopicChange]:
    """What must be done so that the cluster has `topics`. Pure."""
    changes = []
    for topic in topics:
        found = actual.get(topic.name)
        wanted = wanted_config(topic, replication_factor)
        if found is None:
            detail = f"{topic.partitions} partitions, " + ", ".join(f"{k}={v}" for k, v in wanted.items())
            changes.append(TopicChange(topic.name, Action.CREATE, detail))
            continue
        if found.partitions != topic.partitions:
            detail = f"has {found.partitions} partitions, declared {topic.partitions}: changing them breaks key order"
            changes.append(TopicChange(topic.name, Action.REFUSE, detail))
            continue
        differing = {k: v for k, v in wanted.items() if found.config.get(k) != v}
        action = Action.ALTER if differing else Action.NONE
        changes.append(TopicChange(topic.name, action, ", ".join(f"{k}={v}" for k, v in differing.items())))
    return changes


class TopicAdmin:
    """Reads and changes the cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._client = AdminClient(settings.client_config() | {"socket.timeout.ms": int(_TIMEOUT_SECONDS * 1000)})
        self._servers = settings.bootstrap_servers
        self._replication = settings.replication_factor

    def plan(self, topics: Sequence[Topic]) -> list[TopicChange]:
        """The plan against the cluster as it is. Raises RetryableError (kafka_unavailable)."""
        try:
            return plan(topics, self._actual(topics), self._replication)
        except KafkaException as error:
            raise RetryableError(
                "kafka_unavailable", f"reading topics of {self._servers}: {error.args[0].str()}"
            ) from error

    def apply(self, topics: Sequence[Topic]) -> list[TopicChange]:
        """Carry the plan out. Raises FatalError when a topic is refused; nothing is changed then."""
        changes = self.plan(topics)
        refused = [f"{change.topic} {change.detail}" for change in changes if change.action is Action.REFUSE]
        if refused:
            raise FatalError("topics_refused", "applying topics: " + "; ".join(refused))
        by_name = {topic.name: topic for topic in topics}
        self._create([by_name[change.topic] for change in changes if change.action is Action.CREATE])
        self._alter([by_name[change.topic] for change in changes if change.action is Action.ALTER])
        return changes

    def _actual(self, topics: Sequence[Topic]) -> dict[str, ActualTopic]:
        metadata = self._client.list_topics(timeout=_TIMEOUT_SECONDS).topics
        present = [topic.name for topic in topics if topic.name in metadata]
        if not present:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in present]
        futures = self._client.describe_configs(resources, request_timeout=_TIMEOUT_SECONDS)
        configs = {resource.name: future.result() for resource, future in futures.items()}
        return {
            name: ActualTopic(
                len(metadata[name].partitions), {key: entry.value or "" for key, entry in configs[name].items()}
            )
            for name in present
        }

    def _create(self, topics: Sequence[Topic]) -> None:
        if not topics:
            return
        new = [
            NewTopic(t.name, t.partitions, self._replication, config=wanted_config(t, self._replication))
            for t in topics
        ]
        for name, future in self._client.create_topics(new, request_timeout=_TIMEOUT_SECONDS).items():
            try:
                future.result()
            except KafkaException as error:
                # Two deploy steps at once: the other one was faster.
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise FatalError("topic_not_created", f"creating {name}: {error.args[0].str()}") from error

    def _alter(self, topics: Sequence[Topic]) -> None:
        if not topics:
            return
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                topic.name,
                incremental_configs=[
                    ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                    for key, value in wanted_config(topic, self._replication).items()
                ],
            )
            for topic in topics
        ]
        for future in self._client.incremental_alter_configs(resources, request_timeout=_TIMEOUT_SECONDS).values():
            future.result()
