"""Connections that we open to other servers."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final

import idna

from parley.base import log as logs
from parley.edges.xmpp.federation.connection import ServerConnection
from parley.edges.xmpp.federation.errors import Unreachable
from parley.edges.xmpp.federation.ports import Pair, Refusal
from parley.protocols.xmpp import s2s
from parley.protocols.xmpp.errors import StanzaCondition, StreamCondition
from parley.protocols.xmpp.s2s_outgoing import OutgoingStream

if TYPE_CHECKING:
    from parley.base.net.wire import ServerWire
    from parley.edges.xmpp.federation.federation import Federation
    from parley.protocols.xmpp.dialback import Dialback

log = logs.get(__name__)

_NO_SUCH_HOST: Final = frozenset({StreamCondition.HOST_UNKNOWN, StreamCondition.HOST_GONE})


class OutgoingConnection(ServerConnection):
    """One connection to another server.

    Args:
        federation: whose.
        pair: the domain that speaks and the one that is called.
        context: for TLS.
        is_any_certificate: the partner need not prove its name by its certificate.
        question: the connection is there to ask this about another stream, and carries no stanzas.
    """

    stream: OutgoingStream
    direction = "out"

    def __init__(
        self,
        federation: Federation,
        pair: Pair,
        context: ssl.SSLContext,
        *,
        is_any_certificate: bool,
        question: Dialback | None = None,
    ) -> None:
        super().__init__(federation)
        self.pair = pair
        self._context = context
        self._is_any_certificate = is_any_certificate
        self._question = question
        self._problem: Unreachable | None = None
        self._by = ""
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """How we proved who we are, or the answer to the question; Unreachable when it came to nothing."""

    @property
    def remote(self) -> str:
        """The partner's domain."""
        return self.pair.remote

    @property
    def between(self) -> Pair:
        """See `ServerConnection.between`."""
        return self.pair

    def began(self, wire: ServerWire) -> OutgoingStream:
        """See `ServerConnection.began`."""
        stream = OutgoingStream(
            self.federation.stream_config,
            self.pair.local,
            self.pair.remote,
            is_secure=wire.kind == "tls",
            is_dialback_allowed=True,
            is_bidi_wanted=False,
            is_for_verifying=self._question is not None,
        )
        if self._question is not None:
            stream.verify(self._question)
        if wire.kind == "tls":
            self._problem = self._checked(wire, stream)
            if self._problem is not None:
                stream.close()
                self._settle(self._problem)
        return stream

    def _checked(self, wire: ServerWire, stream: OutgoingStream) -> Unreachable | None:
        """What is wrong with the partner's certificate. One that is right vouches for its stanzas as well."""
        problem = self.federation.certificate_problem(self.pair.remote, wire.peer_chain)
        is_heard = not isinstance(self.federation.policy.incoming(self.pair.remote), Refusal)
        stream.is_bidi_wanted = problem is None and self._question is None and is_heard
        return None if self._is_any_certificate else problem

    def negotiate(self, event: s2s.Event) -> None:
        """See `ServerConnection.negotiate`."""
        if isinstance(event, s2s.TlsWanted):
            self.pause("tls")
            self.host.supervisor.spawn("tls", self._start_tls())
        elif isinstance(event, s2s.Authenticated):
            self._by = event.by
            if self.stream.is_sm_offered:
                link = self.federation.links.find(self.pair)
                self.managed.start(None if link is None else link.stream_to_resume())
            else:
                self.managed.start_without()
                self.ready()
        elif isinstance(event, s2s.AuthenticationFailed):
            self._settle(_not_authenticated(event))
            self.close()
        elif isinstance(event, s2s.DialbackVerified):
            self._settle(event.answer.type)
            self.close()

    def ready(self) -> None:
        """See `ServerConnection.ready`."""
        self._settle(self._by)

    async def _start_tls(self) -> None:
        self.flush()
        wire = self.wire
        if wire is None:
            return
        try:
            timeout_s = self.host.settings.limits.handshake_timeout_s
            await wire.start_tls(self._context, timeout_s, server_name(self.pair.remote))
        except OSError as error:
            self._settle(tls_problem(error))
            wire.abort()
            return
        problem = self._checked(wire, self.stream)
        if problem is not None:
            self._settle(problem)
            self.close()
            return
        self.stream.tls_established()
        self.unpause("tls")
        self.flush()

    def ended(self, event: s2s.ServerStreamEnded | None) -> None:
        """See `ServerConnection.ended`."""
        reason = "the connection broke" if event is None else event.text
        condition = event.condition if event is not None else None
        message = f"{condition or ''} {reason}".strip()
        if event is not None and event.is_remote and condition in _NO_SUCH_HOST:
            # RFC 6120 §4.9.3.5, §4.9.3.6: there is a server, and it knows no such domain.
            not_found = StanzaCondition.REMOTE_SERVER_NOT_FOUND
            self._settle(Unreachable("host-unknown", message, not_found, is_final=True))
        else:
            self._settle(Unreachable("stream-failed", message))

    def _settle(self, outcome: str | Unreachable) -> None:
        if self.outcome.done():
            return
        if isinstance(outcome, Unreachable):
            self.outcome.set_exception(outcome)
            # Marks it as seen: who waited may have given up.
            self.outcome.exception()
        else:
            self.outcome.set_result(outcome)


def _not_authenticated(failure: s2s.AuthenticationFailed) -> Unreachable:
    """What follows from it that the partner does not take us for who we are."""
    if failure.verdict:
        # XEP-0220 §2.1.1: what waits MUST go back, by this error where the domain's own server called the key bogus.
        is_bogus = failure.verdict == "invalid"
        condition = StanzaCondition.INTERNAL_SERVER_ERROR if is_bogus else StanzaCondition.REMOTE_SERVER_TIMEOUT
        return Unreachable("dialback-refused", failure.reason, condition, is_final=True)
    return Unreachable("not-authenticated", failure.reason)


def server_name(domain: str) -> str:
    """A domain as TLS names it (RFC 6066 §3)."""
    try:
        return idna.encode(domain).decode()
    except idna.IDNAError:
        return domain.removeprefix("[").removesuffix("]")


def tls_problem(error: OSError) -> Unreachable:
    """Why a handshake with a partner failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            "certificate-untrusted",
            error.verify_message,
            # RFC 6120 §8.3.3.17: so are problems with TLS, SASL and dialback called.
            StanzaCondition.REMOTE_SERVER_TIMEOUT,
            is_final=True,
            text="the other server's certificate is not valid",
        )
    return Unreachable("tls-failed", str(error) or type(error).__name__)
