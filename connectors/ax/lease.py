"""The lease: of all captures that run, the one that is assigned the signal topic's one partition may write.

A consumer group gives it: the broker assigns the partition to one member, and to another one when the first has not
been heard of for `lease_seconds`. Assignment is sticky, so a second capture that starts waits and disturbs nothing.
With `capture.instance_id` the membership is static: a capture that was killed and starts again under its name goes on
at once, and a second one under the same name ends the first.

Between the moments at which the broker is asked, a capture may have been asleep (a stopped process, a frozen host)
while another took over. So the broker is asked again and again, by a commit of offsets, which it refuses to who is not
a member any more; and nothing is written when its last answer is older than half the lease. What is left is a request
that was already under way; it is noticed by the offset check of the feed writer, and passed over by readers that go by
position.

Only the lease's own thread calls the consumer: a commit that waits for its answer while another thread polls the same
consumer was seen to wait for ever (confluent-kafka 2.16).
"""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.failures import FatalError, PoisonError, RetryableError
from schemas.records import CaptureSignal
from schemas.topics import CDC_SIGNALS
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec
from streams.runtime.settings import CaptureSettings, KafkaSettings

_log = structlog.get_logger(__name__)
# Codes of the failures that mean that another capture writes.
LOST = frozenset({"lease_lost", "lease_taken"})
_POLL_SECONDS = 0.1
_SAY_WAITING_SECONDS = 60.0
# Behind a lost assignment, for the error that says why.
_REASON_SECONDS = 1.0
_REFUSED = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._FATAL,  # noqa: SLF001 - librdkafka's name; a consumer has one fatal error: a namesake fenced it
}


class Lease:
    """Holds the lease from `acquire` to `close`. A thread of its own keeps the membership and reads the signals."""

    def __init__(
        self, kafka: KafkaSettings, capture: CaptureSettings, codec: AvroCodec, stopping: threading.Event
    ) -> None:
        self._seconds = capture.lease_seconds
        self._codec = codec
        self._stopping = stopping
        self._closing = threading.Event()
        self._held = threading.Event()
        self._read_to_end = threading.Event()
        self._failure: FatalError | None = None
        self._answered = threading.Condition()
        self._gone = False
        self._confirmed = self._asked = self._ask_at = 0.0
        self.signals: SimpleQueue[tuple[int, CaptureSignal]] = SimpleQueue()
        identity = {} if capture.instance_id is None else {"group.instance.id": capture.instance_id}
        self._consumer = Consumer(
            kafka.client_config()
            | identity
            | {
                "group.id": capture.group,
                "session.timeout.ms": int(self._seconds * 1000),
                "heartbeat.interval.ms": max(100, int(self._seconds * 1000 / 6)),
                "partition.assignment.strategy": "cooperative-sticky",
                "enable.auto.commit": False,
                "on_commit": self._answer,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
            }
        )
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def acquire(self) -> bool:
        """Wait for the lease, and until all signals of the topic are in `signals`; False when told to stop first.

        Raises: FatalError when the topic is missing or the broker refuses.
        """
        self._consumer.subscribe(
            [CDC_SIGNALS.name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )
        self._thread.start()
        said = time.monotonic()
        while not self._read_to_end.wait(_POLL_SECONDS):
            self._raise_failure()
            if self._stopping.is_set():
                return False
            if not self._held.is_set() and time.monotonic() - said > _SAY_WAITING_SECONDS:
                said = time.monotonic()
                _log.info("another capture runs; this one stands by")
        return True

    def require(self) -> None:
        """Return while the lease is ours by the broker's own word; waits for it when the last one is getting old.

        Raises: FatalError (lease_lost) when another capture may write now, or when the broker is silent for longer
        than the lease.
        """
        with self._answered:
            patience = _REASON_SECONDS if self._gone else self._seconds
            if not self._answered.wait_for(self._settled, timeout=patience):
                raise _lost()
        self._raise_failure()

    def _settled(self) -> bool:
        recent = time.monotonic() - self._confirmed < self._seconds / 2
        ours = recent and self._held.is_set() and not self._gone
        return ours or self._failure is not None or self._stopping.is_set()

    def close(self) -> None:
        """Leave the group: another capture goes on at once (unless the membership is static)."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(2 * _POLL_SECONDS + 1)
        self._consumer.close()
        metrics.CAPTURE_LEASE.set(0)

    def _run(self) -> None:
        while not self._closing.is_set():
            message = self._consumer.poll(_POLL_SECONDS)
            if message is not None:
                self._take(message)
            if self._held.is_set() and time.monotonic() >= self._ask_at:
                self._ask()

    def _ask(self) -> None:
        """Ask the broker whether we are still a member; `_answer` gets what it says."""
        self._asked = time.monotonic()
        self._ask_at = self._asked + self._seconds / 5
        try:
            self._consumer.commit(offsets=[TopicPartition(CDC_SIGNALS.name, 0, 0)], asynchronous=True)
        except KafkaException as error:
            _log.warning("kafka does not answer", error=error.args[0].str())

    def _answer(self, error: KafkaError | None, _partitions: list[TopicPartition]) -> None:
        if error is None:
            self._confirm(self._asked)
        elif error.code() in _REFUSED:
            self._fail(_refusal(error))
        else:
            # A rebalance is under way (another capture stands by), or the broker is away.
            self._ask_at = time.monotonic() + _POLL_SECONDS

    def _confirm(self, asked: float) -> None:
        with self._answered:
            self._confirmed = asked
            self._answered.notify_all()

    def _fail(self, failure: FatalError) -> None:
        with self._answered:
            self._failure = self._failure or failure
            self._answered.notify_all()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self._take_signal(message)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
            self._read_to_end.set()
        elif error.code() in _REFUSED:
            self._fail(_refusal(error))
        elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            message_text = f"reading {CDC_SIGNALS.name}: the topic does not exist; run `freshax topics apply`"
            self._fail(FatalError("topic_missing", message_text))
        else:
            _log.warning("kafka does not answer", error=error.str())

    def _take_signal(self, message: Message) -> None:
        try:
            signal = CaptureSignal.from_avro(self._codec.decode(CDC_SIGNALS, message.value()))
        except (PoisonError, ValueError) as error:
            # It asks for nothing that could be done, and a capture that stops for it would stop at every start.
            _log.warning("signal ignored", offset=message.offset(), error=type(error).__name__)
        except RetryableError as error:
            self._fail(FatalError(error.code, error.message))
        else:
            self.signals.put((message.offset() or 0, signal))

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions:
            consumer.incremental_assign([TopicPartition(CDC_SIGNALS.name, 0, OFFSET_BEGINNING)])
            self._held.set()
            self._confirm(time.monotonic())
            metrics.CAPTURE_LEASE.set(1)

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions and not self._closing.is_set():
            # For good: by the time that it is assigned again another capture may have written. The reason comes next.
            self._gone = True
            self._held.clear()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _refusal(error: KafkaError) -> FatalError:
    if error.code() not in (KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL):  # noqa: SLF001
        return _lost()
    return FatalError(
        "lease_taken",
        "holding the lease: a capture with the same FRESHAX_CAPTURE__INSTANCE_ID was started; nothing more is written "
        "here. Give each capture a name of its own",
    )


def _lost() -> FatalError:
    return FatalError(
        "lease_lost",
        "holding the lease: another capture has taken over, since this one was not heard of for a while. Nothing more "
        "is written here; start it again and it stands by",
    )
