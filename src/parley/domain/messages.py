"""Messages on their way into the log and out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LOOKED_BACK: Final = 2_000
"""Messages of one side of a conversation among which another message's target is looked for."""


class Confidentiality(StrEnum):
    """Which machine may read the content; stored with every message and never silently lowered."""

    SEALED = "sealed"
    SEALED_ARCHIVE = "sealed+archive"
    MANAGED = "managed"

    @property
    def rank(self) -> int:
        """Higher means fewer readers outside the conversation."""
        return _RANK[self]


_RANK = {Confidentiality.MANAGED: 0, Confidentiality.SEALED_ARCHIVE: 1, Confidentiality.SEALED: 2}


class Direction(StrEnum):
    """Whether the owner of a mailbox entry received or sent the message."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Retraction:
    """An author takes a message of theirs back.

    `target` is what its author's software called the message, `tombstone` makes of its content what stays of it.
    """

    target: str
    tombstone: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message goes to a partner's server: from which domain of ours to which of theirs."""

    local: str
    remote: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A message as an edge hands it to the pipeline.

    `sender` and `recipient` are addresses (`name@domain`), the devices are resources or empty. `sender_id` and
    `recipient_id` are account ids, None for people elsewhere. `content` is the stanza as it will be routed,
    opaque here. `unstamped` is what of it the sender's software wrote: the same when another session of the account
    sends the message again under its `origin_id`.
    `is_archived`: belongs in the archives; `is_mailed`: waits for its recipient when nobody is there.
    `is_copied`: the other devices of both parties get a copy. `has_content`: somebody says something, as opposed to a
    receipt. `is_sealed`: the content is end-to-end encrypted. `client_id`: what the sender's software calls it, beside
    `origin_id`. `displays`: what the recipient's software calls the message up to which the sender has seen all; empty
    for none. `is_remark`: what it says is about another message, which it takes back. `is_kept_by_sender` and
    `is_kept_by_recipient`: what their archives' preferences say of it.
    """

    sender: str
    sender_device: str
    sender_id: int | None
    recipient: str
    recipient_device: str
    recipient_id: int | None
    content: bytes
    origin_id: str = ""
    unstamped: bytes = b""
    is_archived: bool = True
    is_mailed: bool = True
    is_copied: bool = True
    has_content: bool = True
    is_sealed: bool = False
    client_id: str = ""
    displays: str = ""
    retracts: Retraction | None = None
    is_remark: bool = False
    is_kept_by_sender: bool = True
    is_kept_by_recipient: bool = True
    outgoing: Outgoing | None = None


@dataclass(frozen=True, slots=True)
class Displayed:
    """The owner of a mailbox has seen what `peer` sent up to the message that the peer's software calls `target`."""

    account_id: int
    peer: str
    target: str


@dataclass(frozen=True, slots=True)
class MailboxEntry:
    """Puts a message into the mailbox of `account_id`; `peer` is the other party's address (`name@domain`)."""

    account_id: int
    peer: str
    direction: Direction
    is_archived: bool
    is_mailed: bool


@dataclass(frozen=True, slots=True)
class ConversationClass:
    """The class of the conversation between two addresses (`name@domain`), which stand in order."""

    first: str
    second: str
    confidentiality: Confidentiality


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What COMMIT writes: one message with its mailbox entries, in one transaction.

    `id` is a UUIDv7 in its 36-character text form. `dedup_key` is None or 16 bytes that are equal for a message sent
    again; the log then keeps the first one. `raises` is the class that the conversation has with this message, unless
    it has a higher one; None where the message does not change it.

    `has_content`: somebody says something. `client_id` and `origin_id` are what later messages may call it by.
    `displays` and `retracts` are what it does to earlier ones; both look for them among the conversation's latest
    `LOOKED_BACK` messages of the author that they are about, and do nothing when there is none. With
    `outgoing` it is queued for a partner's server too, whether or not a mailbox holds it.
    """

    id: str
    received_at: int
    sender: str
    recipient: str
    confidentiality: Confidentiality
    content: bytes
    entries: tuple[MailboxEntry, ...]
    dedup_key: bytes | None = None
    raises: ConversationClass | None = None
    has_content: bool = True
    client_id: str = ""
    origin_id: str = ""
    displays: Displayed | None = None
    retracts: Retraction | None = None
    outgoing: Outgoing | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """The log's answer: the message is committed and synced at `seq`.

    With `is_duplicate` it had been before, under `id`, and must not be routed again. `outgoing` is its number among
    what waits for partners, 0 when it does not.
    """

    seq: int
    id: str
    is_duplicate: bool = False
    outgoing: int = 0


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as a mailbox shows it. `seq` is its place in the log, `received_at` microseconds since the epoch."""

    seq: int
    id: str
    received_at: int
    sender: str
    recipient: str
    peer: str
    direction: Direction
    confidentiality: Confidentiality
    content: bytes
    is_archived: bool = True


@dataclass(frozen=True, slots=True)
class ArchiveQuery:
    """A page of one account's archive (XEP-0313 and 0059 in the domain's words).

    What matches: messages with `peer`, from or to its device `device` when one is given, between `start` and `end`
    (inclusive, microseconds since the epoch), behind the message `newer_than`, before `older_than`, with one of `ids`,
    and with all `words`, which only messages have that are indexed. Empty and None leave something out of account.

    Which of them: `after_id` and `before_id` are exclusive; with `is_backward` the page is the last one before
    `before_id` (or of all). With `index` it starts at the message of that number among all that match. `limit` counts
    messages.

    Counting costs time for each message that matches, so it ends at `counted` of them; None counts all.
    """

    account_id: int
    peer: str | None = None
    start: int | None = None
    end: int | None = None
    after_id: str | None = None
    before_id: str | None = None
    ids: tuple[str, ...] = ()
    is_backward: bool = False
    limit: int = 50
    counted: int | None = 5_000
    device: str = ""
    newer_than: str | None = None
    older_than: str | None = None
    words: str = ""
    index: int | None = None


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """Messages in log order. `index` is the place of the first one among the `total` that match.

    Both are None when more match than the query wanted to have counted. Without `is_stable` some of what matches may
    not be known yet.
    """

    messages: tuple[StoredMessage, ...]
    is_complete: bool
    total: int | None
    index: int | None
    is_stable: bool = True
