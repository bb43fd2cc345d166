"""Webhooks over HTTP: registration, handshake, deliveries, knobs (reference §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.freshbooks_simulator.receiver import Receiver, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.freshbooks_simulator.conftest import Api, Control


class Hooks:
    """The app's subscriptions of one test; verified unless told otherwise, removed at the end."""

    def __init__(self, app: Api, receiver: Receiver) -> None:
        self.app = app
        self.receiver = receiver
        self.made: list[int] = []

    def register(self, event: str, path: str = "/hook") -> dict[str, Any]:
        body = {"callback": {"event": event, "uri": self.receiver.uri(path)}}
        callback: dict[str, Any] = self.app.ok("POST", self.app.callbacks, json=body)["callback"]
        self.made.append(callback["callbackid"])
        return callback

    def handshake(self, callback: dict[str, Any], count: int = 1) -> str:
        """Return the verifier that the receiver was sent for `callback`."""
        wanted = str(callback["callbackid"])

        def mine() -> list[str]:
            sent = self.receiver.named("callback.verify")
            return [item.fields["verifier"] for item in sent if item.fields["object_id"] == wanted]

        until(lambda: len(mine()) >= count, "handshake")
        return mine()[-1]

    def verified(self, event: str, path: str = "/hook") -> str:
        """Register, shake hands, verify; return the verifier."""
        callback = self.register(event, path)
        verifier = self.handshake(callback)
        self.put(callback, verifier=verifier)
        return verifier

    def put(self, callback: dict[str, Any], **body: Any) -> dict[str, Any]:
        path = f"{self.app.callbacks}/{callback['callbackid']}"
        return self.app.ok("PUT", path, json={"callback": body})["callback"]  # type: ignore[no-any-return]


@pytest.fixture
def hooks(app: Api, receiver: Receiver) -> Iterator[Hooks]:
    made = Hooks(app, receiver)
    yield made
    for number in made.made:
        app.http.delete(f"{app.callbacks}/{number}")


def settled(control: Control) -> list[dict[str, Any]]:
    """Return the delivery log when nothing is pending."""
    until(lambda: control.get("state?records=0")["delivery_outcomes"]["pending"] == 0, "deliveries settle")
    log: list[dict[str, Any]] = control.get("state?records=0")["deliveries"]
    return log


def test_the_handshake_is_signed_with_its_own_verifier(hooks: Hooks) -> None:
    callback = hooks.register("invoice.create")
    assert callback["verified"] is False
    assert callback["id"] == callback["callbackid"]
    assert callback["updated_at"].endswith("Z")
    verifier = hooks.handshake(callback)
    (handshake,) = hooks.receiver.named("callback.verify")
    assert handshake.content_type == "application/x-www-form-urlencoded"
    assert handshake.signed_with(verifier)
    assert handshake.fields["account_id"] == hooks.app.ready["account_id"]


def test_nothing_is_delivered_before_verification(hooks: Hooks, control: Control) -> None:
    callback = hooks.register("client.create")
    verifier = hooks.handshake(callback)
    hooks.app.new_client()
    settled(control)
    assert hooks.receiver.named("client.create") == []
    assert hooks.put(callback, verifier=verifier, callback_id=callback["id"])["verified"] is True
    hooks.app.new_client()
    hooks.receiver.wait("client.create")


def test_a_wrong_verifier_is_refused(hooks: Hooks) -> None:
    callback = hooks.register("client.create")
    path = f"{hooks.app.callbacks}/{callback['id']}"
    reply = hooks.app.put(path, callback={"verifier": "guess"})
    assert (reply.status_code, reply.json()["errno"]) == (400, 422)
    assert hooks.app.ok("GET", path)["callback"]["verified"] is False


def test_resend_sends_the_same_code_until_verified(hooks: Hooks, control: Control) -> None:
    callback = hooks.register("client.create")
    first = hooks.handshake(callback)
    hooks.put(callback, resend=True)
    assert hooks.handshake(callback, count=2) == first
    hooks.put(callback, verifier=first)
    hooks.put(callback, resend=True)
    settled(control)
    assert len(hooks.receiver.named("callback.verify")) == 2


