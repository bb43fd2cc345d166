"""`freshax listen` as a process: callbacks registered by itself, webhooks into Kafka, strangers kept out."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

from connectors.freshbooks.signature import HEADER, signature
from sandbox.freshbooks.server import FreshBooksSimulator
from sandbox.stack.ports import free_port
from tests.integration.freshbooks.conftest import Notifications, Service, freshbooks_environment
from tests.kit.freshbooks import Control, Person
from tests.kit.poll import poll_until

FORM_TYPE = "application/x-www-form-urlencoded"
CANARY = "canary-7c1d"


class Listening(NamedTuple):
    """A listener that is ready."""

    service: Service
    port: int
    environment: dict[str, str]


@pytest.fixture(scope="module")
def listening(
    deployed: dict[str, str], simulator: FreshBooksSimulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Listening]:
    folder = tmp_path_factory.mktemp("listen")
    port, observe = free_port(), free_port()
    environment = {
        **deployed,
        **freshbooks_environment(simulator, folder),
        "FRESHAX_WEBHOOK__PORT": str(port),
        "FRESHAX_WEBHOOK__PUBLIC_URL": f"http://127.0.0.1:{port}",
        "FRESHAX_WEBHOOK__ALLOW_HTTP": "true",
        "FRESHAX_WEBHOOK__MAX_BODY_BYTES": "4096",
        "FRESHAX_WEBHOOK__BODY_TIMEOUT_SECONDS": "0.5",
        "FRESHAX_OBSERVE__PORT": str(observe),
    }
    service = Service("listen", environment, folder)
    try:
        service.ready(f"http://127.0.0.1:{observe}/readyz")
        yield Listening(service, port, environment)
        code, seconds = service.stop()
        assert code == 0, service.log
        assert seconds < 10
    finally:
        service.kill()


def verifier_of(control: Control, event: str) -> str:
    (key,) = [item["verifier"] for item in control.get("state?records=0")["callbacks"] if item["event"] == event]
    return str(key)


def raw(port: int, *parts: bytes, closes: bool = True) -> bytes:
    """What the listener says to bytes on a socket."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def request(form: dict[str, str] | bytes, *headers: str, path: str = "ZyQ04o/client", length: bool = True) -> bytes:
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    lines = [f"POST /webhooks/freshbooks/{path} HTTP/1.1", "Host: hooks.test", "Connection: close", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_what_a_person_does_in_freshbooks_is_told_in_kafka(
    listening: Listening, person: Person, notifications: Notifications
) -> None:
    client = person.new_client()
    invoice = person.new_invoice(client["id"])
    (told, *_) = notifications.wait_for("invoice", invoice["id"])
    notifications.wait_for("client", client["id"])
    assert (told.account_id, told.verb, told.origin.value, told.identity_id) == ("ZyQ04o", "create", "webhook", 88002)
    assert f"ZyQ04o:invoice:{invoice['id']}" in notifications.keys


def test_200_means_that_the_notification_is_in_kafka(
    listening: Listening, control: Control, notifications: Notifications
) -> None:
    key = verifier_of(control, "client")
    for number in range(1, 21):
        form = {"name": "client.update", "object_id": str(7_000_000 + number), "account_id": "ZyQ04o"}
        answer = raw(listening.port, request(form, f"Content-Type: {FORM_TYPE}", f"{HEADER}: {signature(key, form)}"))
        assert status(answer) == 200
    notifications.wait_for("client", *range(7_000_001, 7_000_021))


SIGNED = {"name": "client.update", "object_id": "7100000", "account_id": "ZyQ04o", "note": CANARY}
CHUNKED = f"Transfer-Encoding: chunked\r\nContent-Type: {FORM_TYPE}"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([request(SIGNED, f"Content-Type: {FORM_TYPE}", f"{HEADER}: {signature('guess', SIGNED)}")], 401),
        ([request(SIGNED, f"Content-Type: {FORM_TYPE}")], 401),
        ([request(SIGNED, "Content-Type: application/json")], 415),
        ([request(SIGNED, f"Content-Type: {FORM_TYPE}", path="ZyQ04o/estimate")], 404),
        ([request(SIGNED, f"Content-Type: {FORM_TYPE}", path="ZyQ04o/%2e%2e/client")], 404),
        ([request(b"name=a.b&name=c.d&object_id=1", f"Content-Type: {FORM_TYPE}")], 400),
        ([request(b"%ff%fe=" + CANARY.encode(), f"Content-Type: {FORM_TYPE}")], 400),
        ([request(b"a" * 5000, f"Content-Type: {FORM_TYPE}")], 413),
        # A length that is promised and never sent is refused by its promise.
        ([request(b"", f"Content-Type: {FORM_TYPE}", "Content-Length: 999999", length=False)], 413),
        # No length at all: counted while it comes.
        ([request(b"", CHUNKED, length=False), *[b"400\r\n" + b"a" * 1024 + b"\r\n" for _ in range(5)]], 413),
        ([request(b"", CHUNKED, length=False), b"5\r\nname=\r\n"], 408),
        ([request(b"name=", f"Content-Type: {FORM_TYPE}", "Content-Length: 100", length=False)], 408),
        ([b"GET /webhooks/freshbooks/ZyQ04o/client HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"], 405),
        ([b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"], 400),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"], 400),
    ],
    ids=[
        "forged",
        "unsigned",
        "json",
        "unknown event",
        "path traversal",
        "doubled field",
        "not UTF-8",
        "oversized",
        "oversized promise",
        "oversized chunks",
        "slow chunks",
        "slow body",
        "GET",
        "huge header",
        "TLS hello",
    ],
)
def test_hostile_bytes_are_answered_shortly_and_harm_nobody(
    listening: Listening, parts: list[bytes], expected: int, control: Control
) -> None:
    answer = raw(listening.port, *parts)
    assert status(answer) == expected
    body = answer.split(b"\r\n\r\n", 1)[1]
    assert b"uvicorn" not in answer.lower()
    assert len(body) < 40
    good = {"name": "client.update", "object_id": "7200000", "account_id": "ZyQ04o"}
    signed = f"{HEADER}: {signature(verifier_of(control, 'client'), good)}"
    assert status(raw(listening.port, request(good, f"Content-Type: {FORM_TYPE}", signed))) == 200


