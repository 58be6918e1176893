"""Where the event loop leaves work for the writer's thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from parley.storage.sqlite.work import Item


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """Bounds of the writer.

    Attributes:
        queued_items: changes and messages that may wait.
        queued_bytes: what their contents may take in memory.
        batch_items: most in one transaction.
        cursor_interval_s: delivery cursors alone cause a commit at most this often.
        retry_interval_s: after a commit that failed, and for as long as they fail, one is tried this often.
    """

    queued_items: int = 20_000
    queued_bytes: int = 64 * 1024 * 1024
    batch_items: int = 1_000
    cursor_interval_s: float = 1.0
    retry_interval_s: float = 1.0


@dataclass(slots=True)
class Batch:
    """What goes into one transaction: items, and cursors by account id."""

    items: list[Item]
    cursors: dict[int, int]


class Inbox:
    """The only state that the loop and the thread both touch."""

    def __init__(self, limits: WriterLimits) -> None:
        self._limits = limits
        self._ready = threading.Condition()
        self._items: deque[Item] = deque()
        self._cursors: dict[int, int] = {}
        self._cursors_due = 0.0
        self._is_closed = False

    def put(self, items: list[Item], cursors: dict[int, int]) -> None:
        """Add work and wake the thread."""
        with self._ready:
            self._items.extend(items)
            for account_id, seq in cursors.items():
                self._cursors[account_id] = max(seq, self._cursors.get(account_id, 0))
            self._ready.notify()

    def close(self) -> None:
        """Let `take` return None once all is taken."""
        with self._ready:
            self._is_closed = True
            self._ready.notify()

    def take(self) -> Batch | None:
        """Wait for work; None at the end."""
        with self._ready:
            while not self._items and not self._is_closed:
                if not self._cursors:
                    self._ready.wait()
                    continue
                wait_s = self._cursors_due - time.monotonic()
                if wait_s <= 0:
                    break
                self._ready.wait(wait_s)
            if not self._items and not self._cursors:
                return None
            count = min(len(self._items), self._limits.batch_items)
            items = [self._items.popleft() for _ in range(count)]
            cursors, self._cursors = self._cursors, {}
            self._cursors_due = time.monotonic() + self._limits.cursor_interval_s
            return Batch(items, cursors)
