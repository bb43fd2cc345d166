"""A TCP proxy that breaks connections: at once or after so many bytes of an answer, politely (FIN) or not (RST)."""

import contextlib
import socket
import struct
import threading
from typing import Literal, Self

_CHUNK_BYTES = 65536


class CuttingProxy:
    """Listens on a loopback port in front of another one. A context manager; leaves no thread and no socket."""

    def __init__(self, target_port: int, ending: Literal["fin", "rst"] = "fin") -> None:
        self._target = target_port
        self._ending = ending
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._answer_bytes: int | None = None
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def cut_after(self, answer_bytes: int) -> None:
        """Cut when so many more bytes of answers have passed."""
        self._answer_bytes = answer_bytes

    def cut(self) -> None:
        """Cut every connection now."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    if self._ending == "rst":
                        # Closing with a linger time of zero drops what is under way and sends RST.
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RD if self._ending == "rst" else socket.SHUT_RDWR)
                end.close()

    def _start(self, run, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._pairs.append((client, server))
                self._start(self._pump, client, server, False)
                self._start(self._pump, server, client, True)

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                if not answers or self._answer_bytes is None:
                    sink.sendall(data)
                    continue
                sink.sendall(data[: self._answer_bytes])
                self._answer_bytes -= min(len(data), self._answer_bytes)
                if self._answer_bytes == 0:
                    self._answer_bytes = None
                    self.cut()
                    return