def test_no_body_no_verifier_and_no_secret_is_in_the_log(listening: Listening, control: Control) -> None:
    log = listening.service.log
    secrets = [CANARY, verifier_of(control, "client"), verifier_of(control, "invoice")]
    secrets += [value for name, value in listening.environment.items() if name.endswith(("SECRET", "TOKEN", "KEY"))]
    assert not [secret for secret in secrets if secret in log]


def test_a_restart_on_the_same_files_registers_nothing_anew(
    listening: Listening, control: Control, person: Person, tmp_path: Path, notifications: Notifications
) -> None:
    before = control.get("state?records=0")["callbacks"]
    observe = free_port()
    changes = {"FRESHAX_OBSERVE__PORT": str(observe), "FRESHAX_WEBHOOK__PORT": "0"}
    second = Service("listen", {**listening.environment, **changes}, tmp_path)
    try:
        second.ready(f"http://127.0.0.1:{observe}/readyz")
        assert control.get("state?records=0")["callbacks"] == before
        assert second.stop()[0] == 0
    finally:
        second.kill()
    client = person.new_client()
    notifications.wait_for("client", client["id"])


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"FRESHAX_WEBHOOK__ALLOW_HTTP": "false"}, 2, "PUBLIC_URL must be an https address"),
        ({"FRESHAX_FRESHBOOKS__ACCOUNT_ID": ""}, 2, "FRESHAX_FRESHBOOKS__ACCOUNT_ID must be set"),
        ({"FRESHAX_FRESHBOOKS__TOKEN_KEY": "hunter2"}, 1, "TOKEN_KEY is no Fernet key"),
    ],
)
def test_wrong_settings_end_it_with_an_exit_code_and_the_remedy(
    listening: Listening, tmp_path: Path, changes: dict[str, str], code: int, said: str
) -> None:
    service = Service("listen", {**listening.environment, "FRESHAX_OBSERVE__PORT": "0", **changes}, tmp_path)
    try:
        poll_until(lambda: service.process.poll() is not None, 20, "the process ends")
    finally:
        service.kill()
    assert service.process.returncode == code, service.log
    assert said in " ".join(service.log.split())
    assert "hunter2" not in service.log
