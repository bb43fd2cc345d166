"""What a web server between us and AX may answer, and what the client makes of it."""

import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connectors.ax import aif_transport
from connectors.ax.aif_client import AifClient
from connectors.ax.aif_failures import UnclearOutcomeError
from schemas.failures import FatalError, RetryableError
from streams.runtime.settings import AifSettings

EMPTY = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<CustomerServiceFindResponse xmlns="http://schemas.microsoft.com/dynamics/2008/01/services"/></s:Body></s:Envelope>'
)
BOMB = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'


class Server(ThreadingHTTPServer):
    """Answers every POST as its `answer` says; remembers what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.answer = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/port.svc"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body, self.client_address))
        self.server.answer(self)

    def log_message(self, *_arguments):
        return


def answer(status=200, body=EMPTY, content_type="text/xml; charset=utf-8", **headers):
    def write(handler):
        handler.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return write


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def find(server, times=1, **settings):
    async def calls():
        values = {"url": server.url, "auth": "none", "timeout_seconds": 5, "max_concurrent_calls": 1} | settings
        client = AifClient(AifSettings(**values))
        try:
            return [await client.find_customers("usmf", "FBZy-1") for _ in range(times)]
        finally:
            await client.close()

    return asyncio.run(calls())


def test_an_answer_without_a_document_is_no_hit(server):
    server.answer = answer()
    assert find(server) == [[]]


def test_a_request_has_a_quoted_action_and_soap_1_1_content(server):
    server.answer = answer()
    find(server)
    headers, body, _ = server.requests[0]
    assert headers["SOAPAction"] == '"http://schemas.microsoft.com/dynamics/2008/01/services/CustomerService/find"'
    assert headers["Content-Type"] == "text/xml; charset=utf-8"
    assert body.count(b":CriteriaElement>") == 2, "exactly one criterion, opened and closed"


def test_one_worker_keeps_one_connection(server):
    server.answer = answer()
    find(server, times=4)
    assert len({address for _, _, address in server.requests}) == 1


def test_a_redirect_is_not_followed(server):
    server.answer = answer(307, b"", Location="http://127.0.0.1:1/elsewhere")
    with pytest.raises(FatalError) as caught:
        find(server)
    assert caught.value.code == "ax_redirected"
    assert len(server.requests) == 1


def test_the_wish_of_a_busy_server_is_passed_on(server):
    server.answer = answer(503, b"", Retry_After="3")
    with pytest.raises(RetryableError) as caught:
        find(server)
    assert caught.value.retry_after_seconds == 3
    assert "CustomerService.find" in caught.value.message


def test_an_answer_without_end_is_cut(server, monkeypatch):
    monkeypatch.setattr(aif_transport, "MAX_RESPONSE_BYTES", 100_000)
    server.answer = answer(body=b"<x>" + b"a" * 1_000_000 + b"</x>")
    with pytest.raises(FatalError) as caught:
        find(server)
    assert caught.value.code == "response_too_large"


def test_an_answer_that_drips_ends_at_the_deadline(server):
    stopped = threading.Event()

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/xml")
        handler.send_header("Content-Length", "100000000")
        handler.end_headers()
        try:
            while not stopped.wait(0.05):
                handler.wfile.write(b"a" * 70_000)
        except OSError:
            return

    server.answer = drip
    began = time.monotonic()
    with pytest.raises(UnclearOutcomeError):
        find(server, timeout_seconds=0.5)
    stopped.set()
    assert time.monotonic() - began < 3


def test_an_answer_that_breaks_off_is_looked_up(server):
    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/xml")
        handler.send_header("Content-Length", str(len(EMPTY)))
        handler.end_headers()
        handler.wfile.write(EMPTY[:50])
        handler.wfile.flush()
        handler.close_connection = True

    server.answer = cut
    with pytest.raises(UnclearOutcomeError):
        find(server)


@pytest.mark.parametrize(
    ("body", "content_type", "kind", "code"),
    [
        (b"<html><body>Log in<br></body></html>", "text/html", UnclearOutcomeError, "unclear_outcome"),
        (b"<html><body>Log in</body></html>", "text/html", FatalError, "response_not_soap"),
        (BOMB.encode("utf-16"), "text/xml", FatalError, "response_forbidden"),
        (b"<!doctype html><html></html>", "text/html", UnclearOutcomeError, "unclear_outcome"),
        (b"", "text/xml", UnclearOutcomeError, "unclear_outcome"),
    ],
    ids=["broken page", "page", "entities in utf-16", "html 5", "nothing"],
)
def test_an_answer_that_is_not_soap(server, body, content_type, kind, code):
    server.answer = answer(body=body, content_type=content_type)
    with pytest.raises(kind) as caught:
        find(server)
    assert caught.value.code == code


def test_an_error_page_with_status_500_is_looked_up(server):
    server.answer = answer(500, b"<html><body>oops</body></html>", "text/html")
    with pytest.raises(UnclearOutcomeError) as caught:
        find(server)
    assert caught.value.lost


def test_ntlm_that_never_gets_a_challenge_is_fatal(server):
    server.answer = answer(401, b"", WWW_Authenticate="NTLM")
    with pytest.raises(FatalError) as caught:
        find(server, auth="ntlm", user="CONTOSO\\freshax", password="x")
    assert caught.value.code == "ax_unauthorized"


def test_nothing_from_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answer = answer()
    assert find(server) == [[]]
