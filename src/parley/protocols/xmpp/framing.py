"""From bytes to stream events, for TCP streams (RFC 6120 §4) and WebSocket frames (RFC 7395).

One expat parser lives as long as its XML stream. It tells where elements begin and end; the bytes themselves are sliced
out of what arrived, so a stanza costs a handful of callbacks and one copy. In frame mode the parser stands inside an
element of ours that never closes, and every frame is one child of it.

Three things would let a peer make us work or remember without end, and are handled here: expat keeps every name it ever
saw (the parser is replaced after `_REPLACE_AFTER` bytes), it starts an unfinished tag anew at every call (long ones are
held back until their end is there), and a stanza may never end (it is refused as soon as it is over a limit).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from xml.parsers import expat

from parley.protocols.xmpp.builder import attribute
from parley.protocols.xmpp.element import Child, Element, declare_prefixes, from_server, opening_tag_end
from parley.protocols.xmpp.errors import PayloadError, StreamCondition
from parley.protocols.xmpp.namespaces import (
    NS_CLIENT,
    NS_FRAMING,
    NS_SASL,
    NS_SASL2,
    NS_SERVER,
    NS_STREAMS,
    NS_TLS,
    XML_LANG,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_REPLACE_AFTER: Final = 256 * 1024
_HOLD_AFTER: Final = 4096
_WHITESPACE: Final = b" \t\r\n"
_NAME: Final = re.compile(rb"<([^\s/>]+)")
_QUOTE_OR_END: Final = re.compile(rb"""["'>]""")
_SEPARATOR: Final = " "
_NONE: Final = -1
_BYTES_THAT_TELL: Final = 2  # how many of a stream's first bytes tell UTF-16 from UTF-8

# Depths: the stream's root, its children (stanzas and the like), and theirs.
_ROOT: Final = 1
_ELEMENT: Final = 2
_CHILD: Final = 3

# After these the stream may start anew (RFC 6120 §4.3.3), so nothing behind them belongs to this framer for certain.
# After those of the newer SASL it goes on, but other limits may hold (XEP-0388 §2.7.1).
_MAY_RESTART: Final = frozenset({NS_TLS, NS_SASL, NS_SASL2})

_CONDITIONS: Final[Mapping[int, StreamCondition]] = {
    # RFC 6120 §11.1: an entity reference beyond the five predefined ones is restricted XML.
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: StreamCondition.RESTRICTED_XML,
    # RFC 6120 §11.4: the XML declaration is allowed in front of the header only; elsewhere it is an instruction.
    expat.errors.codes[expat.errors.XML_ERROR_MISPLACED_XML_PI]: StreamCondition.RESTRICTED_XML,
    # RFC 6120 §11.6: nothing but UTF-8.
    expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING]: StreamCondition.UNSUPPORTED_ENCODING,
    expat.errors.codes[expat.errors.XML_ERROR_INCORRECT_ENCODING]: StreamCondition.UNSUPPORTED_ENCODING,
    # RFC 6120 §4.9.3.2: a prefix nobody declared is one we do not support.
    expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]: StreamCondition.BAD_NAMESPACE_PREFIX,
}


@dataclass(frozen=True, slots=True)
class FramingLimits:
    """What a peer may send before the framer gives up with policy-violation.

    Args:
        max_stanza_bytes: size of one top-level element, and of everything up to the end of the stream header.
        max_depth: nesting of elements, the stanza itself counting as 1; 2 or more.
        max_attributes: attributes of any one element.
        max_children: direct children of a top-level element.
    """

    max_stanza_bytes: int = 256 * 1024
    max_depth: int = 64
    max_attributes: int = 64
    max_children: int = 1024


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer's stream header (RFC 6120 §4.7) or `<open/>` (RFC 7395 §3.4).

    Attributes:
        attrs: its attributes; those with a prefix are named `{namespace}local`.
        lang: its xml:lang, or None.
        default_namespace: the content namespace; jabber:client in frame mode, where it is not declared.
        prefixes: namespace prefixes the header declares; "stream" is among them.
    """

    attrs: Mapping[str, str]
    lang: str | None
    default_namespace: str
    prefixes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ElementReceived:
    """One complete top-level element: a stanza or an element of stream negotiation."""

    element: Element


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The peer's `</stream:stream>` or `<close/>`; what it sends afterwards is ignored."""


@dataclass(frozen=True, slots=True)
class FramingFailed:
    """The input cannot be used any further; the caller ends the stream with this condition."""

    condition: StreamCondition
    text: str


Event = StreamOpened | ElementReceived | StreamClosed | FramingFailed


