"""What both ends of a stream between servers have in common (RFC 6120 §4, jabber:server), sans-IO.

`IncomingStream` (`s2s_incoming.py`) and `OutgoingStream` (`s2s_outgoing.py`) take the bytes that the other server sent
and return events; what is to be sent back collects in `output()`. Stanzas come out in the form of client streams
(jabber:client, see `element.py`), and are given to `send` in it.

    OPENING ──header──▶ NEGOTIATING ──<starttls/>──▶ SECURING ──TLS is up──▶ OPENING
                             ├──SASL EXTERNAL──▶ OPENING, authenticated ──header──▶ ESTABLISHED
                             └──dialback (XEP-0220)──▶ ESTABLISHED
    any ──error or close──▶ CLOSED
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from parley.protocols.xmpp import namespaces as ns
from parley.protocols.xmpp.builder import attribute
from parley.protocols.xmpp.dialback import Dialback, dialback_key, parse_dialback
from parley.protocols.xmpp.element import Element, to_server
from parley.protocols.xmpp.errors import (
    JIDError,
    PayloadError,
    StanzaCondition,
    StreamCondition,
    StreamError,
    stream_error,
)
from parley.protocols.xmpp.framing import (
    ElementReceived,
    Framer,
    FramingFailed,
    FramingLimits,
    StreamClosed,
    StreamOpened,
)
from parley.protocols.xmpp.framing import Event as FramingEvent
from parley.protocols.xmpp.jid import JID


class ServerStreamState(Enum):
    """Where the negotiation stands."""

    OPENING = "opening"
    NEGOTIATING = "negotiating"
    SECURING = "securing"
    ESTABLISHED = "established"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TlsWanted:
    """TLS goes on from here: send what `output()` holds, do the handshake, then call `tls_established`."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """One end has proven to the other that it is `domain`: by `external` (its certificate) or `dialback`.

    On an incoming stream it is the peer, on an outgoing one it is us; from now on its stanzas may flow. `local` is the
    domain of ours that the peer proved it to, where that is another than the stream's.
    """

    domain: str
    by: str
    local: str = ""


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """The peer did not take us for who we are, and says `reason` where it does.

    `verdict` is what dialback came to, `invalid` or `error`, "" where it was not tried.
    """

    reason: str
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class DialbackAsked:
    """The peer says it is `question.sender` and wants that verified (XEP-0220 §2.4): answer by `dialback_answered`."""

    question: Dialback


@dataclass(frozen=True, slots=True)
class DialbackVerified:
    """The peer's answer to `verify`."""

    answer: Dialback


@dataclass(frozen=True, slots=True)
class StanzaArrived:
    """A message, presence or iq, in jabber:client; its `from` is of an authenticated domain, its `to` an address."""

    element: Element
    sender: JID
    to: JID


@dataclass(frozen=True, slots=True)
class NonzaArrived:
    """Another element on an established stream: stream management."""

    element: Element


@dataclass(frozen=True, slots=True)
class ServerStreamEnded:
    """The stream is over.

    Clean when the peer closed it; otherwise `condition` was sent to it or, with `is_remote`, came from it.
    """

    is_clean: bool
    condition: StreamCondition | None = None
    text: str = ""
    is_remote: bool = False


Event = (
    TlsWanted
    | Authenticated
    | AuthenticationFailed
    | DialbackAsked
    | DialbackVerified
    | StanzaArrived
    | NonzaArrived
    | ServerStreamEnded
)

_STANZAS: Final = frozenset({"message", "presence", "iq"})
_LONGEST_ID: Final = 1023
_OPEN: Final = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
    b"xmlns:db='jabber:server:dialback' version='1.0'"
)
_CONDITIONS: Final = {condition.value: condition for condition in StreamCondition}


@dataclass(frozen=True, slots=True)
class ServerStreamConfig:
    """What holds for all server streams.

    Attributes:
        domains: that we serve, services below them among them.
        secret: for keys of dialback.
        is_tls_required: nothing but STARTTLS is done without TLS.
        limits: until the stream is authenticated.
        authenticated_limits: from then on.
    """

    domains: Callable[[str], bool]
    primary_domain: str
    secret: bytes
    is_tls_required: bool
    limits: FramingLimits
    authenticated_limits: FramingLimits


