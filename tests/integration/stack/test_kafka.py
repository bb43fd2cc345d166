"""The embedded Kafka: what a client of the pipeline may rely on, also across a crash of the broker."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from sandbox.stack.kafka import Kafka
from tests.kit.poll import poll_until
from tests.kit.stack import create_topic


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker of these tests alone, which they may kill; each leaves it running."""
    broker = Kafka(tmp_path_factory.mktemp("own") / "kafka")
    broker.start()
    try:
        broker.wait_ready()
        yield broker
    finally:
        broker.stop()


def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for value in values:
        producer.produce(topic, value=value, on_delivery=_raise_on_error)
    assert producer.flush(20) == 0


def consume(bootstrap: str, topic: str, count: int, group: str) -> list[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe([topic])
    values: list[bytes] = []

    def enough() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            values.append(message.value())
        return len(values) >= count

    try:
        poll_until(enough, 20, f"{count} records on {topic}")
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    return values


def _raise_on_error(error: KafkaError | None, _message: object) -> None:
    if error is not None:
        raise KafkaException(error)


def test_records_come_back_in_order_through_a_consumer_group(kafka: str, new_topic: Callable[..., str]) -> None:
    topic = new_topic("stack.order")
    produce(kafka, topic, *(str(number).encode() for number in range(100)))
    assert consume(kafka, topic, 100, group=topic) == [str(number).encode() for number in range(100)]


def test_a_topic_that_was_not_declared_does_not_appear_by_writing_to_it(kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka, "message.timeout.ms": 500, "log_level": 0})
    outcome: list[KafkaError | None] = []
    producer.produce("stack.undeclared", b"x", on_delivery=lambda error, _message: outcome.append(error))
    assert producer.flush(10) == 0
    assert len(outcome) == 1
    assert outcome[0] is not None, "the write was accepted"
    assert "stack.undeclared" not in producer.list_topics(timeout=10).topics


def test_after_a_crash_the_broker_serves_the_same_records_and_offsets_on_the_same_port(own_kafka: Kafka) -> None:
    topic = create_topic(own_kafka.bootstrap, "stack.crash")
    produce(own_kafka.bootstrap, topic, b"one", b"two")
    assert consume(own_kafka.bootstrap, topic, 2, group="readers") == [b"one", b"two"]
    before = own_kafka.bootstrap

    own_kafka.kill()
    own_kafka.start()
    own_kafka.wait_ready()

    assert own_kafka.bootstrap == before
    produce(own_kafka.bootstrap, topic, b"three")
    assert consume(own_kafka.bootstrap, topic, 1, group="readers") == [b"three"]
    assert consume(own_kafka.bootstrap, topic, 3, group="newcomers") == [b"one", b"two", b"three"]


def test_a_connected_producer_delivers_through_a_crash(own_kafka: Kafka) -> None:
    topic = create_topic(own_kafka.bootstrap, "stack.outage")
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap, "enable.idempotence": True, "log_level": 0})
    producer.produce(topic, b"before")
    assert producer.flush(20) == 0

    own_kafka.kill()
    producer.produce(topic, b"during", on_delivery=_raise_on_error)
    own_kafka.start()

    assert producer.flush(30) == 0
    assert consume(own_kafka.bootstrap, topic, 2, group="readers") == [b"before", b"during"]


def test_every_port_is_on_loopback(own_kafka: Kafka) -> None:
    assert _listening_addresses(own_kafka.process.pid) == {"127.0.0.1"}


def _listening_addresses(pid: int) -> set[str]:
    """Local addresses of the TCP sockets on which `pid` listens, from /proc; 4 and 6 alike."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    addresses = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                addresses.add(_address(fields[1].split(":")[0]))
    return addresses


def _address(hexadecimal: str) -> str:
    last_word = bytes.fromhex(hexadecimal)[-4:][::-1]  # an IPv4 address, or the end of one that is mapped into IPv6
    return ".".join(str(byte) for byte in last_word)
