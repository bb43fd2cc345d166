"""Snapshot and stream through both drivers: every change once, in order, as Debezium would tell it."""

from schemas.positions import Position


def test_a_snapshot_is_followed_by_the_stream_without_gap_or_double(bench, positions):
    for number in (1, 2, 3, 4):
        bench.add_customer(number, f"Customer {number}")
    bench.scan()
    bench.capture().wait_streaming()
    bench.add_customer(5, "Käfer & Söhne 🪲")
    bench.execute("UPDATE {C} SET CREDITMAX = 12.5 WHERE RECID = 2")
    bench.execute("DELETE FROM {C} WHERE RECID = 3")
    bench.scan()
    bench.wait_ops(
        bench.customers,
        [("r", 1), ("r", 2), ("r", 3), ("r", 4), ("c", 5), ("u", 2), ("d", 3), ("t", 3)],
    )
    bench.wait_ops(bench.parties, [("r", 5001), ("r", 5002), ("r", 5003), ("r", 5004), ("c", 5005)])
    told = positions(bench.records(bench.customers.topic))
    assert told == sorted(told)
    assert all(isinstance(position, Position) for position in told)
