"""`ConversationStore` on SQLite. The classes are written with the messages that raise them, in `append.py`."""

from __future__ import annotations

from parley.domain.messages import Confidentiality
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import CONFIDENTIALITY_OF
from parley.storage.sqlite.sql import sql

_CONFIDENTIALITY = sql("conversations.confidentiality")


class SqliteConversations:
    """What is known of a conversation beside its messages."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def confidentiality(self, a: str, b: str) -> Confidentiality | None:
        """The class of the conversation between two addresses (in any order)."""
        pair = sorted((a, b))
        row = await self._readers.run(lambda connection: connection.execute(_CONFIDENTIALITY, pair).fetchone())
        return None if row is None else CONFIDENTIALITY_OF[row[0]]
