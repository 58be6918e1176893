"""`PushTargetStore` on SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple

from parley.domain.errors import LimitReached
from parley.domain.push_targets import PushTarget
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_COUNT = sql("push_targets.count")
_COUNT_OF = sql("push_targets.count_of")
_PUT = sql("push_targets.put")
_FIND = sql("push_targets.find")
_OF = sql("push_targets.of")
_WOKEN = sql("push_targets.woken")
_REMOVE = sql("push_targets.remove")
_FORGET = sql("push_targets.forget")


class SqlitePushTargets:
    """Push targets; see the port."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def put(self, target: PushTarget, limit: int, limit_each: int) -> None:
        """Add or replace; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            values = {"owner": target.owner, "service": target.service, "kind": target.kind, "device": target.device}
            (others,) = connection.execute(_COUNT, values).fetchone()
            (own,) = connection.execute(_COUNT_OF, values).fetchone()
            if others >= limit or own >= limit_each:
                raise LimitReached("too-many-targets")
            connection.execute(_PUT, astuple(target))

        await self._writer.run(change)

    async def find(self, node: str) -> PushTarget | None:
        """The target of a node."""
        row = await self._readers.run(lambda connection: connection.execute(_FIND, (node,)).fetchone())
        return None if row is None else PushTarget(*row)

    async def of(self, owner: str) -> list[PushTarget]:
        """The targets of a bare address; see the port."""
        rows = await self._readers.run(lambda connection: connection.execute(_OF, (owner,)).fetchall())
        return [PushTarget(*row) for row in rows]

    async def woken(self, node: str, now: int) -> None:
        """Count a notification; see the port."""
        await self._writer.run(lambda connection: connection.execute(_WOKEN, (now, node)).rowcount)

    async def remove(self, node: str) -> bool:
        """Forget a target; see the port."""
        return await self._writer.run(lambda connection: connection.execute(_REMOVE, (node,)).rowcount > 0)

    async def forget(self, owner: str) -> int:
        """Forget the targets of a bare address; see the port."""
        return await self._writer.run(lambda connection: connection.execute(_FORGET, (owner,)).rowcount)
