"""The listener's decisions, request by request; real sockets and a real Kafka are in tests/integration."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from connectors.freshbooks import listener as listener_module
from connectors.freshbooks.listener import Listener
from connectors.freshbooks.sealed_file import SealedFile
from connectors.freshbooks.signature import HEADER, signature
from connectors.freshbooks.verifiers import Verifiers
from schemas.failures import Failure, FatalError, RetryableError
from schemas.records import Notification
from streams.runtime import metrics
from streams.runtime.settings import WebhookSettings
from tests.kit.freshbooks import KEY, HandClock

KEY_OF = {"client": "client-verifier", "invoice": "invoice-verifier"}
INVOICE_UPDATE = {"name": "invoice.update", "object_id": "9001", "account_id": "ZyQ04o", "identity_id": "88002"}
FORM = "application/x-www-form-urlencoded"


class Desk:
    """A listener with both callbacks confirmed; remembers what it announced."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.verifiers = Verifiers(SealedFile(folder / "verifiers", KEY), clock=clock)
        self.told: list[Notification] = []
        self.kafka: Failure | None = None
        self.handshakes = 0
        self.fatal: list[BaseException] = []
        self.clock = clock
        self.listener = Listener(
            WebhookSettings(max_body_bytes=512, body_timeout_seconds=0.1),
            account_id="ZyQ04o",
            verifiers=self.verifiers,
            announce=self.announce,
            clock=clock,
            on_handshake=self.on_handshake,
            on_fatal=self.fatal.append,
        )

    async def announce(self, notifications: Sequence[Notification], /) -> None:
        if self.kafka is not None:
            raise self.kafka
        self.told += notifications

    def on_handshake(self) -> None:
        self.handshakes += 1

    async def confirmed(self, event: str, number: int) -> None:
        await self.verifiers.expect(event)
        await self.verifiers.offer(event, number, KEY_OF[event])
        await self.verifiers.confirm(number)

    async def send(
        self, form: dict[str, str] | bytes, *, path: str = "/webhooks/freshbooks/ZyQ04o/invoice", **options: Any
    ) -> int:
        """Status of a POST of `form`, signed with `key` unless `claimed` says otherwise."""
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        key = options.pop("key", KEY_OF["invoice"])
        claimed = options.pop("claimed", signature(key, form) if isinstance(form, dict) else "")
        headers = {"Content-Type": FORM, HEADER: claimed, **options.pop("headers", {})}
        transport = httpx.ASGITransport(self.listener.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://hooks.test") as http:
            answer = await http.request(options.pop("method", "POST"), path, content=body, headers=headers)
        assert answer.content == b""
        return answer.status_code


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    made = Desk(tmp_path, clock)
    asyncio.run(made.confirmed("client", 2001))
    asyncio.run(made.confirmed("invoice", 2002))
    return made


def outcomes() -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for family in metrics.WEBHOOKS.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


@pytest.fixture
def outcome_of() -> Callable[[], str]:
    """The one outcome that was counted since the test began."""
    before = outcomes()

    def the_one() -> str:
        (changed,) = [name for name, value in outcomes().items() if value != before.get(name, 0.0)]
        return changed

    return the_one


def test_a_signed_delivery_is_announced_then_answered(desk: Desk, outcome_of: Callable[[], str]) -> None:
    assert asyncio.run(desk.send(INVOICE_UPDATE)) == 200
    (told,) = desk.told
    assert (told.kind, told.verb, told.object_id, told.received_at) == ("invoice", "update", 9001, desk.clock.now)
    assert outcome_of() == "accepted"


def test_the_order_of_the_fields_does_not_matter_as_long_as_it_was_signed(desk: Desk) -> None:
    assert asyncio.run(desk.send(dict(reversed(INVOICE_UPDATE.items())))) == 200


def test_a_delivery_signed_with_another_callbacks_verifier_is_accepted(desk: Desk) -> None:
    assert asyncio.run(desk.send(INVOICE_UPDATE, key=KEY_OF["client"])) == 200


def test_a_signed_event_that_we_do_not_carry_is_accepted_and_ignored(desk: Desk, outcome_of: Callable[[], str]) -> None:
    assert asyncio.run(desk.send({**INVOICE_UPDATE, "name": "estimate.create"})) == 200
    assert (desk.told, outcome_of()) == ([], "ignored")


@pytest.mark.parametrize(
    ("request_", "status", "outcome"),
    [
        ({"form": INVOICE_UPDATE, "claimed": "AAAA"}, 401, "forged"),
        ({"form": INVOICE_UPDATE, "claimed": ""}, 401, "forged"),
        ({"form": INVOICE_UPDATE, "key": "guess"}, 401, "forged"),
        ({"form": b"name=a&name=b"}, 400, "malformed"),
        ({"form": b"\xff\xfe"}, 400, "malformed"),
        ({"form": b""}, 400, "malformed"),
        ({"form": {**INVOICE_UPDATE, "account_id": "other"}}, 400, "malformed"),
        ({"form": {**INVOICE_UPDATE, "object_id": "x"}}, 400, "malformed"),
        ({"form": {**INVOICE_UPDATE, "pad": "x" * 600}}, 413, "too_large"),
        ({"form": INVOICE_UPDATE, "headers": {"Content-Length": "99999999999999"}}, 413, "too_large"),
        ({"form": INVOICE_UPDATE, "headers": {"Content-Length": "-1"}}, 413, "too_large"),
        ({"form": INVOICE_UPDATE, "headers": {"Content-Type": "application/json"}}, 415, "wrong_type"),
        ({"form": INVOICE_UPDATE, "headers": {"Content-Type": ""}}, 415, "wrong_type"),
        ({"form": INVOICE_UPDATE, "path": "/webhooks/freshbooks/ZyQ04o/estimate"}, 404, "unknown_path"),
        ({"form": INVOICE_UPDATE, "path": "/webhooks/freshbooks/other/invoice"}, 404, "unknown_path"),
        ({"form": INVOICE_UPDATE, "path": "/webhooks/freshbooks/ZyQ04o/invoice/"}, 404, "unknown_path"),
        ({"form": INVOICE_UPDATE, "path": "/"}, 404, "unknown_path"),
        ({"form": INVOICE_UPDATE, "method": "GET"}, 405, "unknown_path"),
    ],
)
def test_hostile_requests_are_refused_without_a_word(
    desk: Desk, request_: dict[str, Any], status: int, outcome: str, outcome_of: Callable[[], str]
) -> None:
    assert asyncio.run(desk.send(request_.pop("form"), **request_)) == status
    assert desk.told == []
    assert outcome_of() == outcome


def test_a_content_type_with_parameters_is_a_form_too(desk: Desk) -> None:
    assert asyncio.run(desk.send(INVOICE_UPDATE, headers={"Content-Type": f"{FORM}; charset=utf-8"})) == 200


def test_a_kafka_that_does_not_confirm_is_503_until_it_does(desk: Desk, outcome_of: Callable[[], str]) -> None:
    desk.kafka = RetryableError("not_delivered", "away")
    assert asyncio.run(desk.send(INVOICE_UPDATE)) == 503
    assert (desk.listener.kafka_confirms, outcome_of()) == (False, "unconfirmed")
    desk.kafka = None
    assert asyncio.run(desk.send(INVOICE_UPDATE)) == 200
    assert desk.listener.kafka_confirms


def test_a_kafka_that_hangs_is_503_before_freshbooks_gives_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "_CONFIRM_SECONDS", 0.02)

    async def hang(_notifications: Sequence[Notification], /) -> None:
        await asyncio.Event().wait()

    desk.listener._announce = hang
    assert asyncio.run(desk.send(INVOICE_UPDATE)) == 503