def test_the_handshake_may_precede_the_reply(hooks: Hooks, control: Control) -> None:
    control.put("switches", handshake="before_reply")
    callback = hooks.register("client.create")
    assert hooks.receiver.named("callback.verify")[0].fields["object_id"] == str(callback["id"])


def test_a_new_uri_must_be_verified_anew(hooks: Hooks) -> None:
    first = hooks.verified("client.create")
    callback = {"callbackid": hooks.made[0]}
    assert hooks.put(callback, uri=hooks.receiver.uri("/moved"))["verified"] is False
    assert hooks.handshake(callback, count=2) != first


def test_deliveries_are_signed_per_callback_and_carry_no_payload(hooks: Hooks) -> None:
    one, two = hooks.verified("client.create", "/one"), hooks.verified("client.create", "/two")
    assert one != two
    client = hooks.app.new_client()
    received = hooks.receiver.wait("client.create", 2)
    for delivery in received:
        assert delivery.signed_with({"/one": one, "/two": two}[delivery.path])
        assert set(delivery.fields) == {"name", "object_id", "account_id", "business_id", "identity_id", "user_id"}
        assert delivery.fields["object_id"] == str(client["id"])
        assert delivery.fields["identity_id"] == "88001"
        assert delivery.fields["business_id"] == "77001"


def test_two_field_orders_occur(hooks: Hooks) -> None:
    verifier = hooks.verified("client.create")
    for _ in range(4):
        hooks.app.new_client()
    received = hooks.receiver.wait("client.create", 4)
    assert len({tuple(delivery.fields) for delivery in received}) == 2
    assert all(delivery.signed_with(verifier) for delivery in received)


def test_a_bare_noun_hears_all_its_verbs_and_only_those(hooks: Hooks, control: Control) -> None:
    hooks.verified("invoice")
    client = hooks.app.new_client(email="x@acme.test")["id"]
    path = hooks.app.invoice_path(hooks.app.new_invoice(client))
    hooks.app.put(path, invoice={"notes": "x"})
    hooks.app.put(path, invoice={"action_email": True})
    hooks.app.http.delete(path)
    settled(control)
    names = sorted({item.fields["name"] for item in hooks.receiver.received} - {"callback.verify"})
    assert names == ["invoice.create", "invoice.delete", "invoice.sendByEmail", "invoice.update"]


def test_writes_of_others_tell_who_acted(hooks: Hooks, human: Api) -> None:
    hooks.verified("client.create")
    human.new_client()
    (delivery,) = hooks.receiver.wait("client.create")
    assert delivery.fields["identity_id"] == "88002"


def test_side_effects_fire_webhooks_unless_switched_off(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.update")
    client = hooks.app.new_client()["id"]
    hooks.app.new_invoice(client)
    hooks.receiver.wait("client.update")
    control.put("switches", side_effect_webhooks=False)
    hooks.app.new_invoice(client)
    settled(control)
    assert len(hooks.receiver.named("client.update")) == 1


def test_own_api_writes_can_be_silent(hooks: Hooks, control: Control) -> None:
    hooks.verified("client")
    control.put("switches", api_write_webhooks=False)
    hooks.app.new_client()
    settled(control)
    assert hooks.receiver.named("client.create") == []


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"event": "client.explode", "uri": "http://127.0.0.1:9/"}, ["event: Unrecognized event."]),
        ({"event": "client", "uri": "not a url"}, ["uri: Value is not a valid URL."]),
        ({}, ["event: Unrecognized event.", "uri: Value is not a valid URL."]),
    ],
)
def test_bad_registrations_are_400_with_errno_422(app: Api, body: dict[str, str], details: list[str]) -> None:
    reply = app.http.post(app.callbacks, json={"callback": body})
    assert reply.status_code == 400
    assert reply.json()["errno"] == 422
    assert reply.json()["details"] == details


def test_lists_are_paged_and_filtered_by_event_and_its_noun(hooks: Hooks) -> None:
    for event in ("client", "client.create", "client.update"):
        hooks.register(event)
    listed = hooks.app.ok("GET", hooks.app.callbacks, params={"search[event]": "client.create"})
    assert [item["event"] for item in listed["callbacks"]] == ["client", "client.create"]
    assert (listed["per_page"], listed["total"], listed["pages"]) == (15, 2, 1)
    nothing = hooks.app.ok("GET", hooks.app.callbacks, params={"search[event]": "tax.create"})
    assert nothing["pages"] == 0


