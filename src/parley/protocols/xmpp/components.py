"""The server's end of a component's stream (XEP-0114), sans-IO.

    OPENING ──header──▶ NAMED ──<handshake/>──▶ ESTABLISHED
    any ──error or close──▶ CLOSED

Inside the stream stanzas are in `jabber:component:accept`; here they come out, and are taken, in the canonical form of
client streams, so that everything behind routes them as any others.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import attribute, serialise, split_tag, xml
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.errors import JIDError, PayloadError, StreamCondition, stream_error
from parley.protocols.xmpp.framing import (
    ElementReceived,
    Framer,
    FramingFailed,
    FramingLimits,
    StreamClosed,
    StreamOpened,
)
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_CLIENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

NS_COMPONENT: Final = "jabber:component:accept"

_STANZAS: Final = frozenset({"message", "presence", "iq"})
_OPEN: Final = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
    b"xmlns:stream='http://etherx.jabber.org/streams'"
)
_DECLARED: Final = b' xmlns="jabber:component:accept"'


class ComponentState(Enum):
    """Where the negotiation stands."""

    OPENING = "opening"
    NAMED = "named"
    ESTABLISHED = "established"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Established:
    """The component has shown that it knows the secret of `domain`, and was admitted; stanzas may flow."""

    domain: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The component named itself and does not know the secret; the stream error has been sent."""

    domain: str


