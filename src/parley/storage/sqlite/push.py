"""`PushStore` on SQLite."""

from __future__ import annotations

import sqlite3

from parley.domain.errors import LimitReached, NotFound
from parley.domain.push import Registration
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_ACCOUNT_EXISTS = sql("messages.account_exists")
_COUNT = sql("push.count")
_PUT = sql("push.put")
_NOTE = sql("push.note")
_REMOVE = sql("push.remove")
_REMOVE_NODE = sql("push.remove_node")
_ALL = sql("push.all")


class SqlitePush:
    """Push registrations; see the port."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def put(self, account_id: int, registration: Registration, limit: int) -> None:
        """Add or replace; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            if connection.execute(_ACCOUNT_EXISTS, (account_id,)).fetchone() is None:
                raise NotFound("account-not-found")
            values = {"account": account_id, "service": registration.service, "node": registration.node}
            (others,) = connection.execute(_COUNT, values).fetchone()
            if others >= limit:
                raise LimitReached("too-many-registrations")
            row = registration
            connection.execute(
                _PUT,
                (
                    account_id,
                    row.service,
                    row.node,
                    row.options,
                    row.resource,
                    row.created_at,
                    row.last_ok_at,
                    row.last_error,
                    row.refusals,
                ),
            )

        await self._writer.run(change)

    async def note(self, account_id: int, registration: Registration) -> None:
        """Keep what became of a notification; see the port."""
        row = registration
        values = (row.last_ok_at, row.last_error, row.refusals, account_id, row.service, row.node, row.created_at)
        await self._writer.run(lambda connection: connection.execute(_NOTE, values).rowcount)

    async def remove(self, account_id: int, service: str, node: str | None = None) -> int:
        """Forget; see the port."""

        def change(connection: sqlite3.Connection) -> int:
            if node is None:
                return connection.execute(_REMOVE, (account_id, service)).rowcount
            return connection.execute(_REMOVE_NODE, (account_id, service, node)).rowcount

        return await self._writer.run(change)

    async def all(self, account_id: int) -> list[Registration]:
        """An account's registrations, the oldest first."""
        rows = await self._readers.run(lambda connection: connection.execute(_ALL, (account_id,)).fetchall())
        return [Registration(*row) for row in rows]
