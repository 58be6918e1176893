import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from parley.protocols.xmpp.element import Child, to_frame
from parley.protocols.xmpp.errors import StreamCondition
from parley.protocols.xmpp.framing import (
    ElementReceived,
    Event,
    Framer,
    FramingFailed,
    FramingLimits,
    StreamClosed,
    StreamOpened,
)
from protocols.xmpp.strategies import STREAM_HEADER, elements, infoset, parse_in_stream, spaces, stanza_names, stanzas

SMALL = FramingLimits(max_stanza_bytes=1000, max_depth=5, max_attributes=4, max_children=3)


def opened(limits: FramingLimits | None = None) -> Framer:
    framer = Framer("stream", limits)
    assert isinstance(framer.feed(STREAM_HEADER)[0], StreamOpened)
    return framer


def open_frames(limits: FramingLimits | None = None) -> Framer:
    framer = Framer("frame", limits)
    framer.feed(b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>")
    return framer


def seen(events: list[Event]) -> list[object]:
    """Events in a form that can be compared: elements by name, attributes, bytes and children."""
    plain: list[object] = []
    for event in events:
        if isinstance(event, ElementReceived):
            e = event.element
            plain.append((e.namespace, e.name, dict(e.attrs), e.raw, e.body_start, e.children))
        elif isinstance(event, FramingFailed):
            plain.append(event.condition)
        else:
            plain.append(event)
    return plain


def feed_in_pieces(framer: Framer, data: bytes, cuts: list[int]) -> list[Event]:
    events: list[Event] = []
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        events += framer.feed(data[start:end])
    events += framer.feed(b"")
    return events


def only_element(events: list[Event]) -> ElementReceived:
    assert len(events) == 1
    assert isinstance(events[0], ElementReceived)
    return events[0]


def failure(events: list[Event]) -> StreamCondition:
    assert isinstance(events[-1], FramingFailed)
    return events[-1].condition


def test_the_header_tells_attributes_language_and_namespaces():
    (event,) = Framer("stream").feed(STREAM_HEADER)
    assert event == StreamOpened(
        {"to": "example.org", "version": "1.0", "{http://www.w3.org/XML/1998/namespace}lang": "en"},
        "en",
        "jabber:client",
        {"stream": "http://etherx.jabber.org/streams", "cx": "urn:example:declared-on-the-header"},
    )


def test_children_are_known_by_name_and_place():
    data = b"<message to='a' id=\"1>2\"><body>/&gt;></body><x xmlns='urn:x' a='/'/><y xmlns='urn:y'></y ></message >"
    element = only_element(opened().feed(data + b"<mess")).element
    assert element.raw == data
    assert [(c.namespace, c.name, element.child_bytes(c)) for c in element.children] == [
        ("jabber:client", "body", b"<body>/&gt;></body>"),
        ("urn:x", "x", b"<x xmlns='urn:x' a='/'/>"),
        ("urn:y", "y", b"<y xmlns='urn:y'></y >"),
    ]
    assert element.raw[: element.body_start] == b"<message to='a' id=\"1>2\">"
    assert (element.to, element.id) == ("a", "1>2")


def test_a_child_that_looks_self_closing_because_of_its_text_is_not():
    element = only_element(opened().feed(b"<message><body>/></body><x/></message>")).element
    assert [element.child_bytes(child) for child in element.children] == [b"<body>/></body>", b"<x/>"]


def test_whitespace_between_stanzas_is_kept_alive_and_ignored():
    framer = opened()
    assert framer.feed(b" ") == framer.feed(b"\n\r\n\t") == []
    assert len(framer.feed(b" <presence/>\n<presence/> \r")) == 2
    assert len(framer.feed(b"\n<presence/>")) == 1


@given(st.lists(st.one_of(stanzas, spaces.map(str.encode)), max_size=5), st.lists(st.integers(0, 5000), max_size=12))
@settings(max_examples=150)
def test_any_split_of_a_stream_gives_the_same_events(parts: list[bytes], cuts: list[int]):
    data = STREAM_HEADER + b"".join(parts) + b"</stream:stream>ignored"
    whole = seen(Framer("stream").feed(data))
    assert whole[-1] == StreamClosed()
    assert len(whole) == 2 + sum(1 for part in parts if part.strip())
    assert seen(feed_in_pieces(Framer("stream"), data, cuts)) == whole
    single = Framer("stream")
    assert seen([event for byte in data for event in single.feed(bytes([byte]))]) == whole


@given(st.lists(stanzas, max_size=3), st.binary(min_size=1, max_size=20), st.lists(st.integers(0, 3000), max_size=8))
@settings(max_examples=150)
def test_any_split_of_a_broken_stream_fails_alike(parts: list[bytes], noise: bytes, cuts: list[int]):
    data = STREAM_HEADER + b"".join(parts) + noise + b"<!--"
    whole = seen(feed_in_pieces(Framer("stream"), data, []))
    assert seen(feed_in_pieces(Framer("stream"), data, cuts)) == whole


@given(stanzas)
@settings(max_examples=150)
def test_an_element_means_what_lxml_says_it_means(data: bytes):
    element = only_element(opened().feed(data)).element
    tree = parse_in_stream(data)
    assert infoset(element.tree()) == infoset(tree)
    assert dict(element.attrs) == {str(key): str(value) for key, value in tree.attrib.items()}
    assert len(element.children) == len(tree)
    for child, expected in zip(element.children, tree, strict=True):
        assert f"{{{child.namespace}}}{child.name}".removeprefix("{}") == expected.tag
        assert element.child_bytes(child).startswith(b"<")
        assert element.child_bytes(child).endswith(b">")


@given(stanza_names.flatmap(lambda name: elements(name=name, outer=True, xmlns="jabber:client")))
@settings(max_examples=100)
def test_a_frame_means_what_it_would_mean_in_a_stream(text: str):
    data = text.encode()
    if b"cx:" in data:
        data = data.replace(b" xmlns='jabber:client'", b" xmlns='jabber:client' xmlns:cx='urn:example:c'", 1)
    element = only_element(open_frames().feed(b" " + data + b"\n")).element
    assert element.raw == data
    assert infoset(element.tree()) == infoset(parse_in_stream(data))


@given(stanzas)
@settings(max_examples=100)
def test_the_wire_form_of_a_stanza_is_a_frame_of_its_own(data: bytes):
    element = only_element(opened().feed(data)).element
    framed = only_element(open_frames().feed(to_frame(element.raw))).element
    assert infoset(framed.tree()) == infoset(element.tree())


def test_prefixes_of_the_header_stay_valid_outside_the_stream():
    data = b"<message><cx:a><stream:b/></cx:a><y xmlns='u'/></message>"
    element = only_element(opened().feed(data)).element
    assert b"xmlns:cx=" in element.raw
    assert b"xmlns:stream=" in element.raw
    assert element.children[0] == Child(
        "urn:example:declared-on-the-header", "a", element.raw.index(b"<cx:a>"), element.raw.index(b"<y")
    )
    assert infoset(only_element(open_frames().feed(to_frame(element.raw))).element.tree()) == infoset(
        parse_in_stream(data)
    )


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (
            b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns:c='jabber:client'>",
            b"<c:message to='x' c:z='1' xml:lang='en'>t<c:body>&lt;</c:body><y a='&quot;'/><z xmlns='u'/></c:message>",
        ),
        (
            b"<stream xmlns='http://etherx.jabber.org/streams'>",
            b"<message xmlns='jabber:client'><body>a</body></message>",
        ),
        (STREAM_HEADER, b"<c:iq xmlns:c='jabber:client' id='1'><q/><c:q/><q xmlns=''/></c:iq>"),
        (STREAM_HEADER, b"<message:message xmlns:message='jabber:client'/>"),
    ],
)
def test_unusual_prefixes_are_brought_into_the_usual_form(header: bytes, data: bytes):
    framer = Framer("stream")
    framer.feed(header)
    element = only_element(framer.feed(data)).element
    end = b"</stream>" if header.startswith(b"<stream ") else b"</stream:stream>"
    expected = infoset(etree.fromstring(header + data + end)[0])
    assert infoset(element.tree()) == expected
    assert element.raw.startswith(b"<" + element.name.encode())
    assert not element.raw[: element.body_start].count(b"xmlns=")
    assert [element.child_bytes(c)[:1] for c in element.children] == [b"<"] * len(element.children)
    again = only_element(opened().feed(element.raw)).element
    assert infoset(again.tree()) == expected


