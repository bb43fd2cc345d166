"""The projector: change feeds of AX in, the table of customers (master.customers) and its changes (ax.customers) out.

Stateless and level-triggered: at the start it reads the feeds (compacted, so as long as the tables) and the table, and
from then on publishes where the two differ. Order of durability for each batch of changes:

1. the rows (or tombstones) in master.customers, so that who hears of a change finds the row
2. the same in ax.customers, a deletion with `deleted` set
3. the offsets of the feeds, as those of the group `freshax.projector`

A crash before 1 or inside it leaves a difference, found at the next start. A crash between 1 and 2 leaves none: that
is what the offsets are for. Accounts touched behind them are published as changes once more, so a change may come
twice in ax.customers, but none is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.ax.customer_join import (
    JoinState,
    Outcome,
    RowId,
    Waiting,
    accounts_of_party,
    customer_of,
    deletion_of,
    row_id_of,
    same_content,
    take_customer,
    take_party,
)
from connectors.ax.resume import position_of
from schemas import topics
from schemas.failures import FatalError, PoisonError, RetryableError
from schemas.records import Customer
from schemas.topics import Topic
from streams.runtime import metrics
from streams.runtime.cloud_events import Headers, event_headers
from streams.runtime.codec import AvroCodec
from streams.runtime.dead_letters import Origin, dead_letter
from streams.runtime.producer import OutRecord, Producer
from streams.runtime.settings import KafkaSettings
from streams.runtime.store import CompactedStore

_log = structlog.get_logger(__name__)
GROUP = "freshax.projector"
STAGE = "projector"
_IDLE_SECONDS = 0.1
_BATCH = 5000
# Accounts per send: bounds what is in memory twice while the first load is published.
_CHUNK = 1000
_COMMIT_SECONDS = 1.0
_RECOVERY_SECONDS = 600.0
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProjectorTopics:
    """What the projector reads and writes."""

    customers_feed: Topic = topics.CDC_CUSTTABLE
    parties_feed: Topic = topics.CDC_DIRPARTYTABLE
    table: Topic = topics.MASTER_CUSTOMERS
    changes: Topic = topics.AX_CUSTOMERS
    group: str = GROUP

    @property
    def feeds(self) -> tuple[Topic, Topic]:
        """Both change feeds."""
        return self.customers_feed, self.parties_feed


class Projector:
    """Runs in a thread of its own until stopped.

    `complete` says whether the feeds hold a whole snapshot; before that, an account that only the table knows is no
    sign of a deletion.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        codec: AvroCodec,
        producer: Producer,
        *,
        complete: Callable[[], bool],
        stopping: threading.Event,
        clock: Callable[[], datetime],
        where: ProjectorTopics | None = None,
    ) -> None:
        self._where = where or ProjectorTopics()
        self._feeds = {topic.name: topic for topic in self._where.feeds}
        self._kafka = kafka
        self._codec = codec
        self._producer = producer
        self._complete = complete
        self._stopping = stopping
        self._clock = clock
        self._state = JoinState()
        self._published: dict[str, Customer] = {}
        self._touched: dict[str, Headers] = {}
        self._unconfirmed: set[str] = set()
        self._unconfirmed_parties: set[RowId] = set()
        self._next: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._commit_due = 0.0
        self._orphans_behind: dict[str, int] | None = None
        self._orphans_done = False
        self.ready = threading.Event()
        self.last_round = time.monotonic()

    def run(self) -> None:
        """Project until `stopping` is set. Raises: FatalError when a person must act."""
        self._published = self._read_table()
        consumer = Consumer(
            self._kafka.client_config()
            | {
                "group.id": self._where.group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
            }
        )
        try:
            self._recover(consumer)
            while not self._stopping.is_set():
                self._take_batch(consumer.consume(1, _IDLE_SECONDS) + consumer.consume(_BATCH, 0))
                self._note_orphans(consumer)
                self._publish_retrying()
                self._commit(consumer)
                self.last_round = time.monotonic()
            self._commit(consumer, now=True)
        finally:
            consumer.close()

    def _read_table(self) -> dict[str, Customer]:
        store = CompactedStore(self._where.table, Customer, kafka=self._kafka, codec=self._codec)
        store.start()
        try:
            store.wait_recovered(_RECOVERY_SECONDS)
            return dict(store.items())
        finally:
            store.close()

    def _recover(self, consumer: Consumer) -> None:
        """Read both feeds to their present end, without publishing; the joined state is then whole."""
        started = time.monotonic()
        partitions = [TopicPartition(name, 0) for name in self._feeds]
        ends = {name: _watermarks(consumer, name)[1] for name in self._feeds}
        committed = consumer.committed(partitions, timeout=_TIMEOUT_SECONDS)
        self._committed = {
            part.topic: part.offset for part in committed if part.offset is not None and part.offset >= 0
        }
        if not self._committed and not self._published:
            # The very first start: from now on a crash between table and changes can be told.
            first = [TopicPartition(name, 0, 0) for name in self._feeds]
            consumer.commit(offsets=first, asynchronous=False)
            self._committed = dict.fromkeys(self._feeds, 0)
        consumer.assign([TopicPartition(name, 0, OFFSET_BEGINNING) for name in self._feeds])
        at_end: set[str] = {name for name, end in ends.items() if end == 0}
        while len(at_end) < len(self._feeds) and not self._stopping.is_set():
            messages = consumer.consume(_BATCH, 0.05)
            at_end |= {str(m.topic()) for m in messages if _is_end(m)}
            self._take_batch(messages)
        metrics.STORE_RECOVERY_SECONDS.labels(self._where.customers_feed.name).set(time.monotonic() - started)
        _log.info(
            "projector recovered",
            customers=len(self._state.customers),
            parties=len(self._state.parties),
            table=len(self._published),
            seconds=round(time.monotonic() - started, 2),
        )
        for party in self._unconfirmed_parties:
            accounts = accounts_of_party(self._state, party)
            self._unconfirmed |= accounts
            self._touched.update({key: self._touched.get(key, ()) for key in accounts})
        self._unconfirmed_parties.clear()
        self._publish_retrying()
        self.ready.set()

    def _take_batch(self, messages: Iterable[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is None:
                self._take(message)
            elif error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise FatalError(
                    "topic_missing", f"reading {message.topic()}: {error.str()}; run `freshax topics apply`"
                )
            elif not _is_end(message):
                _log.warning("kafka does not answer", error=error.str())

    def _take(self, message: Message) -> None:
        topic, offset = str(message.topic()), message.offset() or 0
        unconfirmed = offset >= self._committed.get(topic, offset + 1)
        touched: set[str] = set()
        try:
            value = message.value()
            envelope = None if value is None else self._codec.decode(self._feeds[topic], value)
            row_id = row_id_of(message.key() or b"")
            take = take_customer if topic == self._where.customers_feed.name else take_party
            outcome = take(self._state, row_id, position_of(message), envelope, touched)
        except PoisonError as poison:
            if unconfirmed or self.ready.is_set():
                self._bury(message, poison)
            return
        finally:
            self._next[topic] = offset + 1
        if outcome is Outcome.REPEATED:
            metrics.CDC_REPEATED.labels(topic.rpartition(".")[2]).inc()
        headers = _headers(message)
        self._touched.update(dict.fromkeys(touched, headers))
        if unconfirmed and not self.ready.is_set():
            self._unconfirmed |= touched
            if topic == self._where.parties_feed.name:
                # Its customers may not have been read yet: the two feeds come in any relative order.
                self._unconfirmed_parties.add(row_id)

    def _publish_retrying(self) -> None:
        """Publish what the touched accounts need; when Kafka is away they stay touched, and the next round tries."""
        while self._touched and not self._stopping.is_set():
            chunk = dict(list(self._touched.items())[:_CHUNK])
            try:
                self._publish(chunk)
            except RetryableError as error:
                metrics.RETRIES.labels("kafka", error.code).inc()
                _log.warning("projector retries", error=str(error))
                self._stopping.wait(1.0)
                continue
            for key in chunk:
                del self._touched[key]

    def _publish(self, accounts: dict[str, Headers]) -> None:
        rows: list[OutRecord] = []
        changes: list[OutRecord] = []
        published: dict[str, Customer | None] = {}
        for key, parent in accounts.items():
            wanted = customer_of(self._state, key)
            if isinstance(wanted, Waiting):
                metrics.EVENTS.labels(STAGE, "customer", "waits_for_party").inc()
                continue
            held = self._published.get(key)
            equal = same_content(wanted, held)
            if equal and (key not in self._unconfirmed):
                continue
            change = wanted if wanted is not None else deletion_of(self._state, key, held, self._clock())
            if change is None:
                continue
            headers = event_headers(self._where.changes.name, key, self._clock(), parent)
            if not equal:
                value = None if wanted is None else self._codec.encode(self._where.table, wanted)
                rows.append(OutRecord(self._where.table.name, key.encode(), value, headers))
                published[key] = wanted
            value = self._codec.encode(self._where.changes, change)
            changes.append(OutRecord(self._where.changes.name, key.encode(), value, headers))
        self._producer.send_blocking(rows)
        self._producer.send_blocking(changes)
        for key, row in published.items():
            _hold(self._published, key, row)
        for key in accounts:
            self._unconfirmed.discard(key)
        if changes:
            metrics.EVENTS.labels(STAGE, "customer", "published").inc(len(changes))
            metrics.LAST_SUCCESS.labels(STAGE).set_to_current_time()

    def _bury(self, message: Message, poison: PoisonError) -> None:
        """Send a record that cannot be read to the DLQ; the row that it would have replaced stays."""
        origin = Origin(
            topic=str(message.topic()),
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            key=_bytes(message.key()),
            value=message.value(),
            headers=_headers(message),
        )
        letter = dead_letter(origin, poison, stage=STAGE, attempts=1, now=self._clock())
        while not self._stopping.is_set():
            try:
                self._producer.send_blocking([letter])
            except RetryableError as error:
                _log.warning("projector retries", error=str(error))
                self._stopping.wait(1.0)
            else:
                metrics.DEAD_LETTERS.labels(STAGE, poison.failure_class, poison.code).inc()
                return

    def _note_orphans(self, consumer: Consumer) -> None:
        """Once, when the feeds hold a whole snapshot and were read: accounts that only the table knows are gone.

        Their deletion was compacted away while no projector ran, so that nothing touches them.
        """
        if self._orphans_done or not self._complete():
            return
        if self._orphans_behind is None:
            self._orphans_behind = {name: _watermarks(consumer, name)[1] for name in self._feeds}
        if all(self._next.get(name, 0) >= end for name, end in self._orphans_behind.items()):
            orphans = self._published.keys() - self._state.accounts.keys()
            self._touched.update({key: self._touched.get(key, ()) for key in orphans})
            self._orphans_done = True

    def _commit(self, consumer: Consumer, *, now: bool = False) -> None:
        """Commit what was published, at most once a second; at the end at once."""
        ahead = {topic: offset for topic, offset in self._next.items() if offset > self._committed.get(topic, -1)}
        if not ahead or self._touched or (not now and time.monotonic() < self._commit_due):
            return
        self._commit_due = time.monotonic() + _COMMIT_SECONDS
        offsets = [TopicPartition(topic, 0, offset) for topic, offset in ahead.items()]
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # Not fatal: what is not committed is published once more after a crash.
            _log.warning("offsets not committed", error=error.args[0].str())
            return
        self._committed.update(ahead)


def _watermarks(consumer: Consumer, topic: str) -> tuple[int, int]:
    """First and next offset of a feed's partition."""
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_TIMEOUT_SECONDS)
    except KafkaException as error:
        raise FatalError(
            "topic_missing", f"reading {topic}: {error.args[0].str()}; run `freshax topics apply`"
        ) from error
    return low, high


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka's name


def _headers(message: Message) -> list[tuple[str, bytes]]:
    return [(name, value) for name, value in dict(message.headers() or []).items() if isinstance(value, bytes)]


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _hold(table: dict[str, Customer], key: str, row: Customer | None) -> None:
    if row is None:
        table.pop(key, None)
    else:
        table[key] = row
