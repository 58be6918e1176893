"""What the durable log costs: appends per second, the writer's CPU per message, latency, archive pages.

`TMPDIR` decides which disk is measured.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from bench.report import Figure, Result
from parley.base.clock import SystemClock
from parley.base.ids import Uuid7
from parley.domain.errors import StorageUnavailable
from parley.domain.messages import (
    Appended,
    ArchiveQuery,
    Confidentiality,
    Direction,
    MailboxEntry,
    NewMessage,
)
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

PEOPLE = 200
CONTENT = b"x" * 200
MESSAGES = 40_000


class Bench:
    """Messages between many people over one storage."""

    def __init__(self, storage: SqliteStorage) -> None:
        self.storage = storage
        self.accounts: list[int] = []
        self._ids = Uuid7(SystemClock())
        self._number = 0

    async def prepare(self) -> None:
        people = [(_address(number), ()) for number in range(PEOPLE)]
        self.accounts = [account.id for account in await self.storage.accounts.add_many(people, 1)]

    def message(self) -> NewMessage:
        self._number += 1
        one = self._number * 7919 % PEOPLE
        other = (one + 1 + self._number * 104729 % (PEOPLE - 1)) % PEOPLE
        entries = (
            MailboxEntry(self.accounts[one], _address(other), Direction.OUT, True, False),
            MailboxEntry(self.accounts[other], _address(one), Direction.IN, True, True),
        )
        key = os.urandom(16)
        return NewMessage(
            self._ids.text(),
            time.time_ns() // 1000,
            _address(one),
            _address(other),
            Confidentiality.SEALED,
            CONTENT,
            entries,
            key,
        )

    async def append_window(self, count: int, window: int) -> float:
        """Append with `window` messages always on their way; returns seconds."""
        finished = asyncio.get_running_loop().create_future()
        left = count
        waiting = 0

        def done(result: Appended | StorageUnavailable) -> None:
            nonlocal waiting
            assert isinstance(result, Appended)
            waiting -= 1
            if left:
                more()
            elif not waiting:
                finished.set_result(None)

        def more() -> None:
            nonlocal left, waiting
            left -= 1
            waiting += 1
            self.storage.messages.append(self.message(), done)

        started = time.perf_counter()
        for _ in range(min(window, count)):
            more()
        await finished
        return time.perf_counter() - started

    async def latencies(self, rate: int, duration_s: float) -> list[float]:
        """Append at a rate; returns the time of each from call to answer, in seconds, sorted."""
        found: list[float] = []
        loop = asyncio.get_running_loop()
        started = loop.time()
        sent = 0
        while (elapsed := loop.time() - started) < duration_s:
            while sent < elapsed * rate:
                sent += 1
                begun = time.perf_counter()
                self.storage.messages.append(
                    self.message(), lambda _, begun=begun: found.append(time.perf_counter() - begun)
                )
            await asyncio.sleep(0.001)
        await self.storage.flush()
        return sorted(found)

    async def writer_cpu_s(self) -> float:
        """CPU seconds that the writer's thread has used."""
        return await self.storage._writer.run(lambda _: time.thread_time())


def _figure(figure_id: str, what: str, unit: str, value: float, *, goal: str = "none", met: bool = True) -> Figure:
    better = "higher" if unit == "1/s" else "lower"
    return Figure(figure_id, what, unit, better, value, {}, goal, met)


def _address(number: int) -> str:
    return f"user{number:04}@example.org"


async def measure(folder: Path, messages: int) -> list[Figure]:
    """All figures."""
    options = StorageOptions(is_checked=False)
    figures: list[Figure] = []
    async with SqliteStorage(folder / "bench.db", SystemClock(), options) as storage:
        bench = Bench(storage)
        await bench.prepare()
        await bench.append_window(2000, 500)
        for window in (10, 100, 1000):
            rate, cpu_us = await _rate(bench, messages, window)
            figures.append(
                _figure(
                    f"appends-{window}",
                    f"durable appends, {window} on their way",
                    "1/s",
                    round(rate),
                    goal="at least 8000" if window == 1000 else "none",
                    met=window != 1000 or rate >= 8000,
                )
            )
            figures.append(
                _figure(f"cpu-{window}", f"writer CPU per append, {window} on their way", "us", round(cpu_us, 1))
            )
        figures += await _latency(bench)
        figures += await _busy_latency(bench)
        figures += await _pages(bench)
        pages = await storage._writer.run(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
        total = await storage._writer.run(
            lambda connection: connection.execute("SELECT count(*) FROM message").fetchone()[0]
        )
        figures.append(
            _figure("bytes", "bytes on disk per 200-byte message in two mailboxes", "B", pages * 4096 // total)
        )
    return figures


async def _rate(bench: Bench, messages: int, window: int) -> tuple[float, float]:
    count = messages if window >= 100 else messages // 4
    cpu = await bench.writer_cpu_s()
    seconds = await bench.append_window(count, window)
    cpu = await bench.writer_cpu_s() - cpu
    return count / seconds, cpu / count * 1e6


async def _latency(bench: Bench) -> list[Figure]:
    figures = []
    for rate in (200, 2000):
        found = await bench.latencies(rate, 3)
        for part in (50, 99):
            value = found[len(found) * part // 100] * 1000
            figures.append(
                _figure(f"latency-{rate}-p{part}", f"append to answer at {rate}/s, p{part}", "ms", round(value, 2))
            )
    return figures


async def _busy_latency(bench: Bench) -> list[Figure]:
    """The loop never rests: how long do answers take when the writer must fight for the interpreter's lock?"""
    is_over = False

    async def burn() -> None:
        while not is_over:
            sum(range(5000))
            await asyncio.sleep(0)

    burning = asyncio.create_task(burn())
    found = await bench.latencies(1000, 5)
    is_over = True
    await burning
    return [
        _figure(f"busy-p{part}", f"append to answer at 1000/s, loop saturated, p{part}", "ms", round(value, 2))
        for part in (50, 99)
        for value in [found[len(found) * part // 100] * 1000]
    ]


async def _pages(bench: Bench) -> list[Figure]:
    """The last page of one conversation among very many messages of one account."""
    owner = bench.accounts[0]
    entries = [(MailboxEntry(owner, _address(1 + number % 20), Direction.IN, True, True),) for number in range(20)]
    ids = Uuid7(SystemClock())
    for number in range(50_000):
        new = NewMessage(ids.text(), 1, _address(1), _address(0), Confidentiality.SEALED, CONTENT, entries[number % 20])
        bench.storage.messages.append(new, lambda _: None)
        if number % 5000 == 4999:
            await bench.storage.flush()
    figures = []
    for name, peer in (("peer", _address(5)), ("all", None)):
        times = []
        for _ in range(30):
            begun = time.perf_counter()
            page = await bench.storage.messages.page(ArchiveQuery(owner, peer=peer, is_backward=True, limit=50))
            times.append(time.perf_counter() - begun)
        assert len(page.messages) == 50
        what = f"last 50 of more than {2_500 if peer else 50_000} messages, {'one peer' if peer else 'all'}"
        figures.append(_figure(f"page-{name}", what, "ms", round(statistics.median(times) * 1000, 2)))
    return figures


def bench() -> Result:
    """All figures."""
    with tempfile.TemporaryDirectory() as folder:
        return Result("storage", 1, asyncio.run(measure(Path(folder), MESSAGES)))