MALFORMED = [
    (b"<message><body></message>", StreamCondition.NOT_WELL_FORMED),
    (b"<message a='1' a='2'/>", StreamCondition.NOT_WELL_FORMED),
    (b"<message a=1/>", StreamCondition.NOT_WELL_FORMED),
    (b"<message>\xff</message>", StreamCondition.NOT_WELL_FORMED),
    (b"<message>\xc3(</message>", StreamCondition.NOT_WELL_FORMED),
    (b"<message>\x00</message>", StreamCondition.NOT_WELL_FORMED),
    (b"<message>&#0;</message>", StreamCondition.NOT_WELL_FORMED),
    (b"<message>]]></message>", StreamCondition.NOT_WELL_FORMED),
    (b"<message><!-- x --></message>", StreamCondition.RESTRICTED_XML),
    (b"<!-- x -->", StreamCondition.RESTRICTED_XML),
    (b"<message><?php x ?></message>", StreamCondition.RESTRICTED_XML),
    (b"<message><?xml version='1.0'?></message>", StreamCondition.RESTRICTED_XML),
    (b"<message>&foo;</message>", StreamCondition.RESTRICTED_XML),
    (b"<message a='&foo;'/>", StreamCondition.RESTRICTED_XML),
    (b"<message>" + b"&" + b"a" * 9000, StreamCondition.RESTRICTED_XML),
    (b"<message>" + b"<!--" + b"a" * 9000, StreamCondition.RESTRICTED_XML),
    (b"<foo:message/>", StreamCondition.BAD_NAMESPACE_PREFIX),
    (b"<message foo:a='1'/>", StreamCondition.BAD_NAMESPACE_PREFIX),
    (b"text", StreamCondition.BAD_FORMAT),
    (b"text]]>", StreamCondition.BAD_FORMAT),
    (b"<c:message xmlns:c='jabber:client'><" + b"a" * 60_000 + b"/></c:message>", StreamCondition.NOT_WELL_FORMED),
]


