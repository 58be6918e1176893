"""Checkpoints beside the writer: pages move from the log to the database while commits go on.

A thread with a connection of its own does the work, so that no commit waits for it. It alone would never end under
constant load: the log starts over only when all of it has been moved, and the writer adds to it meanwhile. So when the
log has grown long, the writer itself moves the rest between two transactions; that is little, the thread has just moved
what came before. Readers of old snapshots can keep the log from starting over for as long as they read.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from parley.base import log as logs
from parley.storage.errors import StorageError
from parley.storage.sqlite import database, failures
from parley.storage.sqlite.sql import sql

log = logs.get(__name__)

_CHECKPOINT = sql("schema.checkpoint")


@dataclass(frozen=True, slots=True)
class CheckpointLimits:
    """When pages move.

    Attributes:
        items: changes and messages committed since the last checkpoint that cause the next one.
        interval_s: at the latest after this time there is one, if anything was committed.
        log_pages: a log this long is brought to its end by the writer.
    """

    items: int = 1_000
    interval_s: float = 2.0
    log_pages: int = 4_000


class Checkpoints:
    """The thread that moves pages. `start` once; `committed` on the writer's thread; `close` from any other.

    Args:
        path: the database file, opened by the writer before.
        limits: see `CheckpointLimits`.
    """

    def __init__(self, path: Path, limits: CheckpointLimits) -> None:
        self._path = path
        self._limits = limits
        self._changed = threading.Condition()
        self._items = 0
        self._is_long = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="storage-checkpoints", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close its connection. What is left in the log is moved when the writer closes."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def committed(self, connection: sqlite3.Connection, items: int) -> None:
        """Count a commit; with a long log, move what is left of it. The writer calls this outside of a transaction."""
        with self._changed:
            is_first = not self._items
            self._items += items
            if is_first or self._items >= self._limits.items:
                self._changed.notify()
            is_long = self._is_long
        if is_long:
            _checkpoint(connection)
            with self._changed:
                self._is_long = False
                self._changed.notify()

    def _run(self) -> None:
        """The thread."""
        try:
            connection = database.open_checkpointer(self._path)
        except StorageError as error:
            log.error("checkpoints are off", detail=str(error))
            return
        try:
            while self._wait():
                log_pages = _checkpoint(connection)
                with self._changed:
                    self._is_long = log_pages >= self._limits.log_pages
        finally:
            connection.close()

    def _wait(self) -> bool:
        """Until a checkpoint is due; False at the end."""
        with self._changed:
            due: float | None = None
            while not self._is_closed:
                if self._is_long or not self._items:
                    self._changed.wait()
                    continue
                due = due or time.monotonic() + self._limits.interval_s
                left_s = due - time.monotonic()
                if self._items >= self._limits.items or left_s <= 0:
                    self._items = 0
                    return True
                self._changed.wait(left_s)
        return False


def _checkpoint(connection: sqlite3.Connection) -> int:
    """Move what can be moved without waiting for anyone; returns the length of the log in pages."""
    try:
        _, log_pages, _ = connection.execute(_CHECKPOINT).fetchone()
    except sqlite3.Error as error:
        # Nothing is lost: the log keeps it all, and the next checkpoint tries again.
        log.warning("checkpoint failed", code=failures.fatal_code(error), detail=str(error))
        return 0
    return int(log_pages)
