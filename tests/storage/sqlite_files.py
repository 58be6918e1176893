"""What the tests of the SQLite file share."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from parley.base.clock import SystemClock
from parley.storage.sqlite.inbox import WriterLimits
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

from .people import append, between, two_people

PAGE_BYTES = 4096


def opened(
    path: Path, *, is_checked: bool = True, is_migrated: bool = True, has_text_index: bool = False, **limits: float
) -> SqliteStorage:
    """A storage on `path`, to be entered; `limits` are those of the writer."""
    options = StorageOptions(
        is_checked=is_checked,
        is_migrated=is_migrated,
        has_text_index=has_text_index,
        writer=WriterLimits(**limits),  # type: ignore[arg-type]
    )
    return SqliteStorage(path, SystemClock(), options)


async def filled(path: Path, messages: int = 300) -> tuple[int, int]:
    """Create a database with two people and messages between them; returns their ids."""
    async with opened(path) as storage:
        alice, bob = await two_people(storage)
        await append(storage, *[between(alice, bob, at=number) for number in range(messages)])
        return alice, bob


def raw(path: Path) -> sqlite3.Connection:
    """A connection of the test's own."""
    return sqlite3.connect(path, isolation_level=None)
