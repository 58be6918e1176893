"""`ConversationStore` on SQLite."""

from __future__ import annotations

import sqlite3

from parley.domain.messages import Confidentiality
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import CONFIDENTIALITY_CODE, CONFIDENTIALITY_OF
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_CONFIDENTIALITY = sql("conversations.confidentiality")
_RAISE_CONFIDENTIALITY = sql("conversations.raise_confidentiality")


class SqliteConversations:
    """What is known of a conversation beside its messages."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def confidentiality(self, a: str, b: str) -> Confidentiality | None:
        """The class of the conversation between two addresses (in any order)."""
        pair = sorted((a, b))
        row = await self._readers.run(lambda connection: connection.execute(_CONFIDENTIALITY, pair).fetchone())
        return None if row is None else CONFIDENTIALITY_OF[row[0]]

    async def raise_confidentiality(self, a: str, b: str, confidentiality: Confidentiality) -> None:
        """Store the class unless a higher one is stored."""
        values = (*sorted((a, b)), CONFIDENTIALITY_CODE[confidentiality])

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_RAISE_CONFIDENTIALITY, values)

        await self._writer.run(change)