@pytest.mark.parametrize(("data", "condition"), [*MALFORMED, (b"<presence/>\xef\xbb\xbf", StreamCondition.BAD_FORMAT)])
def test_bad_input_ends_a_stream_with_the_condition_of_the_rfc(data: bytes, condition: StreamCondition):
    framer = opened()
    assert failure(framer.feed(data)) is condition
    assert framer.feed(b"<presence/>") == []
    pieces = opened()
    assert failure([event for byte in data for event in pieces.feed(bytes([byte]))]) is condition


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        *MALFORMED[:12],
        (b"<presence xmlns='jabber:client'/><presence xmlns='jabber:client'/>", StreamCondition.NOT_WELL_FORMED),
        (b"<presence xmlns='jabber:client'>", StreamCondition.NOT_WELL_FORMED),
        (b"<presence xmlns='jabber:client'", StreamCondition.NOT_WELL_FORMED),
        (b"</stream>", StreamCondition.NOT_WELL_FORMED),
        (b"<stream:features/>", StreamCondition.BAD_NAMESPACE_PREFIX),
        (b"<presence xmlns='jabber:client'/>x", StreamCondition.BAD_FORMAT),
        (b"<!DOCTYPE x><x/>", StreamCondition.NOT_WELL_FORMED),
    ],
)
def test_bad_input_ends_the_frames_too(data: bytes, condition: StreamCondition):
    framer = open_frames()
    assert failure(framer.feed(data)) is condition
    assert framer.feed(b"<presence xmlns='jabber:client'/>") == []


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", StreamCondition.RESTRICTED_XML),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><stream>", StreamCondition.UNSUPPORTED_ENCODING),
        (STREAM_HEADER.decode().encode("utf-16"), StreamCondition.UNSUPPORTED_ENCODING),
        (STREAM_HEADER.decode().encode("utf-16-le"), StreamCondition.UNSUPPORTED_ENCODING),
        (STREAM_HEADER.decode().encode("utf-16-be"), StreamCondition.UNSUPPORTED_ENCODING),
        (b"\xef\xbb\xbf" + STREAM_HEADER, StreamCondition.NOT_WELL_FORMED),
        (b"<stream xmlns='jabber:client'>", StreamCondition.INVALID_NAMESPACE),
        (b"<x:strom xmlns:x='http://etherx.jabber.org/streams'>", StreamCondition.BAD_FORMAT),
        (b"<stream:stream>", StreamCondition.BAD_NAMESPACE_PREFIX),
        (b"GET / HTTP/1.1\r\n", StreamCondition.NOT_WELL_FORMED),
        (b"\x16\x03\x01\x02\x00", StreamCondition.NOT_WELL_FORMED),
    ],
)
def test_bad_headers_are_refused(data: bytes, condition: StreamCondition):
    assert failure(Framer("stream").feed(data)) is condition
    pieces = Framer("stream")
    assert failure([event for byte in data for event in pieces.feed(bytes([byte]))]) is condition


