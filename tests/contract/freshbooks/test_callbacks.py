"""Callbacks from registration to delivery, against the simulator: handshake races, lost verifiers, lost replies."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.freshbooks.callbacks import CallbackKeeper, check_public_url
from connectors.freshbooks.client import FreshBooksClient
from connectors.freshbooks.clocks import utc_now
from connectors.freshbooks.listener import Listener
from connectors.freshbooks.sealed_file import SealedFile
from connectors.freshbooks.verifiers import Verifiers
from schemas.failures import FatalError, RetryableError
from schemas.records import Notification
from streams.runtime.settings import WebhookSettings
from tests.contract.freshbooks.hook_server import serving
from tests.kit.freshbooks import KEY, Control, HandClock, Person

Run = Callable[..., Any]
_DEADLINE_SECONDS = 5.0


class Hooks:
    """Listener and keeper as `freshax listen` wires them; `told` is what would be in Kafka."""

    def __init__(
        self,
        client: FreshBooksClient,
        url: str,
        folder: Path,
        clock: Any = utc_now,
        events: Sequence[str] = ("client", "invoice"),
    ) -> None:
        self.told: list[Notification] = []
        self.verifiers = Verifiers(SealedFile(folder / "verifiers", KEY), clock=clock)
        self.keeper = CallbackKeeper(client, self.verifiers, public_url=url, clock=clock, events=events)
        self.wired = (client, url, folder)
        self.listener = Listener(
            WebhookSettings(),
            account_id="ZyQ04o",
            verifiers=self.verifiers,
            announce=self.announce,
            clock=clock,
            on_handshake=self.keeper.wake,
            on_fatal=lambda error: pytest.fail(str(error)),
        )

    async def announce(self, notifications: Sequence[Notification], /) -> None:
        self.told += notifications

    async def settled(self) -> None:
        """Look until every callback works."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not await self.keeper.ensure():
                await asyncio.sleep(0.02)

    async def heard(self, kind: str, number: int) -> None:
        """Return when a notification of the entity has come."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not any((told.kind, told.object_id) == (kind, number) for told in self.told):
                await asyncio.sleep(0.01)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def with_hooks(
    with_client: Run, sock: socket.socket, tmp_path: Path
) -> Callable[[Callable[[Hooks], Awaitable[Any]]], Any]:
    """Runs async work with hooks that the simulator reaches. Each test has its own address, hence its own callbacks."""
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"

    def run(work: Callable[[Hooks], Awaitable[Any]]) -> Any:
        async def opened(client: FreshBooksClient) -> Any:
            hooks = Hooks(client, url, tmp_path)
            async with serving(sock, hooks.listener.app()):
                return await work(hooks)

        return with_client(opened)

    return run


@pytest.fixture
def ours(control: Control, sock: socket.socket) -> Callable[[], list[dict[str, Any]]]:
    """The simulator's callbacks that deliver to this test."""
    port = sock.getsockname()[1]
    return lambda: [
        item for item in control.get("state?records=0&deliveries=0")["callbacks"] if f":{port}/" in item["uri"]
    ]


Ours = Callable[[], list[dict[str, Any]]]


@pytest.mark.parametrize("order", ["after_reply", "before_reply"])
def test_callbacks_are_registered_verified_and_deliver(
    with_hooks: Run, person: Person, control: Control, ours: Ours, order: str
) -> None:
    control.put("switches", handshake=order)

    async def work(hooks: Hooks) -> None:
        await hooks.settled()
        made = await asyncio.to_thread(person.new_client)
        await hooks.heard("client", made["id"])
        invoice = await asyncio.to_thread(person.new_invoice, made["id"])
        await hooks.heard("invoice", invoice["id"])

    with_hooks(work)
    assert sorted((item["event"], item["verified"]) for item in ours()) == [("client", True), ("invoice", True)]


def test_a_restart_registers_nothing_anew(with_hooks: Run, person: Person, ours: Ours, tmp_path: Path) -> None:
    async def work(hooks: Hooks) -> list[dict[str, Any]]:
        await hooks.settled()
        before = ours()
        again = Hooks(hooks.keeper._client, "http://unused.test", tmp_path)
        again.keeper._uris = hooks.keeper._uris
        assert await again.keeper.ensure()
        return before

    assert with_hooks(work) == ours()


def test_a_lost_verifier_file_means_new_callbacks_in_place_of_the_old(
    with_hooks: Run, person: Person, ours: Ours, tmp_path: Path
) -> None:
    async def work(hooks: Hooks) -> set[int]:
        await hooks.settled()
        old = {item["id"] for item in ours()}
        (tmp_path / "verifiers").unlink()
        await hooks.settled()
        made = await asyncio.to_thread(person.new_client)
        await hooks.heard("client", made["id"])
        return old

    old = with_hooks(work)
    assert len(ours()) == 2
    assert old.isdisjoint(item["id"] for item in ours())


