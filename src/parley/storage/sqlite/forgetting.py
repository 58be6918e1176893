"""Deleting addresses that nothing names any longer."""

from __future__ import annotations

import asyncio
import math
import sqlite3

from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_ALL = sql("addresses.all")
_IN_MESSAGES = sql("addresses.in_messages")
_IN_MAILBOXES = sql("addresses.in_mailboxes")
_DELETE = sql("addresses.delete")
_EXTENT = sql("addresses.extent")

_MESSAGES_A_READ = 20_000
_ACCOUNTS_A_READ = 100
_PIECE = 500
_SHARE = 24
"""A search reads the whole log, so it waits until one in so many of the log's messages has been deleted."""


class AddressSweep:
    """Finds and deletes unused addresses, in short reads and short transactions.

    Args:
        writer: its cache tells which addresses come into use meanwhile.
        readers: do the searching.
    """

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._is_running = asyncio.Lock()
        # What was deleted before this start is not known, so the first purge is followed by a search.
        self._deleted = math.inf

    async def run_if_due(self, deleted: int) -> None:
        """Search when enough has been deleted since the last search; `deleted` messages have been just now."""
        self._deleted += deleted
        async with self._is_running:
            first, last, accounts = await self._readers.run(_extent)
            if self._deleted * _SHARE > last - first:
                self._deleted = 0
                await self._run(first, last, accounts)

    async def _run(self, first: int, last: int, accounts: int) -> None:
        book = self._writer.addresses
        # From here on the writer notes what it uses; what was there before is found by the reads.
        await self._writer.run(lambda _: book.watch())
        unused = await self._named(_ALL)
        for start in range(first, last + 1, _MESSAGES_A_READ):
            unused -= await self._named(_IN_MESSAGES, start, start + _MESSAGES_A_READ)
        for start in range(0, accounts + 1, _ACCOUNTS_A_READ):
            unused -= await self._named(_IN_MAILBOXES, start, start + _ACCOUNTS_A_READ)
        candidates = sorted(unused)
        for place in range(0, len(candidates), _PIECE):
            await self._delete(candidates[place : place + _PIECE])
        await self._writer.run(lambda _: book.unwatch())

    async def _named(self, statement: str, *bounds: int) -> set[int]:
        return await self._readers.run(lambda connection: {row[0] for row in connection.execute(statement, bounds)})

    async def _delete(self, candidates: list[int]) -> None:
        book = self._writer.addresses

        def change(connection: sqlite3.Connection) -> None:
            used = book.forget()
            connection.executemany(_DELETE, [(address,) for address in candidates if address not in used])

        await self._writer.run(change)


def _extent(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """The first and the last position of the log, and the last account."""
    first, last, accounts = connection.execute(_EXTENT).fetchone()
    return first, last, accounts
