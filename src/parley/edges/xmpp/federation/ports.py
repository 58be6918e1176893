"""What the streams to other servers ask of who decides about partners, and of who keeps what waits for them.

Domains are in the form of `JID.domain`: prepared, lower case, without a trailing dot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from parley.protocols.xmpp.errors import StanzaCondition

if TYPE_CHECKING:
    from parley.domain.errors import StorageUnavailable


class Direction(StrEnum):
    """Seen from here."""

    IN = "in"
    OUT = "out"


class Kind(StrEnum):
    """What a stanza is to an agreement with a partner."""

    MESSAGES = "messages"
    PRESENCE = "presence"
    FILES = "files"
    ROOMS = "rooms"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class Pair:
    """A domain of ours (or a service below it) and a partner's: what one stream is authenticated for."""

    local: str
    remote: str

    def __str__(self) -> str:
        return f"{self.local} <-> {self.remote}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule said no.

    Attributes:
        rule: its stable name in kebab case, for logs, metrics and operators, such as `no-agreement`.
        condition: what the sender of a stanza is told.
        text: for people, in English; sent to the sender, so it names nothing internal.
        ends_streams: the streams that stanzas come in on are closed: an answer to each would be too much.
    """

    rule: str
    condition: StanzaCondition = StanzaCondition.NOT_ALLOWED
    text: str = ""
    ends_streams: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """Streams with a partner are welcome.

    Attributes:
        is_dialback_allowed: whether the domain name system may vouch for the partner where its certificate does not
            (XEP-0220); otherwise the certificate must be valid for its domain.
    """

    is_dialback_allowed: bool = False


class Policy(Protocol):
    """Who may talk with us, and how much. Asked often: answers come from memory and at once."""

    def outgoing(self, domain: str) -> Permission | Refusal:
        """Whether we open streams to the partner and send it stanzas."""
        ...

    def incoming(self, domain: str) -> Permission | Refusal:
        """Whether the partner may open streams to us and send us stanzas."""
        ...

    def stanza(self, domain: str, direction: Direction, kind: Kind, size_bytes: int) -> Refusal | float:
        """Whether one stanza may pass, which then counts; otherwise how many seconds to read no further, mostly 0.

        A stanza with a delay passes: the delay is for what comes behind it. A refusal is answered with its condition.
        """
        ...

    def certificate(self, domain: str, chain: Sequence[bytes]) -> Refusal | None:
        """Whether the partner may prove who it is by this certificate.

        Args:
            domain: the partner; that the certificate is valid for it, and its chain complete, was verified already.
            chain: DER, the partner's own certificate first, the authority's last; the authority is one of the
                system's, of `federation.ca_file` or of `authorities`. One of `authorities` is good only for the domains
                whose agreement names it: to see to that is for this method.
        """
        ...

    def authorities(self) -> Sequence[bytes]:
        """Certificates (DER) that agreements name as authorities, or pin, beyond those that are trusted anyway."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stanza of the outbox: its number there, and when it was put there, in microseconds since the epoch."""

    seq: int
    pair: Pair
    stanza: bytes
    put_at: int


Put = Callable[["int | StorageUnavailable"], None]
"""Is told the number of a stanza that is stored and synced, or why it is not."""


class Outbox(Protocol):
    """What waits for partners and survives a restart: messages, and decisions about subscriptions.

    Stanzas are complete, with `from` and `to`, in canonical outer form (see `element.py`).
    """

    def check(self, remote: str, size_bytes: int) -> None:
        """Whether one more stanza may wait for a partner; raises StanzaError(resource-constraint)."""
        ...

    def written(self, number: int, remote: str, size_bytes: int) -> None:
        """A message was queued together with the log (`Submission.outgoing`), under this number."""
        ...

    def put(self, pair: Pair, stanza: bytes, done: Put) -> None:
        """Store a stanza; the numbers of a pair grow in the order of the calls, as do the calls of `done`.

        Raises:
            StanzaError: resource-constraint, when too much waits for the partner already; `done` is not called.
        """
        ...

    async def take(self, pair: Pair, after: int, limit: int) -> Sequence[Waiting]:
        """What waits for the pair behind number `after`, in order, at most `limit`; it stays where it is."""
        ...

    def remove(self, seqs: Sequence[int]) -> None:
        """The partner has these, or their senders were told that it will not. Need not be synced at once."""
        ...

    async def expired(self, limit: int) -> Sequence[Waiting]:
        """What has waited longer than its lifetime; the caller tells the senders, then removes it."""
        ...

    async def pairs(self) -> Sequence[Pair]:
        """For whom something waits: asked at the start."""
        ...
