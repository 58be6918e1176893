"""A partner as an origin of stanzas: what comes in on a server stream is checked and handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.edges.xmpp.federation.kinds import kind_of
from parley.edges.xmpp.federation.ports import Direction, Refusal
from parley.edges.xmpp.origin import Origin
from parley.protocols.xmpp.element import Element, restamp
from parley.protocols.xmpp.errors import StanzaError, StreamCondition, error_reply, may_be_answered
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from parley.edges.xmpp.federation.connection import ServerConnection
    from parley.protocols.xmpp.s2s import StanzaArrived

log = logs.get(__name__)


class Partner(Origin):
    """The stanzas of one connection, in their order."""

    is_partner = True

    def __init__(self, connection: ServerConnection) -> None:
        super().__init__(connection.host, None)
        self._connection = connection
        self._is_cut = False

    def receive(self, arrived: StanzaArrived, token: int) -> None:
        """Take a stanza whose sender is known for sure; `token` is 0 where nothing is counted."""
        if self._is_cut:
            return
        element, domain = arrived.element, arrived.sender.domain
        self.host.metrics.server_stanza("in", element.name)
        is_for_room = self.host.router.service(arrived.to.domain) == "rooms"
        kind = kind_of(element.raw, is_for_room=is_for_room)
        federation = self._connection.federation
        if federation.is_answer_to_ping(arrived):
            self.handled(token)
            return
        verdict = federation.policy.stanza(domain, Direction.IN, kind, len(element.raw))
        if isinstance(verdict, Refusal):
            federation.refused(verdict, domain, Direction.IN)
            if verdict.ends_streams:
                self._is_cut = True
                self._connection.cut(StreamCondition.POLICY_VIOLATION, verdict.text)
                return
            self.reply_error(element, StanzaError(verdict.condition, verdict.text))
            self.handled(token)
            return
        if verdict > 0:
            self._connection.slow_down("policy", verdict)
        self.take(element, token)

    @property
    def is_ended(self) -> bool:
        """With stream management the partner knows what was not handled when the stream broke, and sends it again.

        A stream that may be resumed goes on with what came in: all of it is counted then.
        """
        managed = self._connection.managed
        return self._connection.is_lost and managed.is_counting and not managed.id

    def sender(self, element: Element) -> JID:
        """The stanza's `from`, whose domain the stream has checked."""
        return JID.parse(element.from_ or "")

    def stamped(self, element: Element, *, to: str | None, from_: str | None = None) -> bytes:
        """See `Origin.stamped`."""
        return restamp(element, from_=from_ or str(self.sender(element)), to=to)

    def answer(self, stanza: bytes) -> None:
        """Send through the link to the partner, whichever stream that has."""
        self._connection.federation.reply(stanza)

    def reply_error(self, element: Element, error: StanzaError) -> None:
        """Answer a stanza with an error, if it may be answered."""
        if may_be_answered(element):
            self.host.metrics.refused(error.code)
            self.answer(error_reply(element, error))

    def handled(self, token: int) -> None:
        """See `Origin.handled`."""
        self._connection.handled(token)

    def hold(self, reason: str) -> None:
        """See `Origin.hold`."""
        self._connection.pause(reason)

    def go_on(self, reason: str) -> None:
        """See `Origin.go_on`."""
        self._connection.unpause(reason)

    def done(self) -> None:
        """See `Origin.done`."""
        self._connection.settled()

    def __str__(self) -> str:
        return self._connection.remote
