"""One stand-in with the tables and change data capture, one Kafka and registry, `freshax capture` as a process."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyodbc
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.ax.resume import position_of, read_checkpoints
from sandbox.stack.jars import fetch
from sandbox.stack.kafka import Kafka
from sandbox.stack.process import Process
from sandbox.stack.registry import Registry
from sandbox.stack.supervisor import Supervisor
from schemas import topics
from schemas.positions import Position
from schemas.topics import Topic
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.schema_admin import SchemaAdmin
from streams.runtime.settings import KafkaSettings, RegistrySettings
from streams.runtime.topic_admin import TopicAdmin
from tests.differential.tables import TABLES, create_statement

PASSWORD = "Sandbox-sa-1"
READER, READER_PASSWORD = "reader", "Sandbox-reader-1"
FEEDS: dict[str, Topic] = {table: topics.cdc_topic(table) for table in TABLES}
_TOPICS = [topics.CDC_POSITIONS, topics.CDC_SIGNALS, topics.MASTER_CUSTOMERS, topics.AX_CUSTOMERS]
_START_SECONDS = 30.0


class Rig:
    """A context manager. Everything is its own: ports, state, topics. `tables` are made, and captured."""

    def __init__(
        self, state: Path, *, capture_interval_seconds: float = 0.1, tables: Sequence[str] = tuple(TABLES)
    ) -> None:
        self.state = state
        self._tables = tuple(tables)
        jars = fetch()
        self.kafka = Kafka(state / "kafka", jars=jars)
        self._registry = Registry(state / "registry", jars=jars)
        self._supervisor = Supervisor()
        self._interval = capture_interval_seconds
        self._sql: Process | None = None
        self.sql_port = 0
        self.dsn = ""
        self._captures = 0
        self._codec: AvroCodec | None = None
        self._watcher: Consumer | None = None

    def __enter__(self) -> "Rig":
        try:
            self._start_sql()
            self._supervisor.start(self.kafka, self._registry)
            self.kafka_settings = KafkaSettings(bootstrap_servers=self.kafka.bootstrap)
            declared = [*_TOPICS, *(FEEDS[table] for table in self._tables)]
            TopicAdmin(self.kafka_settings).apply(declared)
            registry = registry_client(RegistrySettings(url=self._registry.url))
            SchemaAdmin(registry).apply(declared)
            self._codec = AvroCodec(registry)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._watcher is not None:
            self._watcher.close()
        if self._codec is not None:
            self._codec.close()
        self._supervisor.stop_all()
        if self._sql is not None:
            self._sql.stop()

    def _start_sql(self) -> None:
        config = self.state / "sql.json"
        setup = ["EXEC sys.sp_cdc_enable_db", f"CREATE USER [{READER}] FOR LOGIN [{READER}]"]
        setup.append(f"GRANT SELECT ON SCHEMA::cdc TO [{READER}]")
        for table in self._tables:
            setup += [create_statement(table), enable_statement(table), f"GRANT SELECT ON dbo.{table} TO [{READER}]"]
        config.write_text(json.dumps({"capture_interval_seconds": self._interval, "setup": setup}), "utf-8")
        command = [sys.executable, "-m", "sandbox.sqlserver", "--config", str(config)]
        self._sql = Process("the SQL Server stand-in", command, self.state / "sql.log")
        self._sql.start()
        self._sql.wait_ready(lambda: self._announced() is not None, deadline_seconds=_START_SECONDS)
        told = json.loads(self._announced() or "")
        self.sql_port, self.dsn = told["port"], told["dsn"]

    @property
    def sql_pid(self) -> int:
        """The process of the stand-in (PostgreSQL's are its children)."""
        assert self._sql is not None
        return self._sql.pid

    def _announced(self) -> str | None:
        """The line that the stand-in prints when it serves."""
        lines = (self.state / "sql.log").read_text("utf-8").splitlines(keepends=True)
        return next((line for line in lines if line.startswith("{") and line.endswith("\n")), None)

    def connect(self, *, autocommit: bool = False) -> pyodbc.Connection:
        """A connection of the administrator."""
        pyodbc.pooling = False
        return pyodbc.connect(
            f"DRIVER=FreeTDS;SERVER=127.0.0.1;PORT={self.sql_port};DATABASE=AX;UID=sa;PWD={PASSWORD};"
            "TDS_Version=7.4;ClientCharset=UTF-8;Encryption=off",
            autocommit=autocommit,
        )

    def execute(self, statement: str) -> list[Any]:
        """Run one statement as the administrator."""
        connection = self.connect(autocommit=True)
        try:
            cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def environment(self, **settings: str) -> dict[str, str]:
        """Environment of `freshax capture`; `settings` as capture__poll_interval_seconds="1"."""
        values = {
            "kafka__bootstrap_servers": self.kafka.bootstrap,
            "registry__url": self._registry.url,
            "ax_sql__driver": "FreeTDS",
            "ax_sql__server": "127.0.0.1",
            "ax_sql__port": str(self.sql_port),
            "ax_sql__user": READER,
            "ax_sql__password": READER_PASSWORD,
            "ax_sql__encrypt": "no",
            "capture__poll_interval_seconds": "0.05",
            "capture__tables": json.dumps([f"dbo.{table}" for table in self._tables]),
        } | settings
        return os.environ | {f"FRESHAX_{name.upper()}": value for name, value in values.items()}

    def capture(self, **settings: str) -> Process:
        """`freshax capture`, not yet started."""
        self._captures += 1
        command = [str(Path(sys.executable).with_name("freshax")), "capture"]
        log = self.state / f"capture-{self._captures}.log"
        return Process("freshax capture", command, log, environment=self.environment(**settings))

    def create_topics(self, *names: str) -> None:
        """Topics of another reader, one partition each."""
        admin = AdminClient(self.kafka_settings.client_config())
        for future in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
            future.result(20)

    def end_offset(self, topic: str) -> int:
        """The next offset of a topic of one partition."""
        if self._watcher is None:
            self._watcher = Consumer(self.kafka_settings.client_config() | {"group.id": "rig"})
        return int(self._watcher.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1])

    def records(self, topic: str) -> Iterator[Message]:
        """All records of a topic of one partition, in order."""
        consumer = Consumer(
            self.kafka_settings.client_config()
            | {"group.id": "rig", "enable.auto.commit": False, "fetch.wait.max.ms": 20}
        )
        try:
            end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]
            consumer.assign([TopicPartition(topic, 0, 0)])
            offset = 0
            while offset < end:
                message = consumer.poll(10)
                assert message is not None, f"{topic} ends at {offset}, not {end}"
                assert message.error() is None, message.error()
                offset = message.offset() + 1
                yield message
        finally:
            consumer.close()

    def positioned(self, table: str) -> list[tuple[Position, bytes, dict[str, Any] | None]]:
        """What `freshax capture` wrote of a table: position, key, envelope (None for a tombstone)."""
        topic, codec = FEEDS[table], self._codec
        assert codec is not None
        return [
            (
                position_of(message),
                message.key(),
                codec.decode(topic, message.value()) if message.value() else None,
            )
            for message in self.records(topic.name)
        ]

    def checkpoints(self) -> dict[str, str]:
        """Streaming positions that `freshax capture` has stored, by topic."""
        assert self._codec is not None
        found = read_checkpoints(self.kafka_settings, self._codec)
        return {topic: record.position for topic, record in found.items() if record.position}

    def wait_end(self, topic: str, count: int, seconds: float, check: Any = None) -> None:
        """Return when `topic` holds `count` records. Raises AssertionError, saying how many, after `seconds`."""
        give_up = time.monotonic() + seconds
        while (found := self.end_offset(topic)) < count:
            if check:
                check()
            assert time.monotonic() < give_up, f"{topic} has {found} records after {seconds:g} s, {count} expected"
            time.sleep(0.1)


def enable_statement(table: str, instance: str | None = None) -> str:
    """sp_cdc_enable_table."""
    extra = f", @capture_instance = N'{instance}'" if instance else ""
    return f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{table}', @role_name = NULL{extra}"
