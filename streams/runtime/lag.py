"""Consumer lag in records: the broker's end offset minus the group's committed offset, per partition.

Measured against the broker and not by the consumer itself, so that a consumer that does not run has a lag too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.topics import Topic
from streams.runtime import metrics
from streams.runtime.settings import KafkaSettings

_log = structlog.get_logger(__name__)
_EVERY_SECONDS = 2.0
_TIMEOUT_SECONDS = 10.0


class LagMonitor:
    """Measures the groups of one process."""

    def __init__(self, kafka: KafkaSettings, groups: Mapping[str, Sequence[Topic]]) -> None:
        self._admin = AdminClient(kafka.client_config())
        self._groups = groups
        self._lags: dict[tuple[str, str, int], int] = {}

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.measure)
            except KafkaException as error:
                _log.warning("lag not measured", error=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    def waiting(self, group: str) -> int:
        """Records that waited for `group` when last measured."""
        return sum(lag for (owner, _, _), lag in self._lags.items() if owner == group)

    def measure(self) -> dict[tuple[str, str, int], int]:
        """Lag by (group, topic, partition); also set as the metric."""
        lags: dict[tuple[str, str, int], int] = {}
        for group, topics in self._groups.items():
            wanted = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
            newest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            latest = dict.fromkeys(wanted, newest)
            ends = self._admin.list_offsets(latest, request_timeout=_TIMEOUT_SECONDS)
            request = [ConsumerGroupTopicPartitions(group, wanted)]
            offsets = self._admin.list_consumer_group_offsets(request, request_timeout=_TIMEOUT_SECONDS)
            committed = {
                (found.topic, found.partition): max(found.offset, 0)
                for found in offsets[group].result().topic_partitions
            }
            for partition, end in ends.items():
                place = (partition.topic, partition.partition)
                lag = max(end.result().offset - committed.get(place, 0), 0)
                lags[group, *place] = lag
                metrics.LAG.labels(group, place[0], str(place[1])).set(lag)
        self._lags = lags
        return lags
