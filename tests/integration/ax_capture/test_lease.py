"""Of several captures one writes: the others stand by, and one that was asleep finds out before it writes."""

import signal
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime

import pytest

from connectors.ax.lease import Lease
from schemas.failures import FatalError
from schemas.records import CaptureSignal, SignalAction
from schemas.topics import CDC_SIGNALS
from streams.runtime.producer import OutRecord, Producer
from streams.runtime.settings import CaptureSettings
from tests.kit.poll import poll_until


class Captures:
    """Captures of one group, as far as their lease goes."""

    def __init__(self, kafka_settings, registry: str, codec) -> None:
        self.group = f"lease.{uuid.uuid4().hex[:8]}"
        self._kafka = kafka_settings
        self._registry = registry
        self._codec = codec
        self._open: list[tuple[Lease, threading.Event, threading.Thread]] = []
        self._processes: list[subprocess.Popen] = []

    def start(self, instance_id: str | None = None) -> tuple[Lease, threading.Event]:
        """A capture that asks for the lease; the event is set when it has it."""
        stopping, acquired = threading.Event(), threading.Event()
        settings = CaptureSettings(group=self.group, lease_seconds=2, instance_id=instance_id)
        lease = Lease(self._kafka, settings, self._codec, stopping)
        thread = threading.Thread(target=lambda: lease.acquire() and acquired.set())
        thread.start()
        self._open.append((lease, stopping, thread))
        return lease, acquired

    def process(self) -> subprocess.Popen:
        """A capture in a process of its own; it says `held` when it has the lease."""
        command = [sys.executable, "-m", "tests.integration.ax_capture.lease_holder"]
        process = subprocess.Popen(
            [*command, self._kafka.bootstrap_servers, self._registry, self.group],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        for lease, stopping, thread in self._open:
            stopping.set()
            thread.join(10)
            lease.close()


@pytest.fixture
def captures(kafka_settings, registry, codec):
    made = Captures(kafka_settings, registry, codec)
    yield made
    made.close()


def test_a_second_capture_stands_by_and_goes_on_when_the_first_ends(captures):
    first, first_has_it = captures.start()
    assert first_has_it.wait(15)
    _, second_has_it = captures.start()
    # Long enough for the second's joining to have moved the lease, were it not sticky.
    assert not second_has_it.wait(3)
    first.require()
    first.close()
    assert second_has_it.wait(15)


def test_of_two_that_start_at_once_one_has_it(captures):
    one, other = captures.start()[1], captures.start()[1]
    poll_until(lambda: one.is_set() or other.is_set(), 15, "one has the lease")
    assert not (one.wait(3) and other.is_set())


def test_one_that_was_asleep_finds_out_before_it_writes(captures):
    asleep = captures.process()
    assert asleep.stdout.readline() == "held\n"
    _, next_has_it = captures.start()
    asleep.send_signal(signal.SIGSTOP)
    assert next_has_it.wait(25), "the lease of a capture that was not heard of is free"
    asleep.send_signal(signal.SIGCONT)
    asleep.stdin.write("write\n")
    asleep.stdin.flush()
    assert asleep.stdout.readline() == "lease_lost\n"


def test_one_that_was_killed_is_replaced(captures):
    killed = captures.process()
    assert killed.stdout.readline() == "held\n"
    _, next_has_it = captures.start()
    killed.kill()
    assert next_has_it.wait(25)


def test_under_its_name_a_capture_takes_its_lease_up_again_at_once_and_ends_a_namesake(captures):
    first, first_has_it = captures.start("capture-1")
    assert first_has_it.wait(15)
    second, second_has_it = captures.start("capture-1")
    assert second_has_it.wait(5), "less than the lease"
    second.require()

    def fenced() -> bool:
        try:
            first.require()
        except FatalError as failure:
            return failure.code == "lease_taken"
        return False

    poll_until(fenced, 10, "the first one ends")


def test_signals_come_with_their_offsets_and_what_cannot_be_read_is_passed(captures, kafka_settings, codec):
    wanted = CaptureSignal(
        signal_id=uuid.uuid4(),
        action=SignalAction.SNAPSHOT,
        table="dbo.CUSTTABLE",
        requested_by="test",
        requested_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    producer = Producer(kafka_settings)
    producer.send_blocking(
        [
            OutRecord(CDC_SIGNALS.name, b"x", b"no Avro", partition=0),
            OutRecord(CDC_SIGNALS.name, b"x", codec.encode(CDC_SIGNALS, wanted), partition=0),
        ]
    )
    producer.close()
    lease, has_it = captures.start()
    assert has_it.wait(15)
    found = [lease.signals.get_nowait() for _ in range(lease.signals.qsize())]
    assert [signal for _, signal in found if signal == wanted] == [wanted]
    assert [offset for offset, _ in found] == sorted({offset for offset, _ in found})
