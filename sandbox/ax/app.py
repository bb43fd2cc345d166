"""The HTTP face of the port: WSDL parts by GET, service calls by POST, with IIS's and WCF's answers around them."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg
from lxml import etree
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sandbox.ax import chaos
from sandbox.ax.auth import Address, Authenticator, Connections
from sandbox.ax.config import Switches
from sandbox.ax.contract import namespaces as ns
from sandbox.ax.contract.files import published
from sandbox.ax.model.faults import AifError, deadlock, timeout
from sandbox.ax.soap import envelope, faults
from sandbox.ax.soap.port import Port
from sandbox.ax.soap.xml import UnsafeXmlError

log = logging.getLogger(__name__)

XML = "text/xml; charset=utf-8"


@dataclass(slots=True)
class Counters:
    """What the port was asked: calls by operation and outcome, for the control API."""

    calls: dict[str, int] = field(default_factory=dict)

    def count(self, operation: str, outcome: str) -> None:
        """Count one call."""
        key = f"{operation} {outcome}"
        self.calls[key] = self.calls.get(key, 0) + 1


class AifApplication:
    """Handles the port's address. One object per server; `restart_until` is a monotonic instant."""

    def __init__(
        self,
        port: Port,
        switches: Switches,
        authenticator: Authenticator,
        connections: Connections,
        max_concurrent_calls: int,
    ) -> None:
        self._port = port
        self.switches = switches
        self._authenticator = authenticator
        self._connections = connections
        self._threads = ThreadPoolExecutor(max_concurrent_calls, thread_name_prefix="aos")
        self._slots = asyncio.Semaphore(max_concurrent_calls)
        self.faults = chaos.Faults()
        self.counters = Counters()
        self.restart_until = 0.0

    def close(self) -> None:
        """Let running calls end and take no more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def handle(self, request: Request) -> Response:
        """Answer one HTTP request to the port's address."""
        if time.monotonic() < self.restart_until:
            return Response("The service is unavailable.", 503)
        client = (request.client.host, request.client.port) if request.client else ("", 0)
        authorization = request.headers.get("authorization", "")
        caller, challenge = self._authenticator.check(self.switches.auth, client, authorization)
        if not caller:
            response = Response("Unauthorized", 401)
            for value in challenge:
                response.headers.append("WWW-Authenticate", value)
            return response
        if request.method == "GET":
            return self._published(request)
        return await self._call(request, caller, client)

    def _published(self, request: Request) -> Response:
        address = f"{request.url.scheme}://{request.url.netloc}{ns.PATH}"
        for kind in ("wsdl", "xsd"):
            if kind in request.query_params:
                text = published(kind, request.query_params[kind], address)
                return Response("Not found", 404) if text is None else Response(text, media_type=XML)
        return Response("Xpp Service", media_type="text/html")

    async def _call(self, request: Request, caller: str, client: Address) -> Response:
        if not request.headers.get("content-type", "").lower().startswith("text/xml"):
            return Response("The content type is not text/xml; charset=utf-8.", 415)
        try:
            body = await self._body(request)
            if body is None:
                return Response("Bad Request", 400)
            message = envelope.read(body, request.headers.get("soapaction", ""))
        except UnsafeXmlError:
            return Response("Bad Request", 400)
        except ClientDisconnect:
            return Response("", 400)
        except faults.ProtocolError as fault:
            self.counters.count("-", fault.code)
            return Response(faults.render_protocol(fault), 500, media_type=XML)
        return await self._dispatch(message, caller, client)

    async def _body(self, request: Request) -> bytes | None:
        """Return the body, or None as soon as it is larger than the quota (MaxReceivedMessageSize)."""
        chunks = bytearray()
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > self.switches.max_request_bytes:
                return None
        return bytes(chunks)

    async def _dispatch(self, message: envelope.Request, caller: str, client: Address) -> Response:
        operation = f"{message.service}.{message.operation}"
        origin = faults.Origin(message.document.name, message.service, message.operation)
        fault = self.faults.take(message.service, message.operation)
        try:
            if fault is not None and not fault.is_after_commit:
                early = await self._act(fault, client)
                if early is not None:
                    self.counters.count(operation, fault.kind)
                    return early
            async with self._slots:
                await asyncio.sleep(self.switches.call_seconds)
                loop = asyncio.get_running_loop()
                reply = await loop.run_in_executor(self._threads, self._port.execute, message, caller)
            self.counters.count(operation, "committed" if reply.committed else "replayed")
            late = await self._act(fault, client) if fault is not None and fault.is_after_commit else None
            if late is not None:
                return late
        except AifError as error:
            self.counters.count(operation, "fault")
            generic = fault is not None and fault.kind == "generic"
            detail = "generic" if generic else self.switches.detail
            return Response(faults.render_aif(error, origin, detail=detail), 500, media_type=XML)
        except psycopg.errors.DeadlockDetected:
            self.counters.count(operation, "fault")
            return Response(faults.render_aif(deadlock(), origin, detail=self.switches.detail), 500, media_type=XML)
        except Exception:
            log.exception("operation %s failed in the simulator itself", operation)
            self.counters.count(operation, "error")
            return Response(faults.render_protocol(faults.internal_fault()), 500, media_type=XML)
        unknown = fault is not None and fault.kind == "unknown_element"
        return Response(_with_unknown_element(reply.body) if unknown else reply.body, media_type=XML)

    async def _act(self, fault: chaos.Fault, client: Address) -> Response | None:
        """Let a fault act. Returns the answer that replaces the real one, or None. Raises: AifError."""
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "unavailable":
            return Response("Service Unavailable", 503)
        elif fault.kind == "drop_connection":
            self._connections.abort(client)
            await asyncio.sleep(0)  # the loop tells the protocol, so that it sends nothing
            return Response("", 503)
        elif fault.kind in chaos.HOSTILE:
            return Response(chaos.HOSTILE[fault.kind], media_type=XML)
        elif fault.kind == "deadlock":
            raise deadlock()
        elif fault.kind == "timeout":
            raise timeout()
        elif fault.kind == "generic":
            raise AifError(faults.GENERIC_TEXT)
        return None


def _with_unknown_element(body: bytes) -> bytes:
    """Put an element that no schema knows before the first element of the answer's payload, as a hotfix might."""
    root = etree.fromstring(body)
    wrapper = root[-1][0]
    target = next((item for item in wrapper.iter() if item.get("class") == "entity"), None)
    parent = target if target is not None else (wrapper[0] if len(wrapper) else wrapper)
    namespace = etree.QName(parent).namespace
    parent.insert(0, etree.Element(f"{{{namespace}}}HotfixField"))
    return etree.tostring(root, encoding="utf-8")