class ServerStream(ABC):
    """One stream between servers.

    Args:
        config: what we offer and demand.
        is_secure: TLS is there already.
    """

    def __init__(self, config: ServerStreamConfig, *, is_secure: bool) -> None:
        self._config = config
        self._out: list[bytes] = []
        self._framed: deque[FramingEvent] = deque()
        self._is_open_sent = False
        self._is_authenticated = False
        self.state = ServerStreamState.OPENING
        self.is_secure = is_secure
        self.remotes: set[str] = set()
        """The domains of the peer whose stanzas may come in on this stream."""
        self._framer = self._new_framer()

    # For who has the connection.

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes and return what they mean. What comes in clear behind STARTTLS is dropped (RFC 6120 §5.4.3.3)."""
        events: list[Event] = []
        while self._may_go_on:
            framer = self._framer
            self._framed += framer.feed(data)
            events += self._drain()
            if framer is self._framer:
                data = b""
                if not framer.pending() or self._framed:
                    break
            else:
                # Behind SASL a new stream begins.
                data = framer.pending()
        return events

    def output(self) -> list[bytes]:
        """Take what is to be sent, in order."""
        out, self._out = self._out, []
        return out

    def send(self, data: bytes) -> None:
        """Queue a stanza in the form of client streams, or another first-level element."""
        if self.state is not ServerStreamState.CLOSED:
            self._out.append(to_server(data))

    def fail(self, condition: StreamCondition, reason: str = "", application: bytes = b"") -> list[Event]:
        """End the stream with an error (RFC 6120 §4.9); a header is sent first if none was."""
        if self.state is ServerStreamState.CLOSED:
            return []
        if self.state is not ServerStreamState.SECURING:
            if not self._is_open_sent:
                self._send_open()
            self._out += (stream_error(condition, reason, application=application), b"</stream:stream>")
        self.state = ServerStreamState.CLOSED
        return [ServerStreamEnded(is_clean=False, condition=condition, text=reason)]

    def close(self) -> None:
        """End the stream without an error."""
        if self.state is ServerStreamState.CLOSED:
            return
        if self._is_open_sent and self.state is not ServerStreamState.SECURING:
            self._out.append(b"</stream:stream>")
        self.state = ServerStreamState.CLOSED

    def tls_established(self) -> None:
        """TLS is up, and a new stream begins."""
        if self.state is ServerStreamState.SECURING:
            self.is_secure = True
            self._restart()

    # For both directions.

    @property
    def _may_go_on(self) -> bool:
        return self.state not in (ServerStreamState.CLOSED, ServerStreamState.SECURING)

    def _new_framer(self) -> Framer:
        limits = self._config.authenticated_limits if self._is_authenticated else self._config.limits
        return Framer("stream", limits, ns.NS_SERVER)

    def _restart(self) -> None:
        self._framer = self._new_framer()
        self._framed.clear()
        self._is_open_sent = False
        self.state = ServerStreamState.OPENING

    def _drain(self) -> list[Event]:
        events: list[Event] = []
        while self._framed and self._may_go_on:
            event = self._framed.popleft()
            if type(event) is ElementReceived:
                events += self._element(event.element)
            elif type(event) is StreamOpened:
                events += self._header(event)
            elif type(event) is StreamClosed:
                self.close()
                events.append(ServerStreamEnded(is_clean=True))
            elif type(event) is FramingFailed:
                events += self.fail(event.condition, event.text)
        return events

    def _header(self, event: StreamOpened) -> list[Event]:
        try:
            self._check_header(event)
            return self._opened(event)
        except StreamError as error:
            return self.fail(error.condition, error.text)

    def _check_header(self, event: StreamOpened) -> None:
        if self.state is not ServerStreamState.OPENING:
            raise StreamError(StreamCondition.BAD_FORMAT, "a second stream header")
        # RFC 6120 §4.8.3: streams may be the default namespace themselves; content then has a prefix.
        if event.default_namespace not in (ns.NS_SERVER, ns.NS_STREAMS, ""):
            raise StreamError(StreamCondition.INVALID_NAMESPACE, "jabber:server is spoken here")

    def _element(self, element: Element) -> list[Event]:
        try:
            return self._taken(element)
        except StreamError as error:
            return self.fail(error.condition, error.text)
        except PayloadError as error:
            return self.fail(StreamCondition.BAD_FORMAT, str(error))

    def _taken(self, element: Element) -> list[Event]:
        if (element.namespace, element.name) == (ns.NS_STREAMS, "error"):
            return self._failed(element)
        if self.state is ServerStreamState.OPENING:
            raise StreamError(StreamCondition.BAD_FORMAT, "an element where a stream header belongs")
        if element.namespace == ns.NS_CLIENT:
            return [self._stanza(element)]
        if element.namespace == ns.NS_DIALBACK:
            return self._dialback(parse_dialback(element))
        if self.state is ServerStreamState.ESTABLISHED:
            return [NonzaArrived(element)]
        return self._negotiation(element)

    def _failed(self, element: Element) -> list[Event]:
        """The peer ends the stream with an error."""
        found, text = StreamCondition.UNDEFINED_CONDITION, ""
        for child in element.tree():
            name = str(child.tag).removeprefix(f"{{{ns.NS_STREAM_ERRORS}}}")
            found = _CONDITIONS.get(name, found)
            if name == "text":
                text = (child.text or "")[:200]
        self.close()
        return [ServerStreamEnded(is_clean=False, condition=found, text=text, is_remote=True)]

    def _stanza(self, element: Element) -> StanzaArrived:
        if element.name not in _STANZAS:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, "not a stanza")
        if not self.remotes:
            # RFC 6120 §4.9.3.12
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "prove who you are first")
        if not element.to or not element.from_:
            # RFC 6120 §8.1.1.2, §8.1.2.2: both MUST be there between servers.
            raise StreamError(StreamCondition.IMPROPER_ADDRESSING, "a stanza needs from and to")
        try:
            sender, to = JID.parse(element.from_), JID.parse(element.to)
        except JIDError as error:
            # RFC 6120 §4.9.3.7
            raise StreamError(StreamCondition.IMPROPER_ADDRESSING, str(error)) from error
        if sender.domain not in self.remotes:
            # RFC 6120 §4.9.3.9
            raise StreamError(StreamCondition.INVALID_FROM, "this stream does not speak for that domain")
        if not self._config.domains(to.domain):
            raise StreamError(StreamCondition.HOST_UNKNOWN, "this host is not served here")
        return StanzaArrived(element, sender, to)

    def _header_bytes(self, attrs: dict[str, str]) -> bytes:
        stamps = b"".join(b' %b="%b"' % (name.encode(), attribute(value)) for name, value in attrs.items() if value)
        return _OPEN + stamps + b">"

    @abstractmethod
    def _send_open(self) -> None: ...

    @abstractmethod
    def _opened(self, event: StreamOpened) -> list[Event]: ...

    @abstractmethod
    def _negotiation(self, element: Element) -> list[Event]: ...

    @abstractmethod
    def _dialback(self, dialback: Dialback) -> list[Event]: ...

    # Dialback, as the server that is asked.

    def _vouch(self, question: Dialback) -> None:
        """Another server asks whether a stream is ours: the key tells (XEP-0185)."""
        if len(question.id) > _LONGEST_ID:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "an id is not that long")
        if not self._config.domains(question.to):
            self._answer(question, "error", StanzaCondition.ITEM_NOT_FOUND)
            return
        expected = dialback_key(self._config.secret, question.sender, question.to, question.id)
        is_ours = hmac.compare_digest(expected.encode(), question.key.encode())
        self._answer(question, "valid" if is_ours else "invalid")

    def _answer(self, question: Dialback, verdict: str, condition: str = "") -> None:
        answer = replace(question, sender=question.to, to=question.sender, type=verdict, key="", condition=condition)
        self._out.append(answer.to_bytes())


def is_supported_version(version: str) -> bool:
    """Whether a stream header's version is 1.0 or newer (RFC 6120 §4.7.5)."""
    major, dot, minor = version.partition(".")
    return bool(dot) and all(part.isascii() and part.isdecimal() for part in (major, minor)) and int(major) >= 1


def domain_of(address: str | None) -> str:
    """The domain that an attribute of a stream header names, "" when it names none."""
    try:
        jid = JID.parse(address or "")
    except JIDError:
        return ""
    return "" if jid.local or jid.resource else jid.domain
