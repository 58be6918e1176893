"""Connections that other servers open."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.edges.xmpp.federation.connection import ServerConnection
from parley.edges.xmpp.federation.errors import Unreachable
from parley.edges.xmpp.federation.ports import Pair, Refusal
from parley.protocols.xmpp import s2s
from parley.protocols.xmpp.errors import StanzaCondition, StreamCondition, StreamError
from parley.protocols.xmpp.s2s_incoming import IncomingStream, Offers

if TYPE_CHECKING:
    from parley.base.net.wire import ServerWire
    from parley.edges.xmpp.federation.federation import Federation
    from parley.protocols.xmpp.dialback import Dialback

log = logs.get(__name__)


class IncomingConnection(ServerConnection):
    """One connection from another server."""

    stream: IncomingStream
    direction = "in"

    def __init__(self, federation: Federation) -> None:
        super().__init__(federation)
        self._trusted: dict[str, bool] = {}
        self.counted_peer = ""

    @property
    def remote(self) -> str:
        """The domain that the peer says it is, "" before it has said so."""
        return self.stream.remote

    @property
    def between(self) -> Pair:
        """See `ServerConnection.between`."""
        return Pair(self.stream.local, self.stream.remote)

    def began(self, wire: ServerWire) -> IncomingStream:
        """See `ServerConnection.began`."""
        return IncomingStream(
            self.federation.stream_config,
            lambda: secrets.token_urlsafe(15),
            self._offers,
            is_secure=wire.kind == "tls",
        )

    def _offers(self, local: str, remote: str) -> Offers:
        policy = self.federation.policy
        if not remote:
            # It may say who it is when it asks for dialback.
            return Offers(dialback=True)
        incoming = policy.incoming(remote)
        if not isinstance(incoming, Refusal):
            return Offers(external=self._is_trusted(remote), dialback=True)
        if isinstance(policy.outgoing(remote), Refusal):
            self.federation.refused(incoming, remote, "in")
            raise StreamError(StreamCondition.POLICY_VIOLATION, incoming.text or "this domain is not welcome here")
        # We talk to it: it may ask whether a stream is ours, and nothing else.
        return Offers()

    def _is_trusted(self, remote: str) -> bool:
        """Whether the peer's certificate, which the handshake has verified, speaks for the domain."""
        if self.wire is None or self.wire.kind != "tls":
            return False
        if remote not in self._trusted:
            error = self.federation.certificate_problem(remote, self.wire.peer_chain)
            self._trusted[remote] = error is None
            if error is not None:
                log.info(
                    "a certificate does not prove a partner's name",
                    partner=remote,
                    code=error.code,
                    reason=error.message,
                    pii={"peer": self.peer},
                )
        return self._trusted[remote]

    def ready(self) -> None:
        """Nobody waits for it."""

    def negotiate(self, event: s2s.Event) -> None:
        """See `ServerConnection.negotiate`."""
        if isinstance(event, s2s.TlsWanted):
            self.pause("tls")
            self.host.supervisor.spawn("tls", self._start_tls())
        elif isinstance(event, s2s.Authenticated):
            log.info("partner connected", partner=event.domain, by=event.by, pii={"peer": self.peer})
            self.federation.heard_from(Pair(event.local or self.stream.local, event.domain), self)
        elif isinstance(event, s2s.DialbackAsked):
            self.host.supervisor.spawn("dialback", self._verify(event.question))

    async def _start_tls(self) -> None:
        self.flush()
        wire = self.wire
        if wire is None:
            return
        context = self.federation.accepting_context(wire.peer)
        try:
            await wire.start_tls(context, self.host.settings.limits.handshake_timeout_s)
        except OSError as error:
            self.federation.handshake_failed(wire.peer, error, self.remote)
            wire.abort()
            return
        self.stream.tls_established()
        self.unpause("tls")
        self.flush()

    async def _verify(self, question: Dialback) -> None:
        """XEP-0220 §2.1.2: ask the server that answers for the domain whether this stream is its own."""
        try:
            verdict = await self.federation.verify(question, self.stream.id)
            # §2.5: whatever its error is.
            condition = StanzaCondition.REMOTE_SERVER_NOT_FOUND.value if verdict == "error" else ""
        except Unreachable as error:
            verdict, condition = "error", error.told_by_dialback()
            log.info("dialback failed", partner=question.sender, code=error.code, reason=error.message)
        if verdict == "invalid":
            log.warning("a server is not who it says it is", partner=question.sender, pii={"peer": self.peer})
        if verdict != "valid":
            self.host.metrics.refused("dialback-failed")
        self.handle(self.stream.dialback_answered(question, verdict, condition))

    def ended(self, event: s2s.ServerStreamEnded | None) -> None:
        """Nobody waits for it."""
