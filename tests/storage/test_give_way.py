"""The loop makes room for a writer whose work is overdue, and only then."""

from __future__ import annotations

import asyncio
import threading
import time

from parley.storage.sqlite.give_way import OVERDUE_S, GiveWay


async def _until_paused(give_way: GiveWay) -> None:
    async with asyncio.timeout(10):
        while give_way.pauses == 0:
            await asyncio.sleep(0)


async def test_overdue_work_makes_the_loop_pause() -> None:
    give_way = GiveWay()
    give_way.work_waits()
    await _until_paused(give_way)
    give_way.close()


async def test_the_loop_stands_still_until_there_is_progress() -> None:
    give_way = GiveWay(pause_s=60)
    is_over = threading.Event()
    turns = 0
    seen: list[int] = []

    def write() -> None:
        while not give_way.pauses:
            time.sleep(0.001)
        seen.append(turns)
        time.sleep(0.05)
        seen.append(turns)
        # Again and again: what is reported just before a pause does not end it.
        while not is_over.wait(0.01):
            give_way.progress()

    thread = threading.Thread(target=write)
    thread.start()
    give_way.work_waits()
    started = time.monotonic()
    while len(seen) < 2:
        turns += 1
        await asyncio.sleep(0)
    give_way.close()
    is_over.set()
    thread.join()
    assert seen[0] == seen[1]
    assert time.monotonic() - started < 30


async def test_resolved_work_needs_no_pause() -> None:
    loop = asyncio.get_running_loop()
    give_way = GiveWay()
    give_way.work_waits()
    give_way.batch_resolved(is_more=False)
    passed = loop.create_future()
    loop.call_later(3 * OVERDUE_S, passed.set_result, None)
    await passed
    assert give_way.pauses == 0
    give_way.close()
