"""`MessageLog` on SQLite. Appending is in `append.py`; here is what reads the log and what deletes from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from parley.domain.messages import LOOKED_BACK, ArchivePage, ArchiveQuery, NewMessage, StoredMessage
from parley.domain.ports import AppendDone
from parley.storage.sqlite.forgetting import AddressSweep
from parley.storage.sqlite.pages import read_entry, read_page
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row, message_from
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.times import END, bounds_by_time
from parley.storage.sqlite.writer import Writer

_FIRST_AND_LAST = (sql("messages.first"), sql("messages.last"))
_PENDING = sql("messages.pending")
_SENT_SINCE = sql("messages.sent_since")
_LAST_SEQ = sql("messages.last_seq")
_HAS_WRITTEN = sql("messages.has_written")
_OLD_ENTRIES = sql("messages.old_entries")
_OLD_ENTRIES_OF_ACCOUNT = sql("messages.old_entries_of_account")
_DELETE_ENTRY = sql("messages.delete_entry")
_DELIVERED_ENTRIES = sql("messages.delivered_entries")
_UNHELD_MESSAGES = sql("messages.unheld_messages")
_DELETE_MESSAGE = sql("messages.delete_message")
_DELETE_EMPTY_BLOCKS = sql("messages.delete_empty_blocks")

_PIECE = 500
"""Entries deleted in one transaction, so that messages wait some milliseconds behind it, not seconds."""


class SqliteMessages:
    """The log of messages with the mailboxes that hold them."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._addresses = AddressSweep(writer, readers)

    def append(self, message: NewMessage, done: AppendDone) -> None:
        """Write one message with its mailbox entries; see the port. Raises ValueError for an id that is no UUID."""
        self._writer.append(message, done)

    async def page(self, query: ArchiveQuery) -> ArchivePage:
        """One page of an archive; see the port."""
        return await self._readers.run(lambda connection: read_page(connection, query))

    async def bounds(self, account_id: int) -> tuple[StoredMessage, StoredMessage] | None:
        """The first and the last archived message."""

        def query(connection: sqlite3.Connection) -> tuple[StoredMessage, StoredMessage] | None:
            first, last = (connection.execute(end, (account_id,)).fetchone() for end in _FIRST_AND_LAST)
            if first is None or last is None:
                return None
            return read_entry(connection, account_id, first[0]), read_entry(connection, account_id, last[0])

        return await self._readers.run(query)

    async def pending(self, account_id: int, after: int, limit: int) -> list[StoredMessage]:
        """Mailed messages that came in behind the delivery cursor and behind `after`, in log order."""
        values = {"account": account_id, "after": max(after, self._writer.cursor(account_id)), "limit": limit}
        rows = await self._readers.run(lambda connection: connection.execute(_PENDING, values).fetchall())
        return [message_from(row) for row in rows]

    async def sent_since(self, seq: int, limit: int) -> list[tuple[str, bytes]]:
        """Sender and content of the first messages behind a place of the log; see the port."""
        return await self._readers.run(lambda connection: connection.execute(_SENT_SINCE, (seq, limit)).fetchall())

    async def last_seq(self) -> int:
        """The place of the newest message that the log ever had."""
        rows = await self._readers.run(lambda connection: connection.execute(_LAST_SEQ).fetchall())
        return int(rows[0][0]) if rows else 0

    async def has_written(self, account_id: int, peer: str) -> bool:
        """Whether an account's archive has a message to `peer`; see the port."""
        values = {"account": account_id, "peer": peer, "looked_back": LOOKED_BACK}
        return bool(await self._readers.run(lambda connection: connection.execute(_HAS_WRITTEN, values).fetchone()))

    def delivered(self, account_id: int, seq: int) -> None:
        """Move the account's delivery cursor forward to `seq`. Never blocks."""
        self._writer.delivered(account_id, seq)

    async def purge(self, account_id: int | None, before: int) -> int:
        """Delete messages received before `before`; see the port.

        Readers look for what is old, in the part of the log that can be; the writer deletes it piece by piece. With
        `account_id` None, addresses that no message names any longer go too, not always at once.
        """
        deleted = 0
        last: Row = (0 if account_id is None else account_id, -1)
        statement = _OLD_ENTRIES if account_id is None else _OLD_ENTRIES_OF_ACCOUNT
        _, end = await self._readers.run(lambda connection: bounds_by_time(connection, None, before - 1))
        while True:
            values = {"account": last[0], "seq": last[1], "end": end, "before": before, "limit": _PIECE}
            keys = await self._keys(statement, values)
            if keys:
                deleted += await self._delete_entries(keys)
                last = keys[-1]
            if len(keys) < _PIECE:
                break
        if account_id is None:
            await self._writer.run(lambda connection: connection.execute(_DELETE_EMPTY_BLOCKS).rowcount)
            await self._addresses.run_if_due(deleted)
        return deleted

    async def sweep_delivered(self, limit: int, before: int | None = None) -> int:
        """Delete entries that are delivered and not archived, and messages no mailbox holds; see the port."""
        values = {"before": END if before is None else before, "limit": limit}

        def change(connection: sqlite3.Connection) -> int:
            entries = connection.execute(_DELIVERED_ENTRIES, values).fetchall()
            connection.executemany(_DELETE_ENTRY, entries)
            room = {**values, "limit": limit - len(entries)}
            messages = connection.execute(_UNHELD_MESSAGES, room).fetchall()
            connection.executemany(_DELETE_MESSAGE, messages)
            return len(entries) + len(messages)

        return await self._writer.run(change)

    async def _keys(self, statement: str, values: dict[str, Any]) -> list[Row]:
        return await self._readers.run(lambda connection: connection.execute(statement, values).fetchall())

    async def _delete_entries(self, keys: Sequence[Row]) -> int:
        return await self._writer.run(lambda connection: connection.executemany(_DELETE_ENTRY, keys).rowcount)
