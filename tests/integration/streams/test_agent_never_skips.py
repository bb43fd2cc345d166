"""Faust acknowledges an event whose agent raises. Ours must not: after a restart the record is seen again.

Source: Faust user guide, "When agents raise an error"; field notes on issues 189 and 527.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.kit.poll import poll_until
from tests.kit.stack import create_topic

RECORDS = 40
VALUES = [str(number) for number in range(RECORDS)]
_SECONDS = 40


class Recording:
    """Starts the recording worker on one topic and reads what it handled."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.kafka = kafka
        self.topic = create_topic(kafka, "trap")
        self.prefix = f"test-{uuid.uuid4().hex[:8]}"
        self.file = folder / "handled"
        self.file.touch()

    def produce(self) -> None:
        producer = Producer({"bootstrap.servers": self.kafka})
        for value in VALUES:
            producer.produce(self.topic, key=b"one", value=value.encode())
        assert producer.flush(10) == 0

    def start(self, failure: str = "pass", last: str = VALUES[-1]) -> subprocess.Popen[bytes]:
        arguments = [self.kafka, self.topic, self.prefix, str(self.file), failure, last]
        command = [sys.executable, "-m", "tests.kit.recording_worker", *arguments]
        return subprocess.Popen(command, stderr=subprocess.PIPE)

    def run(self, failure: str = "pass", last: str = VALUES[-1]) -> int:
        process = self.start(failure, last)
        try:
            process.communicate(timeout=_SECONDS)
        finally:
            process.kill()
        return process.returncode

    def handled(self) -> list[str]:
        return self.file.read_text().split()


@pytest.fixture
def recording(kafka: str, tmp_path: Path) -> Recording:
    made = Recording(kafka, tmp_path)
    made.produce()
    return made


def assert_seen_again_without_a_gap(again: list[str]) -> None:
    """Record 20 and all behind it; perhaps some before it, whose commit the crash came before. None is skipped."""
    begin = VALUES.index(again[0])
    assert begin <= 20
    assert again == VALUES[begin:]


@pytest.mark.parametrize("failure", ["fatal", "unknown"])
def test_a_record_whose_handler_raises_is_seen_again_after_a_restart(recording: Recording, failure: str) -> None:
    assert recording.run(f"{failure}:20") == 1
    assert recording.handled() == VALUES[:21]

    assert recording.run() == 0
    assert_seen_again_without_a_gap(recording.handled()[21:])


def test_a_record_under_way_at_kill_minus_nine_is_seen_again(recording: Recording) -> None:
    process = recording.start("hang:20")
    try:
        poll_until(lambda: "20" in recording.handled(), _SECONDS, "record 20 was not reached")
    finally:
        process.kill()
        process.communicate()

    assert recording.run() == 0
    assert_seen_again_without_a_gap(recording.handled()[21:])


def test_what_was_acknowledged_is_not_seen_again_after_a_clean_stop(recording: Recording) -> None:
    assert recording.run() == 0

    (recording.file).write_text("")
    producer = Producer({"bootstrap.servers": recording.kafka})
    producer.produce(recording.topic, key=b"one", value=b"new")
    assert producer.flush(10) == 0

    assert recording.run(last="new") == 0
    assert recording.handled() == ["new"]
