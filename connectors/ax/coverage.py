"""Checks that nothing behind a position is missing or made anew, asked before and after every read.

Cleanup raises an instance's min LSN first and deletes afterwards, so a block that was read while the min LSN still
covered the position is complete; an instance that was dropped and made again has another change table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connectors.ax.catalog import CaptureInstance, Choice, choose, instances_of, last_commit_upto
from connectors.ax.changes import require_no_gap
from connectors.ax.feed_state import TableFeed
from connectors.ax.sql import SqlConnection
from schemas.failures import FatalError
from schemas.positions import Lsn, Position


def choose_instance(feed: TableFeed, instances: Sequence[CaptureInstance], newest: Lsn | None) -> Choice:
    """The instance to read behind `feed`'s position.

    Raises: FatalError (cdc_gap), (cdc_instance_recreated), (cdc_restored), or as `instances_of`.
    """
    candidates = instances_of(feed.table, instances)
    _require_same_object(feed, candidates)
    position = feed.streaming_position
    choice = choose(candidates, position)
    if choice is None:
        require_no_gap(feed.table, candidates[0], position, candidates[0].min_lsn)
        raise AssertionError("no instance covers the position, so the gap check raises")
    if newest is not None:
        _require_not_restored(feed, choice.instance, position, newest)
    return choice


def require_covered(feed: TableFeed, instances: Sequence[CaptureInstance], position: Position) -> CaptureInstance:
    """The check behind a read: cleanup, or a drop, may have run in between. Returns the instance as it is now.

    Raises: as `choose_instance`.
    """
    candidates = instances_of(feed.table, instances)
    _require_same_object(feed, candidates)
    known = feed.known
    current = [instance for instance in candidates if known is not None and instance.name == known.name]
    if not current:
        raise _made_anew(feed)
    require_no_gap(feed.table, current[0], position, current[0].min_lsn)
    return current[0]


def is_of_this_history(position: Position, last: Lsn | None, instances: Sequence[CaptureInstance]) -> bool:
    """False when the commit of `position` is none of this database's: it was restored, and has overtaken us since.

    `last` is the last captured commit up to the position: it is the position's own, since cleanup removes the oldest
    first. But a position may also stand right before the start of an instance, where no commit need be.
    """
    if last is None or last == position.commit_lsn:
        return True
    return any(instance.min_lsn.previous() == position.commit_lsn for instance in instances)


def of_another_history(
    control: SqlConnection, feeds: Iterable[TableFeed], instances: Sequence[CaptureInstance]
) -> set[int]:
    """The ids (`id()`) of the feeds whose position is none of this database's. Asks once per feed."""
    found = set()
    for feed in feeds:
        position = feed.position
        if position is not None:
            last = last_commit_upto(control, position.commit_lsn)
            if not is_of_this_history(position, last, instances_of(feed.table, instances)):
                found.add(id(feed))
    return found


def restored(feed: TableFeed, seen: str) -> FatalError:
    """The failure that says that the database's history is not the one that we have read. `seen` shows it."""
    return FatalError(
        "cdc_restored",
        f"reading {feed.table.full_name}: {seen}; the database was restored or failed over with loss. Positions do not "
        f"order any more: re-create {feed.table.topic.name}, then `freshax capture snapshot {feed.table.name}` and "
        "start the capture again",
    )


def _require_same_object(feed: TableFeed, candidates: Sequence[CaptureInstance]) -> None:
    if feed.known_object is None:
        return
    name, object_id = feed.known_object
    for instance in candidates:
        if instance.name == name and instance.object_id != object_id:
            raise _made_anew(feed)


def _made_anew(feed: TableFeed) -> FatalError:
    name = feed.known_object[0] if feed.known_object else feed.table.full_name
    return FatalError(
        "cdc_instance_recreated",
        f"reading {name}: the capture instance was dropped or made anew since the last poll, and its history is gone. "
        f"Take a new snapshot: `freshax capture snapshot {feed.table.name}`, then start the capture again",
    )


def _require_not_restored(feed: TableFeed, instance: CaptureInstance, position: Position, newest: Lsn) -> None:
    """Raise FatalError (cdc_restored) when the newest commit lies before our position.

    Not so right behind `sp_cdc_enable_table`: then the position is the instance's start, and nothing is captured yet.
    """
    if newest >= position.commit_lsn or position.commit_lsn < instance.min_lsn:
        return
    raise restored(feed, f"the newest captured commit {newest} lies before our position {position.commit_lsn}")