def test_delete_is_204_without_a_body_then_404(hooks: Hooks) -> None:
    path = f"{hooks.app.callbacks}/{hooks.register('client')['id']}"
    gone = hooks.app.http.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    reply = hooks.app.http.get(path)
    assert reply.status_code == 404
    assert reply.json() == {"errno": 404, "message": "Requested resource could not be found."}


def test_other_apps_do_not_see_a_callback(hooks: Hooks, human: Api) -> None:
    callback = hooks.register("client")
    assert human.http.get(f"{human.callbacks}/{callback['id']}").status_code == 404


def test_registering_twice_delivers_twice_unless_refused(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    hooks.verified("client.create")
    hooks.app.new_client()
    hooks.receiver.wait("client.create", 2)
    control.put("switches", duplicate_callbacks="refuse")
    body = {"callback": {"event": "client.create", "uri": hooks.receiver.uri()}}
    assert hooks.app.http.post(hooks.app.callbacks, json=body).status_code == 400


def test_a_refused_delivery_is_lost_by_default(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    hooks.receiver.status = 503
    client = hooks.app.new_client()
    mine = [item for item in settled(control) if item["object_id"] == client["id"]]
    assert [(item["outcome"], item["attempts"]) for item in mine] == [("failed", ["503"])]


def test_retries_when_configured(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    control.put("delivery", retries=2, retry_delay_seconds=0.01)
    hooks.receiver.status = 503
    hooks.app.new_client()
    assert len(hooks.receiver.wait("client.create", 3)) == 3
    assert settled(control)[-1]["attempts"] == ["503"] * 3


def test_a_callback_is_disabled_after_failures_when_configured(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    control.put("delivery", disable_after_failures=1)
    hooks.receiver.status = 500
    hooks.app.new_client()
    settled(control)
    path = f"{hooks.app.callbacks}/{hooks.made[0]}"
    assert hooks.app.ok("GET", path)["callback"]["verified"] is False


def test_an_unreachable_receiver_is_a_failed_delivery(hooks: Hooks, control: Control) -> None:
    with Receiver() as short_lived:
        other = Hooks(hooks.app, short_lived)
        other.verified("client.create")
        hooks.made += other.made
    client = hooks.app.new_client()
    mine = [item for item in settled(control) if item["object_id"] == client["id"]]
    assert [item["attempts"] for item in mine] == [["ConnectError"]]


def test_knob_drop(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    control.post("delivery-rules", action="drop", event="client.*", count=1)
    lost, told = hooks.app.new_client(), hooks.app.new_client()
    outcomes = {item["object_id"]: item["outcome"] for item in settled(control)}
    assert (outcomes[lost["id"]], outcomes[told["id"]]) == ("dropped", "delivered")


def test_knob_duplicate(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    control.post("delivery-rules", action="duplicate", event="client.create", count=1)
    hooks.app.new_client()
    one, two = hooks.receiver.wait("client.create", 2)
    assert one.fields == two.fields


def test_knob_delay_lets_later_ones_pass(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    control.post("delivery-rules", action="delay", count=1, seconds=0.2)
    late, soon = hooks.app.new_client(), hooks.app.new_client()
    received = hooks.receiver.wait("client.create", 2)
    assert [item.fields["object_id"] for item in received] == [str(soon["id"]), str(late["id"])]


def test_knob_reorder_swaps_with_the_next(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    control.post("delivery-rules", action="reorder", event="client.create", count=1, seconds=5)
    held, first = hooks.app.new_client(), hooks.app.new_client()
    received = hooks.receiver.wait("client.create", 2)
    assert [item.fields["object_id"] for item in received] == [str(first["id"]), str(held["id"])]


def test_knob_reorder_gives_up_waiting(hooks: Hooks, control: Control) -> None:
    hooks.verified("client.create")
    control.post("delivery-rules", action="reorder", event="client.create", count=1, seconds=0.05)
    hooks.app.new_client()
    assert len(hooks.receiver.wait("client.create")) == 1
