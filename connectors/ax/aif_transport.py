"""HTTP for zeep: one session per thread, our limits, our failures.

NTLM authenticates a TCP connection, not a request. So each worker thread keeps a session of its own with one
connection that stays alive, and no proxy is used: one that multiplexes connections would break it.
"""

from __future__ import annotations

import ssl
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import spnego.exceptions
import zeep.transports
from requests_ntlm import HttpNtlmAuth

from connectors.ax.aif_failures import UNCLEAR, UnclearOutcomeError, forbidden_answer, status_failure
from connectors.ax.wsdl_files import local_file
from schemas.failures import FatalError
from streams.runtime.settings import AifSettings

# A find by key answers a few kilobytes; AX's own default is 64 KiB. What is larger is not an answer to our questions.
MAX_RESPONSE_BYTES = 4 * 1024 * 1024
_CONNECT_SECONDS = 10.0
_CHUNK_BYTES = 65_536
# Not possible in a text of AX: there `<` is escaped.
_DOCUMENT_TYPE = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class AifTransport(zeep.transports.Transport):
    """zeep's transport: documents from files, requests over a session of the calling thread."""

    def __init__(self, settings: AifSettings, wsdl_folder: Path) -> None:
        """Raises: FatalError for Basic authentication without TLS outside this machine."""
        # First: zeep's __del__ runs also when what follows refuses the settings.
        super().__init__(  # type: ignore[no-untyped-call]
            session=requests.Session(), operation_timeout=settings.timeout_seconds
        )
        address = urlsplit(settings.url)
        if settings.auth == "basic" and address.scheme != "https" and address.hostname not in _LOOPBACK:
            raise FatalError(
                "setting_invalid",
                "reading settings: FRESHAX_AIF__AUTH basic sends the password as text; it needs an https address",
            )
        self._settings = settings
        self._wsdl_folder = wsdl_folder
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def load(self, url: str) -> bytes:
        """The contract's document behind `url`, from our files."""
        return local_file(self._wsdl_folder, url).read_bytes()

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> requests.Response:
        """Send one request and read its answer within the deadline and the size limit.

        Returns an answer with status 200 or 500, both with SOAP in it.
        Raises: a Failure for every other status and for a handshake that does not end; requests.RequestException.
        """
        deadline = time.monotonic() + self._settings.timeout_seconds
        session = self._session()
        try:
            response = session.post(
                address,
                data=message,
                headers=headers,
                timeout=(min(_CONNECT_SECONDS, self._settings.timeout_seconds), self._settings.timeout_seconds),
                allow_redirects=False,
                stream=True,
            )
        except (PermissionError, KeyError, spnego.exceptions.SpnegoError) as error:
            # requests-ntlm: the server offers NTLM and then gives no challenge, or one that cannot be read.
            raise FatalError(
                "ax_unauthorized",
                f"authenticating with AX: the NTLM handshake ended early ({type(error).__name__}); check the service "
                "account and the port's authentication",
            ) from error
        with response:
            body = _read(response, deadline)
        if response.status_code not in (200, 500):
            raise status_failure(
                response.status_code,
                f"calling {_operation(headers)}",
                request_bytes=len(message),
                retry_after_seconds=_retry_after(response.headers.get("Retry-After")),
            )
        if any(declaration in body for declaration in _DOCUMENT_TYPE):
            raise forbidden_answer(f"calling {_operation(headers)}")
        response._content = body  # noqa: SLF001 - the only way to hand a body that was read under a limit to zeep
        return response

    def close(self) -> None:
        """Close all connections. Call it when no thread sends any more."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
        self.session.close()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = new_session(self._settings)
            with self._lock:
                self._sessions.append(session)
        return session


def new_session(settings: AifSettings) -> requests.Session:
    """A session with the port's authentication, one connection, and nothing from the environment.

    `trust_env` is off: a proxy would break NTLM, and a .netrc entry would replace the service account.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers["User-Agent"] = "freshax"
    for scheme in ("http://", "https://"):
        session.mount(scheme, _OneConnection(settings.ca_file))
    password = settings.password.get_secret_value()
    if settings.auth == "ntlm":
        session.auth = HttpNtlmAuth(settings.user, password)
    elif settings.auth == "basic":
        session.auth = (settings.user, password)
    return session


class _OneConnection(requests.adapters.HTTPAdapter):
    """Keeps one connection, and trusts what the operating system trusts: AX's certificate is often a company's own."""

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = str(ca_file) if ca_file else None
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = ssl.create_default_context(cafile=self._ca_file)
        super().init_poolmanager(*args, ssl_context=context, **kwargs)


def _read(response: requests.Response, deadline: float) -> bytes:
    """The body, at most MAX_RESPONSE_BYTES of it and not after `deadline`: a slow drip never hits a read timeout."""
    parts: list[bytes] = []
    size = 0
    for part in response.iter_content(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > MAX_RESPONSE_BYTES:
            raise FatalError(
                "response_too_large",
                f"reading AX's answer: it is larger than {MAX_RESPONSE_BYTES} bytes; find out who sent it",
            )
        if time.monotonic() > deadline:
            raise UnclearOutcomeError(UNCLEAR, "reading AX's answer: it did not end in time; it is looked up")
    return b"".join(parts)


def _retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header; its date form is rare enough to be ignored."""
    return float(header) if header is not None and header.strip().isdigit() else None


def _operation(headers: dict[str, str]) -> str:
    """`Service.operation` of a SOAPAction header."""
    return ".".join(headers.get("SOAPAction", "AX").strip('"').split("/")[-2:])