class _Refused(Exception):
    """From a callback to `_run`: the input cannot be used."""

    def __init__(self, condition: StreamCondition, text: str) -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text


class _Stopped(Exception):
    """From a callback to `_run`: what follows in the input is not for this parser."""


class Framer:
    """Cuts the bytes of one XML stream, or the frames of one WebSocket, into events.

    Args:
        mode: "stream" for TCP: `feed` takes any piece of the stream. "frame" for WebSockets: `feed` takes one whole
            text message.
        limits: see `FramingLimits`.
        content: the default namespace of the streams that are spoken: jabber:client, jabber:server or another one.
            Stanzas of jabber:server come out as stanzas of jabber:client, which differ in nothing else
            (RFC 6120 §4.8.3).

    After an element of STARTTLS or SASL in stream mode the framer stops, because the stream may start anew behind it:
    the caller either makes a new framer (and gives it `pending()`, or refuses those bytes: nothing sent in the clear
    behind `<starttls/>` may be used), or goes on with this one by `feed(b"")` or the next bytes.
    """

    __slots__ = (
        "_attrs",
        "_base",
        "_between",
        "_buffer",
        "_child_name",
        "_child_start",
        "_children",
        "_content",
        "_declarations",
        "_deepest",
        "_default_namespace",
        "_depth",
        "_events",
        "_fed",
        "_first",
        "_is_done",
        "_is_framed",
        "_is_paused",
        "_limits",
        "_long_tag",
        "_max_attributes",
        "_name",
        "_parser",
        "_prefixes",
        "_root",
        "_skipped",
        "_start",
    )

    def __init__(
        self, mode: Literal["stream", "frame"], limits: FramingLimits | None = None, content: str = NS_CLIENT
    ) -> None:
        self._is_framed = mode == "frame"
        self._content = content
        self._is_done = self._is_paused = False
        self._limits = limits or FramingLimits()
        self._max_attributes = self._limits.max_attributes
        self._deepest = self._limits.max_depth + _ROOT
        self._events: list[Event] = []

        # Offsets are expat's: bytes since the parser in use began.
        self._buffer = bytearray()  # the element or tag in progress, so far
        self._base = 0  # offset of the buffer's first byte
        self._fed = 0  # offset behind the last byte that expat was given
        self._long_tag: _LongTag | None = None
        self._first = b""  # the stream's first bytes
        self._skipped = 0  # whitespace in front of them

        self._depth = 0
        self._start = _NONE  # offset of the element in progress
        self._between = 0  # offset behind the last element, or behind the header
        self._name = ""
        self._attrs: dict[str, str] = {}
        self._children: list[Child] = []
        self._child_name = ""
        self._child_start = 0

        self._root = b"stream"  # its name as the peer writes it, prefix and all: its end tag has the same
        self._default_namespace = ""
        self._prefixes: dict[str, str] = {}
        self._declarations: dict[bytes, bytes] = {}
        self._parser = self._next_parser() if self._is_framed else self._first_parser()

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes, in order; `FramingFailed` or `StreamClosed` is the last one ever."""
        if self._is_done:
            return []
        if self._is_framed:
            return self._feed_frame(data)
        if self._is_paused or (self._base > _REPLACE_AFTER and self._depth and self._long_tag is None):
            data = bytes(self._buffer) + data
            self._is_paused = False
            self._parser = self._next_parser()
        if not self._first:
            data = self._behind_whitespace(data)
        if not data or (not self._buffer and self._depth == 1 and data.isspace() and not data.strip(_WHITESPACE)):
            # RFC 6120 §4.6.1: whitespace between stanzas keeps the connection alive.
            return self._take_events()
        if len(self._first) < _BYTES_THAT_TELL and not self._is_utf8(data):
            return self._take_events()
        self._buffer += data
        if self._long_tag is not None:
            ready = self._long_tag.add(data)
            if not ready:
                self._check_size(self._long_tag.held)
                return self._take_events()
            self._long_tag = None
            data = ready
        self._run(data)
        return self._take_events()

    def allow(self, limits: FramingLimits) -> None:
        """Hold what comes from now on to other limits. To be called between two elements, when `feed` has stopped."""
        self._limits = limits
        self._max_attributes = limits.max_attributes
        self._deepest = limits.max_depth + _ROOT

    def pending(self) -> bytes:
        """The bytes behind the last element of STARTTLS or SASL; none in other states and in frame mode."""
        return bytes(self._buffer) if self._is_paused else b""

    def _feed_frame(self, data: bytes) -> list[Event]:
        if len(data) > self._limits.max_stanza_bytes:
            self._fail(StreamCondition.POLICY_VIOLATION, "the element is too large")
            return self._take_events()
        if self._base > _REPLACE_AFTER:
            self._parser = self._next_parser()
        self._buffer += data
        self._run(data)
        events = self._take_events()
        if self._is_done or (not self._buffer and len(events) <= 1):
            return events
        # RFC 7395 §3.3.3: every element is sent in a frame of its own, and whole.
        self._fail(StreamCondition.NOT_WELL_FORMED, "a frame holds exactly one element")
        return self._take_events()

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _run(self, data: bytes) -> None:
        """Give `data`, which is at the end of the buffer already, to expat."""
        self._fed += len(data)
        try:
            self._parser.Parse(data, False)
        except _Stopped:
            return
        except _Refused as refusal:
            self._fail(refusal.condition, refusal.text)
            return
        except expat.ExpatError as error:
            self._fail(self._condition_of(error), expat.ErrorString(error.code))
            return
        # Between two calls expat stands at the first byte of the token that it could not finish.
        reached = self._parser.CurrentByteIndex
        if reached == self._fed and self._start == _NONE and self._depth:
            self._buffer.clear()
            self._base = reached
            return
        self._drop_until(self._start if self._start != _NONE else reached)
        if self._fed - reached > _HOLD_AFTER and not self._is_framed:
            self._hold(bytes(self._buffer[reached - self._fed :]))
        self._check_size(0)

    def _behind_whitespace(self, data: bytes) -> bytes:
        # Some clients end <auth/> with a line. What belongs to the stream before must not spoil the XML declaration.
        rest = data.lstrip(_WHITESPACE)
        self._skipped += len(data) - len(rest)
        self._check_size(0)
        return b"" if self._is_done else rest

    def _is_utf8(self, data: bytes) -> bool:
        # RFC 6120 §11.6: nothing but UTF-8. Expat would find out about UTF-16 by itself and go on with it.
        self._first = (self._first + data)[:_BYTES_THAT_TELL]
        if b"\0" in self._first or self._first.startswith((b"\xfe", b"\xff")):
            self._fail(StreamCondition.UNSUPPORTED_ENCODING, "the stream is not UTF-8")
        return not self._is_done

    def _drop_until(self, offset: int) -> None:
        del self._buffer[: offset - self._base]
        self._base = offset

    def _hold(self, unfinished: bytes) -> None:
        if unfinished.startswith((b"<!", b"<?", b"&")):
            self._fail(StreamCondition.RESTRICTED_XML, "a comment, a declaration or an entity reference")
            return
        self._long_tag = _LongTag(unfinished)

    def _check_size(self, held: int) -> None:
        size = len(self._buffer) if self._depth else self._skipped + self._fed + held
        if size > self._limits.max_stanza_bytes:
            self._fail(StreamCondition.POLICY_VIOLATION, "the element is too large")

    def _fail(self, condition: StreamCondition, text: str) -> None:
        if self._is_done:
            return
        # The same input fails in the same way however it was cut, so being too large comes first.
        if self._start != _NONE and self._parser.CurrentByteIndex - self._start >= self._limits.max_stanza_bytes:
            condition, text = StreamCondition.POLICY_VIOLATION, "the element is too large"
        self._events.append(FramingFailed(condition, text))
        self._is_done = True
        self._buffer.clear()

    def _condition_of(self, error: expat.ExpatError) -> StreamCondition:
        if self._depth == _ROOT and self._start == _NONE:
            # Expat finds "]]>" before it reports the text in front of it, when both come at once.
            error_at = self._parser.CurrentByteIndex - self._base
            between = bytes(self._buffer[max(self._between - self._base, 0) : error_at])
            if between.partition(b"<")[0].strip(_WHITESPACE):
                return StreamCondition.BAD_FORMAT
        # RFC 6120 §4.9.3.13, §11.3: what else expat refuses, invalid UTF-8 among it, is not well-formed.
        return _CONDITIONS.get(error.code, StreamCondition.NOT_WELL_FORMED)

    def _new_parser(self) -> expat.XMLParserType:
        # No table of interned names: it would grow with every name that the peer invents.
        parser = expat.ParserCreate(encoding="utf-8", namespace_separator=_SEPARATOR, intern=None)
        # Newer versions of expat wait for more bytes before they look at a tag again; a stanza would be late by one.
        switch = getattr(parser, "SetReparseDeferralEnabled", None)
        if switch is not None:
            switch(False)
        return parser

    def _set_handlers(self, parser: expat.XMLParserType) -> None:
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        parser.CommentHandler = self._on_comment
        parser.ProcessingInstructionHandler = self._on_instruction
        parser.StartDoctypeDeclHandler = self._on_doctype

    def _first_parser(self) -> expat.XMLParserType:
        parser = self._new_parser()
        self._set_handlers(parser)
        parser.XmlDeclHandler = self._on_declaration
        parser.StartNamespaceDeclHandler = self._on_namespace
        return parser

    def _next_parser(self) -> expat.XMLParserType:
        """A parser that stands inside the stream's root, with an empty buffer."""
        parser = self._new_parser()
        root = b"<%b%b>" % (self._root, self._surroundings())
        parser.Parse(root, False)
        self._set_handlers(parser)
        parser.CharacterDataHandler = self._on_text
        self._buffer.clear()
        self._base = self._fed = self._between = len(root)
        self._depth = 1
        self._start = _NONE
        return parser

    def _surroundings(self) -> bytes:
        default = b' xmlns="%b"' % attribute(self._default_namespace) if self._default_namespace else b""
        return default + b"".join(self._declarations.values())

    def _on_declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            raise _Refused(StreamCondition.UNSUPPORTED_ENCODING, "the stream is not declared as UTF-8")

    def _on_namespace(self, prefix: str | None, uri: str | None) -> None:
        if prefix is None:
            self._default_namespace = uri or ""
        else:
            self._prefixes[prefix] = uri or ""
            name = prefix.encode()
            self._declarations[name] = b' xmlns:%b="%b"' % (name, attribute(uri or ""))

    def _on_comment(self, data: str) -> None:
        raise _Refused(StreamCondition.RESTRICTED_XML, "a comment")

    def _on_instruction(self, target: str, data: str) -> None:
        raise _Refused(StreamCondition.RESTRICTED_XML, "a processing instruction")

    def _on_doctype(self, name: str, system_id: str | None, public_id: str | None, has_internal_subset: bool) -> None:
        raise _Refused(StreamCondition.RESTRICTED_XML, "a document type declaration")

    def _on_text(self, data: str) -> None:
        # RFC 6120 §4.9.3.1: well-formed, but nothing that can be processed here.
        if data.strip(" \t\r\n"):
            raise _Refused(StreamCondition.BAD_FORMAT, "text between elements")

    def _on_start(self, name: str, attrs: dict[str, str]) -> None:
        depth = self._depth = self._depth + 1
        if len(attrs) > self._max_attributes:
            raise _Refused(StreamCondition.POLICY_VIOLATION, "too many attributes")
        if depth > _CHILD:
            if depth > self._deepest:
                raise _Refused(StreamCondition.POLICY_VIOLATION, "nested too deeply")
        elif depth == _ELEMENT:
            self._start = self._parser.CurrentByteIndex
            self._name, self._attrs = name, attrs
            self._children = []
            self._parser.CharacterDataHandler = None
        elif depth == _CHILD:
            self._child_start = self._parser.CurrentByteIndex
            self._child_name = name
        elif depth == _ROOT:
            self._open(name, attrs)

    def _on_end(self, name: str) -> None:
        depth = self._depth
        self._depth = depth - 1
        if depth > _CHILD:
            return
        if depth == _CHILD:
            self._end_child()
        elif depth == _ELEMENT:
            self._end_element()
        elif depth == _ROOT:
            self._close()

    def _open(self, name: str, attrs: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_SEPARATOR)
        # RFC 6120 §11.6: U+FEFF is a character like any other here, and none may stand before the header.
        if self._first.startswith(b"\xef"):
            raise _Refused(StreamCondition.NOT_WELL_FORMED, "a byte order mark")
        if namespace != NS_STREAMS:
            raise _Refused(StreamCondition.INVALID_NAMESPACE, "the root is not in the namespace of streams")
        if local != "stream":
            raise _Refused(StreamCondition.BAD_FORMAT, "the root is not a stream")
        start = self._parser.CurrentByteIndex - self._base
        found = _NAME.match(self._buffer, start)
        self._root = self._root if found is None else bytes(found[1])
        self._between = self._base + opening_tag_end(self._buffer, start)
        self._parser.StartNamespaceDeclHandler = None
        self._parser.CharacterDataHandler = self._on_text
        attrs = _expanded(attrs)
        self._events.append(StreamOpened(attrs, attrs.get(XML_LANG), self._default_namespace, self._prefixes))

    def _close(self) -> None:
        if self._is_framed:
            raise _Refused(StreamCondition.NOT_WELL_FORMED, "an end tag without a start")
        self._events.append(StreamClosed())
        self._stop()

    def _stop(self) -> None:
        self._is_done = True
        self._buffer.clear()
        raise _Stopped

    def _end_child(self) -> None:
        if len(self._children) >= self._limits.max_children:
            raise _Refused(StreamCondition.POLICY_VIOLATION, "too many children")
        buffer = self._buffer
        start, end = self._child_start - self._base, self._parser.CurrentByteIndex - self._base
        # Behind a self-closing tag expat stands at what follows, which may be an end tag too: the parent's.
        is_self_closing = buffer.startswith(b"/>", end - 2) and opening_tag_end(buffer, start) == end
        if not is_self_closing:
            end = buffer.index(b">", end) + 1
        namespace, _, name = self._child_name.rpartition(_SEPARATOR)
        offset = self._start - self._base
        self._children.append(Child(namespace, name, start - offset, end - offset))

    def _end_element(self) -> None:
        start = self._start - self._base
        body_start = opening_tag_end(self._buffer, start)
        end = body_start
        if not self._buffer.startswith(b"/", body_start - 2):
            end = self._buffer.index(b">", self._parser.CurrentByteIndex - self._base) + 1
        if end - start > self._limits.max_stanza_bytes:
            raise _Refused(StreamCondition.POLICY_VIOLATION, "the element is too large")
        raw = bytes(self._buffer[start:end])
        self._start = _NONE
        self._between = self._base + end
        self._parser.CharacterDataHandler = self._on_text
        namespace, _, name = self._name.rpartition(_SEPARATOR)
        if self._is_framed and namespace == NS_FRAMING and name in {"open", "close"}:
            self._framing_element(name)
            return
        element = Element(namespace, name, _expanded(self._attrs), raw, body_start - start, tuple(self._children))
        self._events.append(ElementReceived(self._self_contained(element)))
        if namespace in _MAY_RESTART and not self._is_framed:
            self._drop_until(self._base + end)
            self._is_paused = True
            raise _Stopped

    def _framing_element(self, name: str) -> None:
        if name == "close":
            self._events.append(StreamClosed())
            self._stop()
        attrs = _expanded(self._attrs)
        self._events.append(StreamOpened(attrs, attrs.get(XML_LANG), NS_CLIENT, {}))

    def _self_contained(self, element: Element) -> Element:
        has_prefix = not _has_plain_name(element)
        if has_prefix or (not self._is_framed and self._default_namespace != self._content):
            element = self._rebuilt(element)
        elif self._declarations:
            element = declare_prefixes(element, self._declarations)
        if self._content != NS_SERVER or element.namespace != NS_SERVER:
            return element
        try:
            return from_server(element)
        except PayloadError as error:
            raise _Refused(StreamCondition.NOT_WELL_FORMED, str(error)) from error

    def _rebuilt(self, element: Element) -> Element:
        try:
            return Element.from_bytes(element.raw, self._surroundings())
        except PayloadError as error:
            raise _Refused(StreamCondition.NOT_WELL_FORMED, str(error)) from error


