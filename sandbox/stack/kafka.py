"""Apache Kafka as one process: broker and controller (KRaft) in a small heap, on two loopback ports.

The order at start: write `server.properties`; format the data folder unless that was done; run the broker; it
is ready when the port is open, an admin client gets an answer and the group coordinator serves (right after
the first start it does not, and consumers would fail in ways that look like bugs of their own).

Formatting is a second of Java, so it is done once per machine and copied; all sandbox brokers have one
cluster id therefore.
"""

import shutil
import tempfile
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sandbox.stack.jars import Jars, fetch, locked
from sandbox.stack.java import JavaProgram
from sandbox.stack.ports import LOOPBACK, free_port, is_open
from sandbox.stack.process import Process, run_to_end
from sandbox.stack.service import Service

_HEAP_MEGABYTES = 256
_READY_SECONDS = (
    60.0  # < 1 s on an idle machine with the class archive; the worst seen on a loaded one without it is 12
)
_PROBE_SECONDS = 2.0
_FORMAT_SECONDS = 60.0
_CLUSTER_ID = "freshaxSandboxCluster0"  # 22 characters of base64, as Kafka wants it

# What differs from Kafka's defaults, and why.
_SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=CLIENT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENT://{host}:{port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}
# Topics are declared in code and applied; a typing error must fail here as it does in production.
auto.create.topics.enable=false
# One broker, so one replica; few partitions, so that a start creates few files.
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A group of one must not wait for others; a test must see a dead consumer leave within a second.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
# A broker that was killed must be let in again at once.
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=250
# 128 MB by default, which is half of the heap.
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.backoff.ms=1000
num.network.threads=2
num.io.threads=4
"""

_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    # Each prints some 300 lines of settings at every start.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
)


class Kafka(Service):
    """One broker; it may be stopped or killed and started again on the same state folder and ports.

    `port` 0 means a free one, chosen when the object is made, so `bootstrap` is known before the start.
    """

    remedy = "Is the port taken, the disk full, or memory short (it needs about 300 MB)?"

    def __init__(
        self, state: Path, *, port: int = 0, jars: Jars | None = None, record_classes: Path | None = None
    ) -> None:
        self.port = port or free_port()
        self.bootstrap = f"{LOOPBACK}:{self.port}"
        self._controller_port = free_port()
        self.state = state
        self._jars = jars or fetch()
        self.program = kafka_program(self._jars, "kafka.Kafka", state / "server.properties")
        command = self.program.recording_command(record_classes) if record_classes else self.program.command()
        self.process = Process("Kafka", command, state / "kafka.log")

    def start(self) -> None:
        """Format the data folder if it is new and start the broker, without waiting for it."""
        self.state.mkdir(parents=True, exist_ok=True)
        data = self.state / "data"
        if not data.is_dir():
            shutil.copytree(_formatted(self._jars), data)
        settings = _settings(self.port, self._controller_port, data)
        (self.state / "server.properties").write_text(settings)
        self.process.start()

    def wait_ready(self) -> None:
        """Return when clients and consumer groups are served. Raises: StackError."""
        self._await(lambda: is_open(self.port), _READY_SECONDS)
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        self._await(lambda: _serves_groups(admin), _READY_SECONDS)


def kafka_program(jars: Jars, main: str, *arguments: str | Path) -> JavaProgram:
    """A program of Kafka's: the broker `kafka.Kafka` with its settings file, or a tool."""
    return JavaProgram(
        main=main,
        class_path=jars.kafka,
        heap_megabytes=_HEAP_MEGABYTES,
        archive=jars.archive("kafka"),
        properties=_LOGGING,
        arguments=[str(argument) for argument in arguments],
    )


def _settings(port: int, controller_port: int, data: Path) -> str:
    return _SERVER_PROPERTIES.format(host=LOOPBACK, port=port, controller_port=controller_port, data=data)


def _formatted(jars: Jars) -> Path:
    """Return a data folder as Kafka's StorageTool formats it, making it the first time."""
    template = jars.folder / "formatted"
    with locked(jars.folder / "formatted.lock"):
        if not template.is_dir():
            with tempfile.TemporaryDirectory(dir=jars.folder, prefix="formatting-") as scratch:
                data = Path(scratch) / "data"
                settings = Path(scratch) / "server.properties"
                settings.write_text(_settings(9092, 9093, data))  # the ports are checked, not stored
                tool = kafka_program(jars, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", settings)
                run_to_end(tool.command(), what="formatting Kafka's data folder", limit_seconds=_FORMAT_SECONDS)
                data.rename(template)
    return template


def _serves_groups(admin: AdminClient) -> bool:
    try:
        groups = admin.describe_consumer_groups(["ready-probe"], request_timeout=_PROBE_SECONDS)
        groups["ready-probe"].result(timeout=_PROBE_SECONDS)
    except KafkaException:
        return False
    return True
