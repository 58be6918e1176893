"""The server's end of a client stream (RFC 6120 §4 to §7, RFC 7395), sans-IO.

`ClientStream` takes the bytes a client sent and returns events; what is to be sent back collects in `output()`. It is
one state machine for TCP with STARTTLS, direct TLS (XEP-0368) and WebSocket; they differ in framing and in whether TLS
is there from the start.

    OPENING ──header──▶ NEGOTIATING ──<starttls/>──▶ (TLS) ──▶ OPENING
                             ├──<auth/>──▶ AUTHENTICATING ──success──▶ OPENING, now authenticated
                             ├──<authenticate/>──▶ AUTHENTICATING ──success──▶ NEGOTIATING or ESTABLISHED
                             │                        └──<continue/>──▶ CONTINUING ──success──┘
                             └──bind or resume, when authenticated──▶ ESTABLISHED
    any ──error or close──▶ CLOSED

Credentials, sessions and stanzas are the caller's: it answers `AuthRequested`, `BindRequested` and the rest by calling
the method of the same name. Answers that come when the stream has ended meanwhile change nothing. There are two
profiles of SASL: after `<auth/>` (RFC 6120 §6) the stream starts anew, after `<authenticate/>` (XEP-0388) it goes on,
and a resource may be bound already.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from parley.protocols.xmpp import namespaces as ns
from parley.protocols.xmpp import sasl2, stream_elements
from parley.protocols.xmpp.element import Element, text, to_frame, xml
from parley.protocols.xmpp.errors import (
    JIDError,
    PayloadError,
    SASLCondition,
    SASLError,
    StanzaError,
    StreamCondition,
    sasl_failure,
    stream_error,
)
from parley.protocols.xmpp.framing import (
    ElementReceived,
    Framer,
    FramingFailed,
    StreamClosed,
    StreamOpened,
)
from parley.protocols.xmpp.framing import Event as FramingEvent
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.registration import is_registration
from parley.protocols.xmpp.sasl import decode_payload, encode_payload
from parley.protocols.xmpp.stream_events import (
    AuthAborted,
    AuthenticateRequested,
    AuthRequested,
    AuthResponded,
    BindRequested,
    Event,
    NonzaReceived,
    RegistrationRequested,
    StanzaReceived,
    StreamConfig,
    StreamEnded,
    StreamState,
    TaskAnswered,
    TaskChosen,
    TlsRequested,
    is_supported_version,
)

__all__ = [
    "AuthAborted",
    "AuthRequested",
    "AuthResponded",
    "AuthenticateRequested",
    "BindRequested",
    "ClientStream",
    "Event",
    "NonzaReceived",
    "RegistrationRequested",
    "StanzaReceived",
    "StreamConfig",
    "StreamEnded",
    "StreamState",
    "TaskAnswered",
    "TaskChosen",
    "TlsRequested",
]


_STANZAS: Final = frozenset({"message", "presence", "iq"})
_SASL: Final = frozenset({ns.NS_SASL, ns.NS_SASL2})
# RFC 5646 §2.1, as far as its shape goes; it is stamped on stanzas, so nothing longer gets in.
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,7}")


class ClientStream:
    """One client stream as the server sees it.

    Args:
        config: what is offered.
        stream_ids: returns an unguessable id for each stream header (RFC 6120 §4.7.3).
        is_secure: TLS is there already.
        channel_bindings: data of each channel binding at hand, by its name.
    """

    def __init__(
        self,
        config: StreamConfig,
        stream_ids: Callable[[], str],
        *,
        is_secure: bool,
        channel_bindings: Mapping[str, bytes],
    ) -> None:
        self._config = config
        self._stream_ids = stream_ids
        self._out: list[bytes] = []
        self._framed: deque[FramingEvent] = deque()
        self._held: list[bytes] = []
        self._late: list[bytes] = []
        self._is_waiting = False
        self._is_newer_sasl = False
        self._is_open_sent = False
        self._handlers: dict[StreamState, Callable[[Element], list[Event]]] = {
            StreamState.OPENING: self._early,
            StreamState.NEGOTIATING: self._negotiating,
            StreamState.AUTHENTICATING: self._authenticating,
            StreamState.CONTINUING: self._continuing,
            StreamState.ESTABLISHED: self._established,
        }
        self.state = StreamState.OPENING
        self.is_secure = is_secure
        self.channel_bindings = channel_bindings
        self.is_authenticated = False
        self.domain = ""
        self._who: JID | None = None
        self.named: JID | None = None
        """Who the client says to be in its header (RFC 6120 §4.7.1); nothing has proved it."""
        self.lang = ""
        """The language of stanzas that name none (RFC 6120 §4.7.4), "" when the client gave none either."""
        self.offered: tuple[str, ...] = ()
        self._framer = self._new_framer()

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes (a whole WebSocket frame when framed) and return what they mean.

        While an event waits for the caller's answer, what comes behind it is held; it is returned by `proceed`.
        """
        if self.state is StreamState.CLOSED:
            return []
        if self._is_waiting:
            self._held.append(data)
            return []
        self._framed += self._framer.feed(data)
        events = self._drain()
        # Behind an element of SASL that was answered at once, the framer goes on where it stopped.
        while self._may_go_on and self._framer.pending():
            self._framed += self._framer.feed(b"")
            events += self._drain()
        return events

    def proceed(self) -> list[Event]:
        """After an answer: what had come in behind the question."""
        if not self._may_go_on:
            return []
        held, self._held = self._held, []
        if not self._config.is_framed:
            held = [b"".join(held)]
        events = self._drain()
        for data in held:
            events += self.receive(data)
        return events

    @property
    def held_bytes(self) -> int:
        """Bytes that wait behind an unanswered event."""
        return sum(map(len, self._held))

    @property
    def _may_go_on(self) -> bool:
        return not self._is_waiting and self.state is not StreamState.CLOSED

    def _drain(self) -> list[Event]:
        events: list[Event] = []
        while self._framed and self._may_go_on:
            event = self._framed.popleft()
            if type(event) is ElementReceived:
                events += self._element(event.element)
            elif type(event) is StreamOpened:
                events += self._opened(event)
            elif type(event) is StreamClosed:
                events += self._closed()
            elif type(event) is FramingFailed:
                events += self.fail(event.condition, event.text)
        return events

    def _element(self, element: Element) -> list[Event]:
        if (element.namespace, element.name) == (ns.NS_STREAMS, "error") and self.state is not StreamState.OPENING:
            # RFC 6120 §4.9.1.1: it cannot go on; what is left is to close this side too.
            return self._closed()
        try:
            return self._handlers[self.state](element)
        except PayloadError as error:
            # Only negotiation looks inside elements here.
            return self.fail(StreamCondition.NOT_WELL_FORMED, str(error))

    def _ask(self, event: Event) -> list[Event]:
        self._is_waiting = True
        return [event]

    def output(self) -> list[bytes]:
        """Take what is to be sent, in order; each item is one frame on a WebSocket."""
        out, self._out = self._out, []
        return out

    def send(self, data: bytes) -> None:
        """Queue a stanza or other first-level element in the form of a TCP stream.

        While the client signs in nothing but that may be said (XEP-0388 §2.5), and while it binds a resource nothing
        may come to it before it knows: the rest goes out behind the success.
        """
        is_late = self._is_waiting and self.state is not StreamState.ESTABLISHED
        is_late |= self.state in (StreamState.AUTHENTICATING, StreamState.CONTINUING)
        (self._late if is_late else self._out).append(self._framed_as(data))

    def fail(self, condition: StreamCondition, reason: str = "", application: bytes = b"") -> list[Event]:
        """End the stream with a stream error (RFC 6120 §4.9); a header is sent first if none was.

        `application` is one XML element that says more, in a namespace of its own.
        """
        if self.state is StreamState.CLOSED:
            return []
        if not self._is_open_sent:
            self._send_open(None)
        self._out.append(stream_error(condition, reason, application=application))
        self._send_close()
        self.state = StreamState.CLOSED
        return [StreamEnded(is_clean=False, condition=condition, text=reason)]

    def close(self) -> None:
        """End the stream without an error."""
        if self.state is not StreamState.CLOSED:
            if not self._is_open_sent:
                self._send_open(None)
            self._send_close()
            self.state = StreamState.CLOSED

    def tls_established(self, channel_bindings: Mapping[str, bytes]) -> None:
        """TLS is up: the client opens a new stream (RFC 6120 §5.4.3.3)."""
        if self.state is StreamState.CLOSED:
            return
        self.is_secure = True
        self.channel_bindings = channel_bindings
        # RFC 6120 §5.4.3.3: what came in clear behind <starttls/> is not part of the secured stream.
        self._held.clear()
        self._restart(b"")

    def challenge(self, data: bytes) -> None:
        """Send a SASL challenge."""
        if self.state is not StreamState.CLOSED:
            self._out.append(sasl2.challenge(data) if self._is_newer_sasl else self._sasl("challenge", data))
            self._is_waiting = False

    def auth_succeeded(self, data: bytes = b"", who: JID | None = None) -> None:
        """Send success, with `data` for the client to check; the client, now known to be `who`, opens a new stream."""
        if self.state is StreamState.CLOSED:
            return
        self._who = who
        self._out.append(self._sasl("success", data) if data else xml("success", {"xmlns": ns.NS_SASL}))
        self.is_authenticated = True
        self._restart(self._framer.pending())

    def authenticated(self, identifier: str, data: bytes | None, results: Iterable[bytes], *, is_bound: bool) -> None:
        """Send success in answer to `AuthenticateRequested`, and the features behind it; the stream goes on.

        Args:
            identifier: the bare address, or the full one that is bound now.
            data: for the client to check, None for nothing.
            results: what the inline features answer.
            is_bound: whether stanzas may flow.
        """
        if self.state is StreamState.CLOSED:
            return
        self._out.append(sasl2.success(identifier, data, results))
        self.is_authenticated = True
        self._framer.allow(self._config.authenticated_limits)
        self._send_features(is_bound=is_bound)
        self.state = StreamState.ESTABLISHED if is_bound else StreamState.NEGOTIATING
        self._send_late()

    def continue_with(self, task: str, data: bytes | None) -> None:
        """Answer `AuthenticateRequested`: the client has proved who it is and is to do `task` before it is let in."""
        if self.state is StreamState.CLOSED:
            return
        self._out.append(sasl2.to_continue(task, data))
        self._is_waiting = False
        self.state = StreamState.CONTINUING

    def task_data(self, content: bytes) -> None:
        """Send the server's part of a task."""
        if self.state is not StreamState.CLOSED:
            self._out.append(sasl2.task_data(content))
            self._is_waiting = False

    def auth_failed(
        self, condition: SASLCondition, reason: str = "", application: bytes = b"", data: bytes | None = None
    ) -> None:
        """Send a failure; the client may try again.

        `application` and `data`, what the mechanism says at its end, go out with the newer profile only.
        """
        if self.state is StreamState.CLOSED:
            return
        is_newer = self._is_newer_sasl
        failure = sasl2.failure(condition, reason, application, data) if is_newer else sasl_failure(condition, reason)
        self._out.append(failure)
        self._is_waiting = False
        self._late.clear()
        self.state = StreamState.NEGOTIATING

    def bound(self, request_id: str, jid: JID) -> None:
        """Answer resource binding with the full address; stanzas may flow."""
        if self.state is StreamState.CLOSED:
            return
        bind = xml("bind", {"xmlns": ns.NS_BIND}, xml("jid", None, str(jid)))
        self._out.append(self._framed_as(xml("iq", {"type": "result", "id": request_id}, bind)))
        self.state = StreamState.ESTABLISHED
        self._send_late()

    def bind_refused(self, request_id: str, error: StanzaError) -> None:
        """Answer resource binding with an error; the client may try again."""
        if self.state is StreamState.CLOSED:
            return
        self._out.append(self._framed_as(xml("iq", {"type": "error", "id": request_id}, error.to_bytes())))
        self._is_waiting = False
        self._late.clear()

    def registration_answered(self, stanza: bytes) -> None:
        """Answer a request about opening an account; the client may go on to sign in."""
        if self.state is not StreamState.CLOSED:
            self._is_waiting = False
            self.send(stanza)

    def resumed(self) -> None:
        """A session was resumed instead of a resource being bound (XEP-0198 §5), after signing in."""
        if self.state is StreamState.NEGOTIATING:
            self.state = StreamState.ESTABLISHED

    def _framed_as(self, data: bytes) -> bytes:
        return to_frame(data) if self._config.is_framed else data

    def _send_late(self) -> None:
        self._is_waiting = False
        late, self._late = self._late, []
        self._out += late

    def _new_framer(self) -> Framer:
        limits = self._config.authenticated_limits if self.is_authenticated else self._config.limits
        return Framer("frame" if self._config.is_framed else "stream", limits)

    def _restart(self, pending: bytes) -> None:
        self._framer = self._new_framer()
        self._framed.clear()
        self._is_waiting = False
        if pending:
            self._held.insert(0, pending)
        self._is_open_sent = False
        self.state = StreamState.OPENING

    def _sasl(self, name: str, data: bytes) -> bytes:
        # RFC 6120 §6.4.2: "=" stands for an empty initial response; a challenge without data is an empty element.
        return xml(name, {"xmlns": ns.NS_SASL}, text(encode_payload(data)) if data else b"")

    # Stream headers.

    def _opened(self, event: StreamOpened) -> list[Event]:
        if self.state is not StreamState.OPENING:
            return self.fail(StreamCondition.BAD_FORMAT, "a second stream header")
        # RFC 6120 §4.8.3: streams may be the default namespace themselves; content then has a prefix.
        if event.default_namespace not in (ns.NS_CLIENT, ns.NS_STREAMS, ""):
            return self.fail(StreamCondition.INVALID_NAMESPACE, "this port serves jabber:client")
        domain = self._host_named(event.attrs.get("to", ""))
        if not domain:
            return self.fail(StreamCondition.HOST_UNKNOWN, "this host is not served here, or is another than before")
        self.domain = domain
        self.named = _address(event.attrs.get("from", ""))
        self.lang = event.lang if event.lang and _LANGUAGE.fullmatch(event.lang) else ""
        self._send_open(event.attrs.get("from"))
        if self._is_another_than_signed_in():
            return self.fail(StreamCondition.INVALID_FROM, "the header names somebody else than who signed in")
        # RFC 6120 §4.7.5: a version of "1.0" or newer is wanted; streams from before XMPP 1.0 are not spoken here.
        if not is_supported_version(event.attrs.get("version", "")):
            return self.fail(StreamCondition.UNSUPPORTED_VERSION, "version 1.0 is required")
        self._send_features()
        self.state = StreamState.NEGOTIATING
        return []

    def _host_named(self, to: str) -> str:
        """The domain of a header, "" where it is none of ours or another than that of the header before."""
        host = _address(to)
        if host is None or host.local or host.resource or host.domain not in self._config.domains:
            # RFC 6120 §4.9.3.6: also for an address that is none, or missing: which host is meant cannot be told.
            return ""
        return host.domain if self.domain in ("", host.domain) else ""

    def _is_another_than_signed_in(self) -> bool:
        # RFC 6120 §4.9.3.9: once SASL has shown who the client is, its header MUST NOT say anything else.
        named = self.named
        return self._who is not None and named is not None and bool(named.local) and named.bare != self._who

    def _send_open(self, to: str | None) -> None:
        attrs: dict[str, str] = {"from": self.domain or self._config.primary_domain, "id": self._stream_ids()}
        if to is not None:
            # RFC 6120 §4.7.2: the bare address of the client's `from`.
            attrs["to"] = to.partition("/")[0]
        self._out.append(stream_elements.header(attrs, is_framed=self._config.is_framed))
        self._is_open_sent = True

    def _send_close(self) -> None:
        self._out.append(stream_elements.end(is_framed=self._config.is_framed))

    def _closed(self) -> list[Event]:
        self._send_close()
        self.state = StreamState.CLOSED
        return [StreamEnded(is_clean=True)]

    def _send_features(self, *, is_bound: bool = False) -> None:
        parts: list[bytes] = []
        if self.is_authenticated and not is_bound:
            parts.append(stream_elements.BINDING)
        elif not self.is_authenticated:
            parts += self._offers()
        parts.append(self._config.features(self.is_authenticated))
        prefix = {"xmlns:stream": ns.NS_STREAMS} if self._config.is_framed else None
        self._out.append(xml("stream:features", prefix, *parts))

    def _offers(self) -> list[bytes]:
        parts: list[bytes] = []
        if self._is_starttls_open:
            parts.append(stream_elements.starttls(is_required=self._config.is_tls_required))
        self.offered = self._mechanisms()
        if self.offered:
            parts.append(stream_elements.mechanisms(self.offered))
        if self._is_newer_sasl_open:
            parts.append(sasl2.authentication(self.offered, self._config.inside(self.channel_bindings)))
        if self.offered and self.channel_bindings:
            parts.append(stream_elements.channel_bindings(self.channel_bindings))
        if self.offered:
            parts.append(self._config.registration)
        return parts

    @property
    def _is_newer_sasl_open(self) -> bool:
        # XEP-0388 §5: it MUST only be offered after TLS negotiation.
        return bool(self.offered) and (self.is_secure or self._config.is_private)

    @property
    def _is_starttls_open(self) -> bool:
        return self._config.is_tls_offered and not self.is_secure and not self._config.is_framed

    def _mechanisms(self) -> tuple[str, ...]:
        if self._config.is_tls_required and not self.is_secure:
            return ()
        return self._config.mechanisms(self.channel_bindings, self.is_secure)

    # Elements, by state.

    def _early(self, element: Element) -> list[Event]:
        return self.fail(StreamCondition.BAD_FORMAT, "an element where a stream header belongs")

    def _negotiating(self, element: Element) -> list[Event]:
        key = (element.namespace, element.name)
        if key == (ns.NS_TLS, "starttls"):
            return self._starttls()
        if key == (ns.NS_SASL, "auth") and not self.is_authenticated:
            return self._auth(element)
        if key == (ns.NS_SASL2, "authenticate") and not self.is_authenticated:
            return self._authenticate(element)
        if not self.is_authenticated:
            return self._out_of_order(element) if element.namespace in _SASL else self._early_stanza(element)
        if element.namespace == ns.NS_CLIENT and element.name in _STANZAS:
            return self._bind(element)
        return [NonzaReceived(element)]

    def _out_of_order(self, element: Element) -> list[Event]:
        """An element of SASL where no exchange is in progress: as when the client gave up as the server refused."""
        self._is_newer_sasl = element.namespace == ns.NS_SASL2
        if element.name == "abort":
            return self._aborted()
        return self._refused(SASLCondition.MALFORMED_REQUEST, "nothing was asked")

    def _early_stanza(self, element: Element) -> list[Event]:
        # Also where nobody may: XEP-0077 §3.1 has an answer for that.
        if self.offered and element.namespace == ns.NS_CLIENT and is_registration(element):
            return self._ask(RegistrationRequested(element))
        # RFC 6120 §4.9.3.12: nothing else before authentication.
        return self.fail(StreamCondition.NOT_AUTHORIZED, "sign in first")

    def _starttls(self) -> list[Event]:
        if not self._is_starttls_open or self.is_authenticated:
            self._out.append(xml("failure", {"xmlns": ns.NS_TLS}))
            self._send_close()
            self.state = StreamState.CLOSED
            return [StreamEnded(is_clean=False)]
        self._out.append(xml("proceed", {"xmlns": ns.NS_TLS}))
        return self._ask(TlsRequested())

    def _auth(self, element: Element) -> list[Event]:
        self._is_newer_sasl = False
        mechanism = element.attrs.get("mechanism", "")
        if mechanism not in self.offered:
            is_early = self._config.is_tls_required and not self.is_secure
            refused = SASLCondition.ENCRYPTION_REQUIRED if is_early else SASLCondition.INVALID_MECHANISM
            return self._refused(refused)
        payload = element.tree().text or ""
        if not payload:
            self.state = StreamState.AUTHENTICATING
            return self._ask(AuthRequested(mechanism, None))
        try:
            data = decode_payload(payload)
        except SASLError as error:
            return self._refused(error.condition, error.text)
        self.state = StreamState.AUTHENTICATING
        return self._ask(AuthRequested(mechanism, data))

    def _authenticate(self, element: Element) -> list[Event]:
        if not self._is_newer_sasl_open:
            return self.fail(StreamCondition.NOT_AUTHORIZED, "not without TLS")
        if self.named is not None and self.named.domain != self.domain:
            # XEP-0388 §2.2: the header names somebody of another host than it is addressed to.
            return self.fail(StreamCondition.INVALID_FROM, "the header names somebody of another host")
        self._is_newer_sasl = True
        mechanism = element.attrs.get("mechanism", "")
        if mechanism not in (*self.offered, *self._config.token_mechanisms(self.channel_bindings)):
            return self._refused(SASLCondition.INVALID_MECHANISM)
        try:
            request = sasl2.parse_authenticate(element)
        except SASLError as error:
            return self._refused(error.condition, error.text)
        self.state = StreamState.AUTHENTICATING
        return self._ask(AuthenticateRequested(request))

    def _authenticating(self, element: Element) -> list[Event]:
        namespace = ns.NS_SASL2 if self._is_newer_sasl else ns.NS_SASL
        if element.namespace != namespace or element.name not in ("response", "abort"):
            return self.fail(StreamCondition.NOT_AUTHORIZED, "sign in first")
        if element.name == "abort":
            return self._aborted()
        try:
            tree = element.tree()
            data = sasl2.parse_data(tree) if self._is_newer_sasl else decode_payload(tree.text or "")
        except SASLError as error:
            return self._refused(error.condition, error.text)
        return self._ask(AuthResponded(data))

    def _continuing(self, element: Element) -> list[Event]:
        if element.namespace == ns.NS_SASL2:
            if element.name == "abort":
                return self._aborted()
            if element.name == "next":
                return self._ask(TaskChosen(element.attrs.get("task", "")))
            if element.name == "task-data":
                return self._ask(TaskAnswered(element))
        # XEP-0388 §3.8: also one more <authenticate/> is a stream error.
        return self.fail(StreamCondition.NOT_AUTHORIZED, "sign in first")

    def _aborted(self) -> list[Event]:
        return self._refused(SASLCondition.ABORTED)

    def _refused(self, condition: SASLCondition, reason: str = "") -> list[Event]:
        self.auth_failed(condition, reason)
        return [AuthAborted(condition)]

    def _bind(self, element: Element) -> list[Event]:
        child = element.child(ns.NS_BIND, "bind")
        if element.name != "iq" or element.type != "set" or child is None or not element.id:
            return self.fail(StreamCondition.NOT_AUTHORIZED, "bind a resource first")
        resource = element.tree().find(f"{{{ns.NS_BIND}}}bind/{{{ns.NS_BIND}}}resource")
        return self._ask(BindRequested(element.id, (resource.text or "") if resource is not None else ""))

    def _established(self, element: Element) -> list[Event]:
        if element.namespace == ns.NS_CLIENT:
            if element.name in _STANZAS:
                return [StanzaReceived(element)]
            return self.fail(StreamCondition.UNSUPPORTED_STANZA_TYPE, "not a stanza")
        return [NonzaReceived(element)]


def _address(text: str) -> JID | None:
    try:
        return JID.parse(text)
    except JIDError:
        return None
