"""The budget lets a burst through, then the rate; a 429 stops everybody until the window is over."""

import asyncio

from connectors.freshbooks.rate_budget import TokenBucket


class FakeTime:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def taken_at(per_minute: int, calls: int, pause: float = 0.0) -> list[float]:
    """When each of `calls` simultaneous calls was let through."""

    async def run() -> list[float]:
        time = FakeTime()
        bucket = TokenBucket(per_minute, now=time, sleep=time.sleep)
        if pause:
            bucket.pause(pause)
        times: list[float] = []

        async def call() -> None:
            await bucket.take()
            times.append(time.now)

        await asyncio.gather(*(call() for _ in range(calls)))
        return times

    return asyncio.run(run())


def test_a_fifth_of_the_minute_goes_at_once_then_the_rate() -> None:
    times = taken_at(per_minute=60, calls=15)
    assert times[:12] == [0.0] * 12
    assert [round(time, 6) for time in times[12:]] == [1.0, 2.0, 3.0]


def test_no_minute_sees_more_than_the_rate_and_a_fifth() -> None:
    times = taken_at(per_minute=100, calls=500)
    for start in times:
        assert sum(start <= time < start + 60 for time in times) <= 120


def test_after_a_429_nobody_calls_until_the_window_is_over() -> None:
    assert min(taken_at(per_minute=600, calls=5, pause=30.0)) == 30.0


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async def run() -> float:
        time = FakeTime()
        bucket = TokenBucket(600, now=time, sleep=time.sleep)
        bucket.pause(30)
        bucket.pause(1)
        await bucket.take()
        return time.now

    assert asyncio.run(run()) == 30.0
