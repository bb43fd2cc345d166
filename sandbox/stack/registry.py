"""The schema registry: Apicurio with Confluent's API, one JVM process, its database a file in the state folder."""

from pathlib import Path

from sandbox.stack.jars import Jars, fetch
from sandbox.stack.java import JavaProgram
from sandbox.stack.ports import LOOPBACK, free_port, is_open
from sandbox.stack.process import Process
from sandbox.stack.service import Service, answers_ok

_HEAP_MEGABYTES = 192
_READY_SECONDS = 90.0  # 1.5 s on an idle machine with the class archive, 4 s without; 12 s was seen under load
_API = "/apis/ccompat/v7"  # the only prefix of Confluent's API: the bare root answers 404
_COMPATIBILITY = "BACKWARD_TRANSITIVE"  # the registry's own default is NONE, which would accept anything


class Registry(Service):
    """One registry; it may be stopped or killed and started again on the same state folder and port.

    `port` 0 means a free one, chosen when the object is made, so `url` is known before the start.
    """

    remedy = "Is the port taken, the disk full, or memory short (it needs about 250 MB)?"

    def __init__(
        self, state: Path, *, port: int = 0, jars: Jars | None = None, record_classes: Path | None = None
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}{_API}"
        self.state = state
        self.program = _registry_program(jars or fetch(), state, self.port, free_port())
        command = self.program.recording_command(record_classes) if record_classes else self.program.command()
        self.process = Process("Schema registry", command, state / "registry.log")

    def start(self) -> None:
        """Start the registry without waiting for it."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.process.start()

    def wait_ready(self) -> None:
        """Return when it lists its subjects. Raises: StackError."""
        self._await(lambda: is_open(self.port), _READY_SECONDS)  # cheaper to ask than an answer
        self._await(lambda: answers_ok(self.port, f"{_API}/subjects"), _READY_SECONDS)


def _registry_program(jars: Jars, state: Path, port: int, management_port: int) -> JavaProgram:
    settings = {
        "quarkus.http.host": LOOPBACK,
        "quarkus.http.port": str(port),
        "quarkus.management.host": LOOPBACK,  # unless set it listens on every interface
        "quarkus.management.port": str(management_port),
        "apicurio.rules.global.compatibility": _COMPATIBILITY,
        "apicurio.datasource.url": f"jdbc:h2:file:{state.resolve() / 'registry'}",
    }
    return JavaProgram(
        main="io.quarkus.runner.GeneratedMain",
        class_path=jars.registry,
        heap_megabytes=_HEAP_MEGABYTES,
        archive=jars.archive("registry"),
        properties=[f"-D{name}={value}" for name, value in settings.items()],
    )
