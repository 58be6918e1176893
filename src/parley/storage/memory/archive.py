"""Preferences, conversations and the index of words in memory."""

from __future__ import annotations

from collections.abc import Callable

from parley.domain.archive.inbox import Conversation, InboxPage, InboxQuery, cut
from parley.domain.archive.preferences import Preferences
from parley.domain.errors import NotFound
from parley.domain.messages import Confidentiality, Direction
from parley.storage.memory.messages import MemoryMessages, words_of
from parley.storage.memory.state import Tables


class MemoryPreferences:
    """What accounts want to have archived."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, account_id: int) -> Preferences | None:
        """What an account chose."""
        table = self._tables.accounts.get(account_id)
        return None if table is None else table.preferences

    async def put(self, account_id: int, preferences: Preferences) -> None:
        """Replace it."""
        self._tables.account(account_id).preferences = preferences


class MemoryInbox:
    """Conversations, read off the log."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def inbox(self, query: InboxQuery) -> InboxPage:
        """One page of conversations."""
        after = None if query.after_id is None else self._archived_seq(query.account_id, query.after_id)
        before = None if query.before_id is None else self._archived_seq(query.account_id, query.before_id)
        every = self._conversations(query)
        unread = [each for each in every if each.unread]
        listed = unread if query.is_unread_only else every
        start, end = cut([each.latest.seq for each in listed], query, after, before)
        return InboxPage(
            entries=tuple(listed[start:end]),
            is_complete=(start == 0) if query.is_backward else (end == len(listed)),
            index=start,
            listed=len(listed),
            conversations=len(every),
            unread=len(unread),
            unread_messages=sum(each.unread for each in unread),
        )

    def _conversations(self, query: InboxQuery) -> list[Conversation]:
        archive = MemoryMessages(self._tables).archive(query.account_id)
        found = []
        for peer in {message.peer for message in archive}:
            messages = [message for message in archive if message.peer == peer]
            said = [message for message in messages if self._tables.messages[message.seq].has_content]
            if said:
                seen = max(
                    self._tables.displayed.get((query.account_id, peer), 0),
                    self._seq_of(query.displayed.get(peer)),
                    *(message.seq for message in said if message.direction is Direction.OUT),
                    0,
                )
                unread = 0 if peer == query.address else sum(message.seq > seen for message in said)
                found.append(Conversation(peer, unread, messages[-1].id, said[-1]))
        return sorted(found, key=lambda each: -each.latest.seq)

    def _archived_seq(self, account_id: int, message_id: str) -> int:
        entries = self._tables.mailboxes.get(account_id, {}).items()
        for seq, entry in entries:
            if entry.is_archived and self._tables.messages[seq].id == message_id:
                return seq
        raise NotFound("item-not-found")

    def _seq_of(self, message_id: str | None) -> int:
        return next((seq for seq, message in self._tables.messages.items() if message.id == message_id), 0)


class MemoryTextIndex:
    """The words of messages that the server may read."""

    is_available = True

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def follow(self, text_of: Callable[[bytes], str]) -> bool:
        """Take in all messages that are not in it yet."""
        tables = self._tables
        for seq, message in tables.messages.items():
            if seq > tables.indexed_to and message.confidentiality is Confidentiality.MANAGED:
                tables.words[seq] = words_of(text_of(message.content))
        tables.indexed_to = tables.last_seq
        return False
