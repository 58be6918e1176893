import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from parley.protocols.xmpp.builder import serialise
from parley.protocols.xmpp.element import Element, insert_children, restamp, text, to_frame, to_server, xml
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.framing import ElementReceived, Framer, FramingFailed
from protocols.xmpp.strategies import STREAM_HEADER, infoset, parse_in_stream, stanzas, values


def framed(data: bytes) -> Element:
    framer = Framer("stream")
    framer.feed(STREAM_HEADER)
    (event,) = framer.feed(data)
    assert isinstance(event, ElementReceived)
    return event.element


def in_client_stream(data: bytes) -> etree._Element:
    header = b"<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>"
    return etree.fromstring(header + data + b"</s:stream>")[0]


stamps = st.fixed_dictionaries(
    {}, optional={name: st.one_of(st.none(), values) for name in ("to", "from_", "id", "type", "lang")}
)
LXML_NAMES = {
    "to": "to",
    "from_": "from",
    "id": "id",
    "type": "type",
    "lang": "{http://www.w3.org/XML/1998/namespace}lang",
}
EXTRA = b"<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='example.org'/>"


@given(stanzas, stamps, st.booleans())
@settings(max_examples=200)
def test_splicing_changes_what_a_tree_edit_would_change(data: bytes, changes: dict[str, str | None], with_extra: bool):
    tree = parse_in_stream(data)
    for name, value in changes.items():
        if value is None:
            tree.attrib.pop(LXML_NAMES[name], None)
        else:
            tree.set(LXML_NAMES[name], value)
    if with_extra:
        tree.append(etree.fromstring(EXTRA))
    result = insert_children(restamp(framed(data), **changes), EXTRA if with_extra else b"")
    assert result.startswith((b"<message", b"<presence", b"<iq"))
    assert infoset(in_client_stream(result)) == infoset(tree)
    assert infoset(etree.fromstring(to_frame(result))) == infoset(tree)


@given(stanzas)
@settings(max_examples=100)
def test_a_stanza_that_was_stored_reads_the_same(data: bytes):
    element = framed(data)
    again = Element.from_bytes(element.raw)
    assert infoset(again.tree()) == infoset(element.tree())
    assert [(c.namespace, c.name) for c in again.children] == [(c.namespace, c.name) for c in element.children]
    assert dict(again.attrs) == dict(element.attrs)
    reframed = framed(again.raw)
    assert (reframed.raw, reframed.children, reframed.body_start) == (again.raw, again.children, again.body_start)
    for first, second in zip(again.children, element.children, strict=True):
        assert infoset(again.child_tree(first)) == infoset(element.child_tree(second))


@given(stanzas)
@settings(max_examples=100)
def test_serialise_is_the_inverse_of_parsing(data: bytes):
    tree = parse_in_stream(data)
    assert infoset(in_client_stream(serialise(tree))) == infoset(tree)


def test_restamp_keeps_the_rest_byte_for_byte():
    element = framed(b"<message  id='1'\n to=\"x>y\" xmlns:a='u' a:b='2' xml:lang='en' ><body>&#65;</body></message >")
    assert restamp(element, to="bob@example.org", from_='a"&b') == (
        b"<message id='1' xmlns:a='u' a:b='2' xml:lang='en' to=\"bob@example.org\" from=\"a&quot;&amp;b\">"
        b"<body>&#65;</body></message >"
    )
    assert restamp(framed(b"<presence to='a'/>"), to=None, lang="de") == b'<presence xml:lang="de"/>'
    with pytest.raises(KeyError):
        restamp(element, by="x")


def test_restamp_does_not_mistake_values_for_attributes():
    element = framed(b"<message id=' to=\"x\" xmlns=&apos;y&apos; '/>")
    assert restamp(element, to="z") == b'<message id=\' to="x" xmlns=&apos;y&apos; \' to="z"/>'