class _LongTag:
    """Holds back a tag that arrives in pieces until its end is there, looking at every byte once.

    That the tag is malformed shows only then, or when it is over the limit.
    """

    __slots__ = ("_pieces", "_quote", "held")

    def __init__(self, beginning: bytes) -> None:
        self._pieces: list[bytes] = []
        self._quote = b""
        self.held = 0
        self._ends_in(beginning)

    def add(self, data: bytes) -> bytes:
        """All that was held back when `data` has the end of the tag, else nothing."""
        self._pieces.append(data)
        self.held += len(data)
        return b"".join(self._pieces) if self._ends_in(data) else b""

    def _ends_in(self, data: bytes) -> bool:
        position = 0
        while True:
            if self._quote:
                position = data.find(self._quote, position) + 1
                if position == 0:
                    return False
                self._quote = b""
            match = _QUOTE_OR_END.search(data, position)
            if match is None:
                return False
            if match[0] == b">":
                return True
            self._quote, position = match[0], match.end()


def _expanded(attrs: dict[str, str]) -> dict[str, str]:
    """Attributes with expat's names of prefixed ones turned into the `{namespace}local` form."""
    for key in attrs:
        if _SEPARATOR in key:
            break
    else:
        return attrs
    return {_expanded_name(key): value for key, value in attrs.items()}


def _expanded_name(key: str) -> str:
    namespace, _, local = key.rpartition(_SEPARATOR)
    return f"{{{namespace}}}{local}" if namespace else local


def _has_plain_name(element: Element) -> bool:
    name = element.name.encode()
    return element.raw.startswith(name, 1) and not element.raw.startswith(b":", 1 + len(name))
