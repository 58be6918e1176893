"""Time as an argument: one small protocol, the machine's clock, and a clock that tests move by hand.

Two kinds of time are kept apart, because the wall clock may jump (NTP, suspend, an operator):

- `now_us()` is wall time. It goes into stamps that people and other machines read, and nowhere else.
- `monotonic()` measures durations: time-outs, throttles, back-off, ages. It never goes backwards.

A wall clock that steps back never makes an id go backwards: see `ids.Uuid7`. A step forward ends nothing early
that is measured by `monotonic()`. Ages of stored things (retention, expiry of files) have only the wall clock to go by.
"""

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """Where the current time comes from."""

    def now_us(self) -> int:
        """Return wall time as microseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never decreases within a process."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait until `monotonic()` has advanced by `duration_s` seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Return wall time as microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Return the machine's monotonic time in seconds."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Wait on the event loop; a duration of 0 or less only yields."""
        await asyncio.sleep(max(duration_s, 0.0))


class VirtualClock:
    """A clock that stands still until a test moves it.

    Args:
        now_us: wall time to start with, in microseconds since the epoch; 2024-01-01T00:00:00Z when not given.
        monotonic: monotonic time to start with, in seconds.
    """

    def __init__(self, now_us: int = 1_704_067_200_000_000, monotonic: float = 1000.0) -> None:
        self._now_us = now_us
        self._monotonic = monotonic
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now_us(self) -> int:
        """Return the wall time that was set, in microseconds since the epoch."""
        return self._now_us

    def monotonic(self) -> float:
        """Return the monotonic time that was set, in seconds."""
        return self._monotonic

    @property
    def sleepers(self) -> int:
        """How many calls of `sleep` are waiting."""
        return sum(not future.done() for _, _, future in self._sleepers)

    def advance(self, duration_s: float) -> None:
        """Move both times forward and wake the sleepers that are due.

        Args:
            duration_s: seconds, 0 or more.

        Raises:
            ValueError: for a negative duration: monotonic time does not go backwards.
        """
        if duration_s < 0:
            raise ValueError("time cannot be advanced by a negative duration")
        self._now_us += round(duration_s * 1_000_000)
        self._monotonic += duration_s
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def jump_wall(self, duration_s: float) -> None:
        """Move the wall clock alone, forwards or backwards, as NTP or an operator would."""
        self._now_us += round(duration_s * 1_000_000)

    async def sleep(self, duration_s: float) -> None:
        """Wait until `advance` has moved the clock by `duration_s` seconds; 0 or less only yields."""
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + duration_s, next(self._order), future))
        await future
