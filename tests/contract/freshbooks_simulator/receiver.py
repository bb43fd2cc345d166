"""A webhook receiver: a small HTTP server that keeps what it was sent and answers a status that the test chooses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from sandbox.freshbooks.signature import signature


@dataclass(frozen=True)
class Received:
    """One delivery: the form in its order, the signature header, the path it was sent to."""

    path: str
    content_type: str
    fields: dict[str, str]
    signature: str

    def signed_with(self, verifier: str) -> bool:
        return signature(verifier, self.fields) == self.signature


class Receiver:
    """Use as a context manager. `status` is answered to every post."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[Received] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
                sign = self.headers["X-FreshBooks-Hmac-SHA256"]
                receiver.received.append(Received(self.path, self.headers["Content-Type"], fields, sign))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def uri(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def named(self, name: str) -> list[Received]:
        return [item for item in list(self.received) if item.fields["name"] == name]

    def wait(self, name: str, count: int = 1, seconds: float = 5) -> list[Received]:
        """Return the deliveries called `name` when there are `count` of them; fail after `seconds`."""
        until(lambda: len(self.named(name)) >= count, f"{count} x {name}", seconds)
        return self.named(name)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def until(holds: Callable[[], bool], what: str, seconds: float = 5) -> None:
    """Poll until `holds()`; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)