@dataclass(frozen=True, slots=True)
class StanzaReceived:
    """A stanza on an established stream, in canonical form; its addresses are not checked yet."""

    element: Element


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The stream is over. With `is_clean` the component closed it; otherwise `condition` was sent to it."""

    is_clean: bool
    condition: StreamCondition | None = None
    text: str = ""


Event = Established | Refused | StanzaReceived | StreamEnded


class ComponentStream:
    """One component's stream as the server sees it.

    Args:
        secrets: the secret of each component that may connect, by its domain.
        stream_id: unguessable; the handshake is made of it (XEP-0114 §3).
        limits: for what the component sends.
        admits: asked once the component has shown its secret; False when another one is connected as that domain.
    """

    def __init__(
        self, secrets: Mapping[str, str], stream_id: str, limits: FramingLimits, admits: Callable[[str], bool]
    ) -> None:
        self._secrets = secrets
        self._admits = admits
        self._stream_id = stream_id
        self._framer = Framer("stream", limits)
        self._out: list[bytes] = []
        self._is_open_sent = False
        self._handlers: dict[ComponentState, Callable[[Element], list[Event]]] = {
            ComponentState.OPENING: self._early,
            ComponentState.NAMED: self._handshake,
            ComponentState.ESTABLISHED: self._stanza,
        }
        self.state = ComponentState.OPENING
        self.domain = ""

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes and return what they mean."""
        events: list[Event] = []
        if self.is_closed:
            return events
        for event in self._framer.feed(data):
            if self.is_closed:
                break
            if isinstance(event, ElementReceived):
                events += self._handlers[self.state](event.element)
            elif isinstance(event, StreamOpened):
                events += self._opened(event)
            elif isinstance(event, StreamClosed):
                self.close()
                events.append(StreamEnded(is_clean=True))
            elif isinstance(event, FramingFailed):
                events += self.fail(event.condition, event.text)
        return events

    def output(self) -> list[bytes]:
        """Take what is to be sent, in order."""
        out, self._out = self._out, []
        return out

    def send(self, stanza: bytes) -> None:
        """Queue a stanza in canonical form: it names no namespace, so that it takes on the stream's."""
        if self.state is ComponentState.ESTABLISHED:
            self._out.append(stanza)

    @property
    def is_closed(self) -> bool:
        """Whether the stream is over."""
        return self.state is ComponentState.CLOSED

    def fail(self, condition: StreamCondition, reason: str = "") -> list[Event]:
        """End the stream with a stream error; a header is sent first if none was."""
        if self.state is ComponentState.CLOSED:
            return []
        if not self._is_open_sent:
            self._send_open()
        self._out += [stream_error(condition, reason), b"</stream:stream>"]
        self.state = ComponentState.CLOSED
        return [StreamEnded(is_clean=False, condition=condition, text=reason)]

    def close(self) -> None:
        """End the stream without an error."""
        if self.state is not ComponentState.CLOSED:
            if not self._is_open_sent:
                self._send_open()
            self._out.append(b"</stream:stream>")
            self.state = ComponentState.CLOSED

    def _opened(self, event: StreamOpened) -> list[Event]:
        if event.default_namespace != NS_COMPONENT:
            return self.fail(StreamCondition.INVALID_NAMESPACE, "this port serves jabber:component:accept")
        try:
            named = JID.parse(event.attrs.get("to", ""))
        except JIDError:
            named = None
        if named is None or named.local or named.resource or named.domain not in self._secrets:
            return self.fail(StreamCondition.HOST_UNKNOWN, "no component of this name is configured")
        self.domain = named.domain
        self._send_open()
        self.state = ComponentState.NAMED
        return []

    def _send_open(self) -> None:
        attrs = b' id="%b"' % attribute(self._stream_id)
        if self.domain:
            attrs = b' from="%b"%b' % (attribute(self.domain), attrs)
        self._out.append(_OPEN + attrs + b">")
        self._is_open_sent = True

    def _early(self, element: Element) -> list[Event]:
        return self.fail(StreamCondition.BAD_FORMAT, "an element where a stream header belongs")

    def _handshake(self, element: Element) -> list[Event]:
        if (element.namespace, element.name) != (NS_COMPONENT, "handshake"):
            return self.fail(StreamCondition.NOT_AUTHORIZED, "the handshake comes first")
        given = _text(element).strip().lower()
        wanted = digest(self._stream_id, self._secrets[self.domain])
        if not hmac.compare_digest(given.encode(errors="replace"), wanted.encode()):
            return [Refused(self.domain), *self.fail(StreamCondition.NOT_AUTHORIZED, "wrong handshake")]
        if not self._admits(self.domain):
            return self.fail(StreamCondition.CONFLICT, "this component is connected already")
        self._out.append(xml("handshake"))
        self.state = ComponentState.ESTABLISHED
        return [Established(self.domain)]

    def _stanza(self, element: Element) -> list[Event]:
        if element.name not in _STANZAS or element.namespace not in (NS_COMPONENT, NS_CLIENT):
            return self.fail(StreamCondition.UNSUPPORTED_STANZA_TYPE, "not a stanza")
        try:
            return [StanzaReceived(canonical(element))]
        except PayloadError as error:
            return self.fail(StreamCondition.NOT_WELL_FORMED, str(error))


def digest(stream_id: str, secret: str) -> str:
    """What a component sends in its handshake: SHA-1 of stream id and secret, in lower-case hex (XEP-0114 §3)."""
    return hashlib.sha1(f"{stream_id}{secret}".encode()).hexdigest()  # noqa: S324 - the protocol's


def canonical(element: Element) -> Element:
    """A component's stanza as it would stand in a client's stream; raises PayloadError."""
    if element.namespace == NS_COMPONENT and element.raw.count(NS_COMPONENT.encode()) == 1:
        # The framer wrote it out with its namespace in the opening tag; that is all that has to go.
        head = element.raw[: element.body_start].replace(_DECLARED, b"", 1)
        return Element.from_bytes(head + element.raw[element.body_start :])
    tree = element.tree()
    return Element.from_bytes(_renamed(tree))


def _renamed(tree: _Element) -> bytes:
    for each in tree.iter():
        namespace, name = split_tag(str(each.tag))
        if namespace == NS_COMPONENT:
            each.tag = f"{{{NS_CLIENT}}}{name}"
    return serialise(tree)


def _text(element: Element) -> str:
    return element.tree().text or ""
