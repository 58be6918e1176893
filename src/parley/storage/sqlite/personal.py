"""`PersonalStore` on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from parley.domain.errors import LimitReached
from parley.domain.people.personal import Card, Departure, PrivateElement
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_PRIVATE = sql("personal.private")
_ALL_PRIVATE = sql("personal.all_private")
_PUT_PRIVATE = sql("personal.put_private")
_DELETE_PRIVATE = sql("personal.delete_private")
_PRIVATE_SIZE = sql("personal.private_size")
_CARD = sql("personal.card")
_PUT_CARD = sql("personal.put_card")
_DEPARTED = sql("personal.departed")
_DEPARTURE = sql("personal.departure")


class SqlitePersonal:
    """Private elements, cards and departures."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def private(self, account_id: int, namespace: str, name: str) -> bytes | None:
        """One private element."""
        key = (account_id, namespace, name)
        row = await self._readers.run(lambda connection: connection.execute(_PRIVATE, key).fetchone())
        return None if row is None else row[0]

    async def all_private(self, account_id: int) -> list[PrivateElement]:
        """All private elements of an account, by namespace and name."""
        rows = await self._readers.run(lambda connection: connection.execute(_ALL_PRIVATE, (account_id,)).fetchall())
        return [PrivateElement(*row) for row in rows]

    async def put_private(
        self, account_id: int, elements: Sequence[PrivateElement], *, max_elements: int, max_bytes: int
    ) -> None:
        """Add or replace elements; see the port."""

        def change(connection: sqlite3.Connection) -> None:
            for each in elements:
                key = (account_id, each.namespace, each.name)
                if each.content:
                    connection.execute(_PUT_PRIVATE, (*key, each.content))
                else:
                    connection.execute(_DELETE_PRIVATE, key)
            count, size_bytes = connection.execute(_PRIVATE_SIZE, (account_id,)).fetchone()
            if count > max_elements or size_bytes > max_bytes:
                raise LimitReached("private-storage-full")

        await self._writer.run(change)

    async def card(self, account_id: int) -> Card | None:
        """The card of an account."""
        row = await self._readers.run(lambda connection: connection.execute(_CARD, (account_id,)).fetchone())
        return None if row is None else Card(*row)

    async def put_card(self, account_id: int, card: Card) -> None:
        """Replace the card; raises NotFound("account-not-found")."""
        await self._change(_PUT_CARD, (account_id, card.content, card.photo_hash))

    async def departed(self, account_id: int, departure: Departure) -> None:
        """The last device of the account left; raises NotFound("account-not-found")."""
        await self._change(_DEPARTED, (account_id, departure.left_at, departure.status))

    async def departure(self, account_id: int) -> Departure | None:
        """When that was, if it ever was."""
        row = await self._readers.run(lambda connection: connection.execute(_DEPARTURE, (account_id,)).fetchone())
        return None if row is None else Departure(*row)

    async def _change(self, query: str, values: tuple[object, ...]) -> None:
        def change(connection: sqlite3.Connection) -> None:
            connection.execute(query, values)

        await self._writer.run(change)
