"""The message log in memory."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from dataclasses import replace

from parley.domain.errors import NotFound
from parley.domain.messages import (
    LOOKED_BACK,
    Appended,
    ArchivePage,
    ArchiveQuery,
    ConversationClass,
    Direction,
    MailboxEntry,
    NewMessage,
    Retraction,
    StoredMessage,
)
from parley.domain.ports import AppendDone
from parley.storage.memory.state import Tables

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class MemoryMessages:
    """The log of messages with the mailboxes that hold them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._dedup: dict[bytes, int] = {}

    def append(self, message: NewMessage, done: AppendDone) -> None:
        """Write one message; `done` is called in the loop's next turn."""
        if _ID.fullmatch(message.id) is None:
            raise ValueError("not a UUID in canonical form")
        asyncio.get_running_loop().call_soon(done, self._append(message))

    async def page(self, query: ArchiveQuery) -> ArchivePage:
        """One page of an archive."""
        archive = self.archive(query.account_id)
        place = {message.id: message.seq for message in archive}
        ends = (query.newer_than, query.older_than, query.after_id, query.before_id)
        if any(name not in place for name in (*query.ids, *(end for end in ends if end is not None))):
            raise NotFound("item-not-found")
        low = 0 if query.newer_than is None else place[query.newer_than]
        high = self._tables.last_seq + 1 if query.older_than is None else place[query.older_than]
        matching = [message for message in archive if low < message.seq < high and self._fits(message, query)]
        after = low if query.after_id is None else place[query.after_id]
        before = high if query.before_id is None else place[query.before_id]
        inside = [message for message in matching[query.index or 0 :] if after < message.seq < before]
        start = max(len(inside) - query.limit, 0) if query.is_backward else 0
        page = inside[start : start + query.limit]
        is_complete, is_stable = len(page) == len(inside), not query.words or self._is_indexed
        if query.counted is not None and len(matching) > query.counted:
            return ArchivePage(tuple(page), is_complete, None, None, is_stable)
        first = page[0].seq if page else before if query.is_backward else after + 1
        index = sum(message.seq < first for message in matching)
        if query.index is not None and not page:
            index = min(query.index, len(matching))
        return ArchivePage(tuple(page), is_complete, len(matching), index, is_stable)

    async def bounds(self, account_id: int) -> tuple[StoredMessage, StoredMessage] | None:
        """The first and the last archived message."""
        archive = self.archive(account_id)
        return (archive[0], archive[-1]) if archive else None

    async def pending(self, account_id: int, after: int, limit: int) -> list[StoredMessage]:
        """Mailed messages that came in behind the delivery cursor and behind `after`, in log order."""
        table = self._tables.accounts.get(account_id)
        if table is None:
            return []
        start = max(after, table.cursor)
        entries = self._tables.mailboxes[account_id].items()
        found = [
            self._stored(seq, entry)
            for seq, entry in entries
            if seq > start and entry.is_mailed and entry.direction is Direction.IN
        ]
        return found[:limit]

    async def sent_since(self, seq: int, limit: int) -> list[tuple[str, bytes]]:
        """Sender and content of the first messages behind a place of the log."""
        behind = [(message.sender, message.content) for at, message in self._tables.messages.items() if at > seq]
        return behind[:limit]

    async def last_seq(self) -> int:
        """The place of the newest message that the log ever had."""
        return self._tables.last_seq

    async def has_written(self, account_id: int, peer: str) -> bool:
        """Whether an account's archive has a message to `peer`."""
        both = [message for message in self.archive(account_id) if message.peer == peer]
        return any(message.direction is Direction.OUT for message in both[-LOOKED_BACK:])

    def delivered(self, account_id: int, seq: int) -> None:
        """Move the account's delivery cursor forward to `seq`."""
        table = self._tables.accounts.get(account_id)
        if table is not None:
            table.cursor = max(table.cursor, seq)

    async def purge(self, account_id: int | None, before: int) -> int:
        """Delete messages received before `before`; returns how many entries went."""
        tables = self._tables
        owners = list(tables.mailboxes) if account_id is None else [account_id]
        old = [
            (owner, seq)
            for owner in owners
            for seq in tables.mailboxes.get(owner, {})
            if tables.messages[seq].received_at < before
        ]
        self._delete(old)
        return len(old)

    async def sweep_delivered(self, limit: int, before: int | None = None) -> int:
        """Delete entries that are delivered and not archived, and messages no mailbox holds; returns how many."""
        tables = self._tables
        entries = [
            (owner, seq)
            for owner in sorted(tables.mailboxes)
            for seq, entry in tables.mailboxes[owner].items()
            if self._is_over(owner, seq, entry) and self._is_old(seq, before)
        ][:limit]
        self._delete(entries)
        unheld = [seq for seq, holders in tables.holders.items() if holders == 0 and self._is_old(seq, before)]
        unheld = unheld[: limit - len(entries)]
        for seq in unheld:
            tables.delete_message(seq)
        return len(entries) + len(unheld)

    def _append(self, message: NewMessage) -> Appended:
        tables = self._tables
        first = self._duplicate_of(message)
        if first is not None:
            return Appended(first, tables.messages[first].id, is_duplicate=True)
        tables.last_seq += 1
        seq = tables.last_seq
        entries = [entry for entry in message.entries if entry.account_id in tables.accounts]
        tables.messages[seq] = message
        tables.holders[seq] = len(entries)
        for entry in entries:
            tables.mailboxes[entry.account_id][seq] = entry
        if message.dedup_key is not None:
            self._dedup[message.dedup_key] = seq
        if message.raises is not None:
            self._raise(message.raises)
        self._work_back(seq, message)
        way = message.outgoing
        number = 0 if way is None else tables.queue(way.local, way.remote, message.received_at, message.content)
        return Appended(seq, message.id, outgoing=number)

    def _work_back(self, seq: int, message: NewMessage) -> None:
        tables, displays, retracts = self._tables, message.displays, message.retracts
        if displays is not None and displays.account_id in tables.accounts:
            key = (displays.account_id, displays.peer)
            found = self._called(displays.target, *key, Direction.IN, seq)
            if found:
                tables.displayed[key] = max(found, tables.displayed.get(key, 0))
        if retracts is not None:
            self._retract(seq, message, retracts)

    def _retract(self, seq: int, message: NewMessage, retracts: Retraction) -> None:
        tables = self._tables
        for entry in message.entries:
            found = self._called(retracts.target, entry.account_id, entry.peer, entry.direction, seq)
            if found:
                first = tables.messages[found]
                tables.messages[found] = replace(first, content=retracts.tombstone(first.content))
                tables.words.pop(found, None)
                break

    def _called(self, target: str, account_id: int, peer: str, direction: Direction, before: int) -> int:
        """The latest message that its author calls `target`, 0 for none."""
        entries = self._tables.mailboxes.get(account_id, {}).items()
        of_author = [
            seq
            for seq, entry in entries
            if entry.is_archived and entry.peer == peer and entry.direction is direction and seq < before
        ]
        for seq in of_author[: -LOOKED_BACK - 1 : -1]:
            message = self._tables.messages[seq]
            if target in (message.client_id, message.origin_id):
                return seq
        return 0

    @property
    def _is_indexed(self) -> bool:
        return self._tables.indexed_to >= max(self._tables.messages, default=0)

    def _raise(self, raised: ConversationClass) -> None:
        pair = (raised.first, raised.second)
        known = self._tables.conversations.get(pair)
        if known is None or raised.confidentiality.rank > known.rank:
            self._tables.conversations[pair] = raised.confidentiality

    def _duplicate_of(self, message: NewMessage) -> int | None:
        seq = None if message.dedup_key is None else self._dedup.get(message.dedup_key)
        return seq if seq in self._tables.messages else None

    def archive(self, account_id: int) -> list[StoredMessage]:
        """All archived messages of an account."""
        entries = self._tables.mailboxes.get(account_id, {}).items()
        return [self._stored(seq, entry) for seq, entry in entries if entry.is_archived]

    def _stored(self, seq: int, entry: MailboxEntry) -> StoredMessage:
        message = self._tables.messages[seq]
        return StoredMessage(
            seq=seq,
            id=message.id,
            received_at=message.received_at,
            sender=message.sender,
            recipient=message.recipient,
            peer=entry.peer,
            direction=entry.direction,
            confidentiality=message.confidentiality,
            content=message.content,
            is_archived=entry.is_archived,
        )

    def _is_over(self, account_id: int, seq: int, entry: MailboxEntry) -> bool:
        waits = entry.is_mailed and entry.direction is Direction.IN and seq > self._tables.accounts[account_id].cursor
        return not entry.is_archived and not waits

    def _is_old(self, seq: int, before: int | None) -> bool:
        return before is None or self._tables.messages[seq].received_at < before

    def _delete(self, entries: list[tuple[int, int]]) -> None:
        for account_id, seq in entries:
            self._tables.delete_entry(account_id, seq)

    def _fits(self, message: StoredMessage, query: ArchiveQuery) -> bool:
        words = words_of(query.words)
        if query.words and not (words and words <= self._tables.words.get(message.seq, frozenset())):
            return False
        return _fits(message, query)


def words_of(text: str) -> frozenset[str]:
    """The words of a text without case and accents."""
    plain = "".join(each for each in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(each))
    return frozenset(re.findall(r"[^\W_]+", plain))


def _fits(message: StoredMessage, query: ArchiveQuery) -> bool:
    return (
        (not query.ids or message.id in query.ids)
        and (query.peer is None or message.peer == query.peer)
        and (not query.device or query.device in (message.sender, message.recipient))
        and (query.start is None or message.received_at >= query.start)
        and (query.end is None or message.received_at <= query.end)
    )
