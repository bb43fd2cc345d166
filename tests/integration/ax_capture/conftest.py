"""AX's two tables in the SQL Server stand-in, captured into Kafka through either ODBC driver.

Every test has tables and topics of its own; the server, Kafka and the registry are shared. The capture job is stopped
unless a test starts it: a test scans when it wants to.
"""

import dataclasses
import itertools
import json
import queue
import threading
import uuid
from datetime import UTC, datetime

import psycopg
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.ax.capture import Capture
from connectors.ax.envelope import Origin
from connectors.ax.feed_state import Feed, TableFeed
from connectors.ax.feed_writer import FeedWriter, Stopping
from connectors.ax.projector import Projector, ProjectorTopics
from connectors.ax.resume import NewSnapshot, position_of, read_checkpoints, read_tail, start_of
from connectors.ax.services import resumed_feed
from connectors.ax.snapshot import sweep_vanished
from connectors.ax.source_tables import SourceTable
from connectors.ax.table_shapes import TableShapes
from sandbox.sqlserver.background import BackgroundSqlServer
from schemas import topics
from schemas.records import CaptureSignal, SignalAction
from schemas.topics import Topic
from streams.runtime.codec import AvroCodec, registry_client
from streams.runtime.producer import Producer
from streams.runtime.schema_admin import SchemaAdmin, Subjects
from streams.runtime.settings import AxSqlSettings, CaptureSettings, KafkaSettings, RegistrySettings
from streams.runtime.topic_admin import TopicAdmin
from tests.integration.ax_capture.shared_subject import SharedSubjectTopic
from tests.kit.odbc import microsoft_driver_path
from tests.kit.poll import poll_until

READER, READER_PASSWORD = "reader", "Sandbox-reader-1"
_numbers = itertools.count(1)
PARTITION = 5637144576

CUSTTABLE = """
ACCOUNTNUM nvarchar(20) NOT NULL DEFAULT '', INVOICEACCOUNT nvarchar(20) NOT NULL DEFAULT '',
CUSTGROUP nvarchar(10) NOT NULL DEFAULT '', CURRENCY nvarchar(3) NOT NULL DEFAULT '',
PAYMTERMID nvarchar(10) NOT NULL DEFAULT '', PAYMMODE nvarchar(10) NOT NULL DEFAULT '',
TAXGROUP nvarchar(10) NOT NULL DEFAULT '', VATNUM nvarchar(20) NOT NULL DEFAULT '',
OURACCOUNTNUM nvarchar(20) NOT NULL DEFAULT '', BLOCKED int NOT NULL DEFAULT 0,
CREDITMAX numeric(32,16) NOT NULL DEFAULT 0, DLVMODE nvarchar(10) NOT NULL DEFAULT '',
DLVTERM nvarchar(10) NOT NULL DEFAULT '', PARTY bigint NOT NULL DEFAULT 0,
DEFAULTDIMENSION bigint NOT NULL DEFAULT 0, MODIFIEDDATETIME datetime NOT NULL DEFAULT '2026-01-02T03:04:05',
DATAAREAID nvarchar(4) NOT NULL DEFAULT 'dat', RECVERSION int NOT NULL DEFAULT 1,
PARTITION bigint NOT NULL DEFAULT 5637144576, RECID bigint NOT NULL PRIMARY KEY
"""
DIRPARTYTABLE = """
NAME nvarchar(100) NOT NULL DEFAULT '', NAMEALIAS nvarchar(20) NOT NULL DEFAULT '',
PARTYNUMBER nvarchar(40) NOT NULL DEFAULT '', LANGUAGEID nvarchar(7) NOT NULL DEFAULT '',
KNOWNAS nvarchar(100) NOT NULL DEFAULT '', INSTANCERELATIONTYPE bigint NOT NULL DEFAULT 2978,
PRIMARYADDRESSLOCATION bigint NOT NULL DEFAULT 0, PRIMARYCONTACTEMAIL bigint NOT NULL DEFAULT 0,
PRIMARYCONTACTPHONE bigint NOT NULL DEFAULT 0, MODIFIEDDATETIME datetime NOT NULL DEFAULT '2026-01-02T03:04:05',
RECVERSION int NOT NULL DEFAULT 1, PARTITION bigint NOT NULL DEFAULT 5637144576, RECID bigint NOT NULL PRIMARY KEY
"""


