"""One large transaction costs time, not memory: neither the capture's nor the stand-in's."""

from benchmarks.capture.large import measure_large

SMALL, LARGE = 5_000, 50_000
# What waits to be delivered is bounded at 64 MB (feed_writer.py), and fills up before it bounds anything.
ALLOWED_MB = 80.0
STANDIN_ALLOWED_MB = 40.0


def test_ten_times_the_rows_do_not_take_ten_times_the_memory(tmp_path):
    small, large = (measure_large(tmp_path / str(size), size) for size in (SMALL, LARGE))
    grown = large["memory_mb"] - small["memory_mb"]
    assert grown < ALLOWED_MB, (small, large)
    # Rows of 20 columns, twice each (old and new image), are more than that when they are all in memory.
    assert large["standin_memory_mb"] - small["standin_memory_mb"] < STANDIN_ALLOWED_MB, (small, large)
