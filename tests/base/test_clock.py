import asyncio
import time

import pytest

from parley.base.clock import SystemClock, VirtualClock


def test_the_system_clock_agrees_with_the_machine():
    clock = SystemClock()
    assert abs(clock.now_us() - time.time() * 1_000_000) < 5_000_000
    before = clock.monotonic()
    assert before <= clock.monotonic()


def test_a_virtual_clock_stands_still_until_advanced():
    clock = VirtualClock(now_us=5_000_000, monotonic=10.0)
    assert (clock.now_us(), clock.monotonic()) == (5_000_000, 10.0)
    clock.advance(1.5)
    assert (clock.now_us(), clock.monotonic()) == (6_500_000, 11.5)


def test_a_jump_of_the_wall_clock_leaves_durations_alone():
    clock = VirtualClock(now_us=5_000_000, monotonic=10.0)
    clock.jump_wall(-3)
    assert (clock.now_us(), clock.monotonic()) == (2_000_000, 10.0)


def test_monotonic_time_does_not_go_backwards():
    with pytest.raises(ValueError, match="negative"):
        VirtualClock().advance(-0.1)


async def test_sleepers_wake_when_their_time_has_come():
    clock = VirtualClock()
    first, second = (asyncio.create_task(clock.sleep(s)) for s in (1.0, 2.0))
    await asyncio.sleep(0)
    assert clock.sleepers == 2
    clock.advance(1.0)
    await first
    assert clock.sleepers == 1
    assert not second.done()
    clock.advance(5.0)
    await second


async def test_a_cancelled_sleeper_is_forgotten():
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert clock.sleepers == 0
    clock.advance(2.0)


async def test_no_time_to_sleep_only_yields():
    for clock in (VirtualClock(), SystemClock()):
        for duration_s in (0, -1):
            others: list[None] = []
            asyncio.get_running_loop().call_soon(others.append, None)
            async with asyncio.timeout(10):
                await clock.sleep(duration_s)
            assert len(others) == 1