@pytest.mark.parametrize(
    "data",
    [
        b"<message><body>" + b"x" * 1000,
        b"<message a='" + b"x" * 1000,
        b"<message><body>" + b"x" * 1000 + b"</body></message>",
        b"<message><a><b><c><d><e/></d></c></b></a></message>",
        b"<message a='1' b='1' c='1' d='1' e='1'/>",
        b"<message><x a='1' b='1' c='1' d='1' e='1'/></message>",
        b"<message><a/><b/><c/><d/></message>",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_limits_are_kept(data: bytes, size: int):
    framer = opened(SMALL)
    events = [event for at in range(0, len(data), size) for event in framer.feed(data[at : at + size])]
    assert seen(events) == [StreamCondition.POLICY_VIOLATION]


def test_what_is_within_the_limits_passes():
    framer = opened(SMALL)
    assert len(framer.feed(b"<message a='1' b='1' c='1' d='1'><a><b><c><d/></c></b></a><b/><c/></message>")) == 1
    body = b"<message><body>" + b"x" * (1000 - 32) + b"</body></message>"
    assert len(framer.feed(body)) == 1
    assert failure(framer.feed(body.replace(b"xx", b"xxx", 1))) is StreamCondition.POLICY_VIOLATION


def test_a_giant_stanza_is_refused_before_it_is_whole():
    framer = opened(FramingLimits(max_stanza_bytes=10_000))
    framer.feed(b"<message><body>")
    pieces = 0
    while not framer.feed(b"x" * 100):
        pieces += 1
    assert pieces < 100


@pytest.mark.parametrize(
    "pieces", [(b"\n" + STREAM_HEADER,), (b" ", b"\r\n", STREAM_HEADER), (b"", b"\n<", STREAM_HEADER[1:])]
)
def test_whitespace_of_the_stream_before_does_not_spoil_the_header(pieces: tuple[bytes, ...]):
    assert STREAM_HEADER.startswith(b"<?xml")
    framer = Framer("stream")
    (event,) = [event for piece in pieces for event in framer.feed(piece)]
    assert isinstance(event, StreamOpened)
    assert only_element(framer.feed(b"<presence/>")).element.raw == b"<presence/>"


def test_a_header_without_end_is_refused():
    framer = Framer("stream", SMALL)
    assert failure(framer.feed(b" " * 1001)) is StreamCondition.POLICY_VIOLATION
    framer = Framer("stream", SMALL)
    events = [event for _ in range(600) for event in framer.feed(b"\n ")]
    assert failure(events) is StreamCondition.POLICY_VIOLATION


def test_a_frame_over_the_limit_is_refused():
    assert failure(open_frames(SMALL).feed(b" " * 1001)) is StreamCondition.POLICY_VIOLATION


@given(st.integers(1, 40), st.text("'\"/> =a\n", max_size=60))
def test_a_long_tag_is_found_whole_however_it_is_cut(step: int, noise: str):
    value = noise.replace("'", "&apos;")
    data = f"<message to='{'x' * 5000}'\n a='{value}' b=\"{noise.replace(chr(34), '')}\" ><y/></message>".encode()
    framer = opened()
    events = [event for at in range(0, len(data), step * 10) for event in framer.feed(data[at : at + step * 10])]
    assert only_element(events).element.raw == data


def test_open_and_close_of_the_framing_namespace():
    framer = Framer("frame")
    (event,) = framer.feed(b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' xml:lang='de'/>")
    assert event == StreamOpened(
        {"to": "example.org", "{http://www.w3.org/XML/1998/namespace}lang": "de"}, "de", "jabber:client", {}
    )
    assert framer.feed(b"") == framer.feed(b" \n") == []
    assert framer.feed(b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>") == [StreamClosed()]
    assert framer.feed(b"<presence xmlns='jabber:client'/>") == []


def test_a_frame_without_a_namespace_has_none():
    assert only_element(open_frames().feed(b"<message/>")).element.namespace == ""


AUTH = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>"


def test_the_stream_stops_behind_sasl_and_gives_the_rest_to_its_successor():
    framer = opened()
    assert only_element(framer.feed(AUTH + STREAM_HEADER + b"<presence/>")).element.name == "auth"
    rest = framer.pending()
    assert rest == STREAM_HEADER + b"<presence/>"
    successor = Framer("stream")
    assert [type(event) for event in successor.feed(rest)] == [StreamOpened, ElementReceived]
    assert successor.pending() == b""


def test_the_stream_goes_on_behind_sasl_when_the_caller_wants_it_to():
    framer = opened()
    assert len(framer.feed(AUTH + AUTH + b"<presence/><mess")) == 1
    assert len(framer.feed(b"")) == 1
    assert [e.element.name for e in framer.feed(b"") if isinstance(e, ElementReceived)] == ["presence"]
    assert only_element(framer.feed(b"age><cx:z/></message>")).element.children[0].namespace == (
        "urn:example:declared-on-the-header"
    )


def test_plain_bytes_behind_starttls_are_visible_to_the_caller():
    framer = opened()
    framer.feed(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    assert framer.pending() == b""
    framer = opened()
    framer.feed(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><auth")
    assert framer.pending() == b"<auth"


def test_a_stream_outlives_the_replacement_of_its_parser():
    framer = opened()
    stanza = b"<message><cx:body>" + b"x" * 30_000 + b"</cx:body></message>"
    data = stanza * 40
    received = [event for at in range(0, len(data), 4_001) for event in framer.feed(data[at : at + 4_001])]
    assert len(received) == 40
    assert len({event.element.raw for event in received if isinstance(event, ElementReceived)}) == 1
    frames = open_frames()
    frame = to_frame(b"<message><body>" + b"x" * 30_000 + b"</body></message>")
    assert all(len(frames.feed(frame)) == 1 for _ in range(40))


def test_a_long_tag_in_small_pieces_is_whole_in_the_end():
    framer = opened()
    data = b"<message a='" + b'/>"' * 6_000 + b"' b=\"'>\"><x/></message><presence/>"
    events = [event for at in range(0, len(data), 11) for event in framer.feed(data[at : at + 11])]
    assert [event.element.raw for event in events if isinstance(event, ElementReceived)] == [data[:-11], data[-11:]]


@pytest.mark.parametrize("root", ["stream:stream", "s:stream", "stream"])
@pytest.mark.parametrize("between", ["", "<authenticate xmlns='urn:xmpp:sasl:2'/>", "<message/>" * 40_000])
def test_a_stream_is_closed_by_the_name_that_it_was_opened_with(root: str, between: str) -> None:
    prefix = root.rpartition(":")[0]
    declared = f"xmlns{f':{prefix}' if prefix else ''}='http://etherx.jabber.org/streams'"
    framer = Framer("stream")
    framer.feed(f"<{root} to='example.org' version='1.0' {declared}>".encode())
    framer.feed(between.encode())
    framer.feed(b" ")
    assert framer.feed(f"</{root}>".encode()) == [StreamClosed()]
