"""`OutgoingQueue` on SQLite. Messages of the log are queued by `append.py`, in the log's own transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from parley.domain.partners.ports import Queued, QueuedStanza, QueueTotal
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_PUT = sql("outgoing.put")
_TAKE = sql("outgoing.take")
_REMOVE = sql("outgoing.remove")
_OLDER = sql("outgoing.older")
_TOTALS = sql("outgoing.totals")


class SqliteOutgoing:
    """Stanzas that wait for partners; see the port."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def put(self, local: str, remote: str, stanza: bytes, now: int, done: Queued) -> None:
        """Queue a stanza; see the port."""

        def change(connection: sqlite3.Connection) -> int:
            return connection.execute(_PUT, (local, remote, now, stanza)).lastrowid or 0

        self._writer.submit(change, done, len(stanza))

    async def take(self, local: str, remote: str, after: int, limit: int) -> list[QueuedStanza]:
        """What waits between two domains behind the number `after`, in order."""
        values = {"local": local, "remote": remote, "after": after, "limit": limit}
        rows = await self._readers.run(lambda connection: connection.execute(_TAKE, values).fetchall())
        return [QueuedStanza(*row) for row in rows]

    async def remove(self, ids: Sequence[int]) -> None:
        """Forget them."""
        rows = [(each,) for each in ids]

        def change(connection: sqlite3.Connection) -> None:
            connection.executemany(_REMOVE, rows)

        await self._writer.run(change)

    async def older(self, before: int, limit: int) -> list[QueuedStanza]:
        """What was queued before that time, the oldest first."""
        values = {"before": before, "limit": limit}
        rows = await self._readers.run(lambda connection: connection.execute(_OLDER, values).fetchall())
        return [QueuedStanza(*row) for row in rows]

    async def totals(self) -> list[QueueTotal]:
        """How much waits, by pair of domains."""
        rows: list[Row] = await self._readers.run(lambda connection: connection.execute(_TOTALS).fetchall())
        return [QueueTotal(*row) for row in rows]
