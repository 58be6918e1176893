"""Messages on their way into the log and out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
class Submission:
    """A message as an edge hands it to the pipeline.

    `sender` and `recipient` are addresses (`name@domain`), the devices are resources or empty. `sender_id` and
    `recipient_id` are account ids, None for people elsewhere. `content` is the stanza as it will be routed,
    opaque here. `unstamped` is what of it the sender's software wrote: the same when another session of the account
    sends the message again under its `origin_id`.
    `is_archived`: belongs in the archives; `is_mailed`: waits for its recipient when nobody is there.
    `is_copied`: the other devices of both parties get a copy. `has_content`: somebody says something, as opposed to a
    receipt. `is_sealed`: the content is end-to-end encrypted.
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


@dataclass(frozen=True, slots=True)
class Appended:
    """The log's answer: the message is committed and synced at `seq`.

    With `is_duplicate` it had been before, under `id`, and must not be routed again.
    """

    seq: int
    id: str
    is_duplicate: bool = False


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


@dataclass(frozen=True, slots=True)
class ArchiveQuery:
    """A page of one account's archive (XEP-0313 and 0059 in the domain's words).

    `start` and `end` are inclusive, microseconds since the epoch. `after_id` and `before_id` are exclusive message ids;
    with `is_backward` the page is the last one before `before_id` (or of all). `limit` counts messages.

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


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """Messages in log order. `index` is the place of the first one among the `total` that match.

    Both are None when more match than the query wanted to have counted.
    """

    messages: tuple[StoredMessage, ...]
    is_complete: bool
    total: int | None
    index: int | None
