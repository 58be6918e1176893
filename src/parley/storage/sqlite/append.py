"""Writing a run of messages: all at once when nothing is odd, one by one when something is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from parley.domain.errors import StorageUnavailable
from parley.domain.messages import LOOKED_BACK, Appended, ConversationClass, MailboxEntry, NewMessage
from parley.storage.sqlite import failures
from parley.storage.sqlite.addresses import AddressBook
from parley.storage.sqlite.rows import CONFIDENTIALITY_CODE, DIRECTION_CODE, blob_to_id
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.times import note_times
from parley.storage.sqlite.work import Append

_LAST_SEQ = sql("messages.last_seq")
_ADD = sql("messages.add")
_ADD_ENTRY = sql("messages.add_entry")
_FIND_DUPLICATE = sql("messages.find_duplicate")
_ACCOUNT_EXISTS = sql("messages.account_exists")
_RAISE_CONFIDENTIALITY = sql("conversations.raise_confidentiality")
_DISPLAYED = sql("archive.displayed")
_RETRACTED = sql("archive.retracted")
_REPLACE_CONTENT = sql("archive.replace_content")
_QUEUE = sql("outgoing.put")

AppendResult = Appended | StorageUnavailable


def append_run(connection: sqlite3.Connection, book: AddressBook, run: Sequence[Append]) -> list[AppendResult]:
    """Write messages that stand together in the queue; the results are in their order.

    Raises:
        sqlite3.Error: only fatal ones, after which the whole transaction has to be rolled back.
    """
    for item in run:
        _intern(connection, book, item)
    connection.execute("SAVEPOINT run")
    try:
        results = _append_together(connection, book, run)
    except sqlite3.Error as error:
        if failures.fatal_code(error):
            raise
        results = None
    if results is None:
        # A message sent again, an id used twice or an account just removed: find out which, message by message.
        connection.execute("ROLLBACK TO run")
        results = [_append_guarded(connection, book, item) for item in run]
    new = list(_new(run, results))
    note_times(connection, ((seq, message.received_at) for seq, message in new))
    _raise_classes(connection, [message.raises for _, message in new if message.raises is not None])
    for seq, message in new:
        if message.displays is not None or message.retracts is not None:
            _work_back(connection, book, seq, message)
    if any(message.outgoing is not None for _, message in new):
        results = [_queued(connection, item.message, result) for item, result in zip(run, results, strict=True)]
    connection.execute("RELEASE run")
    return results


def _new(run: Sequence[Append], results: Sequence[AppendResult]) -> Iterator[tuple[int, NewMessage]]:
    for item, result in zip(run, results, strict=True):
        if isinstance(result, Appended) and not result.is_duplicate:
            yield result.seq, item.message


def _queued(connection: sqlite3.Connection, message: NewMessage, result: AppendResult) -> AppendResult:
    """Let a message just added wait for a partner, if it is for one."""
    way = message.outgoing
    if way is None or not isinstance(result, Appended) or result.is_duplicate:
        return result
    cursor = connection.execute(_QUEUE, (way.local, way.remote, message.received_at, message.content))
    return replace(result, outgoing=cursor.lastrowid or 0)


def _raise_classes(connection: sqlite3.Connection, raised: Sequence[ConversationClass]) -> None:
    if raised:
        rows = [(each.first, each.second, CONFIDENTIALITY_CODE[each.confidentiality]) for each in raised]
        connection.executemany(_RAISE_CONFIDENTIALITY, rows)


def _work_back(connection: sqlite3.Connection, book: AddressBook, seq: int, message: NewMessage) -> None:
    """Do what a message just added does to earlier ones."""
    values: dict[str, Any] = {"before": seq, "looked_back": LOOKED_BACK}
    displays, retracts = message.displays, message.retracts
    if displays is not None:
        values |= {"account": displays.account_id, "target": displays.target}
        connection.execute(_DISPLAYED, {**values, "peer": book.id_of(connection, displays.peer)})
    if retracts is not None:
        values["target"] = retracts.target
        for entry in message.entries:
            values |= {"account": entry.account_id, "direction": DIRECTION_CODE[entry.direction]}
            row = connection.execute(_RETRACTED, {**values, "peer": book.id_of(connection, entry.peer)}).fetchone()
            if row is not None:
                # Both mailboxes hold the one message.
                connection.execute(_REPLACE_CONTENT, (retracts.tombstone(row[1]), row[0]))
                break


def _intern(connection: sqlite3.Connection, book: AddressBook, item: Append) -> None:
    # Before the savepoint: what the cache knows must not be rolled back with a single message.
    message = item.message
    book.id_of(connection, message.sender)
    book.id_of(connection, message.recipient)
    for entry in message.entries:
        book.id_of(connection, entry.peer)
    if message.displays is not None:
        book.id_of(connection, message.displays.peer)


def _append_together(
    connection: sqlite3.Connection, book: AddressBook, run: Sequence[Append]
) -> list[AppendResult] | None:
    row = connection.execute(_LAST_SEQ).fetchone()
    first = (row[0] if row else 0) + 1
    messages: list[tuple[Any, ...]] = []
    entries: list[tuple[Any, ...]] = []
    for seq, item in enumerate(run, first):
        messages.append(_message_row(connection, book, seq, item, len(item.message.entries)))
        entries += [_entry_row(connection, book, seq, entry, item) for entry in item.message.entries]
    before = connection.total_changes
    connection.executemany(_ADD, messages)
    if connection.total_changes - before != len(messages):
        return None
    # Neighbours in the mailbox tables one after the other: a fifth cheaper than in the order of the messages.
    entries.sort()
    connection.executemany(_ADD_ENTRY, entries)
    return [Appended(seq, item.message.id) for seq, item in enumerate(run, first)]


def _append_guarded(connection: sqlite3.Connection, book: AddressBook, item: Append) -> AppendResult:
    connection.execute("SAVEPOINT message")
    try:
        result: AppendResult = _append_one(connection, book, item)
    except sqlite3.Error as error:
        if failures.fatal_code(error):
            raise
        connection.execute("ROLLBACK TO message")
        result = failures.unavailable(error)
    connection.execute("RELEASE message")
    return result


def _append_one(connection: sqlite3.Connection, book: AddressBook, item: Append) -> Appended:
    if item.message.dedup_key is not None:
        row = connection.execute(_FIND_DUPLICATE, (item.message.dedup_key,)).fetchone()
        if row is not None:
            return Appended(row[0], blob_to_id(row[1]), is_duplicate=True)
    entries = [
        entry
        for entry in item.message.entries
        if connection.execute(_ACCOUNT_EXISTS, (entry.account_id,)).fetchone() is not None
    ]
    cursor = connection.execute(_ADD, _message_row(connection, book, None, item, len(entries)))
    seq = cursor.lastrowid or 0
    connection.executemany(_ADD_ENTRY, [_entry_row(connection, book, seq, entry, item) for entry in entries])
    return Appended(seq, item.message.id)


def _message_row(
    connection: sqlite3.Connection, book: AddressBook, seq: int | None, item: Append, holders: int
) -> tuple[Any, ...]:
    message = item.message
    return (
        seq,
        item.id,
        message.received_at,
        book.id_of(connection, message.sender),
        book.id_of(connection, message.recipient),
        CONFIDENTIALITY_CODE[message.confidentiality],
        holders,
        message.dedup_key,
        message.content,
        message.client_id or None,
        message.origin_id if message.origin_id not in ("", message.client_id) else None,
    )


def _entry_row(
    connection: sqlite3.Connection, book: AddressBook, seq: int, entry: MailboxEntry, item: Append
) -> tuple[Any, ...]:
    return (
        entry.account_id,
        seq,
        book.id_of(connection, entry.peer),
        DIRECTION_CODE[entry.direction],
        entry.is_archived,
        entry.is_mailed,
        item.message.received_at,
        item.message.has_content,
    )
