"""Keeping a busy event loop from starving the writer.

Threads of one interpreter share its lock. A loop that always has work gives the lock up only for the microseconds of a
poll; a thread that waits for it is woken by that, comes too late, and begins to wait anew, so the interpreter's own
forced switch (after 5 ms of waiting undisturbed) never comes. At 1,000 messages per second on a saturated loop:
answers after 3 s in the median without this, after less than 50 ms with it (`bench/storage.py`).
"""

from __future__ import annotations

import asyncio
import threading
import time

OVERDUE_S = 0.006
"""Work that waits longer than this gets help; a sync takes less on most disks."""

PAUSE_S = 0.003
"""How long the loop stands still at most each time; at most every `OVERDUE_S`, so a third of its time."""


class GiveWay:
    """Lets the loop pause, now and then, while the writer's work is overdue. Lives on the loop.

    The pause ends as soon as the writer reports progress; with a writer that is merely waiting for a slow disk it is
    time lost, hence its bounds.

    Args:
        pause_s: how long the loop stands still at most each time.
    """

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self._progress = threading.Event()
        self._waiting_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.pauses = 0

    def work_waits(self) -> None:
        """Something was handed to the writer."""
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(OVERDUE_S, self._look)

    def progress(self) -> None:
        """A batch is done; called on the writer's thread."""
        self._progress.set()

    def batch_resolved(self, is_more: bool) -> None:
        """A batch was resolved; `is_more` tells whether others wait."""
        self._waiting_since = time.monotonic() if is_more else None

    def close(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._waiting_since is None:
            return
        if time.monotonic() - self._waiting_since >= OVERDUE_S:
            self.pauses += 1
            self._progress.clear()
            self._progress.wait(self._pause_s)
        self._timer = asyncio.get_running_loop().call_later(OVERDUE_S, self._look)
