"""The log stays short under constant load, and commits do not wait for it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from parley.base.clock import SystemClock
from parley.storage.sqlite import database
from parley.storage.sqlite.checkpoints import CheckpointLimits
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

from .people import append, between, two_people
from .sqlite_files import PAGE_BYTES, raw

LOG_PAGES = 300
CONTENT = b"x" * 2000


def _opened(path: Path, limits: CheckpointLimits) -> SqliteStorage:
    return SqliteStorage(path, SystemClock(), StorageOptions(checkpoints=limits))


def test_no_commit_runs_a_checkpoint(tmp_path: Path) -> None:
    for connection in (
        database.open_writer(tmp_path / "parley.db", is_checked=False),
        database.open_checkpointer(tmp_path / "parley.db"),
    ):
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        connection.close()


async def test_the_log_stays_short_under_constant_load(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    async with _opened(path, CheckpointLimits(items=20, log_pages=LOG_PAGES)) as storage:
        alice, bob = await two_people(storage)
        longest = 0
        for _ in range(400):
            # Never idle: the next turn's messages are handed over while these are being written.
            await append(storage, *[between(alice, bob, content=CONTENT) for _ in range(10)])
            longest = max(longest, path.with_name("parley.db-wal").stat().st_size // PAGE_BYTES)
        written = path.stat().st_size // PAGE_BYTES
    # In the log, 4,000 messages take more than 8,000 pages.
    assert longest < 10 * LOG_PAGES
    assert written > LOG_PAGES


async def test_pages_move_while_nobody_writes(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    async with _opened(path, CheckpointLimits(interval_s=0.01)) as storage:
        alice, bob = await two_people(storage)
        await append(storage, between(alice, bob, content=b"x" * 100 * PAGE_BYTES))
        async with asyncio.timeout(30):
            while path.stat().st_size < 100 * PAGE_BYTES:
                await asyncio.sleep(0.01)


async def test_a_reader_of_an_old_snapshot_only_delays(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    async with _opened(path, CheckpointLimits(items=1, log_pages=1)) as storage:
        alice, bob = await two_people(storage)
        await append(storage, between(alice, bob))
        reader = raw(path)
        reader.execute("BEGIN")
        assert _messages(reader) == 1
        for _ in range(50):
            await append(storage, between(alice, bob))
        assert _messages(reader) == 1
        reader.execute("COMMIT")
        assert _messages(reader) == 51
        reader.close()
    assert not path.with_name("parley.db-wal").exists()
    await SqliteStorage.verify(path)


def _messages(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM message").fetchone()
    return int(count)
