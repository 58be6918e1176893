"""A bound resource: what a client is to the rest of the server, connected or waiting to be resumed.

Stanzas of one client are handled in the order in which they came (RFC 6120 §10.1). Messages that go to the log overtake
nothing and wait for nobody: many are on their way to the disk at once, and the log keeps their order. Anything else
waits until they are there, so that a query sees what was sent before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.domain.errors import DomainError
from parley.edges.xmpp.refusals import stanza_error
from parley.protocols.xmpp.element import Element, restamp
from parley.protocols.xmpp.errors import (
    JIDError,
    RemoteProtocolError,
    StanzaCondition,
    StanzaError,
    StreamCondition,
    error_reply,
    may_be_answered,
)
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.stream_management import StreamManagement, acknowledgement

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.connection import Connection
    from parley.edges.xmpp.host import Host

log = logs.get(__name__)

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


class Session:
    """One bound resource."""

    def __init__(self, host: Host, account: Account, jid: JID, connection: Connection) -> None:
        self.host = host
        self.account = account
        self.jid = jid
        self.connection: Connection | None = connection
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
        self.detached_at = 0.0
        self.is_leaving = False
        """The client has said its last; what it said is being done still."""
        self.is_ended = False
        limits = host.settings.limits
        # Read on at a quarter: not at every stanza anew.
        self._backlog_high, self._backlog_low = limits.max_queued_stanzas, limits.max_queued_stanzas // 4
        self._in_flight_high, self._in_flight_low = limits.max_uncommitted, limits.max_uncommitted // 4
        self._in_flight = 0
        self._is_busy = False
        self._backlog: deque[tuple[Element, int]] = deque()
        self._resumption: Callable[[bool], None] | None = None

    # Towards the client.

    def send(self, stanza: bytes, seq: int = 0) -> None:
        """Send a stanza in canonical outer form; with `seq` it is a message of the log, delivered when acknowledged."""
        if self.is_leaving:
            return
        sm = self.sm
        if sm is not None:
            if not sm.sent(Sent(stanza, seq)):
                self._overflowed()
                return
            self.host.mail.sent(self, seq)
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

    def send_nonza(self, element: bytes) -> None:
        """Send an element that stream management does not count."""
        if self.connection is not None:
            self.connection.send(element)

    def reply_error(self, element: Element, error: StanzaError) -> None:
        """Answer a stanza of this client with an error, if it may be answered."""
        if may_be_answered(element):
            self.send(_addressed(element, error, self._asked(element), self.jid))
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
            for sent in self.sm.acked(h):
                self.host.mail.delivered(self.account, sent.seq)

    # From the client.

    def receive(self, element: Element) -> None:
        """Take a stanza of the client."""
        token = self.sm.received() if self.sm is not None else 0
        if element.name == "iq" and element.type in ("result", "error") and self.host.queries.answered(self, element):
            self.handled(token)
        elif self._is_busy or self._backlog:
            self._backlog.append((element, token))
            if len(self._backlog) == self._backlog_high and self.connection is not None:
                self.connection.pause("backlog")
        elif not self._process(element, token):
            self._backlog.append((element, token))

    def in_flight(self) -> None:
        """One more message is on its way to the log; the client is read no further when there are very many."""
        self._in_flight += 1
        if self._in_flight == self._in_flight_high and self.connection is not None:
            self.connection.pause("log")

    def committed(self, token: int) -> None:
        """A message reached the log, or was refused by it."""
        self.not_in_flight()
        self.handled(token)
        if self._backlog and not self._is_busy:
            self._drain()
        self._end_if_done()

    def not_in_flight(self) -> None:
        """A message is not on its way to the log any more."""
        self._in_flight -= 1
        if self._in_flight == self._in_flight_low and self.connection is not None:
            self.connection.unpause("log")

    @property
    def is_waiting_for_log(self) -> bool:
        """Whether messages of this session are on their way to the log."""
        return self._in_flight > 0

    @property
    def is_working(self) -> bool:
        """Whether anything that the client sent is not done yet."""
        return self._is_busy or self._in_flight > 0 or bool(self._backlog)

    def handled(self, token: int) -> None:
        """The stanza with this token needs nothing more; acknowledgements that waited for it go out."""
        if self.sm is not None and token:
            for h in self.sm.handled(token):
                self.send_nonza(acknowledgement(h))
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

    def run(self, work: Awaitable[None], element: Element, token: int) -> None:
        """Handle a stanza that needs to wait for something; those behind it wait too."""
        self._is_busy = True
        self.host.supervisor.spawn("stanza", self._run(work, element, token))

    async def _run(self, work: Awaitable[None], element: Element, token: int) -> None:
        try:
            await work
        except StanzaError as error:
            self.reply_error(element, error)
        except (DomainError, RemoteProtocolError) as error:
            self.reply_error(element, stanza_error(error))
        except Exception as error:
            # The edge of a task that nobody waits for: a defect ends neither the session nor the server.
            self._failed(element, error)
        finally:
            self._is_busy = False
            self.handled(token)
            self._drain()
            self._end_if_done()

    def _drain(self) -> None:
        while self._backlog and not self._is_busy:
            element, token = self._backlog.popleft()
            if not self._process(element, token):
                self._backlog.appendleft((element, token))
                break
        if len(self._backlog) <= self._backlog_low and self.connection is not None:
            self.connection.unpause("backlog")

    def _process(self, element: Element, token: int) -> bool:
        """Handle a stanza now; False when it must wait for messages on their way to the log."""
        host = self.host
        if self.is_ended:
            return True
        try:
            if not self._check_from(element):
                return True
            if element.name == "message":
                return host.messages.from_client(self, element, token)
            if self._in_flight:
                return False
            if element.name == "iq":
                host.requests.from_client(self, element, token)
            else:
                host.presences.from_client(self, element, token)
        except StanzaError as error:
            self.reply_error(element, error)
            self.handled(token)
        except (DomainError, RemoteProtocolError) as error:
            self.reply_error(element, stanza_error(error))
            self.handled(token)
        except Exception as error:
            # The edge to a peer: a defect that its stanza met is answered, and the session goes on.
            self._failed(element, error)
            self.handled(token)
        return True

    def _failed(self, element: Element, error: Exception) -> None:
        log.defect("stanza failed", error, kind=element.name, pii={"jid": self.jid})
        self.reply_error(element, StanzaError(StanzaCondition.INTERNAL_SERVER_ERROR))

    def _check_from(self, element: Element) -> bool:
        # RFC 6120 §8.1.2.1: a client may name itself, bare or full, and nobody else.
        given = element.from_
        if given is None:
            return True
        try:
            if JID.parse(given) in (self.jid, self.jid.bare):
                return True
        except JIDError:
            pass
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
        self._end_if_done()

    def _leave(self) -> None:
        self.is_leaving = True
        self.connection = None
        self.host.sessions.leaving(self)
        self._answer_resumption(False)
        if self.sm is not None:
            for sent in self.sm.unacked():
                self.host.requests.bounce(sent.stanza)
        self.host.mail.lost(self)

    def _end_if_done(self) -> None:
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
