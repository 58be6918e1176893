"""The archives of rooms on SQLite: part of `SqliteRooms`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from parley.domain.errors import NotFound
from parley.domain.rooms.ports import RoomArchivePage, RoomArchiveQuery, RoomMessage
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row, blob_to_id, id_to_blob
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.times import BLOCK, END
from parley.storage.sqlite.writer import Writer

_ID = sql("rooms.id")
_FIND_DUPLICATE = sql("rooms.find_duplicate")
_ADD = sql("rooms.add_message")
_NOTE_TIMES = sql("rooms.note_times")
_FIRST_SINCE = sql("rooms.first_block_since")
_LAST_UNTIL = sql("rooms.last_block_until")
_DELETE_EMPTY_BLOCKS = sql("rooms.delete_empty_blocks")
_SEQ_OF = sql("rooms.seq_of")
_PAGE = {False: sql("rooms.page_forward"), True: sql("rooms.page_backward")}
_COUNT = sql("rooms.count_messages")
_MESSAGE = sql("rooms.message")
_FIRST_AND_LAST = (sql("rooms.first"), sql("rooms.last"))
_REPLACE = sql("rooms.replace")
_HISTORY = sql("rooms.history")
_NTH_LAST = sql("rooms.nth_last")
_OLD = sql("rooms.old")
_DELETE = sql("rooms.delete_message")

_PIECE = 500
_LOOKED_AT = 1000
"""Messages among which a room's history is looked for: what is not shown to who enters (receipts, say) is passed by."""