def test_a_kafka_that_refuses_for_good_ends_the_process(desk: Desk) -> None:
    desk.kafka = FatalError("kafka_refused", "no rights")
    assert asyncio.run(desk.send(INVOICE_UPDATE)) == 503
    assert desk.fatal == [desk.kafka]


def handshake(verifier: str, number: str = "3001") -> dict[str, str]:
    return {"name": "callback.verify", "object_id": number, "account_id": "ZyQ04o", "verifier": verifier}


def test_a_handshake_that_we_asked_for_is_stored_before_the_answer(desk: Desk, outcome_of: Callable[[], str]) -> None:
    async def run() -> int:
        await desk.verifiers.expect("invoice")
        return await desk.send(handshake("new-verifier"), key="new-verifier")

    assert asyncio.run(run()) == 200
    assert [verifier.key for verifier in desk.verifiers.all() if not verifier.confirmed] == ["new-verifier"]
    assert (desk.handshakes, outcome_of()) == (1, "handshake")


@pytest.mark.parametrize(
    ("form", "key"),
    [
        (handshake("new-verifier"), "another-key"),
        (handshake(""), ""),
        (handshake("short"), "short"),
        (handshake("v" * 513), "v" * 513),
        ({**handshake("new-verifier"), "account_id": "other"}, "new-verifier"),
        (handshake("new-verifier", "2002"), "new-verifier"),
    ],
)
def test_a_handshake_that_does_not_fit_is_refused(desk: Desk, form: dict[str, str], key: str) -> None:
    async def run() -> int:
        await desk.verifiers.expect("invoice")
        return await desk.send(form, key=key)

    assert asyncio.run(run()) in (401, 413)
    assert desk.handshakes == 0
    assert all(verifier.confirmed for verifier in desk.verifiers.all())


