"""The index of words: an FTS5 table that follows the log behind its commits, so that no message waits for it.

It holds what the server may read: messages that are not sealed. `text_progress` says how far it has come; whatever is
deleted or replaced behind that point is noted by triggers in `text_outdated` and leaves the index with the next step.
Each step is a short transaction of its own and can be repeated: the point moves with what was added.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from parley.base import log as logs
from parley.domain.messages import Confidentiality
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import CONFIDENTIALITY_CODE, Row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

log = logs.get(__name__)

_HAS_INDEX = sql("search.has_index")
_CREATE = sql("search.create")
_DROP = sql("search.drop")
_PROGRESS = sql("search.progress")
_SET_PROGRESS = sql("search.set_progress")
_FORGET_PROGRESS = sql("search.forget_progress")
_LAST = sql("search.last")
_BEHIND = sql("search.behind")
_ACCOUNT = sql("search.account")
_ADD = sql("search.add")
_OUTDATED = sql("search.outdated")
_DELETE = sql("search.delete")
_DELETE_OUTDATED = sql("search.delete_outdated")
_FORGET_OUTDATED = sql("search.forget_outdated")
_MERGE = sql("search.merge")
_HAS_WORDS = sql("search.has_words")

_PIECE = 250
"""Messages in one step: some milliseconds of the writer."""

_MERGED_PAGES = 200
"""Pages of the index that one step may write anew so that words of deleted messages leave it."""


class SqliteTextIndex:
    """The words of messages that the server may read.

    Args:
        writer, readers: as for all stores.
        is_available: whether the index was prepared.
    """

    def __init__(self, writer: Writer, readers: Readers, *, is_available: bool) -> None:
        self._writer = writer
        self._readers = readers
        self._is_available = is_available

    @property
    def is_available(self) -> bool:
        """Whether there is one."""
        return self._is_available

    async def follow(self, text_of: Callable[[bytes], str]) -> bool:
        """Take the next step; see the port."""
        if not self._is_available:
            return False
        is_cleaning = await self._let_go()
        last, rows, entries = await self._readers.run(lambda connection: _next(connection, text_of))
        if not rows:
            return is_cleaning

        def change(connection: sqlite3.Connection) -> None:
            connection.executemany(_ADD, entries)
            connection.execute(_SET_PROGRESS, (rows[-1],))

        await self._writer.run(change)
        return is_cleaning or rows[-1] < last

    async def _let_go(self) -> bool:
        """Delete what is outdated; returns whether there may be more of it."""
        seqs: list[Row] = await self._readers.run(
            lambda connection: connection.execute(_OUTDATED, (_PIECE,)).fetchall()
        )
        if not seqs:
            return False

        def change(connection: sqlite3.Connection) -> None:
            connection.executemany(_DELETE, seqs)
            connection.executemany(_DELETE_OUTDATED, seqs)
            # A negative number of pages makes FTS5 merge all there is, in pieces; only what is merged is gone.
            connection.execute(_MERGE, (-_MERGED_PAGES,))

        await self._writer.run(change)
        return len(seqs) == _PIECE


def prepare(connection: sqlite3.Connection, *, is_wanted: bool | None) -> bool:
    """Make the index, or remove it where it is not wanted any more; returns whether there is one now.

    Args:
        connection: the writer's, outside of a transaction, with the newest schema.
        is_wanted: None for whatever there is.
    """
    is_there = connection.execute(_HAS_INDEX).fetchone() is not None
    if is_wanted is None or is_there == is_wanted:
        return is_there and _is_usable(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_CREATE if is_wanted else _DROP)
        connection.execute(_FORGET_OUTDATED)
        connection.execute(_FORGET_PROGRESS)
        if is_wanted:
            connection.execute(_SET_PROGRESS, (0,))
    except sqlite3.OperationalError as error:
        connection.execute("ROLLBACK")
        log.warning("there is no index of words", reason=str(error))
        return False
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return is_wanted


def match_of(words: str, account_id: int) -> str:
    """The FTS5 expression for messages of an account that have all of `words`; empty when none of them is a word."""
    # Quoted, so that nothing in them is an operator.
    quoted = ['"' + word.replace('"', '""') + '"' for word in words.split() if any(map(str.isalnum, word))]
    return f"owners : {_owner(account_id)} AND text : ({' AND '.join(quoted)})" if quoted else ""


def has_words(connection: sqlite3.Connection, match: str, seq: int) -> bool:
    """Whether the message at a position matches an expression of `match_of`."""
    return connection.execute(_HAS_WORDS, {"match": match, "seq": seq}).fetchone() is not None


def is_in_step(connection: sqlite3.Connection) -> bool:
    """Whether the index knows all messages."""
    (last,) = connection.execute(_LAST).fetchone()
    return _progress(connection) >= int(last)


def _is_usable(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute(_HAS_WORDS, {"match": "nothing", "seq": 0}).fetchone()
    except sqlite3.OperationalError as error:
        log.warning("there is no index of words", reason=str(error))
        return False
    return True


def _progress(connection: sqlite3.Connection) -> int:
    row = connection.execute(_PROGRESS).fetchone()
    return 0 if row is None else int(row[0])


def _next(
    connection: sqlite3.Connection, text_of: Callable[[bytes], str]
) -> tuple[int, list[int], Sequence[tuple[int, str, str, bytes]]]:
    """The last position of the log, the next ones to follow, and of those what goes into the index."""
    (last,) = connection.execute(_LAST).fetchone()
    rows = connection.execute(_BEHIND, (_progress(connection), _PIECE)).fetchall()
    entries = []
    for seq, content, confidentiality, sender, recipient in rows:
        if confidentiality == CONFIDENTIALITY_CODE[Confidentiality.MANAGED]:
            text = text_of(content)
            if text:
                entries.append((seq, text, _owners(connection, sender, recipient), content))
    return last, [row[0] for row in rows], entries


def _owners(connection: sqlite3.Connection, *addresses: str) -> str:
    """The accounts of ours among a message's sender and recipient, each as one word."""
    bare = {address.partition("/")[0] for address in addresses}
    found = (connection.execute(_ACCOUNT, (address,)).fetchone() for address in sorted(bare))
    return " ".join(_owner(row[0]) for row in found if row is not None)


def _owner(account_id: int) -> str:
    return f"a{account_id}"