@pytest.fixture(scope="package")
def sql_server():
    with BackgroundSqlServer() as background:
        background.run(background.server.capture_job.stop())
        background.execute("EXEC sys.sp_cdc_enable_db")
        background.execute(f"CREATE USER [{READER}] FOR LOGIN [{READER}]")
        background.execute(f"GRANT SELECT ON SCHEMA::cdc TO [{READER}]")
        yield background


@pytest.fixture(params=["freetds", "microsoft"])
def driver(request) -> str:
    """Both drivers; a test that is about something else may choose one by indirect parametrisation."""
    return "FreeTDS" if request.param == "freetds" else microsoft_driver_path()


@pytest.fixture
def sql_settings(sql_server, driver) -> AxSqlSettings:
    return AxSqlSettings(
        driver=driver,
        server="127.0.0.1",
        port=sql_server.server.port,
        database="AX",
        user=READER,
        password=READER_PASSWORD,
        encrypt="no",
        login_timeout_seconds=5,
        query_timeout_seconds=10,
    )


@pytest.fixture(scope="package")
def schema_registry(registry):
    with registry_client(RegistrySettings(url=registry)) as client:
        shared = [_topic("", schema) for schema in ("cdc_custtable", "cdc_dirpartytable", "customer")]
        SchemaAdmin(client).apply([topics.CDC_POSITIONS, topics.CDC_SIGNALS, *shared])
        yield client


@pytest.fixture(scope="package")
def codec(schema_registry) -> AvroCodec:
    return AvroCodec(schema_registry)


@pytest.fixture(scope="package")
def kafka_settings(kafka) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=kafka)
    TopicAdmin(settings).apply([topics.CDC_POSITIONS, topics.CDC_SIGNALS])
    return settings


