"""One window of a table's stream: read in blocks, paired, encoded, checked, handed over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from connectors.ax.catalog import CaptureInstance, NewestCommit, read_instances
from connectors.ax.changes import Change, Pairing, behind, next_window, read_changes
from connectors.ax.coverage import require_covered
from connectors.ax.feed_state import Feed, TableFeed
from connectors.ax.row_key import RowKey
from connectors.ax.sql_worker import SqlWorker
from schemas.positions import Lsn, Position
from streams.runtime import metrics

# Rows per block: bounds memory, and is what a crash may have to read again. Some 2 MB of CUSTTABLE.
BLOCK_ROWS = 2000


async def stream_window(
    control: SqlWorker,
    reader: SqlWorker,
    feed: TableFeed,
    instance: CaptureInstance,
    newest: NewestCommit,
    until: Lsn,
    out: Feed,
    *,
    know: Callable[[CaptureInstance], Awaitable[None]],
    max_transactions: int,
) -> bool:
    """Publish the next window up to `until`; True when more waits behind it.

    `know` looks at the instance's columns anew. While a block is encoded, the reader fetches the next one, and the
    control connection asks whether cleanup has touched what was read: an answer from behind the read, as it must be.
    """
    position = feed.streaming_position
    window = await control.run(lambda c: next_window(c, position, until, max_transactions))
    wrote = False
    if window.transactions:
        pairing = Pairing(instance.name)
        async with aclosing(
            reader.each(lambda c: read_changes(c, feed.shape, instance, window, block_rows=BLOCK_ROWS))
        ) as blocks:
            async for block in blocks:
                asked = control.start(read_instances)
                changes = list(behind(position, pairing.take(block)))
                records = [
                    record for change in changes for record in feed.envelopes.of_change(change, newest.utc_offset)
                ]
                shape = feed.shape
                instances = await asyncio.wrap_future(asked)
                await know(require_covered(feed, instances, position))
                if feed.shape is not shape:
                    # The source table changed before these rows were written: they are read again in the new shape.
                    return True
                if not changes:
                    continue
                out.deliver(feed.table, records, Counter(change.op for change in changes))
                wrote = True
                position = changes[-1].position
                feed.advance(position)
                _tell_chunk(feed, changes)
        pairing.finish()
    # An empty window proves nothing while cleanup may have emptied it.
    await know(require_covered(feed, await control.run(read_instances), position))
    feed.advance(Position.end_of(window.to_lsn))
    if wrote:
        metrics.LAST_SUCCESS.labels("capture").set_to_current_time()
        if not window.full:
            out.flush()
        out.checkpoint(feed, instance, busy=True)
    return window.full


def _tell_chunk(feed: TableFeed, changes: list[Change]) -> None:
    if feed.chunk is not None:
        feed.chunk.saw(RowKey.of(change.after or change.before or {}) for change in changes)