def test_a_handshake_that_nobody_asked_for_is_refused(desk: Desk) -> None:
    assert asyncio.run(desk.send(handshake("new-verifier"), key="new-verifier")) == 401
    assert len(desk.verifiers.all()) == 2


def test_a_delivery_that_overtakes_the_confirmation_of_its_verifier_waits_for_it(desk: Desk) -> None:
    async def run() -> int:
        await desk.verifiers.expect("invoice")
        await desk.verifiers.offer("invoice", 3001, "new-verifier")
        delivery = asyncio.create_task(desk.send(INVOICE_UPDATE, key="new-verifier"))
        await asyncio.sleep(0)
        await desk.verifiers.confirm(3001)
        return await delivery

    assert asyncio.run(run()) == 200
    assert len(desk.told) == 1


def test_an_offered_verifier_that_freshbooks_never_takes_signs_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "_SETTLE_SECONDS", 0.02)

    async def run() -> int:
        await desk.verifiers.expect("invoice")
        await desk.verifiers.offer("invoice", 3001, "strangers-key")
        return await desk.send(INVOICE_UPDATE, key="strangers-key")

    assert asyncio.run(run()) == 401
    assert desk.told == []


def test_a_body_that_comes_too_slowly_is_408(desk: Desk, outcome_of: Callable[[], str]) -> None:
    async def run() -> list[int]:
        sent: list[int] = []

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                sent.append(message["status"])

        headers = [(b"content-type", FORM.encode())]
        scope = {"type": "http", "method": "POST", "path": "/webhooks/freshbooks/ZyQ04o/invoice", "headers": headers}
        await desk.listener.app()({**scope, "query_string": b"", "http_version": "1.1"}, receive, send)
        return sent

    assert asyncio.run(run()) == [408]
    assert outcome_of() == "too_slow"


def test_no_body_and_no_key_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    asyncio.run(desk.send({**INVOICE_UPDATE, "note": "canary-body"}, key="canary-key"))
    captured = capsys.readouterr()
    assert "canary" not in captured.out + captured.err + caplog.text
