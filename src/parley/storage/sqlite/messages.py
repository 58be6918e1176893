"""`MessageLog` on SQLite. Appending is in `append.py`; here is what reads the log and what deletes from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from parley.domain.errors import NotFound
from parley.domain.messages import ArchivePage, ArchiveQuery, NewMessage, StoredMessage
from parley.domain.ports import AppendDone
from parley.storage.sqlite.forgetting import AddressSweep
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row, id_to_blob, message_from
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.times import END, bounds_by_time
from parley.storage.sqlite.writer import Writer

_FIND_ARCHIVED = sql("messages.find_archived")
# By whether the query is for all peers, and whether it pages backward.
_PAGE = {
    (True, False): sql("messages.page_forward"),
    (True, True): sql("messages.page_backward"),
    (False, False): sql("messages.page_forward_by_peer"),
    (False, True): sql("messages.page_backward_by_peer"),
}
_COUNT = sql("messages.count")
_COUNT_BY_PEER = sql("messages.count_by_peer")
_ENTRY = sql("messages.entry")
_FIRST_AND_LAST = (sql("messages.first"), sql("messages.last"))
_PENDING = sql("messages.pending")
_SENT_SINCE = sql("messages.sent_since")
_LAST_SEQ = sql("messages.last_seq")
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
        return await self._readers.run(lambda connection: _page(connection, query))

    async def bounds(self, account_id: int) -> tuple[StoredMessage, StoredMessage] | None:
        """The first and the last archived message."""

        def query(connection: sqlite3.Connection) -> tuple[StoredMessage, StoredMessage] | None:
            first, last = (connection.execute(end, (account_id,)).fetchone() for end in _FIRST_AND_LAST)
            if first is None or last is None:
                return None
            return _entry(connection, account_id, first[0]), _entry(connection, account_id, last[0])

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


def _page(connection: sqlite3.Connection, query: ArchiveQuery) -> ArchivePage:
    bounds = _seq_bounds(connection, query)
    if query.ids:
        return _page_of_ids(connection, query, bounds)
    # What matches lies between these; the page is inside.
    earliest, latest = bounds_by_time(connection, query.start, query.end)
    values: dict[str, Any] = {
        "account": query.account_id,
        "peer": query.peer,
        "after": max(bounds[0], earliest),
        "before": min(bounds[1], latest),
        "start": -END if query.start is None else query.start,
        "end": END if query.end is None else query.end,
        # One more than asked for tells whether the page is the last one.
        "limit": query.limit + 1,
    }
    rows = connection.execute(_PAGE[query.peer is None, query.is_backward], values).fetchall()
    messages = _cut([message_from(row) for row in rows], query)
    values |= {"after": earliest, "before": latest, "first": _first_seq(messages, query, bounds)}
    values["counted"] = END if query.counted is None else query.counted + 1
    total, index = connection.execute(_COUNT if query.peer is None else _COUNT_BY_PEER, values).fetchone()
    return _counted(messages, query, is_complete=len(rows) <= query.limit, total=total, index=index)


def _page_of_ids(connection: sqlite3.Connection, query: ArchiveQuery, bounds: tuple[int, int]) -> ArchivePage:
    """A page of the messages that the query names: few, so they are read one by one and filtered here."""
    seqs = sorted({_archived_seq(connection, query.account_id, text) for text in query.ids})
    matching = [
        message for message in (_entry(connection, query.account_id, seq) for seq in seqs) if _fits(message, query)
    ]
    after, before = bounds
    inside = [message for message in matching if after < message.seq < before]
    if query.is_backward:
        inside.reverse()
    messages = _cut(inside[: query.limit + 1], query)
    first = _first_seq(messages, query, bounds)
    index = sum(message.seq < first for message in matching)
    return _counted(messages, query, is_complete=len(inside) <= query.limit, total=len(matching), index=index)


def _counted(
    messages: tuple[StoredMessage, ...], query: ArchiveQuery, *, is_complete: bool, total: int, index: int
) -> ArchivePage:
    if query.counted is not None and total > query.counted:
        return ArchivePage(messages, is_complete, None, None)
    return ArchivePage(messages, is_complete, total, index)


def _fits(message: StoredMessage, query: ArchiveQuery) -> bool:
    return (
        (query.peer is None or message.peer == query.peer)
        and (query.start is None or message.received_at >= query.start)
        and (query.end is None or message.received_at <= query.end)
    )


def _cut(messages: list[StoredMessage], query: ArchiveQuery) -> tuple[StoredMessage, ...]:
    """The page out of what was read in paging order, in log order."""
    page = messages[: query.limit]
    return tuple(reversed(page) if query.is_backward else page)


def _first_seq(messages: tuple[StoredMessage, ...], query: ArchiveQuery, bounds: tuple[int, int]) -> int:
    """Where the page begins; an empty one begins where its first message would be."""
    if messages:
        return messages[0].seq
    after, before = bounds
    return before if query.is_backward else after + 1


def _seq_bounds(connection: sqlite3.Connection, query: ArchiveQuery) -> tuple[int, int]:
    after = 0 if query.after_id is None else _archived_seq(connection, query.account_id, query.after_id)
    before = END if query.before_id is None else _archived_seq(connection, query.account_id, query.before_id)
    return after, before


def _archived_seq(connection: sqlite3.Connection, account_id: int, text: str) -> int:
    try:
        values = {"id": id_to_blob(text), "account": account_id}
    except ValueError as error:
        raise NotFound("item-not-found") from error
    row = connection.execute(_FIND_ARCHIVED, values).fetchone()
    if row is None:
        raise NotFound("item-not-found")
    return int(row[0])


def _entry(connection: sqlite3.Connection, account_id: int, seq: int) -> StoredMessage:
    return message_from(connection.execute(_ENTRY, {"account": account_id, "seq": seq}).fetchone())
