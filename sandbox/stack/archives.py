"""Class archives of Kafka and the registry (Java's AOT caches): they start in a second or two instead of four.

An archive holds the classes of one recorded run, already parsed and linked. Making both takes some twenty seconds of
two cores, once per machine: `python -m sandbox.stack.archives`. Without them everything works, slower.
"""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.stack.errors import StackError
from sandbox.stack.jars import Jars, fetch, locked
from sandbox.stack.java import JavaProgram
from sandbox.stack.kafka import Kafka
from sandbox.stack.process import run_to_end
from sandbox.stack.registry import Registry
from sandbox.stack.supervisor import Supervisor

_ARCHIVE_SECONDS = 300.0  # 5 to 15 s on an idle machine


def main() -> int:
    """Make the archives and return the exit code."""
    try:
        make_archives(fetch())
    except StackError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def make_archives(jars: Jars) -> None:
    """Make the class archives unless they are there. Safe to call from two processes at once.

    Raises: StackError if a service does not start or Java cannot write the archive.
    """
    with locked(jars.folder / "archives.lock"):
        if jars.archive("kafka").is_file() and jars.archive("registry").is_file():
            return
        sys.stderr.write("Making class archives of Kafka and the registry (20 s, once per machine) ...\n")
        with tempfile.TemporaryDirectory(dir=jars.folder, prefix="archiving-") as scratch:
            _make(jars, Path(scratch))


def _make(jars: Jars, scratch: Path) -> None:
    kafka = Kafka(scratch / "kafka", jars=jars, record_classes=scratch / "kafka.recording")
    registry = Registry(scratch / "registry", jars=jars, record_classes=scratch / "registry.recording")
    with Supervisor() as supervisor:
        supervisor.start(kafka, registry)

    def archive(name: str, program: JavaProgram) -> None:
        """Turn one recording into its archive; it appears complete or not at all."""
        unfinished = scratch / f"{name}.aot"
        command = program.archiving_command(scratch / f"{name}.recording", unfinished)
        run_to_end(command, what=f"making the class archive of {name}", limit_seconds=_ARCHIVE_SECONDS)
        unfinished.rename(jars.archive(name))

    with ThreadPoolExecutor() as both:
        list(both.map(archive, ("kafka", "registry"), (kafka.program, registry.program)))


if __name__ == "__main__":
    sys.exit(main())
