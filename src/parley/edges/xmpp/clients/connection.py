"""One connection of a client: a wire, a stream, and the session bound to it once the client has signed in."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.base.throttle import TokenBucket
from parley.domain.errors import DomainError
from parley.edges.xmpp.clients.authentication import Authentication, SignedIn
from parley.edges.xmpp.clients.binding import UNKNOWN, AccountClosed, Installation, bind
from parley.edges.xmpp.clients.inline import InlineSignIn
from parley.edges.xmpp.clients.registering import MOST_REQUESTS, Registration
from parley.edges.xmpp.clients.resumption import resume
from parley.edges.xmpp.transcripts import Transcripts, hidden
from parley.protocols.xmpp import c2s
from parley.protocols.xmpp.c2s import ClientStream, StreamState
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import JIDError, LocalProtocolError, StanzaCondition, StanzaError, StreamCondition
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_PING, NS_SM
from parley.protocols.xmpp.stream_management import REQUEST, acknowledgement

if TYPE_CHECKING:
    from parley.base.net.wire import Wire
    from parley.edges.xmpp.clients.listener import Listener
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.element import Element

log = logs.get(__name__)

_REQUEST_AFTER: Final = 10
_CHECK_UNSENT_EVERY: Final = 65536


class Connection:
    """A `Receiver` of one wire.

    Args:
        host: the XMPP edge.
        listener: what the port offers.
    """

    def __init__(self, host: Host, listener: Listener) -> None:
        self._host = host
        self._listener = listener
        self._wire: Wire | None = None
        self._stream: ClientStream
        self._authentication: Authentication
        self._inline: InlineSignIn | None = None
        self._pauses: set[str] = set()
        self._sent_bytes = 0
        self._is_request_owed = False
        self._is_request_open = False
        limits = host.settings.limits
        self._bucket = TokenBucket(limits.bytes_per_s, limits.burst_bytes, host.clock.monotonic)
        self.session: Session | None = None
        self.signed_in: SignedIn | None = None
        self.installation: Installation = UNKNOWN
        self.opened_at = self.heard_at = host.clock.monotonic()
        self.asked_at: float | None = None
        self.counted_peer = ""
        self._registration: Registration | None = None

    @property
    def host(self) -> Host:
        """The XMPP edge."""
        return self._host

    @property
    def is_open(self) -> bool:
        """Whether anything can still be sent."""
        return self._wire is not None and self._stream.state is not StreamState.CLOSED

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._wire.unsent_bytes if self._wire is not None else 0

    @property
    def account_id(self) -> int | None:
        """The account that has signed in, whether or not a resource is bound yet."""
        return self.signed_in.account.id if self.signed_in is not None else None

    @property
    def peer(self) -> str:
        """The client's network address."""
        return self._wire.peer if self._wire is not None else ""

    # Receiver

    def connected(self, wire: Wire) -> None:
        """See `Receiver.connected`."""
        self._wire = wire
        is_secure = wire.kind == "tls" or (wire.kind == "websocket" and bool(wire.channel_bindings))
        self._stream = ClientStream(
            self._listener.config,
            lambda: secrets.token_urlsafe(15),
            is_secure=is_secure,
            channel_bindings=wire.channel_bindings,
        )
        self._authentication = Authentication(self._host, self._listener.sign_in, self._stream, wire.peer)
        self._host.metrics.connected(self._listener.kind)

    def received(self, data: bytes) -> None:
        """See `Receiver.received`."""
        self.heard_at = self._host.clock.monotonic()
        self.asked_at = None
        wait_s = self._bucket.take(len(data))
        if wait_s > 0:
            self._slow_down(wait_s)
        try:
            self._handle(self._stream.receive(data))
        except Exception as error:
            # The edge to a peer: a defect that its bytes met ends its stream, not the server.
            log.defect("stream failed", error, pii={"peer": self.peer})
            self.fail(StreamCondition.INTERNAL_SERVER_ERROR)
        if self._stream.held_bytes > self._listener.config.limits.max_stanza_bytes:
            self.fail(StreamCondition.POLICY_VIOLATION, "too much data before an answer")

    def disconnected(self) -> None:
        """See `Receiver.disconnected`."""
        self._wire = None
        self._host.metrics.disconnected(self._listener.kind)
        self._listener.closed(self)
        session, self.session = self.session, None
        if session is not None and session.connection is self:
            self._host.sessions.connection_lost(session)

    # Events of the stream.

    def _handle(self, events: Iterable[c2s.Event]) -> None:
        for event in events:
            if isinstance(event, c2s.StanzaReceived):
                if log.is_tracing:
                    self._trace("received", event.element.raw)
                if self.session is not None:
                    self._host.metrics.stanza_in(event.element.name)
                    self.session.receive(event.element)
            elif isinstance(event, c2s.NonzaReceived):
                if log.is_tracing:
                    self._trace("received", event.element.raw)
                self._nonza(event.element)
            elif isinstance(event, c2s.StreamEnded):
                self._ended(event)
            else:
                self._negotiate(event)
        self._flush()

    def _negotiate(self, event: c2s.Event) -> None:
        if isinstance(event, c2s.TlsRequested):
            self._wait("tls", self._start_tls())
        elif isinstance(event, c2s.AuthRequested):
            self._inline = None
            self._wait("sasl", self._authenticate(self._authentication.begin(event.mechanism, event.initial)))
        elif isinstance(event, c2s.AuthenticateRequested):
            self._inline = InlineSignIn(self, self._stream, self._authentication, self._listener.sign_in, event.request)
            self._wait("sasl", self._in_one(self._inline.begin()))
        elif isinstance(event, c2s.AuthResponded):
            if self._inline is not None:
                self._wait("sasl", self._in_one(self._inline.respond(event.data)))
            else:
                self._wait("sasl", self._authenticate(self._authentication.respond(event.data)))
        elif isinstance(event, c2s.TaskChosen) and self._inline is not None:
            self._wait("task", self._in_one(self._inline.choose(event.name)))
        elif isinstance(event, c2s.TaskAnswered) and self._inline is not None:
            self._wait("task", self._in_one(self._inline.answer(event.element)))
        elif isinstance(event, c2s.AuthAborted):
            self._inline = None
            self._authentication.count(event.condition)
            self._check_attempts()
        elif isinstance(event, c2s.RegistrationRequested):
            self._wait("registration", self._register(event.element))
        elif isinstance(event, c2s.BindRequested):
            self._wait("bind", self._bind(event.id, event.resource))

    def _wait(self, name: str, work: Awaitable[None]) -> None:
        self.pause(name)
        self._host.supervisor.spawn(name, self._do(name, work))

    async def _do(self, name: str, work: Awaitable[None]) -> None:
        try:
            await work
        except OSError:
            if self._wire is not None:
                self._wire.abort()
        except DomainError as error:
            log.error("negotiation failed", step=name, code=error.code)
            self.fail(StreamCondition.INTERNAL_SERVER_ERROR)
        except Exception as error:
            # The edge of a task that nobody waits for: the peer must not wait for ever.
            log.defect("negotiation failed", error, step=name)
            self.fail(StreamCondition.INTERNAL_SERVER_ERROR)
        self._flush()
        self.unpause(name)
        if self._wire is not None:
            self._handle(self._stream.proceed())

    async def _register(self, element: Element) -> None:
        if self._registration is None:
            self._registration = Registration(self._host, self._stream.domain, self.peer)
        self._stream.registration_answered(await self._registration.answer(element))
        if self._registration.requests >= MOST_REQUESTS:
            self.fail(StreamCondition.POLICY_VIOLATION, "too many requests before signing in")

    async def _start_tls(self) -> None:
        self._flush()
        if self._wire is not None:
            timeout_s = self._host.settings.limits.handshake_timeout_s
            await self._wire.start_tls(self._listener.tls_context, timeout_s)
            self._stream.tls_established(self._wire.channel_bindings)

    async def _authenticate(self, step: Awaitable[SignedIn | None]) -> None:
        signed_in = await step
        if signed_in is not None:
            self.signed_in = signed_in
            self._stream.auth_succeeded(signed_in.data or b"", JID.parse(signed_in.account.address))
        self._check_attempts()

    async def _in_one(self, step: Awaitable[None]) -> None:
        await step
        self._check_attempts()

    def _check_attempts(self) -> None:
        if self._authentication.is_exhausted:
            # RFC 6120 §6.4.5: after some tries the stream ends.
            self.fail(StreamCondition.POLICY_VIOLATION, "too many attempts to sign in")

    async def _bind(self, request_id: str, wanted: str) -> None:
        signed_in = self.signed_in
        if signed_in is None:
            raise LocalProtocolError("a resource is bound before anybody signed in")
        account = signed_in.account
        # A device with a credential of its own is that device and no other.
        resource = signed_in.resource or wanted or secrets.token_urlsafe(9)
        try:
            jid = JID.parse(account.address).with_resource(resource)
        except JIDError:
            self._stream.bind_refused(request_id, StanzaError(StanzaCondition.BAD_REQUEST))
            return
        try:
            session = await bind(self, self._listener.sign_in, signed_in, jid, self.installation)
        except StanzaError as error:
            self._stream.bind_refused(request_id, error)
        except AccountClosed:
            self.fail(StreamCondition.NOT_AUTHORIZED, "the account is closed")
        else:
            if session is not None:
                self._stream.bound(request_id, jid)

    def _nonza(self, element: Element) -> None:
        if self.session is not None:
            handler = self._listener.nonzas.get((element.namespace, element.name))
            if handler is not None:
                handler(self._host, self.session, element)
                return
        elif element.namespace == NS_SM and self.signed_in is not None:
            resume(self, self.signed_in.account, element)
            return
        self.fail(StreamCondition.UNSUPPORTED_STANZA_TYPE)

    def _ended(self, event: c2s.StreamEnded) -> None:
        if event.condition is not None:
            self._host.metrics.refused(event.condition.value)
            log.info("stream ended", condition=event.condition.value, text=event.text, pii={"peer": self.peer})
        session, self.session = self.session, None
        # What came in with the end of the stream is nobody's.
        self.signed_in = None
        if session is not None and event.condition is None:
            session.finish()
        elif session is not None:
            session.end()
        self._flush()
        if self._wire is not None:
            self._wire.close()

    # For sessions.

    def begin(self, session: Session) -> None:
        """A session of this stream was made."""
        self.session = session
        session.lang = self._stream.lang

    def resumed(self, session: Session) -> None:
        """The stream carries on a session that was begun on another one."""
        self.begin(session)
        session.connection = self
        self._stream.resumed()

    def send(self, data: bytes) -> None:
        """Queue a first-level element; it goes out at the end of the loop's turn."""
        self._stream.send(data)
        self._flush()
        self._sent_bytes += len(data)
        if self._sent_bytes > _CHECK_UNSENT_EVERY and self._wire is not None:
            self._sent_bytes = 0
            if self._wire.unsent_bytes > self._host.settings.limits.max_unsent_bytes:
                log.info("client reads too slowly", unsent_bytes=self._wire.unsent_bytes, pii={"peer": self.peer})
                self._wire.abort()

    def acknowledgement_due(self, outstanding: int) -> None:
        """Stanzas wait for the client's acknowledgement: ask now if there are many, with the next tick otherwise."""
        self._is_request_owed = True
        if outstanding >= _REQUEST_AFTER:
            self.request_acknowledgement()

    def request_acknowledgement(self) -> None:
        """Ask once; the next time only when the client has answered."""
        if self._is_request_owed and not self._is_request_open:
            self._is_request_owed = False
            self._is_request_open = True
            self.send(REQUEST)

    def acknowledgement_came(self) -> None:
        """The client answered."""
        self._is_request_open = False

    def ping(self) -> None:
        """Give the client a reason to say something."""
        if self.session is None or self._is_request_open:
            return
        if self.session.sm is not None:
            self._is_request_owed = True
            self.request_acknowledgement()
        else:
            attrs = {
                "type": "get",
                "id": self._host.new_id(),
                "from": self.session.account.domain,
                "to": str(self.session.jid),
            }
            self.send(xml("iq", attrs, xml("ping", {"xmlns": NS_PING})))

    def pause(self, reason: str) -> None:
        """Read nothing more until `unpause` was called for every reason."""
        self._pauses.add(reason)
        if self._wire is not None:
            self._wire.pause_reading()

    def unpause(self, reason: str) -> None:
        """The reason is gone."""
        self._pauses.discard(reason)
        if not self._pauses and self._wire is not None:
            self._wire.resume_reading()

    def _slow_down(self, wait_s: float) -> None:
        if "rate" not in self._pauses:
            self.pause("rate")
            self._host.supervisor.spawn("slow down", self._speed_up_after(wait_s))

    async def _speed_up_after(self, wait_s: float) -> None:
        await self._host.clock.sleep(wait_s)
        self.unpause("rate")

    def fail(self, condition: StreamCondition, text: str = "", application: bytes = b"") -> None:
        """End the stream with an error; `application` is one XML element that says more."""
        self._handle(self._stream.fail(condition, text, application))

    def shut_down(self) -> None:
        """End the stream because the server stops; the client learns how far it came (XEP-0198 §4)."""
        session = self.session
        if session is not None and session.sm is not None:
            self.send(acknowledgement(session.sm.h))
        if session is None or not session.is_journaled:
            self.fail(StreamCondition.SYSTEM_SHUTDOWN)
            return
        # The next process goes on with it.
        self.release(StreamCondition.SYSTEM_SHUTDOWN)
        self._host.sessions.connection_lost(session)

    def close(self) -> None:
        """End the stream without an error; the session ends with it."""
        self._stream.close()
        self._ended(c2s.StreamEnded(is_clean=True))

    def abort(self) -> None:
        """Cut the connection; the session may be resumed."""
        if self._wire is not None:
            self._wire.abort()

    def release(self, condition: StreamCondition) -> None:
        """End the stream but not its session, which goes on elsewhere or can be resumed."""
        self.session = None
        self._handle(self._stream.fail(condition))

    def _flush(self) -> None:
        items = self._stream.output()
        if items and self._wire is not None:
            if log.is_tracing:
                for item in items:
                    self._trace("sent", item)
            self._wire.send(items)

    def _trace(self, what: str, data: bytes) -> None:
        # Before the session is bound there may be credentials in it.
        content = hidden(data) if self.session is None else self._host.memory(Transcripts).shown(data)
        log.trace(what, transport=self._listener.kind, pii={"peer": self.peer, "content": content})