class Bench:
    """Two AX tables, their topics, and captures and projectors over them."""

    def __init__(self, server, kafka: KafkaSettings, codec: AvroCodec, sql: AxSqlSettings, registry) -> None:
        self.registry = registry
        self.server = server
        self.kafka = kafka
        self.codec = codec
        self.sql = sql
        number = next(_numbers)
        self.customers = SourceTable("dbo", f"CUSTTABLE_{number}", _topic(f"t{number}.custtable", "cdc_custtable"))
        self.parties = SourceTable(
            "dbo", f"DIRPARTYTABLE_{number}", _topic(f"t{number}.dirpartytable", "cdc_dirpartytable")
        )
        self.where = ProjectorTopics(
            self.customers.topic,
            self.parties.topic,
            _topic(f"t{number}.customers", "customer", partitions=2),
            _topic(f"t{number}.changes", "customer", partitions=2, cleanup="delete"),
            f"t{number}.projector",
        )
        self.capture_settings = CaptureSettings(
            poll_interval_seconds=0.02,
            snapshot_chunk_rows=3,
            heartbeat_seconds=0.1,
            stalled_after_seconds=3600,
            group=f"t{number}.capture",
            # Static membership: who is killed and starts again under its name need not wait for its lease.
            instance_id="bench",
            lease_seconds=2,
        )
        self.tables = [self.customers, self.parties]
        self.running: list[Running] = []
        self._signals: list[CaptureSignal] = []
        self._queues: list[queue.SimpleQueue] = []
        self.registry_url = ""
        self._consumers: dict[str, Consumer] = {}
        self._watcher: Consumer | None = None
        self._create_topics()
        for table, columns in ((self.customers, CUSTTABLE), (self.parties, DIRPARTYTABLE)):
            server.execute(f"CREATE TABLE dbo.{table.name} ({columns})")
            self.enable(table)
            server.execute(f"GRANT SELECT ON dbo.{table.name} TO [{READER}]")

    def _create_topics(self) -> None:
        mine = [*self.where.feeds, self.where.table, self.where.changes]
        admin = AdminClient(self.kafka.client_config())
        new = [
            NewTopic(t.name, num_partitions=t.partitions, replication_factor=1, config={"cleanup.policy": t.cleanup})
            for t in mine
        ]
        for future in admin.create_topics(new).values():
            future.result(20)

    def add_table(self, columns: str, *, schema: str | None = None) -> SourceTable:
        """Another captured table, with a topic and a subject of its own, which may begin with a shipped `schema`.

        RECID and PARTITION come by themselves where `columns` has none.
        """
        name = f"T_{next(_numbers)}"
        table = SourceTable("dbo", name, dataclasses.replace(topics.cdc_topic(name), schema=schema))
        key = f", PARTITION bigint NOT NULL DEFAULT {PARTITION}, RECID bigint NOT NULL PRIMARY KEY"
        self.server.execute(f"CREATE TABLE dbo.{table.name} ({columns}{'' if 'RECID' in columns else key})")
        self.server.execute(f"GRANT SELECT ON dbo.{table.name} TO [{READER}]")
        self.enable(table)
        TopicAdmin(self.kafka).apply([table.topic])
        self.tables.append(table)
        return table

    def enable(
        self, table, *, instance: str | None = None, columns: str | None = None, role: str | None = None
    ) -> None:
        gate = f"N'{role}'" if role else "NULL"
        extra = f", @capture_instance = N'{instance}'" if instance else ""
        extra += f", @captured_column_list = N'{columns}'" if columns else ""
        self.server.execute(
            f"EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'{table.name}', "
            f"@role_name = {gate}, @supports_net_changes = 0{extra}"
        )

    def disable(self, table, instance: str | None = None) -> None:
        self.server.execute(
            f"EXEC sys.sp_cdc_disable_table @source_schema = N'dbo', @source_name = N'{table.name}', "
            f"@capture_instance = N'{instance or 'dbo_' + table.name}'"
        )

    def execute(self, statement: str) -> None:
        """Run T-SQL in one transaction of its own; {C} and {P} are the two tables."""
        self.server.execute(statement.format(C=f"dbo.{self.customers.name}", P=f"dbo.{self.parties.name}"))

    def plain(self, *statements: str) -> None:
        """Several statements in one transaction, in the stand-in's own SQL; ends by commit."""
        with psycopg.connect(self.server.server.dsn) as connection:
            for statement in statements:
                connection.execute(statement.format(C=f'dbo."{self.customers.name}"', P=f'dbo."{self.parties.name}"'))

    def add_customer(self, number: int, name: str, **columns) -> None:
        """A customer with its party, in one transaction, as AX writes them."""
        given = {"CURRENCY": "EUR", "CUSTGROUP": "10", "DATAAREAID": "USMF"} | columns
        names = ", ".join(f'"{column}"' for column in given)
        values = ", ".join(f"'{value}'" for value in given.values())
        self.plain(
            f'INSERT INTO {{P}} ("RECID", "NAME", "LANGUAGEID") VALUES ({5000 + number}, \'{name}\', \'en-us\')',
            f'INSERT INTO {{C}} ("RECID", "ACCOUNTNUM", "PARTY", {names}) '
            f"VALUES ({number}, 'C-{number:06d}', {5000 + number}, {values})",
        )

    def scan(self) -> None:
        """Let the capture job read what is committed now."""
        self.server.run(self.server.server.capture_job.scan_now())

    def capture(self, *, writer=None, snapshot=False, settings=None, sql=None, register=True) -> "Running":
        """Start a capture as `freshax capture` does: from the topics and checkpoints."""
        return self._start(_CaptureRun(self, writer or FeedWriter, snapshot, settings, sql, register))

    def ask(self, action: str = "snapshot", *, first: int | None = None, end: int | None = None, table=None) -> str:
        """Ask for something about a table, as `freshax capture snapshot` does; returns the request's id."""
        signal = CaptureSignal(
            signal_id=uuid.uuid4(),
            action=SignalAction(action),
            table=(table or self.customers).full_name,
            from_key=first,
            to_key=end,
            requested_by="test",
            requested_at=_now(),
        )
        self._signals.append(signal)
        for signals in self._queues:
            signals.put((len(self._signals) - 1, signal))
        return str(signal.signal_id)

    def signals_from_start(self) -> queue.SimpleQueue:
        """All signals sent so far and those to come, as the lease gives them to a capture that starts."""
        signals: queue.SimpleQueue = queue.SimpleQueue()
        for numbered in enumerate(self._signals):
            signals.put(numbered)
        self._queues.append(signals)
        return signals

    def process_settings(self) -> str:
        """What capture_process.py needs to run this bench's capture and projector."""
        sql = self.sql.model_dump(mode="json") | {"password": READER_PASSWORD}
        settings = {
            "kafka": {"bootstrap_servers": self.kafka.bootstrap_servers},
            "registry": {"url": self.registry_url},
            "ax_sql": sql,
            "capture": self.capture_settings.model_dump(mode="json"),
        }
        return json.dumps(
            {
                "settings": settings,
                "tables": [self.customers.name, self.parties.name],
                "feeds": [[topic.name, topic.schema] for topic in self.where.feeds],
                "table": self.where.table.name,
                "changes": self.where.changes.name,
                "group": self.where.group,
            }
        )

    def shapes(self, *, register: bool = True) -> TableShapes:
        """As one capture has them: each with what it knows."""
        return TableShapes(Subjects(self.registry), register=register)

    def projector(self, complete=lambda: True) -> "Running":
        return self._start(_ProjectorRun(self, complete))

    def _start(self, run) -> "Running":
        running = Running(run)
        self.running.append(running)
        return running

    def records(self, topic: Topic) -> list:
        """All records of a topic, by partition and offset."""
        consumer = self._consumers.get(topic.name)
        if consumer is None:
            config = {
                "group.id": "test",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
            consumer = self._consumers[topic.name] = Consumer(self.kafka.client_config() | config)
        consumer.assign([TopicPartition(topic.name, number, 0) for number in range(topic.partitions)])
        found, ended = [], set()
        while len(ended) < topic.partitions:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error() is None:
                found.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise AssertionError(message.error())
        return sorted(found, key=lambda m: (m.partition(), m.offset()))

    def decoded(self, table) -> list[dict | None]:
        return [
            None if m.value() is None else self.codec.decode(table.topic, m.value()) for m in self.records(table.topic)
        ]

    def ops(self, table) -> list[tuple[str, int]]:
        """What the topic tells, in short: (op, RECID), a tombstone as ("t", RECID)."""
        told = []
        for message in self.records(table.topic):
            value = None if message.value() is None else self.codec.decode(table.topic, message.value())
            told.append(("t" if value is None else value["op"], int(message.key().decode().partition(":")[2])))
        return told

    def end_offset(self, topic: Topic) -> int:
        """The next offset of a topic of one partition."""
        if self._watcher is None:
            self._watcher = Consumer(self.kafka.client_config() | {"group.id": "test"})
        return self._watcher.get_watermark_offsets(TopicPartition(topic.name, 0), timeout=10)[1]

    def wait_ops(self, table, expected: list[tuple[str, int]], seconds: float = 10) -> None:
        def arrived():
            self.check()
            return self.end_offset(table.topic) >= len(expected)

        poll_until(arrived, seconds, f"{len(expected)} records in {table.topic.name}")
        assert self.ops(table) == expected

    def table_rows(self) -> dict[str, dict]:
        """The table of customers, compacted as a reader sees it."""
        rows: dict[str, dict] = {}
        for message in self.records(self.where.table):
            key = message.key().decode()
            if message.value() is None:
                rows.pop(key, None)
            else:
                rows[key] = self.codec.decode(self.where.table, message.value())
        return rows

    def changes(self) -> list[dict]:
        return [self.codec.decode(self.where.changes, message.value()) for message in self.records(self.where.changes)]

    def check(self) -> None:
        """Raise what ended a running part, if anything did."""
        for running in self.running:
            running.check()

    def close(self) -> None:
        for running in self.running:
            running.stopping.set()
        for running in self.running:
            running.stop()
        for consumer in [*self._consumers.values(), self._watcher]:
            if consumer is not None:
                consumer.close()
        for table in self.tables:
            for instance in self.server.execute(
                "SELECT capture_instance FROM cdc.change_tables t "
                f"JOIN sys.tables s ON s.object_id = t.source_object_id WHERE s.name = N'{table.name}'"
            ):
                self.disable(table, instance[0])
            self.server.execute(f"DROP TABLE IF EXISTS dbo.{table.name}")


def _topic(name: str, schema: str, partitions: int = 1, cleanup: str = "compact") -> Topic:
    return SharedSubjectTopic(name, "", cleanup, schema, "", partitions=partitions)


class Running:
    """A part of the capture in a thread, as its service runs it."""

    def __init__(self, part) -> None:
        self.part = part
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.part(self.stopping)
        except Stopping:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.failure = error

    def wait_streaming(self) -> "Running":
        def streams():
            self.check()
            return self.part.ready()

        poll_until(streams, 15, "snapshot complete, streaming")
        return self

    def wait_failure(self, kind, seconds: float = 10):
        poll_until(lambda: self.failure is not None, seconds, f"it fails with {kind.__name__}")
        failure, self.failure = self.failure, None
        assert isinstance(failure, kind), failure
        return failure

    def check(self) -> None:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def stop(self) -> None:
        failure = self.end()
        if failure is not None:
            raise failure

    def end(self) -> BaseException | None:
        """Stop it and return what it had died of, if it had."""
        self.stopping.set()
        self._thread.join(15)
        assert not self._thread.is_alive()
        failure, self.failure = self.failure, None
        return failure


class _CaptureRun:
    def __init__(self, bench: Bench, writer, snapshot: bool, settings, sql, register: bool) -> None:
        self._register = register
        self._bench = bench
        self._writer = writer
        self._snapshot = snapshot
        self._settings = settings or bench.capture_settings
        self._sql = sql or bench.sql
        self.capture: Capture | None = None

    def ready(self) -> bool:
        return self.capture is not None and self.capture.streaming.is_set()

    def __call__(self, stopping: threading.Event) -> None:
        bench = self._bench
        writer = self._writer(bench.kafka, stopping)
        try:
            feeds = self._feeds(writer)
            out = Feed(writer, bench.codec, _now, stopping)
            sweep = sweep_vanished(bench.kafka, bench.codec, out)
            self.capture = Capture(
                self._sql,
                self._settings,
                feeds,
                out,
                sweep,
                bench.shapes(register=self._register),
                stopping,
                bench.signals_from_start(),
            )
            self.capture.run()
        finally:
            writer.close()

    def _feeds(self, writer) -> list[TableFeed]:
        checkpoints = read_checkpoints(self._bench.kafka, self._bench.codec)
        return [self._feed(table, checkpoints, writer) for table in self._bench.tables]

    def _feed(self, table, checkpoints, writer) -> TableFeed:
        tail = read_tail(self._bench.kafka, table.topic)
        writer.expect(table.topic.name, tail.end_offset)
        checkpoint = checkpoints.get(table.topic.name)
        start = NewSnapshot() if self._snapshot else start_of(checkpoint, tail)
        return resumed_feed(table, Origin("ax", "AX", "0.1.0", _now), start, checkpoint, tail, writer)


class _ProjectorRun:
    def __init__(self, bench: Bench, complete) -> None:
        self._bench = bench
        self._complete = complete
        self.projector: Projector | None = None

    def ready(self) -> bool:
        return self.projector is not None and self.projector.ready.is_set()

    def __call__(self, stopping: threading.Event) -> None:
        bench = self._bench
        producer = Producer(bench.kafka)
        try:
            self.projector = Projector(
                bench.kafka,
                bench.codec,
                producer,
                complete=self._complete,
                stopping=stopping,
                clock=_now,
                where=bench.where,
            )
            self.projector.run()
        finally:
            producer.close()


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def bench(sql_server, kafka_settings, registry, schema_registry, codec, sql_settings):
    made = Bench(sql_server, kafka_settings, codec, sql_settings, schema_registry)
    made.registry_url = registry
    yield made
    sql_server.server.faults.clear()
    made.close()


@pytest.fixture
def positions():
    return lambda messages: [position_of(message) for message in messages]
