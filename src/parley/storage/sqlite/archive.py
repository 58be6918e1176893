"""`PreferenceStore` and `InboxStore` on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from parley.domain.archive.inbox import LOOKED_AT, Conversation, InboxPage, InboxQuery, cut
from parley.domain.archive.preferences import Keep, Preferences
from parley.storage.sqlite.pages import archived_seq, read_entry
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import blob_to_id, id_to_blob
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_PREFERENCES = sql("archive.preferences")
_CHOOSE = sql("archive.choose")
_CONVERSATIONS = sql("archive.conversations")
_LAST_SENT = sql("archive.last_sent")
_UNREAD = sql("archive.unread")
_LAST_OF_PEER = sql("archive.last_of_peer")
_SEQ_OF = sql("archive.seq_of")


class SqlitePreferences:
    """What accounts want to have archived."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def get(self, account_id: int) -> Preferences | None:
        """What an account chose, None when it never did."""
        row = await self._readers.run(lambda connection: connection.execute(_PREFERENCES, (account_id,)).fetchone())
        if row is None:
            return None
        return Preferences(Keep(row[0]), tuple(json.loads(row[1])), tuple(json.loads(row[2])))

    async def put(self, account_id: int, preferences: Preferences) -> None:
        """Replace it; raises NotFound("account-not-found")."""
        lists = (json.dumps(preferences.always), json.dumps(preferences.never))

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_CHOOSE, (account_id, preferences.default.value, *lists))

        await self._writer.run(change)


@dataclass(frozen=True, slots=True)
class _Found:
    """A conversation before its messages are read: `latest` is the position of the last message with content."""

    peer_id: int
    peer: str
    latest: int
    unread: int


class SqliteInbox:
    """Conversations, read off the log.

    A query takes as many steps as the account has conversations, and reads messages only for its page.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def inbox(self, query: InboxQuery) -> InboxPage:
        """One page of conversations; see the port."""
        return await self._readers.run(lambda connection: read_inbox(connection, query))


def read_inbox(connection: sqlite3.Connection, query: InboxQuery) -> InboxPage:
    """One page of conversations, read in one transaction; see `InboxStore`."""
    after = None if query.after_id is None else archived_seq(connection, query.account_id, query.after_id)
    before = None if query.before_id is None else archived_seq(connection, query.account_id, query.before_id)
    every = _conversations(connection, query)
    unread = [each for each in every if each.unread]
    listed = unread if query.is_unread_only else every
    start, end = cut([each.latest for each in listed], query, after, before)
    return InboxPage(
        entries=tuple(_entry(connection, query.account_id, each) for each in listed[start:end]),
        is_complete=(start == 0) if query.is_backward else (end == len(listed)),
        index=start,
        listed=len(listed),
        conversations=len(every),
        unread=len(unread),
        unread_messages=sum(each.unread for each in unread),
    )


def _conversations(connection: sqlite3.Connection, query: InboxQuery) -> Sequence[_Found]:
    """All conversations in which somebody said something, the latest first."""
    found = []
    for peer_id, peer, latest, displayed in connection.execute(_CONVERSATIONS, {"account": query.account_id}):
        if latest is not None:
            seen = max(displayed, _seq_of(connection, query.displayed.get(peer)))
            is_read = peer == query.address or latest <= seen
            unread = 0 if is_read else _unread(connection, query.account_id, peer_id, seen)
            found.append(_Found(peer_id, peer, latest, unread))
    return sorted(found, key=lambda each: -each.latest)


def _unread(connection: sqlite3.Connection, account_id: int, peer_id: int, seen: int) -> int:
    values = {"account": account_id, "peer": peer_id, "after": seen, "looked_back": LOOKED_AT}
    sent = connection.execute(_LAST_SENT, values).fetchone()
    if sent is not None:
        values["after"] = sent[0]
    (unread,) = connection.execute(_UNREAD, values).fetchone()
    return int(unread)


def _seq_of(connection: sqlite3.Connection, message_id: str | None) -> int:
    if message_id is None:
        return 0
    try:
        row = connection.execute(_SEQ_OF, (id_to_blob(message_id),)).fetchone()
    except ValueError:
        return 0
    return 0 if row is None else int(row[0])


def _entry(connection: sqlite3.Connection, account_id: int, found: _Found) -> Conversation:
    (last,) = connection.execute(_LAST_OF_PEER, {"account": account_id, "peer": found.peer_id}).fetchone()
    return Conversation(found.peer, found.unread, blob_to_id(last), read_entry(connection, account_id, found.latest))
