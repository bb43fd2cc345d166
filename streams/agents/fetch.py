"""Fetch agent: a notification says 'look', the entity as FreshBooks has it now goes into its topic.

An unchanged content hash is dropped: that absorbs doubled and reordered webhooks, side effects of FreshBooks (an
invoice touches its client), and the echo of our own writes. Order of durability:

1. the entity in its topic;
2. `freshbooks.fetched`, so that a crash between the two publishes once more and never once less;
3. the acknowledgement.
"""

from __future__ import annotations

from schemas import keys, topics
from schemas.failures import PoisonError
from schemas.records import Fetched, Intent, Notification
from streams.agents.outbox import Outbox
from streams.agents.ports import Fetcher
from streams.runtime.codec import AvroCodec
from streams.runtime.dead_letters import Origin
from streams.runtime.store import CompactedStore
from streams.transforms.echo import is_known


class FetchHandler:
    """Handles one notification."""

    def __init__(
        self,
        *,
        account_id: str,
        fetcher: Fetcher,
        codec: AvroCodec,
        outbox: Outbox,
        fetched: CompactedStore[Fetched],
        intents: CompactedStore[Intent],
    ) -> None:
        self._account_id = account_id
        self._fetcher = fetcher
        self._codec = codec
        self._outbox = outbox
        self._fetched = fetched
        self._intents = intents

    async def __call__(self, record: Origin) -> str:
        """Fetch, compare, publish. Returns the outcome."""
        notification = Notification.from_avro(self._codec.decode(topics.NOTIFICATIONS, record.value))
        if notification.account_id != self._account_id:
            raise PoisonError(
                "unknown_account", "fetching: the notification is for an account that this worker has no token for"
            )
        if notification.kind not in topics.FRESHBOOKS_ENTITIES:
            return "not_synchronised"
        entity = await self._fetcher.fetch(notification.kind, notification.object_id)
        if entity is None:
            return "gone"
        key = keys.freshbooks_key(notification.account_id, notification.kind, notification.object_id)
        if is_known(entity.content_hash, self._fetched.get(key), self._intents.get(key)):
            return "unchanged"
        state = Fetched(
            version=entity.version,
            content_hash=entity.content_hash,
            vis_state=entity.vis_state,
            fetched_at=entity.fetched_at,
        )
        await self._outbox.send(
            [self._outbox.record(topics.FRESHBOOKS_ENTITIES[notification.kind], key, entity, record.headers)]
        )
        await self._outbox.send([self._outbox.record(topics.FETCHED, key, state, record.headers)])
        self._fetched.put(key, state)
        return "published"
