"""A bound resource: what a client is to the rest of the server, connected or waiting to be resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parley.domain.people.blocking import NOBODY
from parley.edges.xmpp.clients.holding import Held
from parley.edges.xmpp.origin import Origin
from parley.edges.xmpp.people.blocking import check_outbound, is_from_blocked
from parley.protocols.xmpp.element import Element, restamp
from parley.protocols.xmpp.errors import (
    JIDError,
    StanzaError,
    StreamCondition,
    error_reply,
    may_be_answered,
)
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.stream_management import StreamManagement, acknowledgement

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.connection import Connection
    from parley.edges.xmpp.host import Host

_ROOM_S = 0.05
# The first letter of a stanza's name tells which it is.
_KINDS = {ord("m"): "message", ord("p"): "presence", ord("i"): "iq"}


@dataclass(frozen=True, slots=True)
class Presence:
    """A session's available presence: the stanza as broadcast, its priority (RFC 6121 §4.7.2.3) and show."""

    stanza: bytes
    priority: int
    show: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A stanza sent under stream management; `seq` is its place in the log, 0 for what is not from there."""

    stanza: bytes
    seq: int


class Session(Origin):
    """One bound resource."""

    is_ended = False

    def __init__(self, host: Host, account: Account, jid: JID, connection: Connection | None) -> None:
        super().__init__(host, account)
        self.account = account
        self.jid = jid
        self.connection = connection
        self.sm: StreamManagement[Sent] | None = None
        self.sm_id = ""
        self.lang = ""
        """The language of stanzas that name none, as the stream's header said."""
        self.presence: Presence | None = None
        self.directed: set[JID] = set()
        self.is_carbons_enabled = False
        self.is_roster_requested = False
        self.notify_nodes: frozenset[str] = frozenset()
        """Nodes whose events the client asked for by `+notify` (XEP-0163 §3)."""
        self.blocks = host.blocking.known(account.id) or NOBODY
        """Whom the account blocks (XEP-0191)."""
        self.is_blocklist_requested = False
        self.photo_hash = ""
        """What the server added to the presence as the hash of the account's picture (XEP-0398 §5)."""
        self.held: Held | None = None
        """What waits while the client is inactive (XEP-0352); None while it is active."""
        self.detached_at = 0.0
        self.is_journaled = False
        """Whether the session can be resumed after a restart: what changes it is written down."""
        self.is_leaving = False
        """The client has said its last; what it said is being done still."""
        self._resumption: Callable[[bool], None] | None = None

    # Towards the client.

    def send(self, stanza: bytes, seq: int = 0) -> None:
        """Send a stanza in canonical outer form; with `seq` it is a message of the log, delivered when acknowledged."""
        if self.is_leaving:
            return
        if (self.held is not None or self.blocks is not NOBODY) and self._is_withheld(stanza, seq):
            return
        self._put(stanza, seq)

    def _put(self, stanza: bytes, seq: int = 0) -> None:
        sm = self.sm
        if sm is not None:
            if not sm.sent(Sent(stanza, seq)):
                self._overflowed()
                return
            self.host.mail.sent(self, seq)
            if self.is_journaled:
                self.host.journal.sent(self, stanza, seq)
            if self.connection is not None:
                self.host.metrics.stanza_out(_KINDS[stanza[1]])
                self.connection.send(stanza)
                self.connection.acknowledgement_due(sm.outstanding)
        elif self.connection is not None:
            self.host.mail.sent(self, seq)
            self.host.metrics.stanza_out(_KINDS[stanza[1]])
            self.connection.send(stanza)
            # Without stream management nobody ever says that a stanza arrived: given to the socket must do.
            self.host.mail.delivered(self.account, seq)

    def _is_withheld(self, stanza: bytes, seq: int) -> bool:
        """Whether a stanza does not go out now: never, for it is from somebody blocked, or not yet."""
        if is_from_blocked(self.blocks, self.account, stanza):
            # A message of the log was accepted before: it is done with.
            self.host.mail.sent(self, seq)
            self.host.mail.delivered(self.account, seq)
            return True
        held = self.held
        if held is None:
            return False
        if not seq and held.keep(stanza):
            if held.is_full:
                self._release(held)
            return True
        self._release(held)
        return False

    def _release(self, held: Held) -> None:
        self.held = None
        for stanza in held.release():
            self.send(stanza)
        self.held = held

    def rest(self) -> None:
        """The client is inactive: what may wait does (XEP-0352)."""
        if self.held is None:
            limits = self.host.settings.personal
            self.held = Held(limits.max_held_stanzas, limits.max_held_bytes)

    def wake(self) -> None:
        """The client is active: what waited goes out."""
        if self.held is not None:
            self._release(self.held)
            self.held = None

    @property
    def has_room(self) -> bool:
        """Whether many stanzas in a row may go out: half of what may wait for the client does not wait yet."""
        limits = self.host.settings.limits
        if self.sm is not None and self.sm.outstanding * 2 >= limits.sm_max_unacked:
            return False
        return self.connection is None or self.connection.unsent_bytes * 2 < limits.max_unsent_bytes

    async def room(self) -> None:
        """Wait until there is room, before each stanza of a long answer. Who is there and takes nothing is closed.

        Who is not there is waited for, but not any more when the client comes back: it is told how far its stanzas were
        handled, and acknowledges nothing before. Then the rest of the answer waits in the session to be sent.
        """
        waited_s = 0.0
        while not self.is_leaving and self._resumption is None and not self.has_room:
            if waited_s >= self.host.settings.limits.ping_timeout_s:
                self._overflowed()
                return
            await self.host.clock.sleep(_ROOM_S)
            if self.connection is not None:
                waited_s += _ROOM_S

    def stamped(self, element: Element, *, to: str | None, from_: str | None = None) -> bytes:
        """A stanza of this client as it goes on; `from_` is the full address when not given.

        RFC 6120 §8.1.5: where it names no language, that of the client's stream holds, which its reader cannot see.
        """
        lang = {"lang": self.lang} if self.lang and element.lang is None else {}
        return restamp(element, from_=from_ or str(self.jid), to=to, **lang)

    def sender(self, element: Element) -> JID:
        """Always the client."""
        return self.jid

    def answer(self, stanza: bytes) -> None:
        """As `send`."""
        self.send(stanza)

    def hold(self, reason: str) -> None:
        """Read no further, as long as there is a connection."""
        if self.connection is not None:
            self.connection.pause(reason)

    def go_on(self, reason: str) -> None:
        """Read on."""
        if self.connection is not None:
            self.connection.unpause(reason)

    def __str__(self) -> str:
        return str(self.jid)

    def send_nonza(self, element: bytes) -> None:
        """Send an element that stream management does not count."""
        if self.connection is not None:
            self.connection.send(element)

    def reply_error(self, element: Element, error: StanzaError) -> None:
        """Answer a stanza of this client with an error, if it may be answered."""
        if may_be_answered(element):
            if self.held is not None:
                self._release(self.held)
            if not self.is_leaving:
                # Past what is withheld: it is the server that says it, also in the name of somebody blocked.
                self._put(_addressed(element, error, self._asked(element), self.jid))
            self.host.metrics.refused(error.code)

    def _asked(self, element: Element) -> str:
        """Who answers a stanza of this client."""
        if not element.to:
            # RFC 6120 §10.3: without an address it is the account's, and the server handles it in its name.
            return str(self.jid.bare)
        try:
            JID.parse(element.to)
        except JIDError:
            # RFC 6120 §8.3.3.8: nothing can answer from an address that is none.
            return self.account.domain
        return element.to

    def acknowledged(self, h: int) -> None:
        """The client has handled `h` stanzas; raises HandledCountTooHigh."""
        if self.sm is not None:
            acked = self.sm.acked(h)
            for sent in acked:
                self.host.mail.delivered(self.account, sent.seq)
            if self.is_journaled:
                self.host.journal.acked(self, [sent.seq for sent in acked if sent.seq])

    # From the client.

    def receive(self, element: Element) -> None:
        """Take a stanza of the client."""
        token = self.sm.received() if self.sm is not None else 0
        if element.name == "iq" and element.type in ("result", "error") and self.host.queries.answered(self, element):
            self.handled(token)
        else:
            self.take(element, token)

    def handled(self, token: int) -> None:
        """The stanza with this token needs nothing more; acknowledgements that waited for it go out."""
        if self.sm is not None and token:
            for h in self.sm.handled(token):
                self.send_nonza(acknowledgement(h))
            if self.is_journaled:
                self.host.journal.handled(self)
            if self.is_leaving:
                self.host.sessions.handled_late(self)
            if not self.sm.in_flight:
                self._answer_resumption(True)

    def when_settled(self, resumption: Callable[[bool], None]) -> None:
        """Call `resumption` with True once everything that came in has been handled; at once if it has.

        With False when the session is over before that, or when another one asks: the client gave this one up.
        """
        self._answer_resumption(False)
        self._resumption = resumption
        if self.is_leaving:
            self._answer_resumption(False)
        elif self.sm is None or not self.sm.in_flight:
            self._answer_resumption(True)

    def _answer_resumption(self, is_settled: bool) -> None:
        resumption, self._resumption = self._resumption, None
        if resumption is not None:
            resumption(is_settled)

    def admits(self, element: Element) -> bool:
        """RFC 6120 §8.1.2.1: a client may name itself, bare or full, and nobody else.

        Raises:
            StanzaError: it is for somebody blocked; JIDError: its address is none.
        """
        given = element.from_
        try:
            is_own = given is None or JID.parse(given) in (self.jid, self.jid.bare)
        except JIDError:
            is_own = False
        if is_own:
            if self.blocks is not NOBODY and element.to:
                check_outbound(self.blocks, self.account, JID.parse(element.to))
            return True
        # Also where the stream is gone already: nothing behind such a stanza is handled, so there is nothing to resume.
        self.close(StreamCondition.INVALID_FROM)
        return False

    # Its end.

    def close(self, condition: StreamCondition, text: str = "") -> None:
        """End the session and its stream, if it has one."""
        if self.connection is not None:
            self.connection.fail(condition, text)
        self.end()

    def _overflowed(self) -> None:
        # The client takes stanzas and never says so; what waits in the log waits there.
        self.close(StreamCondition.RESOURCE_CONSTRAINT, "too many stanzas are unacknowledged")

    def finish(self) -> None:
        """The client says nothing more: what it said is done in order, for a bounded time, then the session ends.

        To all others it is gone at once: nothing is sent to it any more, and its resource is free.
        """
        if self.is_leaving:
            return
        self._leave()
        self.done()

    def _leave(self) -> None:
        self.is_leaving = True
        self.connection = None
        self.host.sessions.leaving(self)
        self._answer_resumption(False)
        if self.sm is not None:
            for sent in self.sm.unacked():
                self.host.requests.bounce(sent.stanza)
        self.host.mail.lost(self)

    def done(self) -> None:
        """The session ends when the last is done of what its client said."""
        if self.is_leaving and not self.is_working:
            self.end()

    def end(self) -> None:
        """The session is over for good: what it had not acknowledged goes elsewhere."""
        if self.is_ended:
            return
        self.is_ended = True
        self._backlog.clear()
        host = self.host
        if not self.is_leaving:
            self._leave()
        host.sessions.closed(self)
        host.presences.ended(self)
        for extension in host.extensions:
            if extension.on_ended is not None:
                extension.on_ended(host, self)


def _addressed(element: Element, error: StanzaError, from_: str, to: JID) -> bytes:
    """The error that answers a client's stanza, whose `from` the client need not have given."""
    attrs = dict(element.attrs)
    attrs["from"] = str(to)
    stamped = Element(element.namespace, element.name, attrs, element.raw, element.body_start, element.children)
    return error_reply(stamped, error, from_)