def test_a_registration_whose_reply_was_lost_is_found_and_not_doubled(
    with_hooks: Run, control: Control, ours: Ours
) -> None:
    control.post("faults", action="drop", after_commit=True, method="POST", path="*/callbacks", count=1)

    async def work(hooks: Hooks) -> None:
        with pytest.raises(RetryableError) as failure:
            await hooks.keeper.ensure()
        assert failure.value.code == "unclear_outcome"
        await hooks.settled()

    with_hooks(work)
    assert len(ours()) == 2


def test_a_handshake_that_never_came_is_asked_for_again(
    with_client: Run, sock: socket.socket, tmp_path: Path, control: Control
) -> None:
    control.post("delivery-rules", action="drop", event="callback.verify", count=2)
    clock = HandClock()

    async def work(client: FreshBooksClient) -> None:
        hooks = Hooks(client, f"http://127.0.0.1:{sock.getsockname()[1]}", tmp_path, clock)
        async with serving(sock, hooks.listener.app()):
            assert not await hooks.keeper.ensure()
            assert not await hooks.keeper.ensure()
            before = control.requests("PUT", "/callbacks/", "freshax-client-id")
            clock.forward(seconds=61)
            await hooks.settled()
            assert control.requests("PUT", "/callbacks/", "freshax-client-id") == before + 4

    with_client(work)


def test_a_callback_that_somebody_deleted_is_registered_again(with_hooks: Run, ours: Ours) -> None:
    async def work(hooks: Hooks) -> None:
        await hooks.settled()
        gone = ours()[0]["id"]
        await hooks.keeper._client.delete(hooks.keeper._of(gone), operation="delete_callback")
        await hooks.settled()
        assert gone not in {item["id"] for item in ours()}

    with_hooks(work)
    assert len(ours()) == 2


def test_a_second_working_callback_is_removed(with_hooks: Run, ours: Ours) -> None:
    async def work(hooks: Hooks) -> None:
        await hooks.settled()
        await hooks.keeper._register("client", hooks.keeper._uris["client"])
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while len(hooks.verifiers.all()) < 3:
                await asyncio.sleep(0.01)
        await hooks.settled()

    with_hooks(work)
    assert sorted(item["event"] for item in ours()) == ["client", "invoice"]


def test_the_callback_of_a_kind_that_is_left_out_is_removed(with_hooks: Run, ours: Ours) -> None:
    async def work(hooks: Hooks) -> None:
        await hooks.settled()
        await Hooks(*hooks.wired, events=("client",)).settled()

    with_hooks(work)
    assert [item["event"] for item in ours()] == ["client"]


def test_a_strangers_verifier_is_refused_by_freshbooks_and_forgotten(with_hooks: Run, person: Person) -> None:
    async def work(hooks: Hooks) -> None:
        await hooks.verifiers.expect("client")
        await hooks.verifiers.offer("client", 999_999, "strangers-verifier")
        await hooks.settled()
        assert "strangers-verifier" not in {verifier.key for verifier in hooks.verifiers.all()}

    with_hooks(work)


def test_the_keeper_runs_by_itself_and_wakes_at_a_handshake(with_hooks: Run, person: Person) -> None:
    async def work(hooks: Hooks) -> None:
        running = asyncio.create_task(hooks.keeper.run())
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not hooks.keeper.settled:
                await asyncio.sleep(0.01)
        made = await asyncio.to_thread(person.new_client)
        await hooks.heard("client", made["id"])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with_hooks(work)


def test_an_address_that_freshbooks_refuses_is_fatal(with_client: Run, tmp_path: Path) -> None:
    async def work(client: FreshBooksClient) -> None:
        await Hooks(client, "not-an-address", tmp_path).keeper.run()

    with pytest.raises(FatalError) as failure:
        with_client(work)
    assert failure.value.code == "callback_refused"


@pytest.mark.parametrize("url", ["http://hooks.test", "https://", "hooks.test", "https://hooks.test/?a=1", ""])
def test_only_an_https_address_without_query_is_allowed(url: str) -> None:
    with pytest.raises(FatalError, match="PUBLIC_URL"):
        check_public_url(WebhookSettings(public_url=url))
    check_public_url(WebhookSettings(public_url="https://hooks.test/base"))
    check_public_url(WebhookSettings(public_url="http://127.0.0.1:8080", allow_http=True))
