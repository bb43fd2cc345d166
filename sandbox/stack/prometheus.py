"""Prometheus on loopback, if Debian's package is installed: the dashboards' queries and the alerts are run on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sandbox.stack.ports import LOOPBACK, free_port
from sandbox.stack.process import Process
from sandbox.stack.service import Service, answers_ok

_PROGRAM = Path("/usr/bin/prometheus")
_READY_SECONDS = 20.0  # 0.3 s on an idle machine


class Prometheus(Service):
    """A Prometheus that runs `scrape_configs` (entries of its own configuration format) and `rule_files`.

    `interval` is the scrape and evaluation interval, as Prometheus writes durations.
    """

    remedy = "If it is not installed: apt-get install -y --no-install-recommends prometheus"

    def __init__(
        self,
        state: Path,
        scrape_configs: Sequence[Mapping[str, Any]],
        *,
        rule_files: Sequence[Path] = (),
        interval: str = "1s",
        port: int = 0,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.state = state
        self._configuration = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(path.resolve()) for path in rule_files],
            "scrape_configs": [dict(entry) for entry in scrape_configs],
        }
        self.process = Process(
            "Prometheus",
            [
                str(_PROGRAM),
                f"--config.file={state / 'prometheus.yml'}",
                f"--storage.tsdb.path={state / 'data'}",
                f"--web.listen-address={LOOPBACK}:{self.port}",
                "--log.level=warn",
            ],
            state / "prometheus.log",
        )

    @staticmethod
    def installed() -> bool:
        """True when this machine has Prometheus; the sandbox runs without it."""
        return _PROGRAM.is_file()

    def start(self) -> None:
        """Write the configuration and start Prometheus without waiting for it."""
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / "prometheus.yml").write_text(yaml.safe_dump(self._configuration, sort_keys=False))
        self.process.start()

    def wait_ready(self) -> None:
        """Return when it answers queries. Raises: StackError, with what it says about a wrong configuration."""
        self._await(lambda: answers_ok(self.port, "/-/ready"), _READY_SECONDS)
