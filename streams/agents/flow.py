"""Flow agent: calls the compiled flow of a record and makes its decision durable.

Order of durability for a decision `Ready`:

1. commands, confirmed;
2. cross-references found by matching, confirmed: once a link is there, the repeated record is done with, so what it
   led to must be out before;
3. for a linked client, what AX as the owner says otherwise;
4. the tombstone of the parked record that this one replaces;
5. the acknowledgement.

A crash in between repeats the decision: commands carry deterministic ids and the sinks compare before they write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import structs

from schemas import headers, keys, topics
from schemas.failures import PoisonError
from schemas.records import Fetched, Header, Notification, Parked
from schemas.records import Origin as NotificationOrigin
from schemas.topics import Topic
from streams.agents.lookups import MasterData
from streams.agents.outbox import Outbox
from streams.runtime import metrics
from streams.runtime.codec import AvroCodec
from streams.runtime.dead_letters import Origin
from streams.runtime.producer import OutRecord
from streams.runtime.store import CompactedStore
from streams.transforms.decisions import Decision, Ignored, Loss, ParkedFor, Ready
from streams.transforms.decisions import Lookups as LookupsProtocol


class Flow(Protocol):
    """A compiled flow."""

    @property
    def name(self) -> str:
        """Its name."""

    def decide(self, record: Mapping[str, Any], lookups: LookupsProtocol, now: Any) -> Decision:
        """Decide about one record; raises PoisonError when it can never pass."""


class FlowHandler:
    """Handles one record of any topic that triggers a flow, and parked records on their way back."""

    def __init__(
        self,
        *,
        flows: Mapping[str, Flow],
        codec: AvroCodec,
        outbox: Outbox,
        master: MasterData,
        fetched: CompactedStore[Fetched],
        parked: CompactedStore[Parked],
    ) -> None:
        self._flows = flows
        self._codec = codec
        self._outbox = outbox
        self._master = master
        self._fetched = fetched
        self._parked = parked

    async def __call__(self, record: Origin) -> str:
        """Decide and publish. Returns the outcome."""
        original = self._unparked(record) if record.topic == topics.RELEASED.name else record
        flow = self._flows.get(original.topic)
        if flow is None:
            raise PoisonError("no_flow", f"deciding: no flow is triggered by {original.topic}")
        value = self._codec.decode(topics.BY_NAME[original.topic], original.value)
        key = (record.key or b"").decode()
        if self._superseded(key, value):
            return "superseded"
        decision = flow.decide(value, self._master, self._outbox.now())
        if isinstance(decision, ParkedFor):
            return await self._park(key, value, flow, decision, original)
        if isinstance(decision, Ready):
            await self._publish(key, decision, record)
            for loss in decision.losses:
                metrics.LOSSES.labels(flow.name, loss.kind).inc()
        if original.topic == topics.CLIENTS.name:
            await self._publish(key, self._owner_s_view(key, value), record)
        await self._unpark(key, record)
        return f"ignored_{decision.reason}" if isinstance(decision, Ignored) else "ready"

    async def _publish(self, key: str, decision: Ready, record: Origin) -> None:
        out = self._outbox
        losses = _loss_header(decision.losses)
        batch = [out.record(topics.AX_COMMANDS, key, c, record.headers, losses) for c in decision.ax_commands]
        batch += [
            out.record(
                topics.FRESHBOOKS_COMMANDS,
                command.key,
                command,
                record.headers,
            )
            for command in decision.freshbooks_commands
        ]
        # Noted before it is sent: a send that fails may have been written all the same.
        for command in decision.ax_commands:
            self._master.issued(key, command)
        await out.send(batch)
        if decision.links:
            await out.send([out.record(topics.XREF, key, link, record.headers) for link in decision.links])
        for link in decision.links:
            self._master.xrefs.put(key, link)

    def _owner_s_view(self, key: str, client: Mapping[str, Any]) -> Ready:
        """What a linked client lacks of its AX customer: AX owns it, also for what it said before the link was made."""
        link, flow = self._master.xrefs.get(key), self._flows.get(topics.AX_CUSTOMERS.name)
        customer = self._master.customer(link.company, link.ax_id) if link is not None else None
        if customer is None or flow is None:
            return Ready()
        decision = flow.decide(customer.to_avro(), self._master, self._outbox.now())
        if not isinstance(decision, Ready):
            return Ready()
        differing = [
            structs.replace(command, changed_at=client["updated_at"])
            for command in decision.freshbooks_commands
            if any(client.get(name) != value for name, value in command.fields.items())
        ]
        return Ready(freshbooks_commands=differing)

    async def _park(self, key: str, value: Mapping[str, Any], flow: Flow, why: ParkedFor, original: Origin) -> str:
        before = self._parked.get(key)
        now = self._outbox.now()
        row = Parked(
            flow=flow.name,
            waits_for=why.waits_for,
            reason=why.reason,
            origin_topic=original.topic,
            origin_partition=original.partition,
            origin_offset=original.offset,
            value=original.value or b"",
            headers=tuple(Header(name=n, value=v) for n, v in original.headers),
            version=str(value.get("version", "")),
            parked_at=before.parked_at if before is not None else now,
        )
        batch = [self._outbox.record(topics.PARKED, key, row, original.headers)]
        if why.fetch is not None and (before is None or before.waits_for != why.waits_for):
            batch.append(self._ask_for(str(value["account_id"]), *why.fetch, original))
        await self._outbox.send(batch)
        self._parked.put(key, row)
        return "parked"

    def _ask_for(self, account_id: str, kind: str, entity_id: int, original: Origin) -> OutRecord:
        """A notification for what is missing: it may be older than our first poll, or its webhook was lost."""
        notification = Notification(
            account_id=account_id,
            kind=kind,
            verb="needed",
            object_id=entity_id,
            origin=NotificationOrigin.DEPENDENCY,
            received_at=self._outbox.now(),
        )
        key = keys.freshbooks_key(account_id, kind, entity_id)
        return self._outbox.record(topics.NOTIFICATIONS, key, notification, original.headers)

    async def _unpark(self, key: str, record: Origin) -> None:
        if self._parked.get(key) is not None:
            await self._outbox.send([self._outbox.record(topics.PARKED, key, None, record.headers)])
            self._parked.put(key, None)

    def _unparked(self, record: Origin) -> Origin:
        row = Parked.from_avro(self._codec.decode(topics.RELEASED, record.value))
        pairs = tuple((h.name, h.value or b"") for h in row.headers)
        return Origin(row.origin_topic, row.origin_partition, row.origin_offset, record.key, row.value, pairs)

    def _superseded(self, key: str, value: Mapping[str, Any]) -> bool:
        """True for a version older than the newest published one: a replay or a late release must not undo it."""
        newest = self._fetched.get(key)
        return (
            newest is not None
            and "fetched_at" in value
            and value["content_hash"] != newest.content_hash
            and value["fetched_at"] < newest.fetched_at
        )


def triggers(flows: Mapping[str, Flow]) -> tuple[Topic, ...]:
    """Topics that the flows by topic are triggered by, and the one on which parked records come back."""
    return (*(topics.BY_NAME[name] for name in flows), topics.RELEASED)


def _loss_header(losses: Any) -> list[tuple[str, bytes]]:
    found: list[Loss] = list(losses)
    if not found:
        return []
    return [(headers.LOSSES, "; ".join(f"{loss.field}: {loss.kind}" for loss in found)[:1000].encode())]
