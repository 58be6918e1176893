"""One page of an account's archive, read in one transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from parley.domain.errors import NotFound
from parley.domain.messages import ArchivePage, ArchiveQuery, StoredMessage
from parley.storage.sqlite.rows import blob_to_id, id_to_blob, message_from
from parley.storage.sqlite.search import has_words, is_in_step, match_of
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.times import END, bounds_by_time

_FIND_ARCHIVED = sql("messages.find_archived")
_ENTRY = sql("messages.entry")
# By what the query is about, and whether it pages backward.
_PAGE = {
    ("all", False): sql("messages.page_forward"),
    ("all", True): sql("messages.page_backward"),
    ("peer", False): sql("messages.page_forward_by_peer"),
    ("peer", True): sql("messages.page_backward_by_peer"),
    ("words", False): sql("search.page_forward"),
    ("words", True): sql("search.page_backward"),
}
_COUNT = {
    "all": sql("messages.count"),
    "peer": sql("messages.count_by_peer"),
    "device": sql("messages.count_by_device"),
    "words": sql("search.count"),
}


def read_page(connection: sqlite3.Connection, query: ArchiveQuery) -> ArchivePage:
    """One page; see `MessageLog.page`."""
    account = query.account_id
    span = _between(connection, account, query.newer_than, query.older_than)
    edges = _between(connection, account, query.after_id, query.before_id)
    match = match_of(query.words, account) if query.words else None
    if match == "":
        # Words without a letter: there is nothing to find.
        return ArchivePage((), is_complete=True, total=0, index=0)
    if query.ids:
        return _page_of_ids(connection, query, span, edges, match)
    # What matches lies between these; the page is inside.
    earliest, latest = bounds_by_time(connection, query.start, query.end)
    after, before = max(span[0], earliest), min(span[1], latest)
    values: dict[str, Any] = {
        "account": account,
        "peer": query.peer,
        "device": query.device,
        "match": match,
        "after": max(after, edges[0]),
        "before": min(before, edges[1]),
        "start": -END if query.start is None else query.start,
        "end": END if query.end is None else query.end,
        # One more than asked for tells whether the page is the last one.
        "limit": query.limit + 1,
        "skipped": query.index or 0,
    }
    subject = "words" if match else "all" if query.peer is None else "peer"
    rows = connection.execute(_PAGE[subject, query.is_backward], values).fetchall()
    messages = _cut([message_from(row) for row in rows], query)
    values |= {"after": after, "before": before, "first": _first_seq(messages, query, span, edges)}
    values["counted"] = END if query.counted is None else query.counted + 1
    counter = "device" if subject == "peer" and query.device else subject
    total, index = connection.execute(_COUNT[counter], values).fetchone()
    is_stable = not match or is_in_step(connection)
    return _counted(ArchivePage(messages, len(rows) <= query.limit, total, index, is_stable), query)


def read_entry(connection: sqlite3.Connection, account_id: int, seq: int) -> StoredMessage:
    """The message at a position, which the account's mailbox holds."""
    return message_from(connection.execute(_ENTRY, {"account": account_id, "seq": seq}).fetchone())


def archived_seq(connection: sqlite3.Connection, account_id: int, message_id: str) -> int:
    """The position of an archived message; raises NotFound("item-not-found")."""
    try:
        blob = id_to_blob(message_id)
    except ValueError as error:
        raise NotFound("item-not-found") from error
    row = connection.execute(_FIND_ARCHIVED, {"id": blob, "account": account_id}).fetchone()
    # An id is a text: the same number written otherwise is another one.
    if row is None or blob_to_id(blob) != message_id:
        raise NotFound("item-not-found")
    return int(row[0])


def _page_of_ids(
    connection: sqlite3.Connection,
    query: ArchiveQuery,
    span: tuple[int, int],
    edges: tuple[int, int],
    match: str | None,
) -> ArchivePage:
    """A page of the messages that the query names: few, so they are read one by one and filtered here."""
    seqs = sorted({archived_seq(connection, query.account_id, text) for text in query.ids})
    if match:
        seqs = [seq for seq in seqs if has_words(connection, match, seq)]
    inside = (seq for seq in seqs if span[0] < seq < span[1])
    matching = [
        message for message in (read_entry(connection, query.account_id, seq) for seq in inside) if fits(message, query)
    ]
    paged = [message for message in matching[query.index or 0 :] if edges[0] < message.seq < edges[1]]
    if query.is_backward:
        paged.reverse()
    messages = _cut(paged[: query.limit + 1], query)
    first = _first_seq(messages, query, span, edges)
    index = sum(message.seq < first for message in matching)
    is_stable = not match or is_in_step(connection)
    return _counted(ArchivePage(messages, len(paged) <= query.limit, len(matching), index, is_stable), query)


def _counted(page: ArchivePage, query: ArchiveQuery) -> ArchivePage:
    """The page without the numbers that the query did not want to have counted."""
    total = page.total or 0
    if query.counted is not None and total > query.counted:
        return replace(page, total=None, index=None)
    if query.index is not None and not page.messages:
        # Nothing is there: what would be the first of the page is behind the last one of all.
        return replace(page, index=min(query.index, total))
    return page


def fits(message: StoredMessage, query: ArchiveQuery) -> bool:
    """Whether a message matches what the query says of peer, device and time."""
    return (
        (query.peer is None or message.peer == query.peer)
        and (not query.device or query.device in (message.sender, message.recipient))
        and (query.start is None or message.received_at >= query.start)
        and (query.end is None or message.received_at <= query.end)
    )


def _cut(messages: list[StoredMessage], query: ArchiveQuery) -> tuple[StoredMessage, ...]:
    """The page out of what was read in paging order, in log order."""
    page = messages[: query.limit]
    return tuple(reversed(page) if query.is_backward else page)


def _first_seq(
    messages: tuple[StoredMessage, ...], query: ArchiveQuery, span: tuple[int, int], edges: tuple[int, int]
) -> int:
    """Where the page begins; an empty one begins where its first message would be."""
    if messages:
        return messages[0].seq
    return min(span[1], edges[1]) if query.is_backward else max(span[0], edges[0]) + 1


def _between(
    connection: sqlite3.Connection, account_id: int, after_id: str | None, before_id: str | None
) -> tuple[int, int]:
    """Exclusive positions that two ids name; raises NotFound("item-not-found")."""
    after = 0 if after_id is None else archived_seq(connection, account_id, after_id)
    before = END if before_id is None else archived_seq(connection, account_id, before_id)
    return after, before
