"""An account's conversations, the one with the latest message first.

Nothing is counted when messages come and go: what is unread follows from the log and from how far its owner has seen.
A message is read when its owner has said so of it or of a later one of the conversation, or has written later than it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from parley.domain.messages import StoredMessage

LOOKED_AT: Final = 10_000
"""Latest messages of a conversation that are looked at to count the unread; what lies before them is not counted."""


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """A page of conversations.

    Attributes:
        account_id: whose.
        address: the account's own address: what it notes to itself is never unread.
        displayed: for each peer, the id in the archive of a message up to which all was seen, as the account's devices
            tell each other; ids that are unknown count for nothing.
        is_unread_only: leaves out conversations without unread messages.
        after_id: conversations whose latest message is older than this message.
        before_id: conversations whose latest message is newer.
        is_backward: the last page of what there is before `before_id`.
        index: the page starts at the conversation of this number.
        limit: most conversations; 0 counts alone.
    """

    account_id: int
    address: str
    displayed: Mapping[str, str] = field(default_factory=dict)
    is_unread_only: bool = False
    after_id: str | None = None
    before_id: str | None = None
    is_backward: bool = False
    index: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages with one peer: how many are unread, the archive's last id, and the latest that says something."""

    peer: str
    unread: int
    last_id: str
    latest: StoredMessage


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Conversations, the latest first.

    `index` is the number of the first one among `listed`, how many the query is about; `conversations` and `unread`
    count all and those with unread messages, `unread_messages` these messages.
    """

    entries: tuple[Conversation, ...]
    is_complete: bool
    index: int
    listed: int
    conversations: int
    unread: int
    unread_messages: int


def cut(seqs: list[int], query: InboxQuery, after: int | None, before: int | None) -> tuple[int, int]:
    """Where in `seqs`, the positions of latest messages in falling order, the page begins and ends.

    `after` and `before` are the positions of the query's messages.
    """
    low = 0 if after is None else next((n for n, seq in enumerate(seqs) if seq < after), len(seqs))
    high = len(seqs) if before is None else next((n for n, seq in enumerate(seqs) if seq <= before), len(seqs))
    if query.index is not None:
        low = min(query.index, len(seqs))
    high = max(low, high)
    if query.is_backward:
        return max(low, high - query.limit), high
    return low, min(high, low + query.limit)
