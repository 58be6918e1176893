"""The loop makes room for a writer whose work is overdue, and only then."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from parley.storage.sqlite.give_way import OVERDUE_S, GiveWay

from .people import between, two_people
from .sqlite_files import opened


async def _until_paused(give_way: GiveWay) -> None:
    async with asyncio.timeout(10):
        while give_way.pauses == 0:
            await asyncio.sleep(0)


async def test_overdue_work_makes_the_loop_pause() -> None:
    give_way = GiveWay()
    give_way.work_waits()
    await _until_paused(give_way)
    give_way.close()


async def test_a_pause_ends_with_progress() -> None:
    give_way = GiveWay()
    thread = threading.Timer(OVERDUE_S, give_way.progress)
    thread.start()
    give_way.work_waits()
    await _until_paused(give_way)
    thread.join()
    give_way.close()


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


async def test_answers_come_although_the_loop_never_rests(tmp_path: Path) -> None:
    async with opened(tmp_path / "parley.db") as storage:
        alice, bob = await two_people(storage)
        answers: list[object] = []
        for _ in range(200):
            storage.messages.append(between(alice, bob), answers.append)
        async with asyncio.timeout(10):
            while len(answers) < 200:
                sum(range(3000))
                await asyncio.sleep(0)
