"""`/metrics`, `/healthz` and `/readyz` of one process, on its own port.

`/healthz` is liveness: false when work waits but none was done for too long. `/readyz` is readiness: every named
check true (assigned, recovered, sinks reachable). Both are cheap, unauthenticated, and tell no host and no version.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Self

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from schemas.failures import FatalError
from streams.runtime import metrics
from streams.runtime.settings import ObserveSettings

Check = Callable[[], bool]


class HealthServer:
    """Serves the three paths from a thread; a context manager."""

    def __init__(self, settings: ObserveSettings) -> None:
        self._alive: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}
        try:
            self._server = ThreadingHTTPServer((settings.host, settings.port), self._handler())
        except OSError as error:
            raise FatalError(
                "observe_port_taken",
                f"serving metrics on {settings.host}:{settings.port}: {error}; set FRESHAX_OBSERVE__PORT",
            ) from error
        self._server.daemon_threads = True
        metrics.BUILD.info({"release": version("freshax")})
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port that is really used."""
        return int(self._server.server_address[1])

    def alive_when(self, name: str, check: Check) -> None:
        """Add a liveness check."""
        self._alive[name] = check

    def ready_when(self, name: str, check: Check) -> None:
        """Add a readiness check."""
        self._ready[name] = check

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
        if path not in ("/healthz", "/readyz"):
            return 404, "text/plain", b"not found\n"
        checks = self._alive if path == "/healthz" else self._ready
        failing = [name for name, check in sorted(checks.items()) if not check()]
        if path == "/readyz" and not checks:
            failing = ["started"]  # the port is open before the process has said what readiness means
        body = "".join(f"not {name}\n" for name in failing) or "ok\n"
        return (503 if failing else 200), "text/plain", body.encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            # A scraper that stalls must not hold its thread for ever.
            timeout = 10

            def do_GET(self) -> None:
                status, content_type, body = answer(self.path.split("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Say nothing: a scrape every few seconds is not news."""

        return Handler
