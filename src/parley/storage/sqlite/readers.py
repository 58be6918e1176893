"""Reading beside the writer: a few threads, each with a connection that cannot write.

A read sees all that was committed when it began, and nothing that is not committed. Reads that wait are bounded: above
`queued` they fail at once with `storage-overloaded`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from parley.domain.errors import StorageUnavailable
from parley.storage.errors import DatabaseCorrupt, StorageError
from parley.storage.sqlite import database, failures

T = TypeVar("T")


class Readers:
    """A pool of reading threads.

    Args:
        path: the database file, opened by the writer before.
        count: threads and connections.
        queued: reads that may run and wait at once.
        on_corrupt: called on the loop when a read finds the file damaged.
    """

    def __init__(self, path: Path, count: int, queued: int, on_corrupt: Callable[[], None]) -> None:
        self._path = path
        self._limit = queued
        self._on_corrupt = on_corrupt
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="storage-reader")
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._is_closed = False
        self.active = 0

    async def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` on a reading thread, in one transaction, and return its value.

        Raises:
            StorageUnavailable: the file could not be read, or too many reads wait.
            Exception: whatever `query` raised.
        """
        if self._is_closed:
            raise StorageUnavailable("storage-closed", "the storage is closed")
        if self.active >= self._limit:
            raise StorageUnavailable("storage-overloaded", "too many reads wait")
        self.active += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, query)
        except sqlite3.Error as error:
            failure = failures.unavailable(error)
            if failure.code == failures.CORRUPT:
                self._on_corrupt()
            raise failure from error
        except DatabaseCorrupt as error:
            # A thread opens its connection with its first read, which may be the one to find the damage.
            self._on_corrupt()
            raise StorageUnavailable(failures.CORRUPT, str(error)) from error
        except StorageError as error:
            raise StorageUnavailable("storage-io-error", str(error)) from error
        finally:
            self.active -= 1

    async def close(self) -> None:
        """Let the reads that run end, then close the connections."""
        self._is_closed = True
        await asyncio.to_thread(self._shut_down)

    def _shut_down(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            return query(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = database.open_reader(self._path)
            with self._lock:
                self._connections.append(connection)
        return connection
