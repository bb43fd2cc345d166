"""Requests to the running capture, and what its checkpoints tell: an operator's side of the signal topic."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from confluent_kafka import Message

from connectors.ax.pages import KeyRange
from connectors.ax.resume import each_record, read_checkpoints
from connectors.ax.source_tables import SourceTable, source_tables
from schemas import topics
from schemas.failures import FatalError, PoisonError
from schemas.records import CapturePosition, CaptureSignal, Phase, SignalAction
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.producer import OutRecord, Producer
from streams.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """A signal, and its offset once it was sent."""

    signal: CaptureSignal
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class TableState:
    """What the newest checkpoint of a table says; None for a table that no capture has begun."""

    table: SourceTable
    checkpoint: CapturePosition | None

    @property
    def doing(self) -> str:
        """In words: waits, snapshot, streaming, streaming and reading again."""
        if self.checkpoint is None:
            return "not begun"
        if self.checkpoint.phase is Phase.SNAPSHOT:
            return "snapshot"
        return "streaming" if self.checkpoint.backfill is None else "streaming, reading again"

    def has_done(self, request: Request) -> bool:
        """True when the capture has taken `request` up and is through with it."""
        found = self.checkpoint
        if found is None or request.offset is None or found.signals_taken < request.offset:
            return False
        running = found.backfill is not None and found.backfill.signal_id == str(request.signal.signal_id)
        return found.phase is Phase.STREAMING and not running


class Requests:
    """Sends signals and reads checkpoints."""

    def __init__(self, settings: Settings, codec: AvroCodec) -> None:
        self._settings = settings
        self._codec = codec
        self.tables = source_tables(settings.capture.tables)

    def make(self, action: SignalAction, names: Sequence[str], keys: KeyRange) -> list[Request]:
        """Requests for the tables called `names` (`CUSTTABLE` or `dbo.CUSTTABLE`).

        Raises: FatalError (setting_invalid) naming a table that is not captured, or an empty range.
        """
        if keys.start is not None and keys.end is not None and keys.start >= keys.end:
            raise FatalError("setting_invalid", f"choosing keys: from {keys.start} to {keys.end} there is none")
        known = {table.name.lower(): table for table in self.tables}
        known |= {table.full_name.lower(): table for table in self.tables}
        unknown = [name for name in names if name.lower() not in known]
        if unknown:
            raise FatalError(
                "setting_invalid",
                f"choosing tables: {', '.join(unknown)} not captured; FRESHAX_CAPTURE__TABLES names those that are: "
                f"{', '.join(table.full_name for table in self.tables)}",
            )
        return [
            Request(
                CaptureSignal(
                    signal_id=uuid4(),
                    action=action,
                    table=known[name.lower()].full_name,
                    from_key=keys.start,
                    to_key=keys.end,
                    requested_by=f"{getpass.getuser()}@{socket.gethostname()}",
                    requested_at=datetime.now(UTC),
                )
            )
            for name in names
        ]

    def send(self, requests: Sequence[Request]) -> list[Request]:
        """Send; returns them with their offsets when all are delivered. Raises RetryableError (kafka_unavailable)."""
        topic = topics.CDC_SIGNALS
        producer = Producer(self._settings.kafka)
        try:
            producer.send_blocking(
                OutRecord(topic.name, r.signal.table.encode(), self._codec.encode(topic, r.signal), partition=0)
                for r in requests
            )
        finally:
            producer.close()
        offsets: dict[str, int] = {}

        def note(message: Message) -> None:
            try:
                found = self._codec.decode(topic, message.value())
            except PoisonError:
                # Somebody else's mistake: the capture passes it, too.
                return
            offsets[str(found["signal_id"])] = message.offset() or 0

        each_record(self._settings.kafka, topic, note)
        return [Request(r.signal, offsets[str(r.signal.signal_id)]) for r in requests]

    def states(self) -> list[TableState]:
        """What each captured table does. Raises RetryableError (kafka_unavailable), FatalError (topic_missing)."""
        found = read_checkpoints(self._settings.kafka, self._codec)
        return [TableState(table, found.get(table.topic.name)) for table in self.tables]


@contextmanager
def open_requests(settings: Settings) -> Iterator[Requests]:
    """Requests over Kafka and the registry of `settings`."""
    with registry_client(settings.registry) as registry:
        yield Requests(settings, AvroCodec(registry))
