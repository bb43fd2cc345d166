"""Who calls: Windows authentication per TCP connection, or HTTP Basic as a switch.

IIS authenticates the *connection*: after the handshake every request on it is that user's, and a new connection
starts over. A request without a token gets 401 with both schemes offered. The NTLM exchange is a real one
(pyspnego checks the response against the configured password); Kerberos is not simulated.
"""

import base64
import binascii
import hmac
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

Address = tuple[str, int]
_NTLM_SIGNATURE = base64.b64encode(b"NTLMSSP").decode()[:8]
_STORE_LOCK = threading.Lock()


class Connections:
    """The open TCP connections by the client's address: their protocol, handshake and user."""

    def __init__(self) -> None:
        self._protocols: dict[Address, H11Protocol] = {}
        self._contexts: dict[Address, Any] = {}
        self.users: dict[Address, str] = {}

    def protocol(self) -> type[H11Protocol]:
        """Return uvicorn's protocol class that reports to this object."""
        connections = self

        class _Protocol(H11Protocol):
            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                connections.opened(self)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.lost(self)
                super().connection_lost(exc)

        return _Protocol

    def opened(self, protocol: H11Protocol) -> None:
        """Note a new connection: nobody has proved anything on it."""
        if protocol.client is not None:
            self._protocols[protocol.client] = protocol
            self._contexts.pop(protocol.client, None)
            self.users.pop(protocol.client, None)

    def lost(self, protocol: H11Protocol) -> None:
        """Forget a closed connection."""
        if protocol.client is not None:
            self._protocols.pop(protocol.client, None)
            self._contexts.pop(protocol.client, None)
            self.users.pop(protocol.client, None)

    def abort(self, client: Address) -> None:
        """Reset the client's connection without an answer."""
        protocol = self._protocols.get(client)
        if protocol is not None:
            protocol.transport.abort()

    def context(self, client: Address, make: Callable[[], Any]) -> Any:
        """Return the handshake under way on a connection; `make` begins one."""
        if client not in self._contexts:
            self._contexts[client] = make()
        return self._contexts[client]

    def end_handshake(self, client: Address) -> None:
        """Forget the handshake, done or failed."""
        self._contexts.pop(client, None)


class Authenticator:
    r"""Decides about each request. `users` maps DOMAIN\user to the password; `folder` takes the credential file."""

    def __init__(self, users: Mapping[str, str], folder: Path, connections: Connections) -> None:
        self._users = {name.lower(): (name, password) for name, password in users.items()}
        self._connections = connections
        self._store = folder / "ntlm-users"
        lines = []
        for name, password in users.items():
            domain, _, user = name.rpartition("\\")
            lines.append(f"{domain}:{user}:{password}")
        self._store.touch(mode=0o600)
        self._store.write_text("\n".join(lines), encoding="utf-8")

    def check(self, mode: str, client: Address, authorization: str) -> tuple[str, list[str]]:
        """Return the caller, or '' and the WWW-Authenticate values of the 401 that goes back."""
        if mode == "none":
            return next(iter(self._users.values()))[0], []
        if mode == "basic":
            return self._basic(authorization), ['Basic realm="AX"']
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() in ("negotiate", "ntlm") and token:
            return self._handshake(scheme, token, client)
        return self._connections.users.get(client, ""), ["Negotiate", "NTLM"]

    def _basic(self, authorization: str) -> str:
        scheme, _, token = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        name, expected = self._users.get(user.lower(), ("", ""))
        right = hmac.compare_digest(password.encode(), expected.encode())
        return name if scheme.lower() == "basic" and name and right else ""

    def _handshake(self, scheme: str, token: str, client: Address) -> tuple[str, list[str]]:
        import spnego
        from spnego.exceptions import SpnegoError

        # Windows takes a bare NTLM message under either scheme; requests-ntlm sends it as Negotiate.
        protocol = "ntlm" if token.startswith(_NTLM_SIGNATURE) else "negotiate"

        try:
            with self._user_file():
                context = self._connections.context(client, lambda: spnego.server(protocol=protocol))
                answer = context.step(base64.b64decode(token, validate=True))
        except (SpnegoError, binascii.Error, ValueError):
            self._connections.end_handshake(client)
            return "", ["Negotiate", "NTLM"]
        if not context.complete:
            return "", [f"{scheme} {base64.b64encode(answer or b'').decode()}"]
        self._connections.end_handshake(client)
        user = self._users.get(str(context.client_principal).lower(), ("", ""))[0]
        if user:
            self._connections.users[client] = user
        return user, ["Negotiate", "NTLM"]

    @contextmanager
    def _user_file(self) -> Iterator[None]:
        """Point pyspnego to the users: it takes the path from the environment, at the handshake's last step."""
        with _STORE_LOCK:
            before = os.environ.get("NTLM_USER_FILE")
            os.environ["NTLM_USER_FILE"] = str(self._store)
            try:
                yield
            finally:
                if before is None:
                    del os.environ["NTLM_USER_FILE"]
                else:
                    os.environ["NTLM_USER_FILE"] = before