class RoomArchive:
    """The archives of rooms; see the port."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self.__writer = writer
        self.__readers = readers

    async def append(self, room: str, message: RoomMessage, dedup_key: bytes | None = None) -> str | None:
        """Write a message; its id when it had been written before."""
        values = (message.at, message.sender, message.nick, message.in_history, dedup_key, message.content)
        message_id = id_to_blob(message.id)

        def change(connection: sqlite3.Connection) -> str | None:
            room_id = _room(connection, room)
            if room_id is None:
                raise NotFound("room-not-found")
            if dedup_key is not None:
                known = connection.execute(_FIND_DUPLICATE, (room_id, dedup_key)).fetchone()
                if known is not None:
                    return blob_to_id(known[0])
            seq = connection.execute(_ADD, (room_id, message_id, *values)).lastrowid
            connection.execute(_NOTE_TIMES, (seq, message.at))
            return None

        return await self.__writer.run(change)

    async def page(self, query: RoomArchiveQuery) -> RoomArchivePage:
        """One page."""
        return await self.__readers.run(lambda connection: _page(connection, query))

    async def bounds(self, room: str) -> tuple[RoomMessage, RoomMessage] | None:
        """The first and the last message."""

        def query(connection: sqlite3.Connection) -> tuple[RoomMessage, RoomMessage] | None:
            room_id = _room(connection, room)
            first, last = (connection.execute(end, (room_id,)).fetchone()[0] for end in _FIRST_AND_LAST)
            return None if first is None else (_message(connection, first), _message(connection, last))

        return await self.__readers.run(query)

    async def message(self, room: str, message_id: str) -> RoomMessage | None:
        """One message."""

        def query(connection: sqlite3.Connection) -> RoomMessage | None:
            seq = _seq_of(connection, _room(connection, room), message_id)
            return None if seq is None else _message(connection, seq)

        return await self.__readers.run(query)

    async def replace(self, room: str, message_id: str, content: bytes) -> bool:
        """Put something else where a message was."""

        def change(connection: sqlite3.Connection) -> bool:
            try:
                values = (content, id_to_blob(message_id), _room(connection, room))
            except ValueError:
                return False
            return connection.execute(_REPLACE, values).rowcount > 0

        return await self.__writer.run(change)

    async def history(self, room: str, limit: int) -> list[RoomMessage]:
        """The newest messages with `in_history`, oldest first."""

        def query(connection: sqlite3.Connection) -> list[RoomMessage]:
            room_id = _room(connection, room)
            edge = connection.execute(_NTH_LAST, (room_id, _LOOKED_AT)).fetchone()
            rows = connection.execute(_HISTORY, (room_id, 0 if edge is None else edge[0], limit)).fetchall()
            return [_message_from(row) for row in reversed(rows)]

        return await self.__readers.run(query)

    async def purge(self, before: int) -> int:
        """Delete messages of all rooms from before `before`, piece by piece."""
        deleted, last = 0, 0
        _, end = await self.__readers.run(lambda connection: _bounds_by_time(connection, None, before - 1))
        while True:
            values = {"seq": last, "end": end, "before": before, "limit": _PIECE}
            keys = await self._old(values)
            if keys:
                await self._delete(keys)
                deleted += len(keys)
                last = keys[-1][0]
            if len(keys) < _PIECE:
                break
        await self.__writer.run(lambda connection: connection.execute(_DELETE_EMPTY_BLOCKS).rowcount)
        return deleted

    async def _old(self, values: dict[str, int]) -> list[Row]:
        return await self.__readers.run(lambda connection: connection.execute(_OLD, values).fetchall())

    async def _delete(self, keys: Sequence[Row]) -> None:
        await self.__writer.run(lambda connection: connection.executemany(_DELETE, keys).rowcount)


def _page(connection: sqlite3.Connection, query: RoomArchiveQuery) -> RoomArchivePage:
    room_id = _room(connection, query.room)
    span = _between(connection, room_id, query.newer_than, query.older_than)
    edges = _between(connection, room_id, query.after_id, query.before_id)
    if query.ids:
        return _page_of_ids(connection, room_id, query, span, edges)
    # What matches lies between these; the page is inside.
    earliest, latest = _bounds_by_time(connection, query.start, query.end)
    after, before = max(span[0], earliest), min(span[1], latest)
    values: dict[str, Any] = {
        "room": room_id,
        "nick": query.nick,
        "after": max(after, edges[0]),
        "before": min(before, edges[1]),
        "start": -END if query.start is None else query.start,
        "end": END if query.end is None else query.end,
        # One more than asked for tells whether the page is the last one.
        "limit": query.limit + 1,
        "skipped": query.index or 0,
    }
    rows = connection.execute(_PAGE[query.is_backward], values).fetchall()
    shown = rows[: query.limit]
    if query.is_backward:
        shown.reverse()
    values |= {"after": after, "before": before, "first": _first_seq(shown, query, span, edges)}
    values["counted"] = END if query.counted is None else query.counted + 1
    total, index = connection.execute(_COUNT, values).fetchone()
    return _counted(shown, query, is_complete=len(rows) <= query.limit, total=total, index=index)


def _page_of_ids(
    connection: sqlite3.Connection,
    room_id: int | None,
    query: RoomArchiveQuery,
    span: tuple[int, int],
    edges: tuple[int, int],
) -> RoomArchivePage:
    """A page of the messages that the query names: few, so they are read one by one and filtered here."""
    seqs = sorted({_known_seq(connection, room_id, text) for text in query.ids})
    named = (connection.execute(_MESSAGE, (seq,)).fetchone() for seq in seqs if span[0] < seq < span[1])
    rows = [row for row in named if _fits(row, query)]
    inside = [row for row in rows[query.index or 0 :] if edges[0] < row[0] < edges[1]]
    shown = inside[max(len(inside) - query.limit, 0) :] if query.is_backward else inside[: query.limit]
    first = _first_seq(shown, query, span, edges)
    index = sum(row[0] < first for row in rows)
    return _counted(shown, query, is_complete=len(inside) <= query.limit, total=len(rows), index=index)


def _counted(
    rows: Sequence[Row], query: RoomArchiveQuery, *, is_complete: bool, total: int, index: int
) -> RoomArchivePage:
    messages = tuple(_message_from(row) for row in rows)
    if query.counted is not None and total > query.counted:
        return RoomArchivePage(messages, is_complete, None, None)
    if query.index is not None and not rows:
        # Nothing is there: what would be the first of the page is behind the last one of all.
        index = min(query.index, total)
    return RoomArchivePage(messages, is_complete, total, index)


def _fits(row: Row, query: RoomArchiveQuery) -> bool:
    return (
        (query.nick is None or row[4] == query.nick)
        and (query.start is None or row[2] >= query.start)
        and (query.end is None or row[2] <= query.end)
    )


def _first_seq(rows: Sequence[Row], query: RoomArchiveQuery, span: tuple[int, int], edges: tuple[int, int]) -> int:
    """Where the page begins; an empty one begins where its first message would be."""
    if rows:
        return int(rows[0][0])
    return min(span[1], edges[1]) if query.is_backward else max(span[0], edges[0]) + 1


def _between(
    connection: sqlite3.Connection, room_id: int | None, after_id: str | None, before_id: str | None
) -> tuple[int, int]:
    """Exclusive positions that two ids name; raises NotFound("item-not-found")."""
    after = 0 if after_id is None else _known_seq(connection, room_id, after_id)
    before = END if before_id is None else _known_seq(connection, room_id, before_id)
    return after, before


def _bounds_by_time(connection: sqlite3.Connection, start: int | None, end: int | None) -> tuple[int, int]:
    """Exclusive positions between which all messages from `start` to `end` lie; see `times.bounds_by_time`."""
    after, before = 0, END
    if start is not None:
        row = connection.execute(_FIRST_SINCE, (start,)).fetchone()
        after = END if row is None else row[0] * BLOCK - 1
    if end is not None:
        row = connection.execute(_LAST_UNTIL, (end,)).fetchone()
        before = 0 if row is None else (row[0] + 1) * BLOCK
    return after, before


def _known_seq(connection: sqlite3.Connection, room_id: int | None, message_id: str) -> int:
    seq = _seq_of(connection, room_id, message_id)
    if seq is None:
        raise NotFound("item-not-found")
    return seq


def _seq_of(connection: sqlite3.Connection, room_id: int | None, message_id: str) -> int | None:
    try:
        row = connection.execute(_SEQ_OF, (id_to_blob(message_id), room_id)).fetchone()
    except ValueError:
        return None
    return None if row is None else int(row[0])


def _room(connection: sqlite3.Connection, address: str) -> int | None:
    row = connection.execute(_ID, (address,)).fetchone()
    return None if row is None else int(row[0])


def _message(connection: sqlite3.Connection, seq: int) -> RoomMessage:
    return _message_from(connection.execute(_MESSAGE, (seq,)).fetchone())


def _message_from(row: Row) -> RoomMessage:
    return RoomMessage(blob_to_id(row[1]), row[2], row[3], row[4], row[5], bool(row[6]))