def test_frames_lose_their_namespace_in_a_stream():
    framer = Framer("frame")
    (event,) = framer.feed(b"<iq xmlns='jabber:client' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert isinstance(event, ElementReceived)
    assert restamp(event.element) == b"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"


def test_elements_of_other_namespaces_keep_theirs():
    assert restamp(framed(b"<r xmlns='urn:xmpp:sm:3'/>")) == b"<r xmlns='urn:xmpp:sm:3'/>"
    assert to_frame(b"<r xmlns='urn:xmpp:sm:3'/>") == b"<r xmlns='urn:xmpp:sm:3'/>"
    assert to_frame(b"<iqx/>") == b"<iqx/>"
    assert to_frame(b"<iq/>") == b'<iq xmlns="jabber:client"/>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<body>hi</body>", "hi"),
        ("<body a='>'>hé/></body >".encode(), "hé/>"),
        (b"<body/>", ""),
        (b"<body></body>", ""),
        (b"<body>a &lt; b</body>", "a < b"),
        (b"<body><![CDATA[a & b]]></body>", "a & b"),
        (b"<body>a\r\nb</body>", "a\nb"),
        (b"<body xmlns='other'>x</body>", None),
        (b"<body>one</body><body>two</body>", "one"),
    ],
)
def test_text_of_a_child(body: bytes, expected: str | None):
    assert framed(b"<message><thread>t</thread>" + body + b"</message>").text_of("jabber:client", "body") == expected


def test_attributes_by_name():
    element = framed(b"<iq type='get' id='1' to='b@x' from='a@x' xml:lang='de'/>")
    assert (element.type, element.id, element.to, element.from_, element.lang) == ("get", "1", "b@x", "a@x", "de")
    bare = framed(b"<message><x xmlns='u'/></message>")
    assert (bare.type, bare.id, bare.to, bare.from_, bare.lang) == (None,) * 5
    assert bare.has("u", "x")
    assert not bare.has("jabber:client", "x")
    assert bare.tree() is bare.tree()
    assert repr(bare) == "<Element {jabber:client}message 33 bytes, 1 children>"


@pytest.mark.parametrize(
    "data", [b"", b"x", b"<a/><b/>", b"<a>", b"<a/> ", b"<!DOCTYPE x><a/>", b"<p:a/>", b"\xff", b"<a>&x;</a>"]
)
def test_bytes_that_are_not_one_element_are_refused(data: bytes):
    with pytest.raises(PayloadError):
        Element.from_bytes(data)


def test_a_tree_that_libxml2_refuses_is_an_error_of_ours():
    element = framed(b"<message><" + b"a" * 60_000 + b"/></message>")
    with pytest.raises(PayloadError):
        element.tree()


def test_the_builder_escapes_and_orders():
    assert xml("a") == b"<a/>"
    assert xml("a", {"x": None, "y": '<&">\t\n\r'}) == b'<a y="&lt;&amp;&quot;&gt;&#9;&#10;&#13;"/>'
    assert xml("p:a", {"xmlns:p": "u"}, "a<b", xml("c"), b"") == b'<p:a xmlns:p="u">a&lt;b<c/></p:a>'
    assert text("a\x00\ud800b\ufffe\x0b\r") == b"ab&#13;"


@pytest.mark.parametrize("name", ["", "a b", "<a", "a>", "1a", "a:b:c", "a/"])
def test_the_builder_refuses_what_is_no_name(name: str):
    with pytest.raises(ValueError, match="not an XML name"):
        xml(name)
    with pytest.raises(ValueError, match="not an XML name"):
        xml("a", {name: "x"})


@given(st.text(), st.text())
def test_whatever_the_builder_is_given_stays_text(value: str, content: str):
    tree = etree.fromstring(xml("a", {"b": value}, content))
    legal = [
        "".join(c for c in t if c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff")
        for t in (value, content)
    ]
    assert [tree.get("b"), tree.text or ""] == legal


@given(st.text())
def test_what_is_built_passes_the_framer(content: str):
    framer = Framer("stream")
    framer.feed(STREAM_HEADER)
    assert not isinstance(framer.feed(xml("message", {"id": content}, xml("body", None, content)))[-1], FramingFailed)


@pytest.mark.parametrize(
    "payload",
    [
        "<subject xmlns='jabber:server'>other</subject>",
        "<p:subject xmlns:p='jabber:server'>other</p:subject>",
        "<subject xmlns='jabber&#58;server'>other</subject>",
    ],
)
def test_what_was_a_payload_here_is_no_subject_on_another_server(payload: str) -> None:
    element = framed(f"<message to='a@example.net'>{payload}<x xmlns='urn:x'/></message>".encode())
    assert not element.has("jabber:client", "subject")
    sent = to_server(restamp(element, from_="b@example.org"))
    tree = etree.fromstring(b"<s xmlns='jabber:server'>" + sent + b"</s>")[0]
    assert [child.tag for child in tree] == ["{urn:x}x"]
