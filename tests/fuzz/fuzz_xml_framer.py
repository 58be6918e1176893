"""Fuzz target: the XMPP framer takes any bytes in any pieces and answers with events only."""

from parley.protocols.xmpp.element import Element, insert_children, restamp, to_frame
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.framing import ElementReceived, Event, Framer, FramingFailed, FramingLimits

LIMITS = FramingLimits(max_stanza_bytes=16_384, max_depth=16, max_attributes=16, max_children=64)
HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p'>"
LONG_TAG = 4096
STANZAS = frozenset({"message", "presence", "iq"})

SEEDS = [
    b"\x10" + b"<message to='a@b' id='1'><body>hi &amp; bye</body><x xmlns='urn:x' a='>'/></message></stream:stream>",
    b"\x03" + b"<p:iq xmlns:p='jabber:client'><p:q/></p:iq> <presence/>",
    b"\x05" + b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AA==</auth><message><stream:x/><p:y/></message>",
    b"\x02" + b"<message><!-- --></message>",
    b"\x07" + b"<message/>text]]>",
    b"\x07" + b"<message><![CDATA[</message>]]></message>\xff",
    b"\x20" + b"<m a='" + b'>"' * 3000 + b"'/><iq/>",
]


def target(data: bytes) -> None:
    """The first byte says how the rest is cut; both modes; the events must not depend on the cut."""
    if not data:
        return
    step, payload = data[0] + 1, data[1:]
    whole = _stream([payload])
    pieces = _stream([payload[at : at + step] for at in range(0, len(payload), step)])
    is_late = len(payload) > LONG_TAG and bool(whole) and isinstance(whole[-1], FramingFailed)
    if is_late:
        # A malformed tag that is long and comes in pieces is found out at its end, or at the limit.
        whole, pieces = whole[:-1], pieces[: len(whole) - 1]
    assert [_shown(event) for event in whole] == [_shown(event) for event in pieces]
    for event in whole:
        if isinstance(event, ElementReceived):
            _splice(event.element)
    _stream_without_header(payload)
    frames = Framer("frame", LIMITS)
    for frame in payload.split(b"\n"):
        frames.feed(frame)


def _stream(pieces: list[bytes]) -> list[Event]:
    framer = Framer("stream", LIMITS)
    framer.feed(HEADER)
    events: list[Event] = []
    for piece in pieces:
        events += framer.feed(piece)
    while framer.pending():
        events += framer.feed(b"")
    return events


def _stream_without_header(payload: bytes) -> None:
    Framer("stream", LIMITS).feed(payload)


def _shown(event: Event) -> object:
    if isinstance(event, ElementReceived):
        return event.element.raw, event.element.children
    return event.condition if isinstance(event, FramingFailed) else event


def _splice(element: Element) -> None:
    if element.namespace != "jabber:client" or element.name not in STANZAS:
        return
    stanza = insert_children(restamp(element, to="a@b/c", from_=None), b"<x xmlns='urn:x'/>")
    # What one peer sends must never break the stream of another.
    (event,) = Framer("frame").feed(to_frame(stanza))
    assert isinstance(event, ElementReceived), event
    assert len(event.element.children) == len(element.children) + 1
    try:
        element.tree()
    except PayloadError:
        return


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
