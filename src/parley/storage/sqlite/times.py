"""Where in the log a time is: bounds by blocks of positions, right whatever the clock did."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from parley.storage.sqlite.sql import sql

_NOTE = sql("messages.note_times")
_FIRST_SINCE = sql("messages.first_block_since")
_LAST_UNTIL = sql("messages.last_block_until")

BLOCK = 1024
"""Log positions in one block; queries and migrations say it too."""

END = 2**63 - 1
"""Behind every position and every time."""


def note_times(connection: sqlite3.Connection, added: Iterable[tuple[int, int]]) -> None:
    """Widen the blocks by messages just added, each given as position and time in microseconds since the epoch."""
    spans: dict[int, tuple[int, int]] = {}
    for seq, at in added:
        first, last = spans.get(seq // BLOCK, (at, at))
        spans[seq // BLOCK] = min(first, at), max(last, at)
    connection.executemany(_NOTE, [(block, *span) for block, span in spans.items()])


def bounds_by_time(connection: sqlite3.Connection, start: int | None, end: int | None) -> tuple[int, int]:
    """Exclusive positions between which all messages from `start` to `end` (both inclusive, None: open) lie.

    Others lie there too, at both ends.
    """
    after, before = 0, END
    if start is not None:
        row = connection.execute(_FIRST_SINCE, (start,)).fetchone()
        after = END if row is None else row[0] * BLOCK - 1
    if end is not None:
        row = connection.execute(_LAST_UNTIL, (end,)).fetchone()
        before = 0 if row is None else (row[0] + 1) * BLOCK
    return after, before
