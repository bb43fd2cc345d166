"""Whether a position belongs to the database that answers: restored ones look like a backlog, by numbers alone."""

from datetime import datetime

import pytest

from connectors.ax.catalog import CaptureInstance
from connectors.ax.coverage import is_of_this_history
from schemas.positions import Lsn, Position


def lsn(number: int) -> Lsn:
    return Lsn(number.to_bytes(10, "big"))


INSIDE, BEHIND = Position(lsn(50), 1, lsn(49), 2), Position.end_of(lsn(50))


def instance(min_lsn: int) -> CaptureInstance:
    made = {"name": "v1", "object_id": 1, "source_object_id": 2, "change_table": "v1_CT", "source_schema": "dbo"}
    rest = {"source_table": "CUSTTABLE", "min_lsn": lsn(min_lsn), "created_at": datetime(2026, 1, 1)}  # noqa: DTZ001
    return CaptureInstance(**made, **rest)


@pytest.mark.parametrize("position", [INSIDE, BEHIND])
@pytest.mark.parametrize(
    ("last", "starts", "ours"),
    [
        (50, [10], True),  # its commit is there
        (49, [10], False),  # another one is there, the position's is not
        (None, [10], True),  # cleanup has passed it
        (49, [10, 51], True),  # right before the start of an instance no commit need be
        (49, [10, 52], False),
    ],
)
def test_the_commit_of_a_position_is_looked_for(position, last, starts, ours):
    found = is_of_this_history(position, None if last is None else lsn(last), [instance(start) for start in starts])
    assert found is ours
